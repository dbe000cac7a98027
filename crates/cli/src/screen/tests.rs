//! Tests of flows as a person reads them: one line each, and where something differs what was expected and what came.
//!
//! Must never show more of a value than can be read.
//! Tests: below, `docs/testing-flows.md` through `crates/cli/tests/tests_of_flows.rs`.

use flowdeck::format::test_file::{self, Test};
use flowdeck::model::Value;
use flowdeck::testing::{Tested, Wrong};

use super::style::{Style, count};

/// Most differences of one test.
const WRONG_MAX: usize = 20;
/// Most lines of one value.
const LINES_MAX: usize = 30;

/// One test.
pub(crate) fn test(file: &str, case: &Test, tested: &Tested, updated: bool, style: Style) -> String {
    let name = if case.id.is_empty() { String::new() } else { format!("  {}", case.id) };
    if updated {
        return format!("{} {file}{name}  {}\n", style.waiting(style.sign("✎", "~")), style.dim("updated"));
    }
    if tested.holds() {
        return format!("{} {file}{name}\n", style.good(style.sign("✓", "+")));
    }
    let mut out = format!("{} {file}:{}{}\n", style.bad(style.sign("✗", "x")), case.line, style.bold(&name));
    for missing in &tested.missing {
        let what = match missing.card.as_str() {
            "" => format!("`{}` waits, and the test does not say for what word", missing.step),
            card => format!("`{}` asks {card}, and the test has no answer", missing.step),
        };
        out.push_str(&format!("    {what}. This would be one:\n"));
        out.push_str(&lines(&missing.snippet, "      ", |line| style.key(line)));
    }
    // What follows from a missing answer would only hide it.
    let shown = if tested.missing.is_empty() { WRONG_MAX } else { 0 };
    for wrong in tested.wrong.iter().take(shown) {
        out.push_str(&difference(wrong, style));
    }
    if shown > 0 && tested.wrong.len() > shown {
        let left = count((tested.wrong.len() - shown) as u64, "more difference");
        out.push_str(&format!("    {}\n", style.dim(&format!("and {left}; --json has all"))));
    }
    out
}

fn difference(wrong: &Wrong, style: Style) -> String {
    let about = if wrong.about.is_empty() { String::new() } else { format!(": {}", wrong.about) };
    let mut out = format!("    {}{about}\n", style.bold(&wrong.place));
    if let Some(expected) = &wrong.expected {
        out.push_str(&lines(&shown(expected), "      - ", |line| style.bad(line)));
    }
    if let Some(actual) = &wrong.actual {
        out.push_str(&lines(&shown(actual), "      + ", |line| style.good(line)));
    }
    out
}

/// Scalars as JSON, so that `"2"` and `2` look different; lists and maps as they stand in a test file.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(map) if !map.is_empty() => test_file::snippet(value),
        Value::Array(items) if !items.is_empty() => test_file::snippet(value),
        other => other.to_string(),
    }
}

fn lines(text: &str, start: &str, paint: impl Fn(&str) -> String) -> String {
    let all: Vec<&str> = text.lines().collect();
    let mut out: String =
        all.iter().take(LINES_MAX).map(|line| format!("{}\n", paint(&format!("{start}{line}")))).collect();
    if all.len() > LINES_MAX {
        out.push_str(&format!("{start}… and {} more\n", count((all.len() - LINES_MAX) as u64, "line")));
    }
    out
}

/// The one line for whoever reads only the end.
pub(crate) fn totals(passed: usize, failed: usize, updated: usize, wrong_files: usize, style: Style) -> String {
    let mut parts = vec![format!("{passed} passed")];
    if updated > 0 {
        parts.push(format!("{updated} of them updated"));
    }
    if failed > 0 {
        parts.push(style.bad(&format!("{failed} failed")));
    }
    if wrong_files > 0 {
        parts.push(style.bad(&format!("{} wrong", count(wrong_files as u64, "file"))));
    }
    format!("{}: {}\n", count((passed + failed) as u64, "test"), parts.join(", "))
}

#[cfg(test)]
mod unit {
    use super::*;
    use flowdeck::testing::Missing;
    use serde_json::json;

    #[test]
    fn a_difference_shows_both_sides() {
        let case = Test { id: "counts".into(), line: 7, ..Test::default() };
        let wrong = |expected, actual| Wrong { place: "output.n".into(), expected, actual, about: String::new() };
        let mut tested = Tested {
            wrong: vec![wrong(Some(json!("2")), Some(json!(2))), wrong(None, Some(json!({"a": [1]})))],
            missing: Vec::new(),
            came: Value::Null,
            status: "finished",
        };
        assert_eq!(
            test("a.test.yaml", &case, &tested, false, Style::PLAIN),
            "✗ a.test.yaml:7  counts\n    output.n\n      - \"2\"\n      + 2\n    output.n\n      + a: [1]\n"
        );
        tested.missing.push(Missing { step: "who".into(), card: "desk/who".into(), snippet: "answers: {}\n".into() });
        assert_eq!(
            test("a.test.yaml", &case, &tested, false, Style::PLAIN),
            "✗ a.test.yaml:7  counts\n    `who` asks desk/who, and the test has no answer. This would be one:\n      answers: {}\n"
        );
        assert_eq!(totals(2, 1, 0, 0, Style::PLAIN), "3 tests: 2 passed, 1 failed\n");
    }
}
