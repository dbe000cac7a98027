//! The first minute of a newcomer: the real binary on a real terminal, with the playground and a browser's consent.
//!
//! Must never need an account, a network beyond loopback, or a folder that another test uses.
//! Tests: this is the test; it also keeps the transcript in `README.md`.
#![allow(clippy::unwrap_used)]

use crate::support::browser;
use crate::support::machine;
use crate::support::terminal;
mod transcript;

use browser::Browser;
use machine::Machine;
use regex::Regex;
use terminal::Terminal;

const WELCOME: &str = "flows/welcome.flow.yaml";
const REPORT: &str = "flows/team-report.flow.yaml";

impl Machine {
    /// Runs a flow that must ask for nothing.
    fn run_unasked(&self, flow: &str) -> String {
        let (code, screen) = self.start(&["run", flow]).end();
        assert_eq!(code, 0, "{screen}");
        assert!(screen.contains("● directory  Playground “playground” as Robin Admin"), "{screen}");
        for question in ["◆", "[o]pen", "Nickname", "waits"] {
            assert!(!screen.contains(question), "it asked `{question}`:\n{screen}");
        }
        screen
    }
}

/// From the menu to the consent, taking the nickname that is suggested.
fn connect(terminal: &mut Terminal, browser: &Browser) {
    terminal.type_line("o");
    terminal.wait_for("[playground]:");
    terminal.type_line("");
    terminal.wait_for("Your browser opens.");
    browser.allow();
    terminal.wait_for("✓ Connected playground “playground” as Robin Admin");
}

#[test]
fn a_run_stops_for_its_connection_goes_on_at_that_card_and_no_other_run_asks() {
    let machine = Machine::new(&[WELCOME, REPORT]);
    let mut terminal = machine.start(&["run", WELCOME]);
    terminal.wait_for("○ directory  Playground: not connected yet; it will ask at “List people”");
    terminal.wait_for("‖ staff");
    terminal.wait_for("◆ Connect Playground");
    terminal.wait_for("[?] help\n>");
    terminal.type_line("?");
    terminal.wait_for("Need help?");
    terminal.wait_for("[?] help\n>");
    connect(&mut terminal, &machine.browser);
    terminal.wait_for("▸ staff");
    terminal.wait_for("✓ staff");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert_eq!(screen.matches("✓ now ").count(), 1, "the cards before the stop ran once:\n{screen}");
    assert!(screen.contains("Welcome, Grace Mbeki!") && screen.contains("never_signed_in"), "{screen}");

    let second = machine.run_unasked(WELCOME);
    assert!(second.contains("Welcome, Grace Mbeki!"), "{second}");
    let report = machine.run_unasked(REPORT);
    assert!(report.contains("New colleagues: 3 people, 0 suspended"), "the first flow made the group:\n{report}");

    transcript::check(&transcript::stable(&format!("$ flowdeck run {WELCOME}\n{screen}")));
}

#[test]
fn a_run_left_for_later_is_finished_by_the_command_it_names() {
    let machine = Machine::new(&[WELCOME, REPORT]);
    let mut terminal = machine.start(&["run", WELCOME]);
    terminal.wait_for("[?] help\n>");
    terminal.type_line("l");
    let (code, screen) = terminal.end();
    assert_eq!(code, 75, "{screen}");
    let named = Regex::new(r"(?m)^  flowdeck (prompts answer prm_\w+)$").unwrap();
    let named = named.captures(&screen).unwrap_or_else(|| panic!("no command is named:\n{screen}"));
    let arguments: Vec<&str> = named[1].split(' ').collect();

    let mut terminal = machine.start(&arguments);
    terminal.wait_for("◆ Connect Playground");
    terminal.wait_for("[?] help\n>");
    connect(&mut terminal, &machine.browser);
    terminal.wait_for("▸ staff");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("Welcome, Grace Mbeki!"), "{screen}");
    assert!(!screen.contains("✓ now "), "the cards before the stop did not run again:\n{screen}");
}
