//! Ctrl-C at each question: it ends at once, with 130 and a word.
//!
//! Must never need an account, or a network beyond loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;
use crate::support::machine;

use std::process::Stdio;

use machine::Machine;
use rustix::process::{Pid, Signal, kill_process};
use support::Home;

const CTRL_C: &str = "\u{3}";
const ASKS: &str = "flow: asks\ninputs:\n  name: { type: text, required: true, help: Who? }\ncards: []\n";

#[test]
fn a_question_ends_with_ctrl_c_pressed_once() {
    let machine = Machine::new(&[]);
    std::fs::write(machine.path("asks.flow.yaml"), ASKS).unwrap();
    let table: [(&[&str], &str, &str); 7] = [
        (&["init"], "Nothing now\n>", "Nothing was changed."),
        (&["init", "import"], "Path of the export:", "Nothing was changed."),
        (&["run", "asks.flow.yaml"], "Who?", "Nothing was started."),
        (&["connect", "playground"], "[?] help\n>", "Nothing was connected. Later:\n  flowdeck connect playground\n"),
        (&["init", "okta"], "[?] help\n>", "Nothing was connected."),
        (&["connect", "playground", "--browser"], "Nickname", "Nothing was connected."),
        (&["connect", "playground", "--method", "api_token"], "[?] help\n>", "Nothing was connected."),
    ];
    for (arguments, question, word) in table {
        let mut terminal = machine.start(arguments);
        terminal.wait_for(question);
        terminal.press(CTRL_C);
        let (code, screen) = terminal.end();
        assert_eq!(code, 130, "{arguments:?}\n{screen}");
        assert!(screen.contains(word), "{arguments:?}\n{screen}");
    }
}

#[test]
fn what_has_to_be_waited_for_ends_with_ctrl_c_too() {
    let home = Home::new();
    home.file("asks.flow.yaml", ASKS);
    home.say(&["tables", "create", "People", "name:text"]).check(0, &[]);
    let pipe = home.path("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let table: [&[&str]; 5] = [
        &["run", "pipe"],
        &["run", "asks.flow.yaml", "--input", "name=Ada", "--event", "pipe"],
        &["run", "asks.flow.yaml", "--secret", "name=pipe"],
        &["tables", "import", "People", "pipe"],
        &["connect", "playground", "--method", "api_token", "--secret", "api_token=pipe"],
    ];
    for arguments in table {
        let mut command = home.command(arguments).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        // It opens once the command reads.
        let writer = std::fs::File::options().write(true).open(&pipe).unwrap();
        kill_process(Pid::from_child(&command), Signal::INT).unwrap();
        assert_eq!(command.wait().unwrap().code(), Some(130), "{arguments:?}");
        drop(writer);
    }
}

#[test]
fn nothing_is_lost_at_a_question_that_is_not_answered() {
    let machine = Machine::new(&[]);
    let (code, screen) = machine.start(&["tables", "create", "People", "name:text"]).end();
    assert_eq!(code, 0, "{screen}");
    for (keys, code) in [(CTRL_C, 130), ("\u{4}", 0), ("no\n", 0), ("\n", 0)] {
        let mut terminal = machine.start(&["tables", "clear", "People"]);
        terminal.wait_for("[y/N]");
        terminal.press(keys);
        let (ended, screen) = terminal.end();
        assert_eq!(ended, code, "{keys:?}\n{screen}");
        assert!(screen.contains("\nNothing was changed."), "{keys:?}\n{screen}");
    }
}

#[test]
fn half_a_secret_is_not_left_to_the_shell() {
    let machine = Machine::new(&[]);
    let connect = ["connect", "okta", "--method", "api_token"];
    let mut terminal = machine.start_and(&connect, "echo back; IFS= read -r line; echo \"got:$line.\"");
    terminal.wait_for("[?] help\n>");
    for (typed, question) in [("f", "[okta]:"), ("ops", "Domain (as"), ("acme.okta.com", "(not shown while you type)")]
    {
        terminal.type_line(typed);
        terminal.wait_for(question);
    }
    terminal.press("half-a-secret");
    terminal.press(CTRL_C);
    terminal.wait_for("\nback\n");
    terminal.type_line("mine");
    let (_, screen) = terminal.end();
    assert!(screen.contains("got:mine.") && !screen.contains("half-a-secret"), "{screen}");
}
