//! Published flows: what starts them, whether they are on.
//!
//! Must never show a client token.
//! Tests: below.

use flowdeck_server::wire::{Arrival, Hook, ServedFlow, Starts};

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
        Starts::Event { card, .. } => card.to_string(),
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
    if let Starts::Event { arrival, .. } = &flow.starts {
        out.push_str(&arrives(flow, arrival, style));
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

/// How its event gets here.
fn arrives(flow: &ServedFlow, arrival: &Arrival, style: Style) -> String {
    let mut out = String::new();
    let mut line = |key: &str, text: &str| out.push_str(&format!("  {key:<8} {text}\n"));
    if !arrival.is_known {
        line("arrives", &style.bad("not at all: no app here offers this event"));
    }
    for hook in &arrival.hooks {
        line("hook", &format!("POST {}", hook.path));
        line("", &hook_state(hook));
    }
    if let (Some(proof), []) = (&arrival.pushed, &arrival.hooks[..])
        && let Starts::Event { card, .. } = &flow.starts
    {
        line("hook", &format!("none; `flowdeck hooks add {}` makes one ({proof})", card.family()));
    }
    let Some(poll) = &arrival.poll else { return out };
    let answered = poll.answered.map(|at| format!(", answered last {}", at.to_iso())).unwrap_or_default();
    line("asks", &format!("every {} s{answered}", poll.every_s));
    if let Some(next) = poll.next.filter(|_| poll.waits.is_none()) {
        line("", &format!("next {}", next.to_iso()));
    }
    if let Some(prompt) = &poll.waits {
        line("", &style.waiting(&format!("waits for a connection: flowdeck prompts answer {prompt}")));
    }
    if let Some(error) = &poll.error {
        line("", &style.bad(error));
    }
    out
}

/// What stands in a hook's way, or when it was used last.
pub(crate) fn hook_state(hook: &Hook) -> String {
    match (hook.has_secret, hook.delivered) {
        (false, _) => format!("takes nothing before it has a secret: flowdeck hooks secret {}", hook.id),
        (true, None) => format!("{}; nothing came yet", hook.proof),
        (true, Some(at)) => format!("{}; came last {}", hook.proof, at.to_iso()),
    }
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
    use flowdeck_server::wire::Poll;

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

    #[test]
    fn a_flow_says_how_its_event_gets_here_and_what_stands_in_the_way() {
        let hook = Hook {
            id: "0a".into(),
            app: "okta".parse().unwrap(),
            path: "/hooks/okta/0a".into(),
            proof: "a secret in the header authorization".into(),
            has_secret: true,
            connection: None,
            made: Millis(0),
            delivered: None,
        };
        let poll =
            Poll { every_s: 60, next: Some(Millis(0)), answered: None, error: Some("it is down".into()), waits: None };
        let mut arrival = Arrival { is_known: true, pushed: Some(hook.proof.clone()), hooks: vec![], poll: Some(poll) };
        let shown = |arrival: &Arrival| {
            let card = "okta/userCreated".parse().unwrap();
            show(&flow(Starts::Event { card, arrival: Box::new(arrival.clone()) }, true), Style::PLAIN)
        };
        let told = shown(&arrival);
        for part in ["flowdeck hooks add okta", "every 60 s", "it is down", "next 1970"] {
            assert!(told.contains(part), "{told}");
        }
        arrival.hooks = vec![hook.clone(), Hook { has_secret: false, ..hook }];
        let told = shown(&arrival);
        for part in ["POST /hooks/okta/0a", "header authorization; nothing came yet", "flowdeck hooks secret 0a"] {
            assert!(told.contains(part), "{told}");
        }
        arrival = Arrival { is_known: false, pushed: None, hooks: vec![], poll: None };
        assert!(shown(&arrival).contains("no app here offers this event"));
    }
}
