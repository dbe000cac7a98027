//! `flowdeck init` on a real terminal: the question, a mistyped answer, each way on.
//!
//! Must never need a network.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support::terminal;

use std::path::Path;

use portable_pty::CommandBuilder;
use terminal::Terminal;

fn start(home: &Path) -> Terminal {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_flowdeck"));
    command.arg("init");
    command.env_clear();
    command.cwd(home);
    command.env("HOME", home);
    command.env("XDG_RUNTIME_DIR", home);
    command.env("BROWSER", "true");
    command.env("TERM", "xterm-256color");
    let mut terminal = Terminal::start(command, 80);
    terminal.wait_for("What would you like to start with?");
    terminal.wait_for("Nothing now\n>");
    terminal
}

#[test]
fn a_mistyped_answer_is_asked_again() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = start(home.path());
    for typed in ["5", "", "plaground"] {
        terminal.type_line(typed);
        terminal.wait_for("Type 1, 2, 3 or 4, then Enter.\n>");
    }
    terminal.type_line("1");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("flowdeck run flows/welcome.flow.yaml"), "{screen}");
    assert!(home.path().join("flows/welcome.flow.yaml").is_file());

    // What is there stays as it is.
    std::fs::write(home.path().join("flows/welcome.flow.yaml"), "mine").unwrap();
    let mut terminal = start(home.path());
    terminal.type_line("playground");
    let (_, screen) = terminal.end();
    assert!(screen.contains("There is already flows/welcome.flow.yaml"), "{screen}");
    assert_eq!(std::fs::read_to_string(home.path().join("flows/welcome.flow.yaml")).unwrap(), "mine");
}

#[test]
fn nothing_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = start(home.path());
    terminal.type_line("4");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("Nothing was changed."), "{screen}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn an_import_asks_for_the_export_until_there_is_one_or_nothing_is_typed() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = start(home.path());
    terminal.type_line("import");
    terminal.wait_for("Path of the export:");
    terminal.type_line("nowhere.flopack");
    terminal.wait_for("There is no file nowhere.flopack.");
    terminal.wait_for("Path of the export:");
    terminal.type_line("");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("Nothing was changed."), "{screen}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn okta_asks_for_its_form_and_lets_a_person_turn_away() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = start(home.path());
    terminal.type_line("2");
    terminal.wait_for("Authenticate once");
    terminal.wait_for("Connect Okta");
    terminal.wait_for("help\n>");
    terminal.type_line("l");
    let (code, screen) = terminal.end();
    assert_eq!(code, 75, "{screen}");
    assert!(screen.contains("flowdeck connect okta"), "{screen}");
    assert!(!home.path().join("flows").exists(), "a flow without its connection:\n{screen}");
}
