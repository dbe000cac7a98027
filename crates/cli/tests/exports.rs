//! The real binary on an Okta export: check, import, run.
//!
//! Must never touch the network, nor use a real export.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

/// A manual flow with one Compose and one Return, under a name that says nothing of its form.
const EXPORT: &str = r#"{"type":"flopack","version":"1.5.0","data":{"configs":{},"tables":{},"groups":{},"flos":{"f1":{"id":"f1",
"name":"Say hello","description":"","data":{"cron":{},"orderings":{"e1":["ev","c1"],"e2":["c1","r1"]},"methods":[
{"uuid":"ev","address":"root:kernel:control:0.0.1:noop","branches":{},"joins":{},"pins":{},"node":{"model":{"displayed":true,"metadata":{"name":"Start"},"inputs":{"data":{}},"outputs":{"data":{}}}}},
{"uuid":"c1","address":"root:kernel:string:0.0.1:compose","branches":{},"joins":{},"pins":{"o1":{"r1":[{"input":"i1","transform":null}]}},"node":{"model":{"displayed":true,"metadata":{"name":"Greeting"},
 "inputs":{"data":{"t0":{"id":"t0","group":null,"key":"_text_","value":{"type":"string","collection":false,"data":"Hello!"}}}},
 "outputs":{"data":{"o1":{"id":"o1","group":null,"key":"output","value":{"type":"string","collection":false,"data":""}}}}}}},
{"uuid":"r1","address":"root:kernel:control:0.0.1:return","branches":{},"joins":{},"pins":{},"node":{"model":{"displayed":true,"metadata":{"name":"Return"},
 "inputs":{"data":{"i1":{"id":"i1","group":null,"key":"greeting","value":{"type":"string","collection":false,"data":""}}}},"outputs":{"data":{}}}}}
]}}}}}"#;

fn flowdeck(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flowdeck"))
        .current_dir(folder)
        .env("XDG_RUNTIME_DIR", folder)
        .env("XDG_CONFIG_HOME", folder)
        .args(arguments)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn an_export_is_checked_imported_and_run() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hello.bin"), EXPORT).unwrap();

    let checked = flowdeck(folder.path(), &["check", "hello.bin"]);
    assert!(
        checked.status.success() && said(&checked).contains("an export with 1 flow, 2 cards"),
        "{}",
        said(&checked)
    );

    let imported = flowdeck(folder.path(), &["import", "hello.bin", "--out", "flows"]);
    assert!(imported.status.success(), "{}", said(&imported));
    assert!(said(&imported).contains("say-hello  (manual, off)"), "{}", said(&imported));
    let report = std::fs::read_to_string(folder.path().join("flows/import-report.json")).unwrap();
    assert!(report.contains("\"export_card\": \"c1\"") && report.contains("\"card\": \"greeting\""), "{report}");
    let again = flowdeck(folder.path(), &["import", "hello.bin", "--out", "flows"]);
    assert_eq!(again.status.code(), Some(2), "{}", said(&again));
    assert!(flowdeck(folder.path(), &["import", "hello.bin", "--out", "flows", "--force"]).status.success());

    let native = flowdeck(folder.path(), &["run", "flows/say-hello.flow.yaml", "--json", "--no-input"]);
    let direct = flowdeck(folder.path(), &["run", "hello.bin", "--flow", "Say hello", "--json", "--no-input"]);
    for run in [&native, &direct] {
        assert!(run.status.success() && said(run).contains("\"greeting\":\"Hello!\""), "{}", said(run));
    }
}

#[test]
fn what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cut.flopack"), &EXPORT[..EXPORT.len() / 2]).unwrap();
    let cut = flowdeck(folder.path(), &["check", "cut.flopack"]);
    assert_eq!(cut.status.code(), Some(65), "{}", said(&cut));
    assert!(said(&cut).contains("cut off"), "{}", said(&cut));
    let unknown = EXPORT.replace("root:kernel:string:0.0.1:compose", "root:channels:http:acme:1.0.0:doThing");
    std::fs::write(folder.path().join("unknown.flopack"), unknown).unwrap();
    let checked = flowdeck(folder.path(), &["check", "unknown.flopack"]);
    assert!(checked.status.success() && said(&checked).contains("warning[unbound-card]"), "{}", said(&checked));
    assert!(said(&checked).contains("no errors; 1 card that nothing here offers"), "{}", said(&checked));
    let run = flowdeck(folder.path(), &["run", "unknown.flopack", "--no-input"]);
    assert_eq!(run.status.code(), Some(1), "{}", said(&run));
    assert!(said(&run).contains("no app or function offers `acme/doThing`"), "{}", said(&run));
    std::fs::write(folder.path().join("none.yaml"), "flow: x\ncards: []\n").unwrap();
    assert_eq!(flowdeck(folder.path(), &["import", "none.yaml", "--out", "f"]).status.code(), Some(65));
}

#[test]
fn a_run_tells_of_the_fields_that_its_flow_lost_as_check_does() {
    let folder = tempfile::tempdir().unwrap();
    let hat = r#"{"id": "h", "group": "", "key": "Hat", "value": {"type": "string", "data": "blue"}, "metadata": {}}"#;
    let mut tree: serde_json::Value = serde_json::from_str(EXPORT).unwrap();
    let mut other = tree["data"]["flos"]["f1"].clone();
    (other["id"], other["name"]) = ("f2".into(), "Other".into());
    other["data"]["methods"].as_array_mut().unwrap().push(serde_json::json!({
        "uuid": "now", "address": "root:kernel:date:0.0.1:now", "branches": {}, "joins": {}, "pins": {}, "node": {"model": {
            "metadata": {"name": "Now"}, "outputs": {"data": {}},
            "inputs": {"data": {"h": serde_json::from_str::<serde_json::Value>(hat).unwrap()}}}}
    }));
    other["data"]["orderings"] = serde_json::json!({"e1": ["ev", "now"], "e2": ["now", "c1"], "e3": ["c1", "r1"]});
    tree["data"]["flos"]["f2"] = other;
    std::fs::write(folder.path().join("a.flopack"), tree.to_string()).unwrap();
    let told =
        |arguments: &[&str]| said(&flowdeck(folder.path(), arguments)).contains("warning[export-field]: not kept");
    assert!(told(&["check", "a.flopack"]));
    assert!(told(&["run", "a.flopack", "--flow", "other", "--no-input"]));
    assert!(!told(&["run", "a.flopack", "--flow", "say-hello", "--no-input"]), "another flow lost it");
}

#[test]
fn the_only_flow_that_is_no_helper_needs_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut tree: serde_json::Value = serde_json::from_str(EXPORT).unwrap();
    let mut other = |id: &str, name: &str, start: &str| {
        let mut flow = tree["data"]["flos"]["f1"].clone();
        (flow["id"], flow["name"]) = (id.into(), name.into());
        flow["data"]["methods"][0]["address"] = format!("root:kernel:control:0.0.1:{start}").into();
        tree["data"]["flos"][id] = flow;
        std::fs::write(folder.path().join("a.flopack"), tree.to_string()).unwrap();
        flowdeck(folder.path(), &["run", "a.flopack", "--json", "--no-input"])
    };
    let one = other("f2", "A helper", "callable");
    assert!(one.status.success() && said(&one).contains("\"greeting\":\"Hello!\""), "{}", said(&one));
    let two = other("f3", "Say more", "noop");
    assert_eq!(two.status.code(), Some(2), "{}", said(&two));
    for name in ["--flow say-hello ", "--flow a-helper ", "--flow say-more "] {
        assert!(said(&two).contains(name), "{}", said(&two));
    }
}

#[test]
fn init_imports_an_export_into_a_folder_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("Say Hello.flopack"), EXPORT).unwrap();
    let begun = flowdeck(folder.path(), &["init", "import", "Say Hello.flopack"]);
    assert!(begun.status.success(), "{}", said(&begun));
    assert!(said(&begun).contains("flowdeck check flows/say-hello/*.yaml"), "{}", said(&begun));
    let run = flowdeck(folder.path(), &["run", "flows/say-hello/say-hello.flow.yaml", "--json", "--no-input"]);
    assert!(run.status.success() && said(&run).contains("\"greeting\":\"Hello!\""), "{}", said(&run));

    let again = flowdeck(folder.path(), &["init", "import", "Say Hello.flopack"]);
    assert_eq!(again.status.code(), Some(2), "{}", said(&again));
    let asked = flowdeck(folder.path(), &["init", "import"]);
    assert!(asked.status.code() == Some(2) && said(&asked).contains("say which export"), "{}", said(&asked));
    let much = flowdeck(folder.path(), &["init", "playground", "Say Hello.flopack"]);
    assert!(much.status.code() == Some(2) && said(&much).contains("too much"), "{}", said(&much));
}

#[test]
fn the_answer_of_an_endpoint_is_the_result_with_and_without_a_request() {
    let folder = tempfile::tempdir().unwrap();
    let flow = "flow: hook\non:\n  endpoint: { methods: [POST], access: public, body: { who: text }, headers: { X-Kind: text } }\ncards:\n  \
                - return_raw: { status: 202, headers: { x-a: b }, body: { hello: \"${event.body.who}\", kind: \"${event.headers['X-Kind']}\" } }\n";
    std::fs::write(folder.path().join("hook.flow.yaml"), flow).unwrap();
    std::fs::write(folder.path().join("call.json"), r#"{"body": {"who": "Ada"}, "headers": {"x-kind": "test"}}"#)
        .unwrap();
    let answer = |arguments: &[&str]| {
        let out = flowdeck(folder.path(), &[&["run", "hook.flow.yaml"], arguments].concat());
        assert!(out.status.success(), "{}", said(&out));
        let text = String::from_utf8(out.stdout).unwrap();
        serde_json::from_str::<serde_json::Value>(text.trim().lines().last().unwrap())
            .or_else(|_| serde_json::from_str(&text))
            .unwrap()
    };
    let called = serde_json::json!({"status": 202, "headers": {"x-a": "b"}, "body": {"hello": "Ada", "kind": "test"}});
    assert_eq!(answer(&["--event", "call.json"]), called);
    assert_eq!(answer(&["--event", "call.json", "--json"])["answer"], called);
    assert_eq!(answer(&["--json"])["answer"]["body"], serde_json::json!({"hello": null, "kind": null}));
}

#[test]
fn an_export_whose_only_flow_is_damaged_is_a_wrong_file() {
    let folder = tempfile::tempdir().unwrap();
    let circle = EXPORT.replace(r#""e2":["c1","r1"]"#, r#""e2":["c1","r1"],"e3":["r1","ev"]"#);
    assert_ne!(circle, EXPORT);
    std::fs::write(folder.path().join("a.flopack"), circle).unwrap();
    for command in [&["check", "a.flopack"][..], &["run", "a.flopack"], &["import", "a.flopack", "--out", "out"]] {
        let out = flowdeck(folder.path(), command);
        assert_eq!(out.status.code(), Some(65), "{command:?}\n{}", said(&out));
        assert!(said(&out).contains("no card comes first"), "{command:?}\n{}", said(&out));
    }
}
