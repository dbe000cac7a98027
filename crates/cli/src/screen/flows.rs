//! Published flows: what starts them, whether they are on.
//!
//! Must never show a client token.
//! Tests: below.

use flowdeck_server::wire::{ServedFlow, Starts};

use super::style::{Style, wrap};
use super::table::table;

/// What starts a flow, in few words.
pub(crate) fn starts(flow: &ServedFlow) -> String {
    match &flow.starts {
        Starts::Hand => "by hand".into(),
        Starts::Schedule { cron, timezone } => format!("{cron} {timezone}"),
        Starts::Endpoint { path, methods, access } => {
            let access = if access == "public" { "public" } else { "with a token" };
            format!("{} {path}, {access}", methods.join(" "))
        }
        Starts::Event { card } => format!("{card} (not served yet)"),
        Starts::Delegated => "by a person with the right to (not served yet)".into(),
    }
}

fn switch(flow: &ServedFlow) -> &'static str {
    if flow.on { "on" } else { "off" }
}

/// A list, by name.
pub(crate) fn list(flows: &[ServedFlow], style: Style) -> String {
    if flows.is_empty() {
        return "No flows are published. `flowdeck flows publish FILE` publishes one; `flowdeck serve --watch DIR` those \
                of a folder.\n"
            .into();
    }
    let row = |flow: &ServedFlow| {
        let next = flow.next.map(|next| next.to_iso()).unwrap_or_default();
        vec![flow.name.to_string(), switch(flow).to_owned(), next, starts(flow)]
    };
    let rows: Vec<Vec<String>> = flows.iter().map(row).collect();
    table(&["flow", "is", "next", "starts"], &rows, style)
}

/// One flow.
pub(crate) fn show(flow: &ServedFlow, style: Style) -> String {
    let state = if flow.on { style.good("on") } else { style.waiting("off") };
    let mut out = format!("{}  {state}\n", style.bold(flow.name.as_str()));
    out.push_str(&wrap(&flow.description, style.text_width(), 2));
    out.push_str(&format!("  starts   {}\n", starts(flow)));
    if let Some(next) = flow.next {
        out.push_str(&format!("  next     {}\n", next.to_iso()));
    }
    if let Some(file) = &flow.file {
        out.push_str(&format!("  file     {file}\n"));
    }
    out.push_str(&format!("  version  {}\n", flow.hash));
    for field in &flow.inputs {
        let must = if field.required && field.default.is_none() { ", required" } else { "" };
        out.push_str(&format!("  input    {}: {}{must}\n", field.key, field.kind.word()));
    }
    out
}

/// A flow that was just published, and what to do next.
pub(crate) fn published(flow: &ServedFlow, style: Style) -> String {
    let name = style.bold(flow.name.as_str());
    let next = match (flow.on, &flow.starts) {
        (false, _) => format!("It is off: `flowdeck flows on {}` lets its trigger start it.", flow.name),
        (true, Starts::Hand) => format!("`flowdeck flows start {}` starts it.", flow.name),
        (true, _) => "It is on; `flowdeck serve` lets its trigger start it.".to_owned(),
    };
    let mut out = format!("{name} is published: {}\n{}", starts(flow), wrap(&next, style.text_width(), 2));
    if matches!(&flow.starts, Starts::Endpoint { access, .. } if access == "token") {
        let token = format!("`flowdeck flows show {} --token` prints what its callers must send.", flow.name);
        out.push_str(&wrap(&token, style.text_width(), 2));
    }
    out
}

#[cfg(test)]
mod tests {
    use flowdeck::model::{FlowHash, Millis};

    use super::*;

    fn flow(starts: Starts, on: bool) -> ServedFlow {
        ServedFlow {
            name: "report".parse().unwrap(),
            description: "Who is there.".into(),
            hash: FlowHash::of(b"report"),
            on,
            starts,
            next: on.then_some(Millis(0)),
            file: None,
            inputs: Vec::new(),
        }
    }

    #[test]
    fn a_list_says_what_is_on_and_what_starts_it() {
        assert!(list(&[], Style::PLAIN).contains("flowdeck flows publish FILE"));
        let hook = Starts::Endpoint { path: "/in/report".into(), methods: vec!["POST".into()], access: "token".into() };
        let shown = list(&[flow(hook.clone(), false)], Style::PLAIN);
        assert!(shown.contains("off") && shown.contains("POST /in/report, with a token"), "{shown}");
        let daily = Starts::Schedule { cron: "0 9 * * *".into(), timezone: "UTC".into() };
        let shown = list(&[flow(daily, true)], Style::PLAIN);
        assert!(shown.contains("1970-01-01T00:00:00.000Z") && shown.contains("0 9 * * * UTC"), "{shown}");
        let shown = published(&flow(hook, false), Style::PLAIN);
        assert!(shown.contains("flowdeck flows on report") && shown.contains("--token"), "{shown}");
    }
}
