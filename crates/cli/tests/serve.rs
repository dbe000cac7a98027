//! `flowdeck serve` and `flowdeck flows`: the real binary as a service, killed, ended, asked by other commands.
//!
//! Must never leave loopback, nor a process behind.
//! Tests: this is the test; it also keeps what `docs/serving.md` shows.
#![allow(clippy::unwrap_used)]

use crate::support;

use std::fs;

use rustix::process::Signal;
use support::Home;
use support::serving::Serving;

const HELLO: &str = "flow: hello\non:\n  endpoint:\n    access: public\n    methods: [POST]\n    body: { name: text }\ncards:\n  - return: { greeting: \"Hello ${event.body.name}\" }\n";
const JSON: (&str, &str) = ("content-type", "application/json");

fn home(flows: &[(&str, &str)]) -> Home {
    let home = Home::new();
    fs::create_dir(home.path("flows")).unwrap();
    flows.iter().for_each(|(name, text)| drop(home.file(&format!("flows/{name}.flow.yaml"), text)));
    home
}

#[test]
fn a_kill_after_an_answer_loses_nothing_and_doubles_nothing() {
    let home = home(&[("hello", HELLO)]);
    let serving = Serving::start(&home, &["--watch", "flows"]);
    let key = [JSON, ("idempotency-key", "k1")];
    let first = serving.call("POST", "/in/hello", &key, "{\"name\":\"Ada\"}");
    assert_eq!((first.status, first.body.as_str()), (200, "{\"greeting\":\"Hello Ada\"}"));
    let (code, _, _) = serving.end(Signal::KILL);
    assert_eq!(code, None);
    let serving = Serving::start(&home, &[]);
    let again = serving.call("POST", "/in/hello", &key, "{\"name\":\"Ada\"}");
    assert_eq!((again.status, &again.body, again.run()), (200, &first.body, first.run()));
    let runs = home.say(&["runs", "list", "--json"]).check(0, &[]).lines();
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!((runs[0]["id"].as_str().unwrap(), runs[0]["status"].as_str().unwrap()), (first.run(), "finished"));
}

#[test]
fn it_ends_clean_on_sigterm_and_ctrl_c_and_leaves_runs_that_wait() {
    let waits = "flow: waits\non: { endpoint: { access: public } }\ncards:\n  - wait: { signal: go }\n  - return: { done: true }\n";
    let home = home(&[("waits", waits)]);
    for signal in [Signal::TERM, Signal::INT] {
        let mut serving = Serving::start(&home, &["--watch", "flows"]);
        let said = serving.call("POST", "/in/waits", &[], "");
        assert_eq!(said.status, 202, "{said:?}");
        let told = serving.line("run");
        assert_eq!((told["event"].as_str(), told["run"].as_str()), (Some("started"), Some(said.run())));
        let told = serving.line("run");
        let command = told["commands"][0].as_str().unwrap().to_owned();
        assert_eq!(command, format!("flowdeck runs signal {} go", said.run()));
        // The command it names works while it serves.
        let run = said.run().to_owned();
        home.say(&["runs", "signal", &run, "go"]).check(0, &[]);
        let left = serving.call("POST", "/in/waits", &[], "").run().to_owned();
        let (code, took, rest) = serving.end(signal);
        assert_eq!(code, Some(0), "{rest}");
        assert!(took.as_secs() < 10, "{took:?}");
        assert!(rest.ends_with("{\"type\":\"stopped\"}\n"), "{rest}");
        let shown = home.say(&["runs", "list", "--status", "waiting", "--json"]).check(0, &[]).lines();
        assert!(shown.iter().any(|run| run["id"] == left.as_str()), "{shown:?}");
    }
}

#[test]
fn a_second_one_says_who_serves_and_others_reach_no_other_address() {
    let home = home(&[]);
    let _serving = Serving::start(&home, &[]);
    home.say(&["serve", "--listen", "127.0.0.1:0"]).check(1, &["is held by process", "store.held"]);
    home.say(&["serve", "--public-url", "http://a.example"]).check(2, &["https://HOST", "serve.public_url"]);
    let nobody = self::home(&[]);
    nobody.say(&["serve", "--listen", "0.0.0.0:0"]).check(2, &["reached from other machines", "serve.public"]);
    home.say(&["serve", "--listen", "nowhere"]).check(2, &["ADDRESS:PORT"]);
    home.say(&["serve", "--watch", "missing"]).check(2, &["missing is no folder"]);
}

#[test]
fn the_first_start_shows_a_link_that_makes_the_administrator_once() {
    let home = home(&[]);
    let mut serving = Serving::start(&home, &[]);
    let link = serving.line("set_up")["link"].as_str().unwrap().to_owned();
    let (path, token) = (link.strip_prefix(&serving.url).unwrap(), link.split_once("token=").unwrap().1);
    assert!(serving.call("GET", path, &[], "").body.contains("<h1>Set up flowdeck</h1>"));
    let own = [("origin", serving.url.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let form = format!("token={token}&name=ada&password=correct+horse+battery");
    assert_eq!(serving.call("POST", "/setup", &own, &form).status, 303);
    assert_eq!(serving.call("POST", "/setup", &own, &form).status, 403);
    assert!(home.say(&["people", "list"]).check(0, &[]).out.contains("administrator"));
    let made = home.say(&["tokens", "add", "ci", "--role", "builder"]).check(0, &[]).out;
    let bearer = format!("Bearer {}", made.lines().next().unwrap());
    assert_eq!(serving.call("GET", "/v1/runs", &[("authorization", &bearer)], "").status, 200);
    assert_eq!(serving.call("GET", "/v1/runs", &[], "").status, 401);
    let (_, _, rest) = serving.end(Signal::TERM);
    assert!(!rest.contains(token) && !rest.contains("fd_"), "{rest}");
    let serving = Serving::start(&home, &[]);
    let (_, _, rest) = serving.end(Signal::TERM);
    assert!(!rest.contains("set_up"), "{rest}");
}

#[test]
fn a_watched_folder_is_published_and_a_bad_file_keeps_the_good_version() {
    let home = home(&[("hello", HELLO)]);
    let mut serving = Serving::start(&home, &["--watch", "flows"]);
    let greet = |serving: &Serving| serving.call("POST", "/in/hello", &[JSON], "{\"name\":\"Ada\"}");
    home.file("flows/hello.flow.yaml", HELLO.replace("Hello $", "Good day $"));
    assert_eq!(serving.line("published")["flow"]["name"], "hello");
    assert_eq!(greet(&serving).body, "{\"greeting\":\"Good day Ada\"}");
    home.file("flows/hello.flow.yaml", "flow: hello\ncards:\n  - card: text/nothing\n");
    let refused = serving.line("refused");
    assert_eq!(refused["diagnostics"][0]["code"], "unknown-card", "{refused}");
    assert_eq!(greet(&serving).body, "{\"greeting\":\"Good day Ada\"}");
    fs::remove_file(home.path("flows/hello.flow.yaml")).unwrap();
    assert_eq!(serving.line("switched_off")["flow"], "hello");
    assert_eq!(greet(&serving).status, 404);
}

#[test]
fn flows_are_published_switched_started_and_their_token_is_shown_when_asked_for() {
    let home = home(&[]);
    let serving = Serving::start(&home, &[]);
    let hook = HELLO.replace("access: public", "access: token");
    let file = home.file("hook.flow.yaml", hook);
    let said = home.say(&["flows", "publish", &file]).check(0, &[]);
    assert!(said.out.contains("flowdeck flows on hello") && said.out.contains("--token"), "{}", said.out);
    let token = home.say(&["flows", "show", "hello", "--token"]).check(0, &[]).out;
    let token = token.trim();
    let call = |token: &str| serving.call("POST", "/in/hello", &[JSON, ("x-api-client-token", token)], "{}").status;
    assert_eq!(call(token), 404, "it arrives switched off");
    home.say(&["flows", "on", "hello"]).check(0, &[]);
    assert_eq!((call(token), call("wrong")), (200, 401));
    let fresh = home.say(&["flows", "show", "hello", "--renew-token", "--json"]).check(0, &[]);
    let fresh: serde_json::Value = serde_json::from_str(&fresh.out).unwrap();
    assert_eq!((call(token), call(fresh["token"].as_str().unwrap())), (401, 200));
    let listed = home.say(&["flows", "list", "--json"]).check(0, &[]);
    assert!(!listed.out.contains(fresh["token"].as_str().unwrap()));
    assert_eq!(listed.lines()[0]["on"], true);
    home.say(&["flows", "off", "hello"]).check(0, &[]);
    assert_eq!(call(token), 404);
    home.say(&["flows", "off", "nobody"]).check(2, &["flow.unknown"]);
    home.say(&["flows", "show", "hello", "--renew-token"]).check(0, &[]);

    let file = home.file(
        "add.flow.yaml",
        "flow: add\ninputs: { n: { type: number, required: true } }\ncards:\n  - return: { n: \"${input.n}\" }\n",
    );
    home.say(&["flows", "publish", &file, "--on"]).check(0, &[]);
    home.say(&["flows", "start", "add"]).check(2, &["--input n="]);
    home.say(&["flows", "start", "add", "--input", "m=1"]).check(2, &["no input `m`"]);
    let started = home.say(&["flows", "start", "add", "--input", "n=3", "--json"]).check(0, &[]);
    assert_eq!(started.run()["output"]["n"], 3);
    let bad = home.file("bad.flow.yaml", "flow: add\ncards: 1\n");
    home.say(&["flows", "publish", &bad]).check(65, &["is not published"]);
    // It works where nobody serves, too.
    serving.end(Signal::TERM);
    assert_eq!(home.say(&["flows", "list"]).check(0, &[]).out.lines().count(), 3);
    home.say(&["flows", "start", "add", "--input", "n=4"]).check(0, &[]);
}

#[test]
fn a_run_that_nobody_follows_asks_once_for_all_that_its_cards_need() {
    let home = home(&[]);
    let welcome = concat!(env!("CARGO_MANIFEST_DIR"), "/../../flows/welcome.flow.yaml");
    home.say(&["flows", "publish", welcome, "--on"]).check(0, &[]);
    home.say(&["flows", "start", "welcome", "--json", "--no-input"]).check(75, &[]);
    let prompts = home.say(&["prompts", "list", "--json"]).check(0, &[]).lines();
    assert_eq!(prompts.len(), 1, "{prompts:?}");
    assert_eq!(prompts[0]["scopes"], serde_json::json!(["people.read", "groups.read", "groups.write"]), "{prompts:?}");
}
