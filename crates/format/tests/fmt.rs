//! `fmt`: comments survive, keys are in order, formatting twice changes nothing.

#![allow(clippy::unwrap_used, reason = "tests")]

use flowdeck_format::{Source, format_text, read};

fn check(text: &str, expected: &str) {
    let once = format_text(&Source::new("a.yaml", text)).unwrap();
    assert_eq!(once, expected, "formatted:\n{once}");
    assert_eq!(format_text(&Source::new("a.yaml", &once)).unwrap(), once, "not the same a second time");
    let (a, b) = (read(&Source::new("a.yaml", text), None), read(&Source::new("a.yaml", &once), None));
    assert_eq!(a.flows, b.flows);
}

#[test]
fn keys_are_put_in_order_and_comments_stay_with_them() {
    check(
        "# head\n\ncards: # the cards\n  # first\n  - with: { b: 1,   a: 2 } # why\n    card: x/y # what\n    id: one\n  # second\n  - return: # end\n      a: 1\n      # inside\n  # last in list\n# about the name\nflow: a # name\n# tail\n",
        "# about the name\nflow: a # name\n# head\n\ncards: # the cards\n  # first\n  - id: one\n    card: x/y # what\n    with: { b: 1, a: 2 } # why\n  # second\n  - return: # end\n      a: 1\n      # inside\n  # last in list\n# tail\n",
    );
}

#[test]
fn hashes_in_texts_are_no_comments() {
    check(
        "flow: a\ndescription: |\n  one # not a comment\n  # nor this\n\n  end\n# but this\ncards:\n  - return: { a: 'x # y', b: \"# z\", c: a#b }\n",
        "flow: a\ndescription: |\n  one # not a comment\n  # nor this\n\n  end\n# but this\ncards:\n  - return: { a: \"x # y\", b: \"# z\", c: a#b }\n",
    );
}

#[test]
fn comments_beside_texts_in_quotes_stay() {
    check(
        "flow: \"a\" # name\n'description': 'it''s' # why\ncards:\n  - note: \"a \\\" # no\" # yes\n    wait: \"1s\" # long\n",
        "flow: \"a\" # name\ndescription: \"it's\" # why\ncards:\n  - note: \"a \\\" # no\" # yes\n    wait: \"1s\" # long\n",
    );
    check("flow: a\ndescription: b\u{c}\t# why\ncards: []\n", "flow: a\ndescription: \"b\\u000c\" # why\ncards: []\n");
}

#[test]
fn comments_inside_brackets_open_them() {
    check(
        "flow: a\ncards:\n  - card: x/y\n    with: {\n      a: 1, # one\n      # two\n      b: 2\n    }\n",
        "flow: a\ncards:\n  - card: x/y\n    with:\n      a: 1 # one\n      # two\n      b: 2\n",
    );
}

#[test]
fn blank_lines_between_cards_are_kept_once() {
    check(
        "flow: a\n\n\n\ncards:\n  - wait: 1s\n\n\n  # next\n  - wait: 2s\n\n\n",
        "flow: a\n\ncards:\n  - wait: 1s\n\n  # next\n  - wait: 2s\n",
    );
}

#[test]
fn block_text_headers_and_several_documents_keep_their_comments() {
    check(
        "# one\nflow: a\ndescription: | # long\n  text\ncards: []\n---\n# two\nflow: b\ncards: []\n",
        "# one\nflow: a\ndescription: | # long\n  text\ncards: []\n---\n# two\nflow: b\ncards: []\n",
    );
}

#[test]
fn texts_that_look_like_something_else_stay_texts() {
    for text in [
        "yes",
        "no",
        "12",
        "1e3",
        "null",
        "~",
        "true",
        "a: b",
        "- a",
        "#x",
        "x #y",
        "${a}",
        "@a",
        "",
        " a",
        "a ",
        "a\nb",
        "a\n",
        "\n",
        "tab\there",
        "2026-01-31",
        "0x1f",
        "ä😀",
        "'",
        "\"",
        "a\\b",
        "\u{7}",
        "{a}",
        "[a",
        "a, b",
        "?",
        "&a",
        "*a",
        "!a",
        "%a",
        "...",
        "---",
        "|",
        "key:",
        "\u{85}",
        "a\r\nb",
        "trail \nx",
        "  lead\nx",
    ] {
        let json = serde_json::json!({"flow": "a", "description": text, "cards": [{"return": {"a": text, "b": [text, {"c": text}]}}]});
        let flow = read(&Source::new("a.json", &json.to_string()), None);
        let Some(flow) = flow.flows.first() else { panic!("{text:?}: {:?}", flow.diagnostics) };
        let printed = flowdeck_format::print(flow);
        let again = read(&Source::new("a.yaml", &printed), None);
        assert_eq!(again.flows.first(), Some(flow), "{printed}");
        assert_eq!(format_text(&Source::new("a.yaml", &printed)).as_deref(), Ok(printed.as_str()));
    }
}

#[test]
fn json_is_formatted_as_json() {
    let out =
        format_text(&Source::new("a.json", "{\"cards\":[{\"wait\":\"1s\",\"id\":\"a\"}],\"flow\":\"x\"}")).unwrap();
    assert_eq!(
        out,
        "{\n  \"flow\": \"x\",\n  \"cards\": [\n    {\n      \"id\": \"a\",\n      \"wait\": \"1s\"\n    }\n  ]\n}\n"
    );
}
