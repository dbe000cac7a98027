//! `run --json` as a program reads it: every line an object, the run the last one, whatever happened.
//!
//! Must never touch the network.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use support::{Home, Said};

const STEPS: &str = "\
flow: steps
inputs:
  word: { type: text, default: moon }
cards:
  - id: long
    card: string/concat
    with: { string1: \"full \", string2: \"${input.word}\" }
  - return: { text: \"${long.output}\" }
";

const FAILS: &str = "\
flow: fails
cards:
  - id: stop
    return_error: nothing to do here
";

const WAITS: &str = "\
flow: waits
slots:
  directory: { app: playground }
cards:
  - id: people
    card: playground/listPeople
    slot: directory
";

#[test]
fn a_finished_run() {
    let home = Home::new();
    let said = home.say(&["run", "--json", &home.file("f.yaml", STEPS), "--input", "word=sun"]).check(0, &[]);
    let lines = said.lines();
    assert_eq!(lines[0]["type"], "preflight");
    assert!(
        lines.iter().any(|l| l["type"] == "step" && l["path"] == "long" && l["what"] == "finished"),
        "{}",
        said.out
    );
    let run = said.run();
    assert_eq!((&run["status"], &run["output"]["text"]), (&"finished".into(), &"full sun".into()));
    assert_eq!(said.err, "");
}

#[test]
fn a_flow_from_standard_input() {
    let home = Home::new();
    let mut child = home.command(&["run", "-", "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(STEPS.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let said =
        Said { code: out.status.code().unwrap(), out: String::from_utf8(out.stdout).unwrap(), err: String::new() };
    assert_eq!(said.check(0, &[]).run()["output"]["text"], "full moon");
}

#[test]
fn a_failed_run() {
    let home = Home::new();
    let run = home.say(&["run", "--json", &home.file("f.yaml", FAILS)]).check(1, &[]).run();
    assert_eq!(run["status"], "failed");
    assert!(run["fault"]["message"].as_str().unwrap().contains("nothing to do here"), "{run}");
}

#[test]
fn a_waiting_run_is_shown_with_the_command_that_answers_and_can_be_cancelled() {
    let home = Home::new();
    let said = home.say(&["run", "--json", &home.file("f.yaml", WAITS)]).check(75, &[]);
    let prompt = said.lines().into_iter().find(|l| l["type"] == "prompt").unwrap();
    let id = prompt["prompt"]["id"].as_str().unwrap();
    assert_eq!(prompt["command"], format!("flowdeck prompts answer {id}"));
    assert_eq!(said.run()["status"], "waiting");
    home.say(&["prompts", "answer", id, "--use", "nobody"]).check(2, &["it has none yet"]);

    let run = said.run()["run"].as_str().unwrap().to_owned();
    home.say(&["runs", "retry", &run]).check(1, &["is waiting: only failed runs", "explain run.not_now"]);
    let cancelled = home.say(&["runs", "cancel", &run]).check(0, &[]);
    assert!(cancelled.out.contains("is cancelled."), "{}", cancelled.out);
}

#[test]
fn what_never_started_has_a_last_line_too() {
    let home = Home::new();
    let flow = home.file("f.yaml", STEPS);
    let wrong = home.file("w.yaml", STEPS.replace("string/concat", "string/concta"));
    for (arguments, code, word) in [
        (&["run", "--json", &wrong][..], 65, "cannot be run"),
        (&["run", "--json", "nothing.yaml"], 65, "No such file"),
        (&["run", "--json", &flow, "--input", "wort=x"], 2, "no input `wort`"),
        (&["run", "--json", &flow, "--flow", "other"], 2, "no flow `other`"),
    ] {
        let run = home.say(arguments).check(code, &[word]).run();
        assert_eq!(run["status"], "not_started");
        assert!(run["error"]["message"].as_str().unwrap().contains(word), "{run}");
    }
    let run = home.say(&["run", "--json", &wrong]).run();
    assert_eq!(run["error"]["diagnostics"][0]["code"], "unknown-card", "{run}");
}

#[test]
fn an_interrupted_command_says_how_the_run_goes_on() {
    let home = Home::new();
    let flow = home.file("f.yaml", "flow: naps\ncards:\n  - id: nap\n    wait: { for: 5m }\n");
    let mut child =
        home.command(&["run", "--json", &flow]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    lines.find(|l| l.contains("\"waiting\"")).expect("it never came to its nap");
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let last: serde_json::Value = serde_json::from_str(&lines.last().unwrap()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!((&last["type"], &last["status"]), (&"run".into(), &"interrupted".into()));
    let run = last["run"].as_str().unwrap();
    assert_eq!(last["command"], format!("flowdeck runs resume {run}"));
    home.say(&["runs", "cancel", run]).check(0, &[]);
}

#[test]
fn a_line_that_is_no_answer_does_not_end_an_attempt_that_is_pasted_back() {
    let home = Home::new();
    let mut command = home.command(&["connect", "playground", "--paste", "--no-input"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = "\ncertainly not it\nhttp://127.0.0.1:1/oauth/callback/playground\n";
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let said = Said { code: out.status.code().unwrap(), out: text(out.stdout), err: text(out.stderr) };
    let said = said.check(75, &["was not given", "--paste"]);
    let both = format!("{}{}", said.out, said.err);
    assert_eq!(both.matches("This is neither the address nor a code").count(), 2, "{both}");
    assert!(!both.contains("certainly"), "what was pasted is not repeated: {both}");
}

#[test]
fn every_command_says_one_object_a_line() {
    let home = Home::new();
    let run = home.say(&["run", "--json", &home.file("f.yaml", STEPS)]).check(0, &[]).run()["run"].clone();
    let run = run.as_str().unwrap();
    let file = home.file("steps.flow.yaml", STEPS);
    let table: [&[&str]; 15] = [
        &["tables", "create", "People", "name:text", "--json"],
        &["tables", "rows", "People", "--json"],
        &["tables", "show", "People", "--json"],
        &["tables", "list", "--json"],
        &["flows", "publish", &file, "--json"],
        &["flows", "list", "--json"],
        &["flows", "show", "steps", "--json"],
        &["runs", "list", "--json"],
        &["runs", "show", run, "--json"],
        &["people", "list", "--json"],
        &["tokens", "list", "--json"],
        &["apps", "show", "okta", "--json"],
        &["apps", "list", "--json"],
        &["cards", "show", "string/concat", "--json"],
        &["doctor", "--json"],
    ];
    for arguments in table {
        let said = home.say(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {}{}", said.out, said.err);
        for line in said.out.lines() {
            let read = serde_json::from_str::<serde_json::Value>(line);
            assert!(read.is_ok_and(|value| value.is_object()), "{arguments:?}: {line}");
        }
    }
}
