//! `new` and `add` on a real terminal: the palette, a connection in place, fields completed with the last run's values.
//!
//! Must never need an account, or a network beyond loopback.
//! Tests: this is the test; it also keeps the screens in `docs/building-flows.md`.
#![allow(clippy::unwrap_used)]

use crate::support::machine;
use crate::support::manual;
use crate::support::terminal;

use std::fs;

use machine::Machine;
use terminal::Terminal;

const FLOW: &str = "flow: team\ncards: []\n";

/// A terminal of another width or with other variables.
fn start_with(machine: &Machine, arguments: &[&str], columns: u16, variables: &[(&str, &str)]) -> Terminal {
    let mut command = machine.command(arguments);
    variables.iter().for_each(|(name, value)| command.env(name, value));
    Terminal::start(command, columns)
}

#[test]
fn a_flow_is_built_card_by_card() {
    let machine = Machine::new(&[]);
    let mut terminal = machine.start(&["new", "team.flow.yaml"]);
    terminal.wait_to_see("Name of the flow [team]:");
    terminal.type_line("");
    terminal.wait_to_see("What starts it ›");
    terminal.press("hand\r");
    let (code, screen) = terminal.end();
    assert_eq!((code, machine.read("team.flow.yaml").as_str()), (0, FLOW), "{screen}");

    // A card of an app that is not connected: the same prompt as in a run, in place.
    let mut terminal = machine.start(&["add", "team.flow.yaml"]);
    terminal.wait_to_see("Card ›");
    terminal.press("list peo");
    terminal.wait_to_see("▸ playground/listPeople");
    // The list's last line: the screen is whole.
    terminal.wait_to_see("Esc leaves");
    let palette = terminal.text();
    terminal.press("\r");
    terminal.wait_to_see("◆ Connect Playground");
    terminal.wait_to_see("[?] help\n>");
    terminal.type_line("o");
    terminal.wait_to_see("Nickname");
    terminal.type_line("");
    machine.browser.allow();
    terminal.wait_to_see("More fields ›");
    terminal.press("status\r");
    terminal.wait_to_see("status ›");
    terminal.press("active\r");
    terminal.wait_to_see("→ active");
    terminal.wait_to_see("More fields ›");
    terminal.press("\r");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("Connected playground “playground” as Robin Admin"), "{screen}");
    let slots = "slots:\n  playground: { app: playground }\n";
    let people =
        "  - id: list_people\n    card: playground/listPeople\n    slot: playground\n    with: { status: active }\n";
    assert_eq!(machine.read("team.flow.yaml"), format!("flow: team\n{slots}cards:\n{people}"));

    let (code, screen) = machine.start(&["run", "team.flow.yaml"]).end();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("[o]pen"), "the connection is there already:\n{screen}");

    // What the run gave fills the fields of the next card.
    let mut terminal = machine.start(&["add", "team.flow.yaml", "list/pluck"]);
    terminal.wait_to_see("Put list/pluck where ›");
    terminal.press("\r");
    terminal.wait_to_see("list ›");
    terminal.wait_to_see("22 items, the first {\"id\":");
    terminal.wait_to_see("Esc leaves");
    let fields = terminal.text();
    terminal.press("\x1b[B\r");
    terminal.wait_to_see("→ ${list_people.people}");
    terminal.wait_to_see("key ›");
    terminal.press("name\r");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    let pluck = "  - id: pluck\n    card: list/pluck\n    with: { list: \"${list_people.people}\", key: name }\n";
    assert_eq!(machine.read("team.flow.yaml"), format!("flow: team\n{slots}cards:\n{people}{pluck}"));
    for tidy in [&["check", "team.flow.yaml"][..], &["fmt", "--check", "team.flow.yaml"]] {
        let (code, screen) = machine.start(tidy).end();
        assert_eq!(code, 0, "{screen}");
    }

    manual::check("palette", &palette);
    manual::check("values", &fields);
}

#[test]
fn leaving_and_ctrl_c_leave_the_file_as_it_was() {
    let machine = Machine::new(&[]);
    fs::write(machine.path("team.flow.yaml"), FLOW).unwrap();
    for (keys, code) in [("\x1b", 0), ("\x03", 130)] {
        let mut terminal = machine.start(&["add", "team.flow.yaml"]);
        terminal.wait_to_see("Card ›");
        terminal.press(keys);
        let (ended, screen) = terminal.end();
        assert_eq!(ended, code, "{screen}");
        assert!(!screen.contains("Card ›"), "the list was taken back:\n{screen}");
        assert_eq!(machine.read("team.flow.yaml"), FLOW);
    }
    // At the fields of a card whose connection was left for later, too.
    let mut terminal = machine.start(&["add", "team.flow.yaml", "playground/createGroup"]);
    terminal.wait_to_see("[?] help\n>");
    terminal.type_line("l");
    terminal.wait_to_see("name ›");
    terminal.press("\x03");
    assert_eq!(terminal.end().0, 130);
    assert_eq!(machine.read("team.flow.yaml"), FLOW);
    let (_, prompts) = machine.start(&["prompts", "list"]).end();
    assert!(!prompts.contains("prm_"), "nothing waits for a card that was not added:\n{prompts}");
    let left: Vec<_> = fs::read_dir(machine.path(".")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".team")), "{left:?}");
}

#[test]
fn later_leaves_the_slot_unbound_and_says_so() {
    let machine = Machine::new(&[]);
    fs::write(machine.path("team.flow.yaml"), FLOW).unwrap();
    let mut terminal = machine.start(&["add", "team.flow.yaml", "playground/listGroups"]);
    terminal.wait_to_see("[?] help\n>");
    terminal.type_line("l");
    terminal.wait_to_see("More fields ›");
    terminal.press("\r");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(
        screen.contains("has no connection to Playground yet") && screen.contains("prompts answer prm_"),
        "{screen}"
    );
    assert!(machine.read("team.flow.yaml").contains("    slot: playground\n"));
}

#[test]
fn a_value_that_does_not_fit_is_asked_again_with_the_checks_words() {
    let machine = Machine::new(&[]);
    fs::write(machine.path("team.flow.yaml"), "flow: team\ncards:\n  - id: now\n    card: date/now\n").unwrap();
    let mut terminal =
        start_with(&machine, &["add", "team.flow.yaml", "times", "--after", "now"], 120, &[("NO_COLOR", "1")]);
    terminal.wait_to_see("times ›");
    terminal.press("${nwo.date}\r");
    terminal.wait_to_see("nothing here is called `nwo`");
    terminal.wait_to_see("times ›");
    terminal.press("3\r");
    terminal.wait_to_see("More fields ›");
    terminal.press("\r");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(machine.read("team.flow.yaml").ends_with("  - id: rounds\n    times: 3\n    cards: []\n"));
}

#[test]
fn a_file_that_changed_meanwhile_is_not_written_over() {
    let machine = Machine::new(&[]);
    fs::write(machine.path("team.flow.yaml"), FLOW).unwrap();
    let mut terminal = machine.start(&["add", "team.flow.yaml", "control/let"]);
    terminal.wait_to_see("More fields ›");
    let theirs = "flow: team\n# theirs\ncards: []\n";
    fs::write(machine.path("team.flow.yaml"), theirs).unwrap();
    terminal.press("\r");
    let (code, screen) = terminal.end();
    assert_eq!(code, 65, "{screen}");
    let said = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("changed by somebody else meanwhile"), "{screen}");
    assert_eq!(machine.read("team.flow.yaml"), theirs);
}

#[test]
fn a_terminal_without_a_moving_cursor_has_numbers() {
    let machine = Machine::new(&[]);
    fs::write(machine.path("team.flow.yaml"), FLOW).unwrap();
    let mut terminal = start_with(&machine, &["add", "team.flow.yaml"], 80, &[("TERM", "dumb")]);
    terminal.wait_for("#1 to choose, words to filter):");
    terminal.type_line("date now");
    terminal.wait_for("#1 date/now");
    terminal.wait_for("to filter):");
    terminal.type_line("#1");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert_eq!(machine.read("team.flow.yaml"), "flow: team\ncards:\n  - id: now\n    card: date/now\n");
}
