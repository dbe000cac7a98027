//! Connections on the command line: shown, tested, renamed, removed; and no colours where none are wanted.
//!
//! Must never need an account, or a network beyond loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support::machine::Machine;
use crate::support::terminal::Terminal;

/// A machine with one connection.
fn connected() -> Machine {
    let machine = Machine::new(&["flows/team-report.flow.yaml"]);
    machine.connected("mine");
    machine
}

#[test]
fn a_connection_is_shown_by_any_of_its_names() {
    let machine = connected();
    let json = machine.unattended(&["connections", "show", "mine", "--json"]).check(0, &[]);
    let shown: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    let id = shown["id"].as_str().unwrap().to_owned();
    for name in ["mine", "playground/mine", &id] {
        let said = machine.unattended(&["connections", "show", name]).check(0, &[]);
        for words in ["playground “mine”  works\n", &id, "account", "Robin Admin", "granted", "last worked"] {
            assert!(said.out.contains(words), "`{words}` is missing:\n{}", said.out);
        }
        assert!(!said.out.contains('\u{1b}'), "colours where no terminal is:\n{}", said.out);
    }
    machine.unattended(&["connections", "show", "other"]).check(1, &["there is no connection `other`"]);
    let listed = machine.unattended(&["connections", "list"]).check(0, &[]).out;
    assert!(listed.contains("mine") && listed.contains("works") && listed.contains("Robin Admin"), "{listed}");
    let okta = machine.unattended(&["connections", "list", "--app", "okta"]).check(0, &[]).out;
    assert!(okta.starts_with("No connections of okta yet."), "{okta}");
}

#[test]
fn a_test_asks_the_app_and_says_whether_it_works() {
    let machine = connected();
    let works = machine.unattended(&["connections", "test", "mine"]).check(0, &[]);
    assert_eq!(works.out, "It works for Robin Admin.\n");
    let line = machine.unattended(&["connections", "test", "mine", "--json"]).check(0, &[]).out;
    let tested: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(tested["works"], true, "{line}");
    machine.unattended(&["connections", "switch", "mine", "off", "--reason", "holidays"]).check(0, &[]);
    let off = machine.unattended(&["connections", "show", "mine"]).check(0, &[]).out;
    assert!(off.contains("switched off") && off.contains("holidays"), "{off}");
}

#[test]
fn a_new_nickname_leads_flows_to_the_same_connection() {
    let machine = connected();
    machine.unattended(&["run", "flows/team-report.flow.yaml"]).check(0, &[]);
    let renamed = machine.unattended(&["connections", "rename", "mine", "ours"]).check(0, &[]);
    assert!(renamed.out.contains("playground “ours”"), "{}", renamed.out);
    machine.unattended(&["connections", "show", "mine"]).check(1, &["there is no connection `mine`"]);
    machine.unattended(&["run", "flows/team-report.flow.yaml"]).check(0, &[]);
    machine.connected("second");
    machine.unattended(&["connections", "rename", "second", "ours"]).check(1, &["ours", "more: flowdeck explain"]);
    machine.unattended(&["connections", "rename", "second", ""]).check(2, &["nickname"]);
}

#[test]
fn a_connection_is_removed_only_with_a_word_for_it() {
    let machine = connected();
    machine.unattended(&["run", "flows/team-report.flow.yaml"]).check(0, &[]);
    machine.unattended(&["connections", "disconnect", "mine"]).check(2, &["say --yes to remove"]);

    let mut terminal = machine.start(&["connections", "disconnect", "mine"]);
    terminal.wait_for("Remove the connection “mine” of playground? [y/N]");
    terminal.type_line("");
    let (code, screen) = terminal.end();
    assert!(code == 0 && screen.contains("Nothing was changed."), "{screen}");
    machine.unattended(&["connections", "show", "mine"]).check(0, &[]);

    let gone = machine.unattended(&["connections", "disconnect", "mine", "--yes"]).check(0, &[]);
    for words in ["Removed “mine”; the app took the grant back.", "team-report asks for another account of"] {
        assert!(gone.out.contains(words), "`{words}` is missing:\n{}", gone.out);
    }
    machine.unattended(&["connections", "show", "mine"]).check(1, &["there is no connection `mine`"]);
    assert!(machine.unattended(&["connections", "list"]).check(0, &[]).out.starts_with("No connections yet."));
}

#[test]
fn no_color_takes_the_colours_away() {
    let machine = connected();
    for (value, styled) in [(None, true), (Some(""), true), (Some("1"), false)] {
        for words in [&["connections", "show", "mine"][..], &["connections", "list"], &["--help"], &["check", "none"]] {
            let mut command = machine.command(words);
            if let Some(value) = value {
                command.env("NO_COLOR", value);
            }
            let mut terminal = Terminal::start(command, 80);
            terminal.wait_for(if words.len() > 1 && words[0] == "connections" { "Robin Admin" } else { "\n" });
            let shown = terminal.is_styled();
            // An error has no colours of its own.
            assert_eq!(shown, styled && words[0] != "check", "{words:?} {value:?}\n{}", terminal.text());
            terminal.end();
        }
    }
}

#[test]
fn a_flow_is_given_another_account() {
    let machine = connected();
    machine.unattended(&["run", "flows/team-report.flow.yaml"]).check(0, &[]);
    machine.connected("second");
    let used = |machine: &Machine| {
        let said = machine.unattended(&["run", "flows/team-report.flow.yaml"]).check(0, &[]);
        ["mine", "second"].into_iter().filter(|name| said.err.contains(name)).collect::<Vec<_>>()
    };
    assert_eq!(used(&machine), ["mine"], "it keeps the one it has");
    let said = machine.unattended(&["connections", "use", "second", "team-report/directory"]).check(0, &[]);
    assert_eq!(said.out, "team-report uses “second” of playground at its slot directory from now on.\n");
    assert_eq!(used(&machine), ["second"]);
    let said = machine.unattended(&["connections", "use", "mine", "team-reprot/directory"]).check(0, &[]);
    assert!(said.out.contains("No run of team-reprot has used an account of playground"), "{}", said.out);
    machine.unattended(&["connections", "use", "mine", "team-report"]).check(2, &["write FLOW/SLOT"]);
}
