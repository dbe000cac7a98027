//! `flowdeck playground`: its pages between runs, and a consent that is taken back there.
//!
//! Must never leave loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use url::Url;

use crate::support::browser::request;
use crate::support::machine::Machine;

#[test]
fn it_is_up_until_it_is_ended_and_others_use_it_meanwhile() {
    let machine = Machine::new(&["flows/team-report.flow.yaml"]);
    let mut terminal = machine.start(&["playground"]);
    terminal.wait_for("The playground is at http://127.0.0.1:");
    terminal.wait_for("Ctrl-C ends it.");
    let text = terminal.text();
    let url = text.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let at = |path: &str| Url::parse(&format!("{url}{path}")).unwrap();
    assert!(request(&at("/"), None).contains("A staff directory to try flows on"));
    machine.connected("mine");
    machine.unattended(&["run", "flows/team-report.flow.yaml"]).check(0, &[]);

    let account = request(&at("/account/tokens"), None);
    let ticket = account.split("name=\"ticket\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form = format!("ticket={ticket}&act=withdraw&account=robin");
    let page = request(&at("/account/tokens"), Some((url, &form)));
    assert!(page.contains("flows ask again"), "{page}");
    let lost = machine.unattended(&["run", "flows/team-report.flow.yaml"]).check(75, &[]);
    assert!(lost.err.contains("sign in again") || lost.err.contains("lost"), "{}", lost.err);

    terminal.press("\u{3}");
    assert_eq!(terminal.end().0, 130);
}
