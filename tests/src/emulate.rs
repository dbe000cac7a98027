//! npm `emulate`: a stateful Okta org with an OAuth server, written by others.
//!
//! Must never outlive its test, nor be taken for another test's server.
//! Tests: `tests/tests/e2e/harness.rs`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::http::Http;
use crate::missing;
use crate::people::Person;
use crate::port::Port;
use crate::wait;

/// The OAuth client that is registered at the org.
pub const CLIENT_ID: &str = "0oaflowdeck";
/// Its secret.
pub const CLIENT_SECRET: &str = "e2e-client-secret-7c1f";
/// An API token that works.
pub const API_TOKEN: &str = "00e2eApiToken-93ab";

/// A running org.
#[derive(Debug)]
pub struct Emulate {
    child: Child,
    port: Port,
}

impl Emulate {
    /// Starts an org with these people, known to the world as `public`, for clients whose redirect URIs are given.
    /// `None` where the npm packages may be missing.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start(folder: &Path, people: &[Person], public: &str, redirects: &[String]) -> Option<Self> {
        let program = missing::need("npm package emulate", "run `cargo xtask setup`", program())?;
        let seed = folder.join("seed.json");
        std::fs::write(&seed, seed_file(people, redirects).to_string()).expect("write the seed");
        let port = Port::take();
        let log = File::create(folder.join("emulate.log")).expect("make the log");
        let mut command = Command::new("node");
        command.arg(program).args(["start", "--service", "okta", "--port", &port.number().to_string()]);
        command.arg("--seed").arg(&seed).args(["--base-url", public]);
        command.current_dir(folder).stdin(Stdio::null());
        command.stderr(log.try_clone().expect("share the log")).stdout(log);
        let mut child = command.spawn().expect("start node");
        let http = Http::default();
        let discovery = format!("http://localhost:{}/.well-known/openid-configuration", port.number());
        wait::until("emulate to listen", || {
            if let Ok(Some(status)) = child.try_wait() {
                let log = std::fs::read_to_string(folder.join("emulate.log")).unwrap_or_default();
                panic!("emulate ended with {status}:\n{log}");
            }
            http.get(&discovery).ok().filter(|answer| answer.json()["issuer"] == public)
        });
        Some(Self { child, port })
    }

    /// Its port; only the proxy and checks of the server's own state go there.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }
}

impl Drop for Emulate {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
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

fn seed_file(people: &[Person], redirects: &[String]) -> Value {
    let users: Vec<Value> = people
        .iter()
        .map(|p| json!({ "okta_id": p.id, "login": p.login, "first_name": p.id, "last_name": "Test" }))
        .collect();
    json!({
        "tokens": { API_TOKEN: { "login": people[0].login, "scopes": [] } },
        "okta": {
            "users": users,
            "groups": [{ "okta_id": "00gnew", "name": "Newcomers" }],
            "apps": [{ "okta_id": "0oapayroll", "name": "payroll", "label": "Payroll" }],
            "oauth_clients": [{
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "name": "Flowdeck",
                "redirect_uris": redirects,
                // The org's own authorization server, the one that grants `okta.*` scopes.
                "auth_server_id": "org",
            }],
        },
    })
}
