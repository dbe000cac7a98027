//! A connect prompt on a real terminal: wrong words, a second account, a choice, a holder that is killed.
//!
//! Must never need an account, or a network beyond loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support::browser;
use crate::support::machine;
use crate::support::terminal;

use std::net::TcpListener;

use machine::Machine;
use terminal::Terminal;
use url::Url;

const REPORT: &str = "flows/team-report.flow.yaml";
const WELCOME: &str = "flows/welcome.flow.yaml";

fn unattended(machine: &Machine, arguments: &[&str]) -> (i32, String, String) {
    let said = machine.unattended(arguments);
    (said.code, said.out, said.err)
}

fn prompt_of(screen: &str) -> String {
    let prompt = screen.split("prm_").nth(1).unwrap_or_else(|| panic!("no prompt is named:\n{screen}"));
    format!("prm_{}", prompt.split_whitespace().next().unwrap())
}

fn at_the_menu(terminal: &mut Terminal) {
    terminal.wait_for("[?] help\n>");
}

#[test]
fn an_address_of_another_attempt_is_told_and_the_right_one_still_counts() {
    let machine = Machine::new(&[REPORT]);
    let mut terminal = machine.start(&["run", REPORT]);
    at_the_menu(&mut terminal);
    terminal.type_line("o");
    terminal.wait_for("[playground]:");
    terminal.type_line("");
    terminal.wait_for("paste the address it ends at");
    terminal.type_line("http://127.0.0.1:8917/oauth/callback/playground?code=old-code-17&state=of-another-time");
    terminal.wait_for("that is not the answer to this attempt");
    machine.browser.allow();
    terminal.wait_for("✓ Connected playground “playground” as Robin Admin");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
}

#[test]
fn an_app_is_connected_ahead_with_the_same_words_as_at_a_prompt() {
    let machine = Machine::new(&[]);
    let mut terminal = machine.start(&["connect", "playground", "--method", "api_token"]);
    at_the_menu(&mut terminal);
    terminal.type_line("l");
    let (code, screen) = terminal.end();
    assert_eq!(code, 75, "{screen}");
    assert!(screen.contains("Make one at http://127.0.0.1:"), "{screen}");
    assert!(screen.contains("Nothing was connected. Later:\n  flowdeck connect playground\n"), "{screen}");
}

#[test]
fn what_was_typed_is_suggested_in_the_next_round_and_a_taken_port_is_got_around() {
    let machine = Machine::new(&[]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut terminal = machine.start(&["connect", "okta", "--redirect-port", &port]);
    at_the_menu(&mut terminal);
    for (typed, question) in
        [("o", "[okta]:"), ("ops", "Domain (as"), ("acme.okta.com", "Client ID (as"), ("0oa1", "Client Secret")]
    {
        terminal.type_line(typed);
        terminal.wait_for(question);
    }
    terminal.type_line("a-secret");
    // Nothing has to be filled in again.
    terminal.wait_for("So paste the address back:");
    terminal.wait_for("https://acme.okta.com/oauth2/v1/authorize");
    terminal.wait_for("Paste the address that your browser ends at:");
    terminal.type_line("");
    at_the_menu(&mut terminal);
    terminal.type_line("p");
    terminal.wait_for("[ops]:");
    terminal.type_line("");
    terminal.wait_for("Domain [acme.okta.com]:");
    terminal.type_line("");
    terminal.wait_for("Client ID [0oa1]:");
    terminal.type_line("");
    // The secret was not kept.
    terminal.wait_for("Client Secret (not shown while you type):");
    terminal.press("\u{3}");
    let (code, screen) = terminal.end();
    assert_eq!(code, 130, "{screen}");
    assert!(!screen.contains("a-secret"), "{screen}");
    let later = format!("Later:\n  flowdeck connect okta --redirect-port {port}\n");
    assert!(screen.contains(&later), "{screen}");
}

#[test]
fn several_accounts_are_listed_where_one_has_to_be_chosen() {
    let machine = Machine::new(&[REPORT]);
    machine.connected("first");
    machine.connected("it's the second");

    // Nobody is there: each command that answers is named.
    let (code, _, screen) = unattended(&machine, &["run", REPORT]);
    assert_eq!(code, 75, "{screen}");
    let prompt = prompt_of(&screen);
    let (code, _, screen) = unattended(&machine, &["prompts", "answer", &prompt]);
    assert_eq!(code, 75, "{screen}");
    for wanted in ["--use first   # Robin Admin\n", r"--use 'it'\''s the second'"] {
        assert!(screen.contains(&format!("\n  flowdeck prompts answer {prompt} {wanted}")), "{screen}");
    }
    let (code, _, screen) = unattended(&machine, &["prompts", "answer", &prompt, "--use", "third"]);
    assert_eq!((code, screen.matches("first").count()), (2, 1), "{screen}");

    // Somebody is there: they are listed, and a number takes one.
    let mut terminal = machine.start(&["prompts", "answer", &prompt]);
    terminal.wait_for("◆ Choose a connection to Playground");
    terminal.wait_for("[1] first as Robin Admin (works)");
    terminal.wait_for("[2] it's the second as Robin Admin (works)");
    at_the_menu(&mut terminal);
    terminal.type_line("3");
    terminal.wait_for("Type one of the letters");
    at_the_menu(&mut terminal);
    terminal.type_line("2");
    terminal.wait_for("✓ Using “it's the second”");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("It asks for"), "there is nothing to consent to:\n{screen}");
}

#[test]
fn an_answer_is_not_measured_by_runs_that_wait_elsewhere() {
    let machine = Machine::new(&[REPORT]);
    machine.connected("first");
    machine.connected("second");
    let text = machine.read(REPORT).replace("flow: team-report", "flow: another");
    let text = text.replace("{ app: playground }", "{ app: playground, nickname: third }");
    std::fs::write(machine.path("another.flow.yaml"), text).unwrap();
    let (code, _, screen) = unattended(&machine, &["run", REPORT]);
    assert_eq!(code, 75, "{screen}");
    let prompt = prompt_of(&screen);
    assert_eq!(unattended(&machine, &["run", "another.flow.yaml"]).0, 75);

    let (code, _, screen) = unattended(&machine, &["prompts", "answer", &prompt, "--use", "first"]);
    assert_eq!(code, 0, "{screen}");
    let (_, listed, _) = unattended(&machine, &["prompts", "list"]);
    assert!(listed.contains("“third” in the flow") && listed.contains("Wanted by another."), "{listed}");
}

#[test]
fn a_question_stays_when_the_holder_is_killed() {
    let machine = Machine::new(&[WELCOME, REPORT]);
    let mut holder = machine.start(&["run", WELCOME]);
    at_the_menu(&mut holder);
    let mut guest = machine.start(&["run", REPORT]);
    at_the_menu(&mut guest);
    let (_, _, doctor) = (0, 0, unattended(&machine, &["doctor", "--json"]).1);
    assert!(doctor.contains("held by another command"), "{doctor}");
    // Killed, not ended.
    drop(holder);
    // The guest takes its place.
    let (code, listed, _) = unattended(&machine, &["runs", "list"]);
    assert_eq!(code, 0, "{listed}");
    guest.type_line("o");
    guest.wait_for("[playground]:");
    guest.type_line("");
    guest.wait_for("Waiting for your consent.");
    machine.browser.allow();
    guest.wait_for("✓ Connected playground “playground” as Robin Admin");
    let (code, screen) = guest.end();
    assert_eq!(code, 0, "{screen}");
    assert_eq!(screen.matches("◆ Connect Playground").count(), 1, "asked once:\n{screen}");
    assert!(!screen.contains("Answered elsewhere"), "{screen}");
}

#[test]
fn a_slip_at_a_question_decides_nothing() {
    let machine = Machine::new(&[]);
    std::fs::write(machine.path("a.flow.yaml"), "flow: a\ncards:\n  - id: ok\n    wait: { approval: Go? }\n").unwrap();
    let mut terminal = machine.start(&["run", "a.flow.yaml"]);
    terminal.wait_for("[a]pprove  [r]eject  [l]ater\n>");
    terminal.type_line("x");
    terminal.wait_for("Type one of the letters in brackets, then Enter.\n>");
    terminal.type_line("");
    terminal.wait_for("Type one of the letters in brackets, then Enter.\n>");
    terminal.type_line("l");
    let (code, screen) = terminal.end();
    assert_eq!(code, 75, "{screen}");
    for word in ["approve", "reject"] {
        assert!(screen.contains(&format!("\n  flowdeck runs {word} run_")), "{screen}");
    }
}

#[test]
fn another_account_is_taken_only_with_a_word_for_it() {
    let machine = Machine::new(&[]);
    machine.connected("mine");
    let mut terminal = machine.start(&["connect", "playground", "--as", "mine", "--browser"]);
    terminal.wait_for("Waiting for your consent.");
    machine.browser.allow_as("sam");
    terminal.wait_for("This connection was Robin Admin; you authorized Sam Staff.");
    terminal.wait_for("eep the earlier one?");
    terminal.type_line("yes");
    terminal.wait_for("Type s or k, then Enter.");
    terminal.wait_for("eep the earlier one?");
    terminal.type_line("s");
    terminal.wait_for("✓ Connected playground “mine” as Sam Staff");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
}

#[test]
fn a_code_typed_on_another_device_connects() {
    let machine = Machine::new(&[REPORT]);
    let mut terminal = machine.start(&["run", REPORT]);
    terminal.wait_for("[d]evice code");
    at_the_menu(&mut terminal);
    terminal.type_line("d");
    terminal.wait_for("[playground]:");
    terminal.type_line("phone");
    terminal.wait_for("On any device open  ");
    terminal.wait_for("Waiting for you; Enter goes back.");
    let screen = terminal.text();
    let after = |words: &str| screen.split(words).nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let address = Url::parse(&after("On any device open  ")).unwrap();
    let code = after("and enter the code  ");
    assert!(address.query_pairs().any(|(key, value)| key == "user_code" && value == code), "{screen}");
    let page = browser::decide(&address, None);
    assert!(page.contains("go back to your device"), "{page}");
    terminal.wait_for("✓ Connected playground “phone” as Robin Admin");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
}

#[test]
fn another_connection_is_used_in_the_place_of_the_one_that_is_missing() {
    let machine = Machine::new(&[REPORT]);
    machine.connected("first");
    machine.connected("second");
    let text = machine.read(REPORT).replace("{ app: playground }", "{ app: playground, nickname: third }");
    std::fs::write(machine.path("third.flow.yaml"), text).unwrap();
    let mut terminal = machine.start(&["run", "third.flow.yaml"]);
    terminal.wait_for("◆ Connect Playground");
    terminal.wait_for("[u]se another");
    at_the_menu(&mut terminal);
    terminal.type_line("u");
    terminal.wait_for("[1] first as Robin Admin (works)");
    terminal.wait_for("[2] second as Robin Admin (works)");
    terminal.wait_for("Which one, by number or nickname?");
    terminal.type_line("3");
    terminal.wait_for("There is none of that number or name.");
    at_the_menu(&mut terminal);
    terminal.type_line("use");
    terminal.wait_for("Which one, by number or nickname?");
    terminal.type_line("second");
    terminal.wait_for("✓ Using “second”");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    // The choice is kept: the next run asks nothing.
    machine.unattended(&["run", "third.flow.yaml"]).check(0, &[]);
}

#[test]
fn a_question_ends_where_somebody_else_answers_it() {
    let machine = Machine::new(&["flows/team-report.flow.yaml"]);
    machine.unattended(&["prompts", "answer"]).check(2, &["nothing waits for a connection"]);
    machine.unattended(&["run", "flows/team-report.flow.yaml"]).check(75, &[]);
    let mut first = machine.start(&["prompts", "answer"]);
    at_the_menu(&mut first);
    let mut second = machine.start(&["prompts", "answer", "--as", "mine", "--browser"]);
    second.wait_for("Waiting for your consent.");
    machine.browser.allow();
    let (code, screen) = second.end();
    assert_eq!(code, 0, "{screen}");
    let (code, screen) = first.end();
    assert!(code == 0 && screen.contains("It was answered elsewhere."), "{code}\n{screen}");
}
