//! What `serve` says: where it listens, what it serves, one line for each run that starts, waits or ends.
//!
//! Must never say more in a second than a person can read, nor leave a wait without the command that ends it.
//! Tests: `crates/cli/tests/serve.rs`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use flowdeck::engine::{Notice, NoticeKind, RunView, Status, WaitReason};
use flowdeck::model::connect::PromptView;
use flowdeck::model::{FlowName, PromptId};
use flowdeck::{Runtime, RuntimeError};
use flowdeck_server::Listening;
use flowdeck_server::wire::{ServedFlow, Starts};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use crate::again::{Again, quoted};
use crate::out;
use crate::screen::flows as screen;
use crate::screen::runs::wait_words;
use crate::screen::style::{Style, count, duration, pad, width};
use crate::watch::commands;

/// Most runs told of in a second, for people.
const LINES_MAX: u32 = 20;
/// Most prompts that were told with their runs and are remembered until they are told of themselves.
const PROMPTS_MAX: usize = 1_000;

/// Words for a person, or lines for a program.
#[derive(Debug)]
pub(super) struct Told {
    json: bool,
    pub(super) style: Style,
    /// Where it listens.
    url: String,
    /// How commands that are shown lead back here.
    again: Again,
    /// Other machines reach it.
    others: bool,
    /// Lines in this second, and those left out.
    said: u32,
    unsaid: u32,
    /// Prompts that a run which waits there has told of.
    prompts: BTreeSet<PromptId>,
}

impl Told {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            style: out::style(),
            url: String::new(),
            again: Again::default(),
            others: false,
            said: 0,
            unsaid: 0,
            prompts: BTreeSet::new(),
        }
    }

    /// Of what listens there, and the commands that reach it.
    pub(super) fn at(self, listening: &Listening, again: &Again) -> Self {
        let others = !listening.address().ip().is_loopback();
        Self { url: listening.url().to_owned(), again: again.clone(), others, ..self }
    }

    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// One thing, for a person or for a program.
    pub(super) fn line(&self, text: &str, value: impl FnOnce() -> Value) {
        match self.json {
            true => out::json(&value()),
            false => out::text(&format!("{text}\n")),
        }
    }

    /// It serves.
    pub(super) fn began(
        &self,
        data: &Path,
        watched: &[PathBuf],
        flows: &[ServedFlow],
        is_more: bool,
        set_up: Option<&str>,
    ) {
        let url = &self.url;
        if self.json {
            let told = json!({ "type": "serving", "url": url, "data": data, "flows": flows, "more": is_more });
            out::json(&told);
            if let Some(link) = set_up {
                out::json(&json!({ "type": "set_up", "link": link }));
            }
            return;
        }
        let style = self.style;
        let mut text = format!("{} {}\n", style.bold("flowdeck serves"), data.display());
        text.push_str(&format!("  listens on  {}\n", style.key(url)));
        if let Some(link) = set_up {
            text.push_str("  sign in     nobody can yet; this link makes the administrator, once, within an hour:\n");
            text.push_str(&format!("              {}\n", style.key(link)));
        }
        if self.others {
            let warning = "other machines reach it over plain HTTP: put a proxy with TLS in front";
            text.push_str(&format!("  {}\n", style.bad(warning)));
        }
        for folder in watched {
            text.push_str(&format!("  watches     {}\n", folder.display()));
        }
        text.push_str(&format!("  {}\n", style.dim("Other flowdeck commands work here meanwhile. Ctrl-C ends it.")));
        text.push_str(&format!("\n{}\n", style.bold("Flows")));
        if flows.is_empty() {
            text.push_str(match watched {
                [] => "  None yet. `flowdeck flows publish FILE --on` in another terminal brings one.\n",
                _ => "  None yet. Put a *.flow.yaml file into the watched folder.\n",
            });
        }
        let widest = flows.iter().map(|flow| width(flow.name.as_str())).max().unwrap_or(0);
        for flow in flows {
            text.push_str(&self.flow(flow, widest));
        }
        if is_more {
            text.push_str("  and more: flowdeck flows list\n");
        }
        out::text(&format!("{text}\n{}\n", style.bold("Runs")));
    }

    fn flow(&self, flow: &ServedFlow, widest: usize) -> String {
        let style = self.style;
        let next = flow.next.map(|next| format!(", next {}", next.to_iso())).unwrap_or_default();
        let off = if flow.on { "" } else { ", off" };
        let (sign, starts) = (self.sign(flow.on), self.starts(flow));
        format!("  {sign} {}  {starts}{next}{off}\n", style.bold(&pad(flow.name.as_str(), widest)))
    }

    fn sign(&self, on: bool) -> String {
        let style = self.style;
        if on { style.good(style.sign("●", "*")) } else { style.dim(style.sign("○", "-")) }
    }

    /// What starts it, with the whole address where it has one.
    fn starts(&self, flow: &ServedFlow) -> String {
        match &flow.starts {
            Starts::Endpoint { path, methods, access } => {
                let access = if access == "public" { "public" } else { "with a token" };
                format!("{} {}{path}, {access}", methods.join(" "), self.url)
            }
            _ => screen::starts(flow),
        }
    }

    /// A watched file brought a version.
    pub(super) fn published(&self, flow: &ServedFlow) {
        let state = if flow.on { "" } else { "; it stays switched off" };
        let name = self.style.bold(flow.name.as_str());
        let text = format!("  {} {name} is published: {}{state}", self.sign(flow.on), self.starts(flow));
        self.line(&text, || json!({ "type": "published", "flow": flow }));
    }

    /// A flow whose file went.
    pub(super) fn switched_off(&self, name: &FlowName) {
        let text =
            format!("  {} {} is switched off: its file is gone", self.sign(false), self.style.bold(name.as_str()));
        self.line(&text, || json!({ "type": "switched_off", "flow": name }));
    }

    pub(super) fn full(&self, why: &str) {
        let text = format!("  {} {why}; new runs are refused until there is space", self.style.bad("✗"));
        self.line(&text, || json!({ "type": "full", "message": why }));
    }

    pub(super) fn ending(&self) {
        self.line("\nStopping: runs under way come to rest.", || json!({ "type": "stopping" }));
    }

    pub(super) fn ended(&self) {
        let text = "Stopped; nothing is lost. Runs go on at the next `flowdeck serve`.";
        self.line(text, || json!({ "type": "stopped" }));
    }

    /// A second has passed.
    pub(super) fn tick(&mut self) {
        if self.unsaid > 0 {
            let more = self.unsaid;
            let text = format!("  … and {more} more: flowdeck runs list");
            self.line(&self.style.dim(&text), || json!({ "type": "missed", "notices": more }));
        }
        (self.said, self.unsaid) = (0, 0);
    }

    /// Something about a run.
    pub(super) async fn notice(&mut self, runtime: &Runtime, heard: Result<Notice, RecvError>) -> Result<()> {
        let notice = match heard {
            Ok(notice) => notice,
            Err(RecvError::Lagged(many)) => {
                self.unsaid = self.unsaid.saturating_add(u32::try_from(many).unwrap_or(u32::MAX));
                return Ok(());
            }
            Err(RecvError::Closed) => return Err(RuntimeError::Stopping.into()),
        };
        let is_told = matches!(
            notice.what,
            NoticeKind::RunStarted { .. }
                | NoticeKind::Waiting { .. }
                | NoticeKind::InDoubt { .. }
                | NoticeKind::RunEnded { .. }
                | NoticeKind::SetAside { .. }
        );
        if !notice.is_lasting() || !is_told {
            return Ok(());
        }
        if !self.json && self.said >= LINES_MAX {
            self.unsaid = self.unsaid.saturating_add(1);
            return Ok(());
        }
        self.said += 1;
        let run = runtime.run_view(notice.run).await?;
        let style = self.style;
        match &notice.what {
            NoticeKind::RunStarted { .. } => self.run(&run, "started", &style.dim("started"), &[]),
            NoticeKind::Waiting { path, reason, .. } => {
                let what = match reason {
                    WaitReason::Connection { .. } => "a connection".to_owned(),
                    other => wait_words(other),
                };
                let answers = match reason.until() {
                    None => commands(&self.again, &run, path, reason).1,
                    Some(_) => Vec::new(),
                };
                if let WaitReason::Connection { prompt, .. } = reason
                    && self.prompts.len() < PROMPTS_MAX
                {
                    self.prompts.insert(*prompt);
                }
                self.run(&run, "waiting", &style.waiting(&format!("{path} waits for {what}")), &answers);
            }
            NoticeKind::InDoubt { path } => {
                let words = format!("{path} may or may not have happened");
                let step = quoted(&path.to_string());
                let settle = |word| self.again.command(&format!("runs settle {} {step} {word}", run.id));
                self.run(&run, "in_doubt", &style.waiting(&words), &["happened", "did-not", "give-up"].map(settle));
            }
            NoticeKind::SetAside { fault } => {
                self.run(&run, "set_aside", &style.bad(&format!("is set aside: {}", fault.message)), &[]);
            }
            _ => self.end(&run),
        }
        Ok(())
    }

    /// A prompt is open, and perhaps no run has told of it: an event's, or one from before this start.
    pub(super) fn prompt(&mut self, prompt: &PromptView) {
        if self.prompts.remove(&prompt.id) {
            return;
        }
        let style = self.style;
        let command = self.again.command(&format!("prompts answer {}", prompt.id));
        let text = format!("  {} {}\n    {}", style.waiting(style.sign("‖", "=")), prompt.message, style.key(&command));
        self.line(&text, || json!({ "type": "prompt", "prompt": prompt, "command": command }));
    }

    fn end(&self, run: &RunView) {
        let style = self.style;
        let took = run.ended_at.map(|end| duration(end.since(run.started_at))).unwrap_or_default();
        match run.status {
            Status::Finished => {
                let about = style.dim(&format!("{}, {took}", count(run.counts.steps, "step")));
                self.run(run, "ended", &format!("{}  {about}", style.good("finished")), &[]);
            }
            Status::Failed => {
                let why = run.fault.as_ref().map(|fault| fault.message.clone()).unwrap_or_default();
                let show = self.again.command(&format!("runs show {}", run.id));
                self.run(run, "ended", &style.bad(&format!("failed: {why}")), &[show]);
            }
            status => self.run(run, "ended", &style.bold(status.word()), &[]),
        }
    }

    fn run(&self, run: &RunView, event: &str, words: &str, commands: &[String]) {
        let (id, style) = (run.id, self.style);
        let sign = match (event, run.status) {
            ("started", _) => style.dim(style.sign("▸", ">")),
            ("ended", Status::Finished) => style.good(style.sign("✓", "+")),
            ("ended" | "set_aside", _) => style.bad(style.sign("✗", "x")),
            _ => style.waiting(style.sign("‖", "=")),
        };
        let mut text = format!("  {sign} {}  {}  {words}", style.bold(run.flow.as_str()), style.dim(&id.to_string()));
        text.extend(commands.iter().map(|command| format!("\n    {}", style.key(command))));
        self.line(&text, || {
            json!({ "type": "run", "event": event, "run": id, "flow": run.flow, "status": run.status, "commands": commands })
        });
    }
}
