//! Files made to break the reader are refused with words; what is quadratic would take minutes here.

use crate::common;

use flowdeck_format::{Source, format_text, read};

fn refused(name: &str, text: &str, code: &str) {
    let source = Source::new(name, text);
    let checked = read(&source, Some(&common::TestCatalogue::new()));
    let codes: Vec<_> = checked.diagnostics.iter().map(|d| d.code).collect();
    assert!(codes.contains(&code), "expected {code}, got {codes:?}");
    assert!(checked.diagnostics.len() <= 100);
    format_text(&source).ok();
}

#[test]
fn deep_nesting_is_refused_without_recursion() {
    let n = 100_000;
    refused("a.yaml", &"[".repeat(n), "too-deep");
    refused("a.yaml", &"{a: ".repeat(n), "too-deep");
    refused("a.yaml", &"- ".repeat(n), "too-deep");
    refused("a.yaml", &"? ".repeat(n), "bad-key");
    refused("a.json", &"[".repeat(n), "too-deep");
    refused("a.json", &"{\"a\":".repeat(n), "too-deep");
    let mut steps = String::new();
    for i in 0..2000 {
        steps.push_str(&format!("{}a:\n", " ".repeat(i)));
    }
    refused("a.yaml", &steps, "too-deep");
}

#[test]
fn many_values_and_cards_are_refused() {
    refused("a.yaml", &format!("flow: a\ncards: [{}]", "1,".repeat(300_000)), "too-many-values");
    refused("a.json", &format!("[{}1]", "1,".repeat(300_000)), "too-many-values");
    refused("a.yaml", &format!("flow: a\ncards:\n{}", "- wait: 1s\n".repeat(20_001)), "too-many-cards");
}

#[test]
fn long_texts_and_large_files_are_refused() {
    refused("a.yaml", &format!("flow: a\ndescription: {}\ncards: []", "x".repeat(1_100_000)), "text-too-long");
    refused("a.json", &format!("{{\"flow\": \"{}\"}}", "x".repeat(1_100_000)), "text-too-long");
    refused("a.yaml", &"#".repeat(16 * 1024 * 1024 + 1), "file-too-large");
    refused("a.yaml", &format!("{}: 1", "k".repeat(300)), "bad-key");
}

#[test]
fn a_billion_laughs_are_not_laughed() {
    refused("a.yaml", "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", "no-anchors");
    refused("a.yaml", "a: *a", "bad-yaml");
    refused("a.yaml", "<<: { a: 1 }", "no-merge");
    refused("a.yaml", "a: !!binary abcd", "no-tags");
}

#[test]
fn a_hundred_problems_are_enough() {
    let text = format!("flow: a\ncards:\n{}", "- { card: nonsense }\n".repeat(5000));
    let checked = read(&Source::new("a.yaml", &text), None);
    assert_eq!(checked.diagnostics.len(), 100);
    assert!(checked.diagnostics[99].message.contains("more problems"));
}

#[test]
fn many_of_the_same_are_refused() {
    let n = 9_999;
    let many: Vec<_> = (0..=10_000).map(|i| format!("\"k{i}\": 1")).collect();
    refused("a.json", &format!("{{{}}}", many.join(",")), "too-many-keys");
    refused("a.yaml", &many.join("\n"), "too-many-keys");
    refused("a.yaml", &"- { a: 1, a: 1 }\n".repeat(60_000), "duplicate-key");
    refused("a.json", &format!("[{}1]", "{\"a\":1,\"a\":1},\n".repeat(60_000)), "duplicate-key");
    let cards = |card: &str| format!("flow: a\ncards:\n{}", card.repeat(15_000));
    refused("a.yaml", &cards("- { id: a, wait: 1s }\n"), "duplicate-id");
    refused("a.yaml", &cards("- { card: text/uper }\n"), "unknown-card");
    let names: String = (0..6_000)
        .map(|i| format!("- {{ id: card_{i}, card: string/compose, with: {{ _text_: \"${{no_card_{i}.x}}\" }} }}\n"))
        .collect();
    refused("a.yaml", &format!("flow: a\ncards:\n{names}"), "unknown-reference");
    let fields: String = (0..n).map(|i| format!("      f{i}: 1\n")).collect();
    refused("a.yaml", &format!("flow: a\ncards:\n  - card: list/length\n    with:\n{fields}"), "unknown-field");
    let slots: String = (0..n).map(|i| format!("  s{i}: {{ app: nothing }}\n")).collect();
    refused("a.yaml", &format!("flow: a\nslots:\n{slots}cards: []\n"), "unknown-app");
    let long = "x".repeat(50);
    let slots: String = (0..2_000).map(|i| format!("  {long}{i}: {{ app: okta }}\n")).collect();
    let cards: String =
        (0..2_000).map(|i| format!("- {{ card: okta/listUsersWithFilter, slot: y{long}{i} }}\n")).collect();
    refused("a.yaml", &format!("flow: a\nslots:\n{slots}cards:\n{cards}"), "unknown-slot");
    let inputs: String = (0..n).map(|i| format!("  i{i}: {{ type: txet }}\n")).collect();
    refused("a.yaml", &format!("flow: a\ninputs:\n{inputs}cards: []\n"), "unknown-type");
}

#[test]
fn odd_bytes_never_panic() {
    for text in [
        "",
        "\u{feff}",
        "\u{feff}flow: ä\ncards: []",
        "\0",
        "\r\r\n",
        "%YAML 1.2\n---\n",
        "---\n---\n",
        "...",
        "ä: [ö, \"\\u00e9\"",
        "- - -",
        "flow: a\r\ncards: []\r\n",
        "flow: 😀\ncards: [{card: 😀/x}]",
        "{",
        "\"",
        "'",
        "|",
        ">",
        "key: |\n  text\n # c",
        "\t- a",
    ] {
        for name in ["a.yaml", "a.json"] {
            let source = Source::new(name, text);
            let checked = read(&source, Some(&common::TestCatalogue::new()));
            for diagnostic in &checked.diagnostics {
                assert!(!diagnostic.render(&source, false).is_empty());
            }
            format_text(&source).ok();
        }
    }
}
