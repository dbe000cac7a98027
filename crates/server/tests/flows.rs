//! Published flows over the API: publish, list in pages, switch, start; the token on the local socket only.
//!
//! Must never leave loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;

use flowdeck_server::Api;
use flowdeck_server::client::Client;
use flowdeck_server::session::Session;
use flowdeck_server::wire::*;
use http::Method;
use serde_json::json;
use support::*;

async fn place() -> (Session, [Client; 2], tempfile::TempDir) {
    let root = tempfile::tempdir().unwrap();
    let (_, url) = desk().await;
    let options = options(root.path(), builder(&url));
    let socket = options.socket.clone();
    let session = Session::join(options).await.unwrap();
    let clients = [session.client(), Client::over_socket(&socket)];
    (session, clients, root)
}

fn publish(text: &str) -> PublishFlow {
    PublishFlow { file: file(text), on: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_is_published_switched_and_started() {
    let (_session, clients, _root) = place().await;
    for client in &clients {
        let made: ServedFlow = call(client, Method::POST, "/v1/flows", publish(HELLO)).await;
        let found: ServedFlow = get_json(client, "/v1/flows/hello").await;
        assert_eq!(made, found);
        assert_eq!((found.starts, found.inputs.len()), (Starts::Hand, 1));
        for on in [true, false] {
            let now: ServedFlow = call(client, Method::POST, "/v1/flows/hello/switch", SwitchFlow { on }).await;
            assert_eq!(now.on, on);
        }
        let start = json!({ "input": { "name": "Ada" }, "idempotency_key": "k" });
        let run: flowdeck::RunView = call(client, Method::POST, "/v1/flows/hello/start", &start).await;
        let ended: flowdeck::RunView = get_json(client, &format!("/v1/runs/{}/wait", run.id)).await;
        assert_eq!(ended.output.unwrap().get("text"), &json!("Hello Ada"));
        let again: flowdeck::RunView = call(client, Method::POST, "/v1/flows/hello/start", &start).await;
        assert_eq!(again.id, run.id);
    }
    let [client, _] = &clients;
    assert_eq!(refused(client, Method::GET, "/v1/flows/nobody", ()).await.code, "flow.unknown");
    assert_eq!(refused(client, Method::POST, "/v1/flows/nobody/switch", SwitchFlow { on: true }).await.status, 404);
    let bad = refused(client, Method::POST, "/v1/flows", publish("flow: hello\ncards: 1\n")).await;
    assert_eq!((bad.code.as_str(), bad.diagnostics.is_empty()), ("flow.errors", false));
    let oauth = "flow: hello\non: { endpoint: { access: oauth } }\ncards: []\n";
    let why = refused(client, Method::POST, "/v1/flows", publish(oauth)).await;
    assert!(why.title.contains("access: oauth"), "{}", why.title);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flows_are_listed_in_pages_by_name() {
    let (_session, [client, _], _root) = place().await;
    for name in ["delta", "alpha", "check", "bravo"] {
        let text = format!("flow: {name}\ncards:\n  - return: {{}}\n");
        let made: ServedFlow = call(&client, Method::POST, "/v1/flows", publish(&text)).await;
        assert!(!made.on, "it arrives switched off");
    }
    let (mut names, mut cursor) = (Vec::new(), None);
    loop {
        let cursor_part = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page: FlowList = get_json(&client, &format!("/v1/flows?limit=3{cursor_part}")).await;
        assert!(page.flows.len() <= 3);
        names.extend(page.flows.iter().map(|flow| flow.name.to_string()));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(names, ["alpha", "bravo", "check", "delta"]);
    let check: ServedFlow = get_json(&client, "/v1/flows/check").await;
    assert_eq!(check.name.as_str(), "check");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_leaves_over_the_local_socket_and_nowhere_else() {
    let (session, clients, _root) = place().await;
    let hook = "flow: hook\non: { endpoint: { access: token } }\ncards:\n  - return: {}\n";
    let made: serde_json::Value = call(&clients[0], Method::POST, "/v1/flows", publish(hook)).await;
    let told: ClientToken = call(&clients[1], Method::POST, "/v1/flows/hook/token", AskToken::default()).await;
    let token = told.token.expose().to_owned();
    assert!(token.len() >= 43 && !made.to_string().contains(&token));
    let shown: serde_json::Value = get_json(&clients[0], "/v1/flows/hook").await;
    assert!(!shown.to_string().contains(&token));
    // Publishing again keeps it.
    call::<serde_json::Value>(&clients[0], Method::POST, "/v1/flows", publish(&hook.replace("{}\n", "{ n: 1 }\n")))
        .await;
    let same: ClientToken = call(&clients[1], Method::POST, "/v1/flows/hook/token", AskToken::default()).await;
    assert_eq!(same, told);
    let fresh: ClientToken = call(&clients[1], Method::POST, "/v1/flows/hook/token", AskToken { renew: true }).await;
    assert_ne!(fresh, told);
    call::<serde_json::Value>(&clients[0], Method::POST, "/v1/flows", publish(HELLO)).await;
    assert_eq!(
        refused(&clients[0], Method::POST, "/v1/flows/hello/token", AskToken::default()).await.code,
        "flow.no_token"
    );
    // The routes that will be mounted on TCP.
    let api = Api::new(session.runtime().unwrap(), "1", "data", false);
    let mounted = Client::in_process(api.router());
    assert_eq!(refused(&mounted, Method::POST, "/v1/flows/hook/token", AskToken::default()).await.status, 404);
    // Nor is it on the disk in plain sight.
    let store = _root.path().join(".flowdeck/store");
    for file in walk(&store) {
        let bytes = std::fs::read(&file).unwrap();
        let secret = fresh.token.expose().as_bytes();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{}", file.display());
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}
