//! One service of `emulate`, and one call of a card.
//!
//! Must never leave loopback, nor outlive its test.
//! Tests: used by all of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowdeck_apps::{AppHost, Apps};
use flowdeck_egress::{Egress, Policy};
use flowdeck_engine::ports::{Authorized, CardCall, CardOutcome};
use flowdeck_model::{Ambient, CardName, ConnectionId, Fields, Millis, RunId, StepPath, Value};
use indexmap::IndexMap;
use serde_json::json;

/// Longest time for the server to come up.
const START_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct Emulator {
    child: Child,
    pub(crate) url: String,
    host: AppHost,
    _folder: tempfile::TempDir,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn program() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/npm");
    let folder = std::env::var_os("FLOWDECK_NPM").map_or(root, PathBuf::from);
    let file = folder.join("node_modules/emulate/dist/index.js");
    if file.is_file() {
        return Some(file);
    }
    let allowed = std::env::var_os("FLOWDECK_ALLOW_MISSING").is_some();
    assert!(allowed, "{} is missing; run `cargo xtask setup`, or set FLOWDECK_ALLOW_MISSING=1", file.display());
    println!("MISSING npm package emulate: not run");
    None
}

impl Emulator {
    /// Starts a service; `addresses` are those of apps that it stands in for: name to path.
    pub(crate) async fn start(service: &str, seed: Value, addresses: &[(&str, &str)]) -> Option<Self> {
        let program = program()?;
        let folder = tempfile::tempdir().unwrap();
        let mut whole = json!({"tokens": {"any": {"login": "octocat", "scopes": ["repo", "user", "admin:org"]}}});
        whole[service] = seed;
        let file = folder.path().join("seed.json");
        std::fs::write(&file, whole.to_string()).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("node");
        command.arg(program).args(["start", "--service", service, "--port", &port.to_string(), "--seed"]).arg(file);
        let child = command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = child.spawn().expect("start node");
        let policy = Policy { allow_private: vec!["localhost".parse().unwrap()], ..Policy::default() };
        let url = format!("http://localhost:{port}");
        let mut variables = IndexMap::from([("playground_url".to_owned(), "http://127.0.0.1:1".to_owned())]);
        variables.extend(addresses.iter().map(|(name, path)| ((*name).to_owned(), format!("{url}{path}"))));
        let host = AppHost::new(Arc::new(Apps::built_in(&variables).unwrap()), Egress::new(policy).unwrap());
        let emulator = Self { child, url, host, _folder: folder };
        let started = Instant::now();
        while tokio::net::TcpStream::connect(("localhost", port)).await.is_err() {
            assert!(started.elapsed() < START_TIMEOUT, "emulate did not come up");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(emulator)
    }

    pub(crate) async fn call(&self, card: &str, mut inputs: Value, page: Option<Value>) -> CardOutcome {
        let name = CardName::new(card).unwrap();
        // The driver fills defaults in; here it is done by hand.
        for field in &self.host.apps().card(&name).unwrap().inputs {
            if let (Some(default), None) = (&field.default, inputs.get(&field.key)) {
                inputs[&field.key] = default.clone();
            }
        }
        let authorized = Authorized {
            connection: ConnectionId::new(Millis(1), 1),
            generation: 1,
            subject: None,
            account: None,
            fields: Arc::new(BTreeMap::from([("domain".to_owned(), self.url.clone())])),
            handle: Arc::new(Arc::new(Token) as Arc<dyn flowdeck_egress::Credential>),
        };
        let call = CardCall {
            run: RunId::new(Millis(1), 1),
            path: StepPath::root(),
            card: name,
            inputs: Fields::from_value(inputs),
            idempotency_key: "run/step/0".into(),
            attempt: 1,
            ambient: Ambient { now: Millis(0), seed: 1 },
            deadline: Millis(20_000),
            page,
            all_pages: false,
            authorized: Some(authorized),
        };
        self.host.perform(call).await
    }

    pub(crate) async fn done(&self, card: &str, inputs: Value) -> Fields {
        match self.call(card, inputs, None).await {
            CardOutcome::Done { outputs, .. } => outputs,
            other => panic!("{card}: {other:?}"),
        }
    }
}

/// A token that every emulated service knows.
struct Token;

impl flowdeck_egress::Credential for Token {
    fn covers(&self, _: &url::Url) -> bool {
        true
    }
    fn apply(&self, request: &mut flowdeck_egress::Outgoing) -> Result<(), flowdeck_egress::EgressError> {
        request.set_header("Authorization", "Bearer any")
    }
    fn connection(&self) -> &str {
        "con_1"
    }
}
