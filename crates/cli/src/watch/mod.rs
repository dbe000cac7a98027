//! Follows runs to their next stop and, where a person is there, helps them over it.
//!
//! Must never leave a run without saying how it goes on, nor ask twice about the same wait.
//! Tests: `crates/cli/tests/first_minute.rs`, `tests/tests/e2e`.

mod drive;
mod report;
mod stops;

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, Result};
use flowdeck::engine::{Entry, EntryKind, RunView, Status, WaitReason};
use flowdeck::model::connect::{PromptState, PromptView};
use flowdeck::model::{Millis, PromptId, RunId};
use flowdeck_server::client::CallError;
use flowdeck_server::wire::RunEvent;
use futures_util::StreamExt as _;

pub(crate) use drive::{concerned, drive, waiting_for};
pub(crate) use report::Report;
pub(crate) use stops::commands;

use crate::api::Api;
use crate::end::{End, LeftRun};
use crate::out;
use crate::terminal::Terminal;

/// A wait for time that ends within this many milliseconds is waited out.
const SIT_OUT_MS: u64 = 15 * 60_000;
/// Times to look again at a run that was made ready and has not gone on yet.
const LOOKS_MAX: usize = 200;
/// Of these, how many may show a run that was just told something exactly as it was before.
const UNMOVED_LOOKS_MAX: usize = 40;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Holders that may end while one question stands.
const TAKEOVERS_MAX: usize = 1_000;
/// How long Ctrl-C waits to tell a program where the run stands.
const LAST_LOOK: Duration = Duration::from_secs(2);

/// One run that is watched.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    pub(crate) api: &'a Api,
    pub(crate) terminal: &'a mut Terminal,
    pub(crate) report: Report,
    run: RunId,
    /// Number of the latest entry that was shown.
    seq: u64,
    /// Prompts that the person left for later.
    later: HashSet<PromptId>,
    /// How many entries the run had when it was told something that it may not have heard yet.
    told_at: Option<u64>,
}

impl<'a> Watch<'a> {
    /// Watches a run from its entry number `after` on.
    pub(crate) fn new(api: &'a Api, terminal: &'a mut Terminal, report: Report, run: RunId, after: u64) -> Self {
        Self { api, terminal, report, run, seq: after, later: HashSet::new(), told_at: None }
    }

    /// Watches a run that was just told something: as it was before is not how it ends or stops.
    pub(crate) fn of_told(api: &'a Api, terminal: &'a mut Terminal, report: Report, before: &RunView) -> Self {
        let watch = Self::new(api, terminal, report, before.id, before.counts.entries);
        Self { told_at: Some(before.counts.entries), ..watch }
    }

    /// To the end of the run, or to a stop that nobody here helps over. Ctrl-C leaves it as it is.
    pub(crate) async fn follow_to_end(mut self) -> Result<End> {
        let run = self.run;
        let api = self.api;
        let end = tokio::select! {
            end = self.go() => Some(end),
            () = api.session().interrupted() => None,
        };
        match end {
            Some(end) => {
                let command = api.session().again().resume(run);
                end.map_err(|error| error.context(LeftRun { run, command }))
            }
            None => {
                let again = api.session().again();
                if self.report.is_json() {
                    let view = tokio::time::timeout(LAST_LOOK, self.api.run(run)).await;
                    out::json(&report::interrupted_line(run, view.ok().and_then(Result::ok).as_ref(), again));
                }
                let command = again.resume(run);
                self.terminal.say(&format!("\nStopped here; nothing is lost. It goes on with\n  {command}\n"));
                Ok(End::Interrupted)
            }
        }
    }

    async fn go(&mut self) -> Result<End> {
        loop {
            let view = self.follow_to_stop().await?;
            self.terminal.erase();
            if view.status.is_ended() {
                self.report.ended(self.terminal, &view, self.api.session().again());
                return Ok(if view.status == Status::Finished { End::Fine } else { End::Failed });
            }
            if view.set_aside.is_some() {
                self.report.set_aside(self.terminal, &view);
                return Ok(End::Failed);
            }
            if !stops::help_over(self, &view).await? {
                stops::leave(self, &view).await?;
                return Ok(End::Waiting);
            }
        }
    }

    /// Shows what happens until the run ended or can only be moved by somebody.
    async fn follow_to_stop(&mut self) -> Result<RunView> {
        for look in 0..LOOKS_MAX {
            let before = self.seq;
            let view = self.show_events().await?;
            let unmoved = look < UNMOVED_LOOKS_MAX && self.told_at == Some(view.counts.entries);
            if !unmoved && (view.status.is_ended() || self.is_stuck(&view).await?) {
                self.told_at = None;
                return Ok(view);
            }
            // Made ready a moment ago, or waits for time: the stream ends before it goes on.
            if self.seq == before {
                tokio::time::sleep(self.pause(&view)).await;
            }
        }
        self.api.run(self.run).await
    }

    /// How long to look away from a run that waits for time.
    fn pause(&self, view: &RunView) -> Duration {
        let now = self.api.session().now();
        let next = view.waits.iter().filter_map(|w| w.reason.until()).map(|t| t.since(now)).min();
        next.map_or(LOOK_EVERY, |ms| Duration::from_millis(ms.clamp(10, SIT_OUT_MS)))
    }

    /// One stream of events, to the run's end or wait.
    async fn show_events(&mut self) -> Result<RunView> {
        let mut events = self.api.session().run_events(self.run, self.seq, false).await?;
        loop {
            let next = match self.terminal.owes() {
                Some(soon) => tokio::time::timeout(soon, events.next()).await,
                None => Ok(events.next().await),
            };
            let event = match next {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(_) => {
                    self.terminal.catch_up();
                    continue;
                }
            };
            match event {
                Ok(RunEvent::Entry { entry }) => self.entry(&entry),
                Ok(RunEvent::Provisional { path, what, .. }) => {
                    if what == "step_started" {
                        self.report.under_way(self.terminal, &path);
                    }
                }
                Ok(RunEvent::Stopped { run }) => return Ok(*run),
                Err(CallError::Gone(_)) => {
                    self.api.session().rejoin().await?;
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.api.run(self.run).await
    }

    fn entry(&mut self, entry: &Entry) {
        if entry.seq <= self.seq {
            return;
        }
        self.seq = entry.seq;
        self.report.entry(self.terminal, entry);
    }

    /// Whether nothing but a person or another program moves the run.
    async fn is_stuck(&self, view: &RunView) -> Result<bool> {
        if view.set_aside.is_some() {
            return Ok(true);
        }
        if view.status == Status::Running || view.waits.is_empty() {
            return Ok(false);
        }
        let now = self.api.session().now();
        for wait in &view.waits {
            let moves = match &wait.reason {
                WaitReason::Connection { prompt, .. } => {
                    let prompt = self.api.prompt(*prompt).await.context("look up what the run waits for")?;
                    moves_on(&prompt, now)
                }
                WaitReason::Time { until } | WaitReason::Retry { until } => until.since(now) <= SIT_OUT_MS,
                WaitReason::Approval { .. } | WaitReason::Signal { .. } | WaitReason::InDoubt { .. } => false,
            };
            if moves {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Comes back when the run went on by itself: somebody answered elsewhere. Where the holder ends meanwhile, the
    /// question stays, and this command or another one takes its place.
    async fn went_on(api: &Api, run: RunId, after: u64) -> Result<()> {
        for _ in 0..TAKEOVERS_MAX {
            let mut events = api.session().run_events(run, after, true).await?;
            while let Some(event) = events.next().await {
                match event {
                    Err(CallError::Gone(_)) => break,
                    Err(error) => return Err(error.into()),
                    Ok(RunEvent::Entry { entry }) if !matches!(entry.what, EntryKind::Waiting(_)) => return Ok(()),
                    // It ended, or was set aside.
                    Ok(RunEvent::Stopped { .. }) => return Ok(()),
                    Ok(RunEvent::Entry { .. } | RunEvent::Provisional { .. }) => {}
                }
            }
            api.session().rejoin().await?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}

/// Whether what waited at a prompt goes on by itself: it was answered, or it closed and is asked anew.
fn moves_on(prompt: &PromptView, now: Millis) -> bool {
    match prompt.state {
        PromptState::Open => false,
        PromptState::Answered => true,
        PromptState::Closed => prompt.deadline > now,
    }
}
