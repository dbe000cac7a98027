//! `flowdeck init` on a real terminal: the question, a mistyped answer, each way on.
//!
//! Must never need a network.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support::browser;
use crate::support::machine::Machine;
use crate::support::server::Server;
use crate::support::terminal;

use std::path::Path;
use std::sync::{Arc, Mutex};

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

/// What a small org says: tokens, who signed in, its active users.
fn org() -> (Server, Arc<Mutex<Vec<String>>>) {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let seen = bodies.clone();
    let server = Server::answering(move |request| {
        let line = request.lines().next().unwrap_or_default();
        if line.starts_with("POST /oauth2/v1/token ") {
            seen.lock().unwrap().push(request.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned());
            let scope = "openid profile offline_access okta.users.read okta.groups.read";
            let tokens = format!(
                r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"at-1","refresh_token":"rt-1","scope":"{scope}"}}"#
            );
            return (200, tokens);
        }
        match line {
            _ if !request.to_lowercase().contains("authorization: bearer at-1") => (401, "{}".to_owned()),
            line if line.starts_with("GET /api/v1/users/me ") => {
                (200, r#"{"id":"00u1","status":"ACTIVE","profile":{"login":"ada@acme.example"}}"#.to_owned())
            }
            line if line.starts_with("GET /api/v1/users?") => {
                (200, r#"[{"id":"00u1","status":"ACTIVE","profile":{"login":"ada@acme.example"}}]"#.to_owned())
            }
            _ => (404, "{}".to_owned()),
        }
    });
    (server, bodies)
}

#[test]
fn okta_is_authorized_once_and_the_first_flow_asks_nothing() {
    let machine = Machine::new(&[]);
    let (org, exchanged) = org();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let everywhere = ["--allow-http", &org.host, "--redirect-port", &port];
    let mut terminal = machine.start(&[&["init"], &everywhere[..]].concat());
    terminal.wait_for("Nothing now\n>");
    terminal.type_line("2");
    terminal.wait_for("Authenticate once");
    terminal.wait_for("[?] help\n>");
    terminal.type_line("?");
    terminal.wait_for("Create App Integration");
    terminal.wait_for(&format!("http://127.0.0.1:{port}/oauth/callback/okta"));
    terminal.wait_for("[?] help\n>");
    terminal.type_line("o");
    terminal.wait_for("[okta]:");
    terminal.type_line("prod-admin");
    terminal.wait_for("Domain (as");
    terminal.type_line(&format!("http://{}", org.host));
    terminal.wait_for("Client ID (as");
    terminal.type_line("0oa1");
    terminal.wait_for("Client Secret (not shown while you type):");
    terminal.type_line("the-client-secret");
    terminal.wait_for("Waiting for your consent.");

    // The org's consent page, as a browser sees it.
    let opened = machine.browser.opened();
    let asked = |name: &str| opened.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    assert_eq!(opened.path(), "/oauth2/v1/authorize");
    assert_eq!(asked("client_id").as_deref(), Some("0oa1"));
    assert_eq!(asked("code_challenge_method").as_deref(), Some("S256"));
    assert!(asked("scope").unwrap().contains("okta.users.read"), "{opened}");
    let mut back = url::Url::parse(&asked("redirect_uri").unwrap()).unwrap();
    assert_eq!(back.as_str(), format!("http://127.0.0.1:{port}/oauth/callback/okta"));
    let issuer = format!("http://{}", org.host);
    let (state, issuer) = (asked("state").unwrap(), issuer.as_str());
    back.query_pairs_mut().append_pair("code", "c-1").append_pair("state", &state).append_pair("iss", issuer);
    browser::come_back(&back);

    terminal.wait_for("✓ Connected okta “prod-admin” as ada@acme.example");
    terminal.wait_for("flowdeck run flows/okta-first-look.flow.yaml");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("the-client-secret"), "{screen}");
    let body = exchanged.lock().unwrap().join("");
    assert!(body.contains("code=c-1") && body.contains("code_verifier="), "{body}");

    // Authenticate once: the flow runs with nobody there.
    let run = [&["run", "flows/okta-first-look.flow.yaml", "--json"], &everywhere[..]].concat();
    let run = machine.unattended(&run).check(0, &[]).run();
    assert_eq!(run["output"]["logins"], serde_json::json!(["ada@acme.example"]), "{run}");
}

#[test]
fn an_import_ends_with_flows_that_pass_the_check() {
    let machine = Machine::new(&[]);
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/made/lanes.flopack");
    std::fs::copy(made, machine.path("lanes.flopack")).unwrap();
    let mut terminal = machine.start(&["init"]);
    terminal.wait_for("Nothing now\n>");
    terminal.type_line("3");
    terminal.wait_for("Path of the export:");
    terminal.type_line("'lanes.flopack'");
    terminal.wait_for("The flows are in flows/lanes. Nothing was started. Now:");
    terminal.wait_for("flowdeck check flows/lanes/*.yaml");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    let flows = std::fs::read_dir(machine.path("flows/lanes")).unwrap().map(|f| f.unwrap().path());
    let flows: Vec<_> = flows.filter(|f| f.to_string_lossy().ends_with(".flow.yaml")).collect();
    assert!(!flows.is_empty(), "{screen}");
    for flow in flows {
        machine.unattended(&["check", flow.to_str().unwrap()]).check(0, &[]);
    }
}
