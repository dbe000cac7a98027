//! The screens of the first minute as golden files, narrow and wide.
//!
//! Must never depend on the terminal, the clock or the environment.
//! Tests: this is the test; the files are in `snapshots/`.

use flowdeck::Cards;
use flowdeck::connections::PreflightLine;
use flowdeck::engine::{Entry, RunSummary, RunView};
use flowdeck::model::Millis;
use flowdeck::model::connect::{ConnectionView, PromptView};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::steps::{Line, Timeline};
use super::style::Style;
use super::{connections, preflight, prompt, runs};
use crate::again::Again;
use crate::answer::Ask;

const RUN: &str = "run_01ka0000000000000000000000";
const PROMPT: &str = "prm_01ka0000000000000000000000";
const CONNECTION: &str = "con_01ka0000000000000000000000";
const HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn wide() -> Style {
    Style::PLAIN
}

fn narrow() -> Style {
    Style { width: 44, ..Style::PLAIN }
}

fn of<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn cards() -> Cards {
    crate::files::cards(None).unwrap()
}

/// Shows a screen wide, narrow and in colour.
fn check(name: &str, screen: impl Fn(Style) -> String) {
    let colour = screen(Style { colour: true, ..Style::PLAIN });
    for (look, style) in [("wide", wide()), ("narrow", narrow())] {
        let shown = screen(style);
        assert!(!shown.contains('\u{1b}'), "{name} {look} has colours where none may be");
        insta::assert_snapshot!(format!("{name}_{look}"), shown);
    }
    insta::assert_snapshot!(format!("{name}_colour"), colour.replace('\u{1b}', "^"));
}

fn connection(state: &str) -> ConnectionView {
    of(json!({
        "id": CONNECTION, "app": "playground", "nickname": "playground", "method": "oauth", "state": state,
        "account": "Robin Admin", "subject": "robin", "requested": ["people.read", "groups.read", "groups.write"],
        "granted": ["people.read", "groups.read"], "generation": 2, "proved_at": 1_000, "created_at": 0, "waiting": 1,
    }))
}

fn prompt_view(app: &str) -> PromptView {
    let auth = flowdeck::model::app::AppDirectory::auth(cards().apps().as_ref(), &app.parse().unwrap()).unwrap();
    let redirect = format!("http://127.0.0.1:8917/oauth/callback/{app}");
    let ask = Ask::of_app(&auth, app.parse().unwrap(), None, &redirect);
    of(json!({
        "id": PROMPT, "state": "open", "app": app, "app_title": auth.title, "reason": "missing",
        "message": format!("“List people” needs a connection to {}. Connect one to go on.", auth.title),
        "slots": [["welcome", "directory"]], "cards": ["List people"], "nickname": app,
        "scopes": auth.default_scopes, "methods": ask.methods, "waiting": 2, "created_at": 0, "deadline": 9,
    }))
}

fn ask(app: &str) -> Ask {
    let auth = flowdeck::model::app::AppDirectory::auth(cards().apps().as_ref(), &app.parse().unwrap());
    Ask::of_prompt(&prompt_view(app), auth.as_deref())
}

fn need(slot: &str) -> Value {
    json!({
        "app": "playground", "flow": "welcome", "slot": slot, "nickname": null,
        "scopes": ["people.read", "groups.read", "groups.write"], "card": "playground/listPeople",
        "card_title": "List people", "step": null,
    })
}

#[test]
fn preflight_says_whose_account_it_will_use() {
    let line = |slot: &str, connection: Value, reason: Value, missing: Value, prompt: Value| -> PreflightLine {
        of(json!({
            "need": need(slot), "connection": connection, "reason": reason, "missing_scopes": missing, "prompt": prompt,
        }))
    };
    let none = || Value::Null;
    let prompt = || json!(prompt_view("playground"));
    let lines = [
        line("directory", none(), json!("missing"), json!([]), prompt()),
        line("ready", json!(connection("active")), none(), json!([]), none()),
        line("narrow", json!(connection("active")), json!("scope"), json!(["groups.write"]), prompt()),
        line("lost", json!(connection("needs_reauth")), json!("lost"), json!([]), prompt()),
    ];
    let about = "Greets the newest colleagues, puts them into a group, and lists who has never signed in.";
    check("preflight", |style| preflight::preflight("welcome", about, &lines, style));
}

#[test]
fn preflight_claims_no_account_that_no_card_will_get() {
    let mut off = json!(connection("disabled"));
    off["state_reason"] = json!("holiday");
    let line = |connection: Value, reason: Value, prompt: Value| -> PreflightLine {
        of(json!({
            "need": need("d"), "connection": connection, "reason": reason, "missing_scopes": [], "prompt": prompt,
        }))
    };
    let lines =
        [line(off, Value::Null, Value::Null), line(Value::Null, json!("choose"), json!(prompt_view("playground")))];
    let shown = preflight::preflight("welcome", "", &lines, Style { width: 200, ..wide() });
    assert!(shown.contains("○ d  ") && shown.contains("is switched off: holiday; it will fail"), "{shown}");
    assert!(shown.contains("the account it used was removed; it will ask"), "{shown}");
    assert!(!shown.contains('●') && !shown.contains("several"), "{shown}");
}

#[test]
fn a_prompt_says_what_is_needed_by_which_card_and_why() {
    for app in ["playground", "okta"] {
        let ask = ask(app);
        check(&format!("prompt_{app}"), |style| {
            prompt::prompt(&ask, ask.methods.first(), style) + &prompt::help(&ask.methods[0], style)
        });
    }
}

#[test]
fn what_cannot_be_answered_here_names_the_command() {
    check("elsewhere", |style| prompt::elsewhere(&prompt_view("playground"), &Again::default(), style));
}

fn entries() -> Vec<Entry> {
    let fault =
        json!({ "code": "forbidden", "message": "the app refused: a role is missing", "remedy": "Give it the role." });
    let kinds = [
        (0, "", json!({ "run_started": { "flow": "welcome", "hash": HASH } })),
        (1, "now", json!({ "step_finished": { "card": "date/now", "outputs": { "date": "x" } } })),
        (2, "staff", json!({ "waiting": { "connection": { "prompt": PROMPT, "reason": "missing" } } })),
        (9_000, "staff", json!("resumed")),
        (9_001, "staff", json!({ "step_started": { "card": "playground/listPeople", "attempt": 1 } })),
        (
            9_042,
            "staff",
            json!({ "step_finished": { "card": "playground/listPeople", "outputs": { "people": [1, 2, 3] } } }),
        ),
        (9_043, "newcomers[0].joined", json!({ "step_finished": { "card": "date/diff" } })),
        (9_044, "newcomers[1].joined", json!({ "step_finished": { "card": "date/diff" } })),
        (9_050, "newcomers", json!({ "step_finished": { "card": "filter", "outputs": { "list": [1, 2] } } })),
        (9_060, "group.made", json!({ "step_started": { "card": "playground/createGroup", "attempt": 1 } })),
        (
            9_070,
            "group.made",
            json!({ "step_failed": { "card": "playground/createGroup", "fault": fault, "again_at": 10_070 } }),
        ),
        (10_080, "group.made", json!({ "step_failed": { "card": "playground/createGroup", "fault": fault } })),
        (10_081, "group", json!({ "step_failed": { "card": "if", "fault": fault } })),
        (10_090, "greetings", json!({ "waiting": { "approval": { "message": "Greet 3 people?" } } })),
        (10_091, "names", json!({ "in_doubt": { "fault": fault, "ask": true } })),
        (10_092, "names", json!({ "settled": { "how": "did_not", "by": "person" } })),
        (10_093, "report", json!({ "child_started": { "run": RUN } })),
    ];
    let entry =
        |(i, (at, path, what)): (usize, (i64, &str, Value))| of(json!({ "s": i + 1, "t": at, "p": path, "w": what }));
    kinds.into_iter().enumerate().map(entry).collect()
}

#[test]
fn cards_come_one_after_the_other() {
    let source = flowdeck::Source::new("welcome", include_str!("../../../../flows/welcome.flow.yaml"));
    let flow = flowdeck::read(&source, None).flows.remove(0);
    check("steps", |style| {
        let mut timeline = Timeline::new(&flow, cards(), style);
        let lines = entries().iter().flat_map(|e| timeline.entry(e)).collect::<Vec<_>>();
        lines
            .iter()
            .map(|line| match line {
                Line::Keep(text) => format!("{text}\n"),
                Line::Moving(text) => format!("~{text}\n"),
            })
            .collect()
    });
}

#[test]
fn a_long_loop_says_how_far_it_is() {
    let text = "flow: a\ncards:\n  - { id: staff, card: playground/listPeople }\n  - id: each\n    for_each: ${staff.people}\n    \
                cards: [{ id: now, card: date/now }]\n";
    let flow = flowdeck::read(&flowdeck::Source::new("a", text), None).flows.remove(0);
    let mut timeline = Timeline::new(&flow, cards(), wide());
    let mut entry = |path: &str, outputs: Value| -> Vec<Line> {
        let what = json!({ "step_finished": { "card": "date/now", "outputs": outputs } });
        timeline.entry(&of(json!({ "s": 1, "t": 0, "p": path, "w": what })))
    };
    entry("staff", json!({ "people": vec![0; 200] }));
    let moving = |line: &str| vec![Line::Moving(format!("  … each  {line}"))];
    for round in 0..16 {
        entry(&format!("each[{round}].now"), json!({}));
    }
    assert_eq!(entry("each[16].now", json!({})), moving("17 of 200  17 steps done"));
    // One that was begun earlier ends later.
    assert_eq!(entry("each[3].now", json!({})), moving("17 of 200  18 steps done"));
}

fn run(status: &str, more: &Value) -> RunView {
    let mut view = json!({
        "id": RUN, "flow": "welcome", "hash": HASH, "status": status, "started_at": 0, "input": {}, "token": "hush",
        "counts": { "steps": 12, "attempts": 3, "faults": 0, "entries": 20 },
    });
    view.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    of(view)
}

#[test]
fn runs_are_listed_and_shown() {
    let waits = json!({ "waits": [
        { "path": "staff", "reason": { "connection": { "prompt": PROMPT, "reason": "missing" } }, "deadline": 2_592_000_000_i64 },
        { "path": "ask", "reason": { "signal": { "name": "paid" } }, "deadline": null },
    ] });
    let failed = json!({
        "ended_at": 1_500, "fault": { "code": "forbidden", "message": "The app refused.", "remedy": "Give it the role." },
        "failed_at": "group.made", "unknown": ["each[3].send"], "input": { "days": 90 },
    });
    let done = json!({ "ended_at": 1_500, "output": { "staff": 24 } });
    let all = [run("waiting", &waits), run("failed", &failed), run("finished", &done), run("running", &json!({}))];
    let listed: Vec<RunSummary> = all.iter().map(|run| of(serde_json::to_value(run).unwrap())).collect();
    check("runs_list", |style| runs::list(&listed, Millis(120_000), style));
    check("runs_show", |style| {
        let mut shown: Vec<String> = all.iter().map(|run| runs::show(run, &[], style)).collect();
        shown.push(runs::show(&all[0], &entries(), style));
        shown.join("\n")
    });
    assert!(!runs::show(&all[0], &[], wide()).contains("hush"), "a run's token is nobody's business");
}

#[test]
fn connections_are_listed_and_shown() {
    let all = [connection("active"), connection("needs_reauth")];
    check("connections", |style| {
        connections::list(&all, None, style)
            + &connections::show(&all[1], Millis(61_000), style)
            + &connections::prompts(&[prompt_view("okta")], style)
    });
    assert!(connections::list(&[], None, wide()).contains("flowdeck connect APP"));
    let okta = "okta".parse().unwrap();
    assert_eq!(
        connections::list(&[], Some(&okta), wide()),
        "No connections of okta yet. `flowdeck connect okta` makes one.\n"
    );
}
