//! `flowdeck test`: the samples' own tests, differences, missing answers, `--update`.
//!
//! Must never need a network or a data folder.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;

use support::Home;

const FLOW: &str = "flow: two\ncards:\n  - id: get\n    card: http/get\n    with: { url: \"https://example.com/\" }\n  - return: { n: \
                    \"${get.body.n}\" }\n";
const TEST: &str = "# What we agreed on.\nanswers:\n  get: { outputs: { body: { n: 2 } } }\nexpected:\n  status: finished\n  output: { n: 3 }\n";

#[test]
fn the_samples_pass_and_open_no_data_folder() {
    let home = Home::new();
    let flows = concat!(env!("CARGO_MANIFEST_DIR"), "/../../flows");
    let lines = home.say(&["test", flows, "--json"]).check(0, &[]).lines();
    let last = lines.last().unwrap();
    let samples = std::fs::read_dir(flows).unwrap();
    let names = samples.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>();
    let (flows, tests) = (".flow.yaml", ".test.yaml");
    for flow in names.iter().filter_map(|name| name.strip_suffix(flows)) {
        assert!(names.contains(&format!("{flow}{tests}")), "{flow} has no test");
    }
    assert!(last["tests"].as_u64().unwrap() >= 4 && last["tests"] == last["passed"], "{last}");
    assert!(!home.path("data").exists(), "a data folder was made");
}

#[test]
fn check_and_fmt_take_flows_and_their_tests_together() {
    let home = Home::new();
    let flows = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../flows"));
    let files: Vec<String> =
        std::fs::read_dir(flows).unwrap().map(|entry| entry.unwrap().path().display().to_string()).collect();
    let with = |words: &[&str]| {
        let words: Vec<&str> = words.iter().copied().chain(files.iter().map(String::as_str)).collect();
        home.say(&words).check(0, &[])
    };
    assert!(with(&["check"]).out.contains("welcome.test.yaml: 2 tests, no errors"));
    with(&["fmt", "--check"]);
    let wrong = home.file("wrong.test.yaml", "expcted: {}\n");
    home.say(&["check", &wrong]).check(65, &["expected"]);
}

#[test]
fn a_difference_is_shown_fails_and_is_taken_over_where_asked() {
    let home = Home::new();
    home.file("two.flow.yaml", FLOW);
    let test = home.file("two.test.yaml", TEST);
    let said = home.say(&["test", &test]).check(1, &[]);
    assert!(said.out.contains("output.n\n      - 3\n      + 2\n"), "{}", said.out);
    assert!(said.out.ends_with("1 test: 0 passed, 1 failed\n"), "{}", said.out);
    home.say(&["test", &test, "--update"]).check(0, &[]);
    let updated = std::fs::read_to_string(&test).unwrap();
    assert!(updated.starts_with("# What we agreed on.\n") && updated.contains("n: 2 }\n"), "{updated}");
    home.say(&["test", &test]).check(0, &[]);
}

const RECORD: &str = "<!-- recorded by crates/cli/tests/tests_of_flows.rs -->\n```console\n";

#[test]
fn the_page_shows_what_is_said() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/testing-flows.md");
    let page_text = std::fs::read_to_string(&page).unwrap();
    let home = Home::new();
    home.file("two.flow.yaml", FLOW);
    home.file("two.test.yaml", TEST);
    let mut record = String::new();
    for words in [&["test", "two.test.yaml"][..], &["test", "two.test.yaml", "--update"], &["test", "two.test.yaml"]] {
        let said = home.say(words);
        record += &format!("$ flowdeck {}\n{}{}", words.join(" "), said.out, said.err);
    }
    let (before, rest) = page_text.split_once(RECORD).unwrap();
    let (shown, after) = rest.split_once("```\n").unwrap();
    if support::manual::is_update() {
        std::fs::write(&page, format!("{before}{RECORD}{record}```\n{after}")).unwrap();
        return;
    }
    assert_eq!(shown, record, "docs/testing-flows.md shows something else; FLOWDECK_UPDATE=1 records it again");
}

#[test]
fn many_tests_are_updated_in_place_with_their_comments() {
    let home = Home::new();
    home.file("two.flow.yaml", FLOW);
    let head = "# Shared by all.\nanswers:\n  get: { outputs: { body: { n: 2 } } }\ncases:\n";
    let case = |at: usize, n: u8| {
        format!(
            "  # Case {at}.\n  - id: case-{at} # its name\n    expected:\n      # As agreed.\n      status: finished\n      output: {{ n: {n} }} # of the body\n"
        )
    };
    let file = |wrong: u8| {
        head.to_owned() + &(0..300).map(|at| case(at, if at % 3 == 0 { wrong } else { 2 })).collect::<String>()
    };
    let test = home.file("two.test.yaml", file(3));
    let said = home.say(&["test", &test, "--update"]).check(0, &[]);
    assert!(said.out.contains("300 passed, 100 of them updated"), "{}", said.out);
    assert_eq!(std::fs::read_to_string(&test).unwrap(), file(2));
}

#[test]
fn a_missing_answer_names_its_card_and_shows_one() {
    let home = Home::new();
    home.file("two.flow.yaml", FLOW);
    let test = home.file("two.test.yaml", "expected: { status: finished }\n");
    let said = home.say(&["test", &test]).check(1, &[]);
    for word in ["http/get", "get:", "outputs:"] {
        assert!(said.out.contains(word), "`{word}` is missing:\n{}", said.out);
    }
}

#[test]
fn what_is_no_test_is_not_passed() {
    let home = Home::new();
    home.say(&["test", "nowhere"]).check(65, &["nowhere"]);
    let wrong = home.file("wrong.test.yaml", "expcted: {}\n");
    home.say(&["test", &wrong]).check(65, &["expected"]);
    let empty = home.path("empty");
    std::fs::create_dir(&empty).unwrap();
    let none = home.say(&["test", &empty.display().to_string()]);
    assert_ne!(none.code, 0, "{}{}", none.out, none.err);
}
