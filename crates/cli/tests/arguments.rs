//! Wrong command lines and files: the exit code, the sentence, the way out.
//!
//! Must never touch the network.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;

use support::Home;

const SUM: &str = "\
flow: sum
inputs:
  n: number
cards:
  - return: { n: \"${input.n}\" }
";

#[test]
fn a_wrong_file_ends_with_65() {
    let home = Home::new();
    let event = home.file("event.json", "no json");
    let list = home.file("list.json", "[1]");
    let noise = home.file("noise.yaml", [0xff, 0xfe, 0, 1]);
    let flow = home.file("sum.yaml", SUM);
    home.say(&["run", "nothing-here.yaml"]).check(65, &["nothing-here.yaml", "No such file"]);
    home.say(&["check", "nothing-here.yaml"]).check(65, &["No such file"]);
    home.say(&["run", "/"]).check(65, &["directory"]);
    home.say(&["run", &noise]).check(65, &["not UTF-8"]);
    home.say(&["run", "-"]).check(65, &["no flow in this file"]);
    home.say(&["run", &flow, "--event", &event]).check(65, &["is not JSON"]);
    home.say(&["run", &flow, "--event", &list]).check(65, &["one JSON object"]);
}

#[test]
fn what_holds_no_event_of_the_flow_ends_with_65() {
    let home = Home::new();
    let text = "flow: welcome\nslots: { okta: okta }\non: { card: okta/userCreated, slot: okta }\ncards: []\n";
    let flow = home.file("welcome.yaml", text);
    let entry = |kind: &str| format!(r#"{{"eventType": "{kind}", "target": []}}"#);
    let say = |name: &str, told: String, code: i32, words: &[&str]| {
        let file = home.file(name, told);
        home.say(&["run", &flow, "--no-input", "--event", &file]).check(code, words);
    };
    let (created, gone) = (entry("user.lifecycle.create"), entry("user.lifecycle.suspend"));
    say("two.json", format!("[{created}, {created}]"), 65, &["holds 2 events okta/userCreated", "leave only that"]);
    say("other.json", gone.clone(), 65, &["holds no event okta/userCreated", "1 of another kind", "ID, Login"]);
    say("list.json", "[]".into(), 65, &["holds no event"]);
    home.say(&["run", &flow, "--no-input"]).check(2, &["started by the event okta/userCreated"]);
    // What holds the event runs, and waits for its connection.
    for (name, told) in [("one.json", format!("[{created}, {gone}]")), ("fields.json", r#"{"ID": "00u1"}"#.into())] {
        say(name, told, 75, &[]);
    }
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let home = Home::new();
    let flow = home.file("sum.yaml", SUM);
    for (option, value, words) in [
        ("--proxy", "proxy.corp:3128", "http://HOST:PORT"),
        ("--proxy", "http://ada:hush@proxy.corp:3128", "a name and a password"),
        ("--allow-private", "*", "allow the private `*`"),
    ] {
        let said = home.say(&["run", &flow, "--input", "n=1", option, value]).check(2, &[words]);
        assert!(!said.err.contains("hush"), "{}", said.err);
    }
    home.say(&["run", &flow, "--input", "n=1", "--proxy", "http://proxy.corp:3128", "--allow-private", "10.0.0.0/8"])
        .check(0, &[]);
    home.say(&["run", &flow, "--input", "m=1"]).check(2, &["no input `m`; it has n"]);
    home.say(&["run", &flow, "--input", "n"]).check(2, &["KEY=VALUE"]);
    home.say(&["run", &flow, "--input", "n=abc"]).check(2, &["must be number", "explain run.input"]);
    home.say(&["run", &flow, "--flow", "other"]).check(2, &["no flow `other`; it has sum"]);
    home.say(&["run", &flow, "--allow-http", "x y"]).check(2, &["x y", "explain runtime.setting"]);
    home.say(&["runs", "show", "garbage"]).check(2, &["run_"]);
    home.say(&["explain", "no-such-code"]).check(2, &["no page"]);
    let page = &home.say(&["explain", "key.unusable", "--json"]).check(0, &[]).lines()[0];
    assert!(page["page"].as_str().unwrap().contains("--key-file"), "{page}");
    assert!(home.say(&["explain", "--json"]).check(0, &[]).lines().iter().any(|p| p["code"] == "key.unusable"));
}

#[test]
fn a_secret_in_an_argument_is_refused_and_not_repeated() {
    let home = Home::new();
    for (option, value) in [("--set", "client_secret=hush-7"), ("--secret", "client_secret=hush-7")] {
        let said = home.say(&["connect", "okta", option, value]).check(2, &["--secret client_secret=-"]);
        assert!(!said.err.contains("hush-7") && !said.out.contains("hush-7"));
    }
}

#[test]
fn what_is_missing_is_shown_as_the_whole_command() {
    let home = Home::new();
    home.say(&["connect", "okta", "--method", "api_token", "--set", "domain=acme.okta.com"])
        .check(2, &["flowdeck connect okta --method api_token --set domain=acme.okta.com --secret api_token=FILE"]);
    home.say(&["connect", "playground"]).check(75, &["flowdeck connect playground --device"]);
}

#[test]
fn the_command_that_answers_leads_to_the_same_folder() {
    let home = Home::new();
    let text = "flow: p\nslots: { d: playground }\ncards:\n  - card: playground/listPeople\n    slot: d\n";
    let flow = home.file("p.flow.yaml", text);
    let data = home.path("my data").display().to_string();
    let named = ["run", &flow, "--data", &data, "--allow-http", "localhost:1"];
    let said = home.say(&named).check(75, &["waits; nothing is lost"]);
    let shown = said.err.lines().find_map(|line| line.strip_prefix("  flowdeck ")).unwrap();
    assert!(shown.ends_with(&format!("--data '{data}' --allow-http localhost:1")), "{shown}");
    // Typed as it is shown, in another folder.
    let program = env!("CARGO_BIN_EXE_flowdeck");
    let mut shell = home.command(&[]);
    let shell = std::process::Command::new("sh")
        .args(["-c", &format!("cd / && '{program}' {shown}")])
        .env_clear()
        .envs(shell.env("FLOWDECK_DATA", home.path("another")).get_envs().filter_map(|(k, v)| Some((k, v?))))
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let answered = String::from_utf8(shell.stderr).unwrap();
    assert_eq!(shell.status.code(), Some(75), "{answered}");
    let again = format!("  flowdeck {} --browser --data '{data}'", shown.split(" --data").next().unwrap());
    assert!(answered.contains(&again), "{answered}");

    let last = home.say(&[&named[..], &["--json"]].concat()).check(75, &[]).run();
    let command = last["waits"][0]["commands"][0].as_str().unwrap();
    assert_eq!(command, format!("flowdeck {shown}"));
}

#[test]
fn a_run_that_is_refused_leaves_no_question_behind() {
    let home = Home::new();
    let text = "flow: p\nslots: { d: playground }\ninputs: { n: number }\ncards:\n  - card: playground/listPeople\n    slot: d\n";
    let flow = home.file("p.flow.yaml", text);
    home.say(&["run", &flow, "--input", "n=abc"]).check(2, &["must be number"]);
    let listed = home.say(&["prompts", "list"]).check(0, &[]).out;
    assert_eq!(listed, "Nothing waits for a connection.\n");
}

#[test]
fn a_runtime_folder_that_is_not_there_is_none() {
    let home = Home::new();
    let flow = home.file("none.flow.yaml", "flow: none\ncards: []\n");
    let nowhere = home.path("nobody's");
    let mut command = home.command(&["run", &flow]);
    command.env("XDG_RUNTIME_DIR", &nowhere).env("TMPDIR", home.path(""));
    let ended = command.output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(!nowhere.exists(), "another person's folder was made");
}

#[test]
fn an_app_without_accounts_is_not_offered_as_one() {
    let home = Home::new();
    home.say(&["connect", "http"]).check(2, &["`http` needs no connection"]);
    home.say(&["connect", "okat"]).check(2, &["no app `okat`", "flowdeck apps list"]);
}

#[test]
fn a_signal_that_comes_early_is_said_to_be_kept() {
    let home = Home::new();
    let text = "flow: w\ncards:\n  - id: ok\n    wait: { approval: Go? }\n  - id: paid\n    wait: { signal: paid }\n";
    let flow = home.file("w.flow.yaml", text);
    let run = home.say(&["run", &flow, "--json"]).check(75, &[]).run()["run"].as_str().unwrap().to_owned();
    home.say(&["runs", "signal", &run, "paid"]).check(75, &["is kept until the run waits for it", "runs approve"]);
    home.say(&["runs", "approve", &run]).check(0, &[]);
}

#[test]
fn what_a_session_cannot_do_names_its_page() {
    let home = Home::new();
    let key = home.file("key", "garbage\n");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let flow = home.file("none.flow.yaml", "flow: none\ncards: []\n");
    home.say(&["run", &flow, "--key-file", &key]).check(1, &["not a flowdeck key file", "explain key.unusable"]);
    home.say(&["explain", "key.unusable"]).check(0, &[]);
    let doctor = home.say(&["doctor", "--key-file", &key, "--data", "nowhere"]).check(1, &[]);
    assert!(doctor.out.contains("is not a flowdeck key file"), "{}", doctor.out);
    let folder = home.path("key-folder");
    std::fs::create_dir(&folder).unwrap();
    let doctor = home.say(&["doctor", "--key-file", folder.to_str().unwrap()]).check(1, &[]);
    assert!(doctor.out.contains("is no file"), "{}", doctor.out);
}

#[test]
fn both_schemas_are_printed() {
    let home = Home::new();
    for (arguments, title) in [(&["schema"][..], "flowdeck flow file"), (&["schema", "--app"], "flowdeck app file")] {
        let schema: serde_json::Value = serde_json::from_str(&home.say(arguments).check(0, &[]).out).unwrap();
        assert_eq!(schema["title"], title);
    }
}

#[test]
fn garbage_gets_a_short_answer() {
    let home = Home::new();
    let many = home.file("many.yaml", "${{\n".repeat(50_000));
    let long = home.file("long.yaml", "[".repeat(200_000));
    for file in [many, long] {
        let said = home.say(&["check", &file]).check(65, &[]);
        assert!(said.err.len() + said.out.len() < 8_000, "{} bytes", said.err.len() + said.out.len());
    }
}

#[test]
fn the_doctor_changes_nothing() {
    let home = Home::new();
    let data = home.path("data");
    std::fs::create_dir(&data).unwrap();
    home.say(&["doctor"]).check(0, &[]);
    assert!(!home.path(".config").exists(), "a key was made");
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 0, "the data folder was written");
}
