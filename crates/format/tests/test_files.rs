//! Test files: what is read, what is refused with which words, new expectations, the schema.
//!
//! Must never need a flow.
//! Tests: these.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use flowdeck_format::test_file::{ReadTests, print, read, schema, update};
use flowdeck_format::{Source, values_of};
use serde_json::json;

const CASES: &str = "\
# Both start alike.
file: welcome.flow.yaml
clock: \"2024-01-15T10:30:00Z\"
answers:
  okta/readUser: { outputs: { id: \"7\" } }
cases:
  - id: fine
    expected: { status: finished } # the usual end
  - id: gone
    answers:
      okta/readUser:
        - error: { statusCode: 404, message: gone }
    decisions: { ask: approve, paid: { signal: { sum: 12 } } }
    expected:
      status: failed
";

fn of(text: &str) -> ReadTests {
    read(&Source::new("a.test.yaml", text))
}

/// The first thing that is wrong, as one line.
#[track_caller]
fn wrong(text: &str, words: &str) {
    let read = of(text);
    let said: Vec<String> = read.diagnostics.iter().map(|d| d.line_text("a.test.yaml")).collect();
    assert!(read.has_errors() && said.iter().any(|line| line.contains(words)), "{text}: {said:?}");
}

#[test]
fn cases_share_what_stands_beside_them() {
    let read = of(CASES);
    assert!(!read.has_errors(), "{:?}", read.diagnostics);
    let [fine, gone] = read.tests.as_slice() else { panic!("{read:?}") };
    assert_eq!((fine.id.as_str(), fine.line, gone.line), ("fine", 7, 9));
    assert_eq!(
        (fine.file.as_deref(), fine.clock.as_deref()),
        (Some("welcome.flow.yaml"), Some("2024-01-15T10:30:00Z"))
    );
    assert_eq!(fine.answers["okta/readUser"], [json!({"outputs": {"id": "7"}})]);
    assert_eq!(gone.answers["okta/readUser"], [json!({"error": {"statusCode": 404, "message": "gone"}})]);
    assert_eq!(gone.decisions["paid"], json!({"signal": {"sum": 12}}));
    assert_eq!(gone.expected, json!({"status": "failed"}));
}

#[test]
fn one_test_needs_no_list() {
    let read = of("id: one\ninput: { days: 3 }\nevent: { ID: x }\nexpected: { output: { n: 1 } }\n");
    assert_eq!(read.tests[0].input["days"], json!(3));
    assert_eq!(read.tests[0].event.as_ref().unwrap()["ID"], json!("x"));
}

#[test]
fn what_is_not_known_is_said() {
    wrong("answer: {}\n", "a.test.yaml:1:1: error[unknown-key]: `answer` is not known here; did you mean `answers`?");
    wrong("answers: { a/b: { output: {} } }\n", "did you mean `outputs`?");
    wrong("answers: { a/b: { outputs: {}, error: {} } }\n", "an answer is one of");
    wrong("answers: { a/b: [] }\n", "there is no answer in the list");
    wrong("answers: { a/b: 3 }\n", "an answer must be a map, not a number");
    wrong("decisions: { a: maybe }\n", "a decision is `approve`");
    wrong("clock: tomorrow\n", "write a time with its offset");
    wrong("expected: { status: done }\n", "`status` is one of finished, stopped, failed, waiting");
    wrong("expected: { requests: { a: 1 } }\n", "`requests` must be a list");
    wrong("expected: { requests: [{ verb: GET }] }\n", "known here: card, step, method");
    wrong("cases: []\n", "there is no case");
    wrong("cases: [{ id: a }, { id: a }]\n", "two tests are called `a`");
    wrong("cases: [{ cases: [] }]\n", "`cases` is not known here");
    wrong("[1", "error[");
}

#[test]
fn new_expectations_leave_the_rest_as_it_was() {
    let new = [Some(json!({"status": "stopped", "output": {"list": [1, 2]}})), None];
    let text = update(&Source::new("a.test.yaml", CASES), &new).unwrap();
    let wanted = CASES.replace(
        "    expected: { status: finished } # the usual end\n",
        "    expected: { status: stopped, output: { list: [1, 2] } } # the usual end\n",
    );
    assert_eq!(text, wanted);
    let text = update(&Source::new("a.test.yaml", "# mine\nid: one\n"), &[Some(json!({"status": "failed"}))]).unwrap();
    assert_eq!(text, "# mine\nid: one\nexpected: { status: failed }\n");
}

#[test]
fn a_test_is_printed_as_it_is_read() {
    for test in of(CASES).tests {
        let again = of(&print(&test)).tests.remove(0);
        assert_eq!(flowdeck_format::test_file::Test { line: test.line, ..again }, test);
    }
}

#[test]
fn the_scenarios_of_the_corpus_are_test_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/scenarios");
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()) {
        if file.extension().is_some_and(|e| e == "json") {
            let source = Source::new(&file.display().to_string(), &std::fs::read_to_string(&file).unwrap());
            let read = read(&source);
            assert!(!read.has_errors() && read.tests.len() == 1, "{}: {:?}", source.name, read.diagnostics);
            let wrong: Vec<_> = validator.iter_errors(&values_of(&source)[0]).map(|e| e.to_string()).collect();
            assert_eq!(wrong, Vec::<String>::new(), "{}", source.name);
            count += 1;
        }
    }
    assert!(count >= 40, "{count} scenarios");
    assert!(validator.is_valid(&values_of(&Source::new("a.test.yaml", CASES))[0]));
    assert!(!validator.is_valid(&json!({"answer": {}})));
}
