//! What an export uses and nobody offers here: the rest of it is kept, and what is not is said.
//!
//! Must never let one card or field make a whole export useless, nor drop it without a word.
//! Tests: these are the tests.

use crate::common;
use crate::import_support;

use flowdeck_format::{Diagnostic, Severity, Source, import, print, read};
use import_support::{card, export, field, flow_data};
use serde_json::{Value, json};

fn text(id: &str, key: &str, data: &str) -> Value {
    field(id, None, key, json!("string"), json!(data))
}

/// The first flow's native text, what checking it finds, and what reading the export found.
fn imported(tree: &Value) -> (String, Vec<Diagnostic>, import::Export, Vec<Diagnostic>) {
    let catalogue = common::TestCatalogue::new();
    let (found, diagnostics) = import::read("test.flopack", tree.to_string().as_bytes(), &catalogue);
    let found = found.unwrap();
    let printed = print(&found.flows[0]);
    let checked = read(&Source::new("back.yaml", &printed), Some(&catalogue));
    assert_eq!(checked.flows.first(), Some(&found.flows[0]), "{printed}");
    (printed, checked.diagnostics, found, diagnostics)
}

fn codes(diagnostics: &[Diagnostic]) -> Vec<(&str, Severity)> {
    diagnostics.iter().map(|d| (d.code, d.severity)).collect()
}

const UNBOUND: (&str, Severity) = ("unbound-card", Severity::Warning);

#[test]
fn a_card_of_an_unknown_app_is_marked_and_the_rest_is_kept() {
    let cards = vec![
        card("ev", "control/callable", "Start", vec![], vec![text("e", "who", "")]).pin("e", "a", "i", None),
        card("a", "@acme/doThing", "Do it", vec![text("i", "Thing", "")], vec![text("o", "Done", "")])
            .with("/node/model/config", json!("c1"))
            .pin("o", "r", "ri", None),
        card("r", "control/return", "Return", vec![text("ri", "done", "")], vec![]),
    ];
    let (printed, found, export, read) = imported(&export(vec![("f", "Flow", flow_data(cards, "ev>a a>r"))]));
    let card = "  - id: do_it\n    card: acme/doThing\n    slot: acme\n    unbound: true\n    with: { Thing: \"${input.who}\" }\n";
    assert!(printed.contains(card) && printed.contains("return: { done: \"${do_it.Done}\" }"), "{printed}");
    assert_eq!(codes(&found), [UNBOUND]);
    assert_eq!(codes(&read), [UNBOUND]);
    // App, card and what to do, wherever it is said.
    let [unbound] = export.report.unbound.as_slice() else { panic!("{:?}", export.report.unbound) };
    assert_eq!((unbound.app.as_str(), unbound.name.as_str()), ("acme", "acme/doThing"));
    for told in [&unbound.why, &read[0].message, &found[0].message, &export.report.text()] {
        assert!(told.contains("no file here describes the app `acme`, so its card `acme/doThing`"), "{told}");
    }
    for told in [Some(&unbound.remedy), read[0].remedy.as_ref(), found[0].remedy.as_ref()] {
        assert!(told.is_some_and(|told| told.contains("add an app file for `acme`")), "{told:?}");
    }
}

#[test]
fn an_app_that_only_lacks_the_card_and_a_function_are_not_called_missing_apps() {
    for (name, wanted) in [
        ("@okta/levitateUser", "the app `okta` has no card `okta/levitateUser` here"),
        ("string/levitate", "there is no function card `string/levitate` here"),
    ] {
        let cards =
            vec![card("ev", "control/callable", "Start", vec![], vec![]), card("a", name, "Do it", vec![], vec![])];
        let (_, found, _, read) = imported(&export(vec![("f", "Flow", flow_data(cards, "ev>a"))]));
        assert!(read[0].message.starts_with(wanted) && found[0].message.starts_with(wanted), "{read:?} {found:?}");
    }
}

/// A flow that an event starts, with the loop that its cards hide in.
fn event_flow(reads: bool) -> Value {
    let body = flow_data(
        vec![
            card("in", "control/callable", "In", vec![], vec![text("x", "at", "")]).pin("x", "r", "ri", None),
            card("r", "control/return", "Return", vec![text("ri", "at", "")], vec![]),
        ],
        "in>r",
    );
    let list = |id: &str| json!({"id": id, "group": null, "key": "list", "value": {"type": "object", "collection": true, "data": []}});
    let mut event = card(
        "ev",
        "@playground/personJoined",
        "Joined",
        vec![text("t", "type", "invoke"), field("d", None, "data", json!("object"), json!({"a": 1}))],
        vec![text("e", "collection", "")],
    )
    .pin("e", "each", "l", None);
    let mut cards = Vec::new();
    if reads {
        event = event.pin("e", "n", "nl", None);
        cards.push(card("n", "list/length", "Length", vec![list("nl")], vec![]));
    }
    cards.push(event);
    cards.push(card(
        "each",
        "list/asyncEach",
        "For Each",
        vec![list("l"), field("b", None, "flo", json!("flo"), body)],
        vec![],
    ));
    flow_data(cards, if reads { "ev>n n>each" } else { "ev>each" })
}

#[test]
fn what_an_event_card_of_an_export_only_needs_there_is_not_told() {
    let (printed, _, export, read) = imported(&export(vec![("f", "Flow", event_flow(false))]));
    assert!(printed.contains("on: { card: playground/personJoined") && printed.contains("${event.at}"), "{printed}");
    assert_eq!((codes(&read), export.report.lost.len()), (vec![], 0), "{:?}", export.report.lost);
}

#[test]
fn a_card_that_reads_the_list_of_events_is_told() {
    let (_, _, export, read) = imported(&export(vec![("f", "Flow", event_flow(true))]));
    assert_eq!(codes(&read), [("export-field", Severity::Warning)]);
    assert!(export.report.lost[0].what.contains("the list of events"), "{:?}", export.report.lost);
}

#[test]
fn an_unknown_event_leaves_a_flow_that_can_be_started_by_hand() {
    let body = flow_data(
        vec![
            card("in", "control/callable", "In", vec![], vec![text("x", "Who", "")]).pin("x", "r", "ri", None),
            card("r", "control/return", "Return", vec![text("ri", "who", "")], vec![]),
        ],
        "in>r",
    );
    let list =
        json!({"id": "l", "group": null, "key": "list", "value": {"type": "object", "collection": true, "data": []}});
    let cards = vec![
        card("ev", "@acme/thingMade", "Thing made", vec![], vec![text("e", "collection", "")])
            .pin("e", "each", "l", None),
        card("each", "list/asyncEach", "For Each", vec![list, field("b", None, "flo", json!("flo"), body)], vec![]),
    ];
    let (printed, found, ..) = imported(&export(vec![("f", "Flow", flow_data(cards, "ev>each"))]));
    assert!(printed.contains("on: { card: acme/thingMade, slot: acme, unbound: true }\n"), "{printed}");
    assert!(printed.contains("return: { who: \"${event.Who}\" }"), "{printed}");
    assert_eq!(codes(&found), [UNBOUND]);
}

#[test]
fn a_field_that_its_card_does_not_have_is_left_out_and_told() {
    let group =
        |id: &str, group: &str, key: &str, data: &str| field(id, Some(group), key, json!("string"), json!(data));
    let inputs = vec![
        text("u", "ID or Login", "ada"),
        group("n", "Profile", "Shoe size", "44"),
        group("m", "Profile", "Hat", ""),
    ];
    let outputs = vec![text("s", "Status", ""), text("h", "Height", ""), text("w", "Weight", "")];
    let cards = vec![
        card("ev", "control/callable", "Start", vec![], vec![]),
        card("a", "@okta/readUser", "Read", inputs, outputs).pin("s", "r", "r1", None).pin("h", "r", "r2", None),
        card("r", "control/return", "Return", vec![text("r1", "status", ""), text("r2", "height", "")], vec![]),
    ];
    let (printed, found, export, read) = imported(&export(vec![("f", "Flow", flow_data(cards, "ev>a a>r"))]));
    assert!(printed.contains("return: { status: \"${read.Status}\", height: null }"), "{printed}");
    assert!(!printed.contains("Shoe") && !printed.contains("Hat"), "{printed}");
    assert_eq!(codes(&found), []);
    assert_eq!(codes(&read), [("export-field", Severity::Warning); 2]);
    assert!(read.iter().all(|d| d.path == "flow.read"), "{read:?}");
    // Nobody reads the weight, and there is no hat.
    let lost: Vec<&str> = export.report.lost.iter().map(|note| note.what.as_str()).collect();
    assert!(matches!(lost.as_slice(), [a, b] if a.contains("Profile.Shoe size") && b.contains("Height")), "{lost:?}");
}

#[test]
fn the_mark_is_for_what_is_not_there() {
    let lines = |text: &str| common::lines("a.yaml", text).join("\n");
    let plain = lines("flow: a\ncards:\n  - id: x\n    card: string/spilt\n");
    assert!(plain.contains("error[unknown-card]"), "{plain}");
    let marked = lines("flow: a\ncards:\n  - id: x\n    card: string/spilt\n    unbound: true\n");
    assert!(marked.contains("warning[unbound-card]") && !marked.contains("error"), "{marked}");
    let there = lines("flow: a\ncards:\n  - id: x\n    card: date/now\n    unbound: true\n");
    assert!(there.contains("warning[needless-unbound]") && !there.contains("error"), "{there}");
    let slots = "flow: a\nslots:\n  one: { app: acme }\n  two: { app: acme }\ncards:\n  - id: x\n    card: acme/y\n    slot: one\n    unbound: true\n";
    let slots = lines(slots);
    assert_eq!(slots.matches("unknown-app").count(), 1, "{slots}");
}

#[test]
fn a_damaged_name_of_a_connector_has_its_slot_all_the_same() {
    let done = |uuid: &str, address: &str| {
        card(uuid, "@acme/doThing", uuid, vec![], vec![])
            .with("/address", json!(address))
            .with("/node/model/config", json!("c1"))
    };
    let cards = vec![
        card("ev", "control/callable", "Start", vec![], vec![]),
        done("a", "root:channels:http:/acme:1.0.0:doThing"),
        done("b", "root:channels:http:acme:1.0.0:doThing"),
    ];
    let (printed, ..) = imported(&export(vec![("f", "Flow", flow_data(cards, "ev>a a>b"))]));
    assert_eq!(printed.matches("slot: acme").count(), 2, "{printed}");
}
