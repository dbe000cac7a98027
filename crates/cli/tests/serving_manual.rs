//! The first minute of `docs/serving.md`: serve an empty folder, drop a flow in, call it, answer its prompt, see it finish.
//!
//! Must never need an account, a network beyond loopback, or a folder that another test uses.
//! Tests: this is the test; it also keeps the record in `docs/serving.md`.
#![allow(clippy::unwrap_used)]

use crate::support::machine;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use machine::Machine;
use regex::Regex;

const FLOW: &str = "<!-- the flow of the first minute -->\n```yaml\n";
const BEGIN: &str = "<!-- recorded by crates/cli/tests/serving_manual.rs -->\n```text\n";
const END: &str = "```\n<!-- end of the record -->\n";

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/serving.md")
}

/// Calls like curl; the answer, ids taken out.
fn curl(host: &str, path: &str) -> String {
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    Regex::new(r"run_[0-9a-z]{26}").unwrap().replace_all(&text, "run_…").replace('\r', "")
}

/// What the first terminal said, with stable words for what changes.
fn stable(screen: &str, host: &str, data: &str) -> String {
    let rules = [
        (r"\b(run|prm)_[0-9a-z]{26}\b", "${1}_…"),
        (r", \d+(\.\d)? (ms|s|min)\b", ", … s"),
        (r" +\n", "\n"),
        (r"token=[\w-]{43}", "token=…"),
    ];
    let mut text = screen.replace(host, "127.0.0.1:8918").replace(data, "/home/ada/project");
    for (pattern, word) in rules {
        text = Regex::new(pattern).unwrap().replace_all(&text, word).into_owned();
    }
    text.replace("^C", "")
}

#[test]
fn a_flow_dropped_in_is_called_asks_and_finishes() {
    let page_text = std::fs::read_to_string(page()).unwrap();
    let flow = page_text.split_once(FLOW).unwrap().1.split_once("```\n").unwrap().0;
    let machine = Machine::new(&[]);
    let mut serving = machine.start(&["serve", "--watch", "flows", "--listen", "127.0.0.1:0"]);
    serving.wait_for("None yet.");
    let screen = serving.text();
    let host = Regex::new(r"127\.0\.0\.1:\d+").unwrap().find(&screen).unwrap().as_str().to_owned();
    std::fs::write(machine.path("flows/headcount.flow.yaml"), flow).unwrap();
    serving.wait_for("headcount is published");

    let path = "/in/headcount?department=Finance";
    let first = curl(&host, path);
    let shown = |answer: &str| answer.lines().filter(|line| !line.is_empty()).all(|line| page_text.contains(line));
    let told: Vec<&str> = first
        .lines()
        .filter(|l| {
            l.starts_with("HTTP") || l.starts_with("loc") || l.starts_with("flowdeck-run") || l.starts_with('{')
        })
        .collect();
    assert!(told.len() == 4 && shown(&told.join("\n")), "docs/serving.md shows another answer than\n{first}");

    serving.wait_for("flowdeck prompts answer prm_");
    let screen = serving.text();
    let command = Regex::new(r"flowdeck (prompts answer prm_[0-9a-z]{26})").unwrap();
    let command = command.captures(&screen).unwrap()[1].to_owned();
    let arguments: Vec<&str> = command.split(' ').collect();
    let mut other = machine.start(&arguments);
    other.wait_for("[?] help\n>");
    other.type_line("o");
    other.wait_for("[playground]:");
    other.type_line("");
    other.wait_for("Your browser opens.");
    machine.browser.allow();
    let (code, screen) = other.end();
    assert_eq!(code, 0, "{screen}");
    serving.wait_for("finished");

    let second = curl(&host, path);
    let body = second.lines().last().unwrap();
    assert!(second.starts_with("HTTP/1.1 200") && page_text.contains(&format!("\n{body}\n")), "{second}");
    serving.wait_for("finished");
    serving.press("\u{3}");
    let (code, screen) = serving.end();
    assert_eq!(code, 0, "{screen}");

    let data = machine.path("").canonicalize().unwrap().display().to_string();
    let record = format!("$ flowdeck serve --watch flows\n{}", stable(&screen, &host, data.trim_end_matches('/')));
    let (before, rest) = page_text.split_once(BEGIN).unwrap();
    let (recorded, after) = rest.split_once(END).unwrap();
    if std::env::var("FLOWDECK_UPDATE").is_ok_and(|word| word == "1") {
        std::fs::write(page(), format!("{before}{BEGIN}{record}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(recorded, record, "docs/serving.md shows another record; FLOWDECK_UPDATE=1 records it again");
}
