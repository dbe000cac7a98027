//! npm `emulate`: a stateful Okta org, and other services, each with its OAuth pages; written by others.
//!
//! Must never outlive its test, nor be taken for another test's server.
//! Tests: `tests/tests/e2e/harness.rs`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::http::{Answer, Http};
use crate::missing;
use crate::people::Person;
use crate::port::Port;
use crate::wait;

/// The OAuth client that is registered everywhere.
pub const CLIENT_ID: &str = "0oaflowdeck";
/// Its secret.
pub const CLIENT_SECRET: &str = "e2e-client-secret-7c1f";
/// An API token that works.
pub const API_TOKEN: &str = "00e2eApiToken-93ab";

/// Ends a server with the test that started it, however that one ends: its standard input is closed then.
const END_WITH_US: &str = "data:text/javascript,process.stdin.on('end',()=>process.exit()).resume()";

/// A running server.
#[derive(Debug)]
pub struct Emulate {
    child: Child,
    log: PathBuf,
}

/// A running org.
#[derive(Debug)]
pub struct Okta {
    _server: Emulate,
    port: Port,
}

impl Emulate {
    /// Starts the services of a seed, each at its own `port`. `None` where the npm packages may be missing.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(folder: &Path, seed: &Value) -> Option<Self> {
        let program = missing::need("npm package emulate", "run `cargo xtask setup`", program())?;
        let file = folder.join("seed.json");
        std::fs::write(&file, seed.to_string()).expect("write the seed");
        let log = folder.join("emulate.log");
        let out = File::create(&log).expect("make the log");
        let mut command = Command::new("node");
        command.args(["--import", END_WITH_US]).arg(program).args(["start", "--seed"]).arg(&file);
        command.current_dir(folder).stdin(Stdio::piped());
        command.stderr(out.try_clone().expect("share the log")).stdout(out);
        Some(Self { child: command.spawn().expect("start node"), log })
    }

    /// Waits until a page of it is as it should be.
    ///
    /// # Panics
    /// When it ends, or the deadline passes.
    pub fn wait_for(&mut self, url: &str, is_there: impl Fn(&Answer) -> bool) {
        let http = Http::default();
        wait::until("emulate to listen", || {
            if let Ok(Some(status)) = self.child.try_wait() {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                panic!("emulate ended with {status}:\n{log}");
            }
            http.get(url).ok().filter(&is_there)
        });
    }
}

impl Drop for Emulate {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Okta {
    /// Starts an org with these people, known to the world as `public`, for clients whose redirect URIs are given.
    /// `None` where the npm packages may be missing.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start(folder: &Path, people: &[Person], public: &str, redirects: &[String]) -> Option<Self> {
        let port = Port::take();
        let mut seed = json!({ "tokens": api_token(people), "okta": org(people, redirects) });
        seed["okta"]["port"] = json!(port.number());
        seed["okta"]["baseUrl"] = json!(public);
        seed["okta"]["groups"] = json!([{ "okta_id": "00gnew", "name": "Newcomers" }]);
        seed["okta"]["apps"] = json!([{ "okta_id": "0oapayroll", "name": "payroll", "label": "Payroll" }]);
        let mut server = Emulate::start(folder, &seed)?;
        let discovery = format!("http://localhost:{}/.well-known/openid-configuration", port.number());
        server.wait_for(&discovery, |answer| answer.json()["issuer"] == public);
        Some(Self { _server: server, port })
    }

    /// Its port; only the proxy and checks of the server's own state go there.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }
}

/// The packages' folder: `FLOWDECK_NPM`, else where `cargo xtask setup` puts them.
fn program() -> Option<PathBuf> {
    let folder = std::env::var_os("FLOWDECK_NPM").map_or_else(|| root().join("target/npm"), PathBuf::from);
    Some(folder.join("node_modules/emulate/dist/index.js")).filter(|file| file.is_file())
}

/// The workspace's folder.
#[must_use]
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// The API token, which belongs to the first of these.
#[must_use]
pub fn api_token(people: &[Person]) -> Value {
    json!({ API_TOKEN: { "login": people[0].login, "scopes": [] } })
}

/// An org's people and its OAuth client.
#[must_use]
pub fn org(people: &[Person], redirects: &[String]) -> Value {
    let users: Vec<Value> = people
        .iter()
        .map(|p| json!({ "okta_id": p.id, "login": p.login, "first_name": p.id, "last_name": "Test" }))
        .collect();
    // The org's own authorization server, the one that grants `okta.*` scopes.
    let mut client = client(redirects);
    client["auth_server_id"] = json!("org");
    json!({ "users": users, "oauth_clients": [client] })
}

/// The client that is registered at every service.
#[must_use]
pub fn client(redirects: &[String]) -> Value {
    json!({ "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "name": "Flowdeck", "redirect_uris": redirects })
}
