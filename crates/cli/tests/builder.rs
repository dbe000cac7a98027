//! `new` and `add` with nobody there: what they write, what they refuse, what they tell programs.
//!
//! Must never touch the network.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;

use serde_json::Value;
use support::{Home, Said};

const FLOW: &str = "\
# people of a team
flow: people

slots:
  dir: { app: playground }   # ours
cards:
  - id: staff
    card: playground/listPeople
    slot: dir
    with: { status: active }

  # each of them
  - id: each
    for_each: ${staff.people}
    as: person
    cards: []

  - return: { count: \"${each.count}\" }
";

/// Adds a card; the file's text before and after.
fn add(home: &Home, text: &str, arguments: &[&str]) -> (Said, String) {
    let file = home.file("f.flow.yaml", text);
    let said = home.say(&[&["add", &file], arguments].concat());
    (said, std::fs::read_to_string(file).unwrap())
}

#[test]
fn a_card_is_added_and_nothing_else_moves() {
    let home = Home::new();
    let (said, text) = add(&home, FLOW, &["date/now", "--after", "staff"]);
    let new = "\n  - id: now\n    card: date/now\n";
    assert_eq!(text, FLOW.replace("\n  # each", &format!("{new}\n  # each")));
    said.check(0, &["Added now to", "  11 - id: now".trim_start().trim_start_matches("11 - ")]);

    let set = "text=${person.name} is here";
    let (said, text) = add(
        &home,
        FLOW,
        &["string/concat", "--in", "each", "--set", "string1=Hi ", "--set", &set.replace("text", "string2"), "--json"],
    );
    let new = "    cards:\n      - id: concat\n        card: string/concat\n        with: { string1: \"Hi \", string2: \"${person.name} is here\" }\n";
    assert_eq!(text, FLOW.replace("    cards: []\n", new));
    let lines = said.check(0, &[]).lines();
    let told: Vec<&Value> = ["type", "flow", "card", "name", "line"].iter().map(|key| &lines[0][key]).collect();
    assert_eq!(
        Value::from_iter(told.into_iter().cloned()).to_string(),
        r#"["added","people","concat","string/concat",17]"#
    );

    let (_, text) = add(&home, FLOW, &["if", "--set", "if=${each.count > 3}", "--id", "many", "--title", "Many?"]);
    let new = "  - id: many\n    title: Many?\n    if: ${each.count > 3}\n    then: []\n";
    assert_eq!(text, FLOW.replace("  - return:", &format!("{new}\n  - return:")));
}

#[test]
fn what_is_wrong_is_told_and_nothing_is_written() {
    let home = Home::new();
    for (arguments, code, words) in [
        (&["string/repeat"][..], 2, &["`string/repeat` needs", "--set times=…"][..]),
        (&["list/plck"], 2, &["there is no card", "near it: list/pluck"]),
        (&["okta/userCreated"], 2, &["starts flows", "flowdeck new --event okta/userCreated"]),
        (&["date/now", "--after", "nobody"], 2, &["there is no card `nobody`"]),
        (&["date/now", "--in", "each.then"], 2, &["has no lane `then`; it has cards"]),
        (&["date/now", "--in", "staff"], 2, &["has no lane to put a card in"]),
        (&["date/now", "--id", "staff"], 2, &["has something called `staff`"]),
        (&["date/now", "--id", "person"], 2, &["has something called `person`"]),
        (&["date/now", "--flow", "other"], 2, &["choose a flow", "people"]),
        (&["date/now", "--slot", "dir"], 2, &["needs no connection"]),
        (&["date/add", "--set", "unti=days"], 2, &["has no field `unti`"]),
        (&["date/add", "--set", "days"], 2, &["FIELD=VALUE"]),
        (&["crypto/hmac", "--set", "key=hush-123"], 2, &["secret", "${input.key}"]),
        (
            &["list/pluck", "--set", "list=${staff.count}", "--set", "key=name"],
            65,
            &["has no output `count`", "nothing was written"],
        ),
        (&["list/pluck", "--set", "list=5", "--set", "key=name"], 65, &["nothing was written"]),
        (&["date/now", "--after", "staff", "--first"], 2, &["--first"]),
        (&[], 2, &["say which card"]),
        (&["playground/listPeople", "--use", "nobody"], 2, &["no connection `nobody`", "flowdeck connect playground"]),
    ] {
        let (said, text) = add(&home, FLOW, arguments);
        assert_eq!(text, FLOW, "{arguments:?}");
        assert!(!said.err.contains("hush-123"), "{}", said.err);
        said.check(code, words);
    }
    let (said, _) = add(&home, "flow: [", &["date/now"]);
    said.check(65, &["well-formed"]);
    home.say(&["add", "nowhere.flow.yaml", "date/now"]).check(65, &["nowhere.flow.yaml"]);
    home.say(&["add", "-", "date/now"]).check(2, &["name a file"]);
    assert_eq!(
        std::fs::read_dir(home.path("."))
            .unwrap()
            .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with(".f."))
            .count(),
        0
    );
}

#[test]
fn a_program_reads_what_is_wrong() {
    let home = Home::new();
    let (said, _) = add(&home, FLOW, &["list/pluck", "--set", "list=${staff.count}", "--set", "key=name", "--json"]);
    let line = said.check(65, &[]).lines().pop().unwrap();
    assert_eq!((&line["type"], &line["card"]), (&"added".into(), &Value::Null));
    assert_eq!(line["error"]["diagnostics"][0]["code"], "unknown-output", "{line}");
}

#[test]
fn errors_that_were_there_before_stay_their_owners() {
    let home = Home::new();
    let wrong = FLOW.replace("${each.count}", "${eech.count}");
    let (said, text) = add(&home, &wrong, &["date/now", "--first"]);
    said.check(0, &["Added now"]);
    assert!(text.contains("cards:\n  - id: now\n    card: date/now\n\n  - id: staff"), "{text}");
}

#[test]
fn a_slot_without_a_connection_is_told_with_the_command_that_answers() {
    let home = Home::new();
    let flow = "flow: a\ncards: []\n";
    let wanted = "flow: a\nslots:\n  playground: { app: playground }\ncards:\n  - id: list_groups\n    card: playground/listGroups\n    slot: playground\n";
    let (said, text) = add(&home, flow, &["playground/listGroups"]);
    assert_eq!(text, wanted);
    let said = said.check(75, &["Added list_groups", "flowdeck prompts answer prm_"]);
    let prompt = said.err.split("prompts answer ").nth(1).unwrap().trim().to_owned();
    assert!(home.say(&["prompts", "list"]).check(0, &[]).out.contains(&prompt));
    home.say(&["check", &home.path("f.flow.yaml").display().to_string()]).check(0, &[]);

    let (said, text) = add(&home, wanted, &["playground/createGroup", "--set", "name=New", "--later", "--json"]);
    let lines = said.check(0, &[]).lines();
    assert_eq!((&lines[0]["slot"], &lines[1]["type"]), (&"playground".into(), &"prompt".into()));
    assert!(lines[1]["command"].as_str().unwrap().starts_with("flowdeck prompts answer prm_"));
    assert_eq!(text.matches("app: playground").count(), 1, "{text}");
    let (_, text) = add(&home, wanted, &["playground/listGroups", "--slot", "second", "--later"]);
    assert!(text.contains("  playground: { app: playground }\n  second: { app: playground }\n"), "{text}");
}

#[test]
fn new_files_are_right_and_tidy() {
    let home = Home::new();
    for (name, arguments, part) in [
        ("a", &["--event", "manual"][..], "flow: a\ncards: []\n"),
        (
            "b",
            &["--event", "schedule", "--set", "cron=0 9 * * *"],
            "on:\n  schedule: { cron: \"0 9 * * *\", timezone: UTC }\n",
        ),
        ("c", &["--event", "endpoint", "--set", "access=public"], "    methods: [POST]\n    access: public\n"),
        (
            "d",
            &["--event", "delegated", "--description", "For help desks."],
            "description: For help desks.\non: delegated\n",
        ),
        (
            "e",
            &["--event", "playground/personJoined", "--later"],
            "slots:\n  playground: { app: playground }\non: { card: playground/personJoined, slot: playground }\n",
        ),
    ] {
        home.say(&[&["new", "--name", name, "--no-input"], arguments].concat()).check(0, &["Wrote", "flowdeck add"]);
        let file = home.path(&format!("{name}.flow.yaml"));
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(part), "{text}");
        let file = file.display().to_string();
        home.say(&["check", &file]).check(0, &[]);
        assert_eq!(home.say(&["fmt", "--check", &file]).check(0, &[]).out, "");
        home.say(&["add", &file, "date/now"]).check(0, &[]);
    }
}

#[test]
fn a_new_file_never_takes_the_place_of_another() {
    let home = Home::new();
    let file = home.file("a.flow.yaml", "mine");
    home.say(&["new", &file]).check(1, &["there already", "--force"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    let line = home.say(&["new", &file, "--force", "--json"]).check(0, &[]).lines().pop().unwrap();
    assert_eq!((&line["type"], &line["flow"], &line["event"]), (&"made".into(), &"a".into(), &"manual".into()));
    for (arguments, code, word) in [
        (&["new"][..], 2, "--name"),
        (&["new", "--name", "x", "--event", "shedule"], 2, "near it: schedule"),
        (&["new", "--name", "x", "--event", "schedule"], 2, "--set cron"),
        (&["new", "--name", "x", "--event", "schedule", "--set", "cron=every day"], 65, "nothing was written"),
        (&["new", "--name", "x", "--event", "playground/personJoined"], 75, "prompts answer prm_"),
    ] {
        home.say(arguments).check(code, &[word]);
    }
    std::fs::create_dir(home.path("flows")).unwrap();
    home.say(&["new", "--name", "y"]).check(0, &["flows/y.flow.yaml"]);
}
