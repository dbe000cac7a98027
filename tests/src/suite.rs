//! Five services in one emulator, each behind its proxy: an Okta org, Slack, Google, GitHub, Microsoft.
//!
//! Must never be started more than once for a group of tests, nor let one of them find what another left in the proxies.
//! Tests: `tests/tests/scenarios`.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::emulate::{self, API_TOKEN, Emulate};
use crate::http::{Answer, Http};
use crate::people::Person;
use crate::port::Port;
use crate::proxy::{Proxy, Service};

/// To look at what stands there: Slack knows it from its seed; to the others every token they do not know is that of the
/// first person of their seed. The proxies take none of that.
const OWN_TOKEN: &str = "the-tests-own-token";

/// The services.
#[derive(Debug)]
pub struct Suite {
    /// The redirect port of every machine that signs in.
    pub redirect: Arc<Port>,
    proxies: BTreeMap<Service, Proxy>,
    ports: BTreeMap<Service, Port>,
    _server: Emulate,
    _folder: TempDir,
}

impl Suite {
    /// Starts all five. `seed` has what each begins with, by its name; `people` are those of the Okta org. `None`
    /// where the npm packages may be missing.
    ///
    /// # Panics
    /// When they do not come up.
    #[must_use]
    pub fn start(people: &[Person], mut seed: Value) -> Option<Self> {
        let folder = TempDir::new().expect("make a folder");
        let redirect = Arc::new(Port::take());
        let taken = |_| Service::ALL.map(|service| (service, Port::take())).into_iter().collect();
        let [ports, publics]: [BTreeMap<Service, Port>; 2] = [(); 2].map(taken);
        let okta = emulate::org(people, &redirects(Service::Okta, &redirect));
        merge(&mut seed["okta"], okta);
        for service in Service::ALL {
            let (port, public) = (&ports[&service], Proxy::public(&publics[&service]));
            let place = json!({ "port": port.number(), "baseUrl": public });
            merge(&mut seed[service.name()], place);
            let clients = match service {
                Service::Okta => continue,
                Service::Slack | Service::Github => "oauth_apps",
                Service::Google | Service::Microsoft => "oauth_clients",
            };
            let client = emulate::client(&redirects(service, &redirect));
            merge(&mut seed[service.name()], json!({ clients: [client] }));
        }
        seed["slack"]["tokens"] =
            json!([{ "token": OWN_TOKEN, "scopes": ["channels:history", "channels:read", "users:read"] }]);
        seed["slack"]["strict_scopes"] = json!(true);
        seed["tokens"] = emulate::api_token(people);
        let mut server = Emulate::start(folder.path(), &seed)?;
        for port in ports.values() {
            server.wait_for(&format!("http://localhost:{}/", port.number()), |_| true);
        }
        let before = |(service, port): (Service, Port)| {
            (service, Proxy::before(service, port, ports[&service].number(), people))
        };
        let proxies = publics.into_iter().map(before).collect();
        Some(Self { redirect, proxies, ports, _server: server, _folder: folder })
    }

    /// What stands before a service.
    ///
    /// # Panics
    /// Never: all are there.
    #[must_use]
    pub fn proxy(&self, service: Service) -> &Proxy {
        &self.proxies[&service]
    }

    /// Takes away what an earlier test told the proxies, and what they saw.
    pub fn calm(&self) {
        for proxy in self.proxies.values() {
            proxy.calm();
            proxy.forget();
            proxy.enforce_scopes(true);
            proxy.take_api_token(true);
        }
    }

    /// Asks a service itself, past its proxy.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn ask(&self, service: Service, method: Method, path: &str, body: &Value) -> Answer {
        let url = format!("http://localhost:{}{path}", self.ports[&service].number());
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let credential = match service {
            Service::Okta => format!("SSWS {API_TOKEN}"),
            _ => format!("Bearer {OWN_TOKEN}"),
        };
        Http::default().call(method, &url, &credential, &body).expect("ask the service")
    }

    /// What stands at a place of a service.
    ///
    /// # Panics
    /// When it is not there.
    #[must_use]
    #[track_caller]
    pub fn at(&self, service: Service, path: &str) -> Value {
        let answer = self.ask(service, Method::GET, path, &Value::Null);
        assert!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.text());
        answer.json()
    }

    /// What a call of Slack answers, which takes POST for everything.
    ///
    /// # Panics
    /// When it does not answer well.
    #[must_use]
    #[track_caller]
    pub fn slack(&self, call: &str, body: &Value) -> Value {
        let answer = self.ask(Service::Slack, Method::POST, &format!("/api/{call}"), body).json();
        assert_eq!(answer["ok"], true, "{call}: {answer}");
        answer
    }
}

/// Apps of a service: which redirect addresses are registered. Those that may listen anywhere are so without a port.
fn redirects(service: Service, redirect: &Port) -> Vec<String> {
    let port = redirect.number();
    let apps: &[&str] = match service {
        Service::Okta => &["okta"],
        Service::Slack => &["slack"],
        Service::Google => &["gmail", "googlecalendar", "googledrive"],
        Service::Github => &["github"],
        Service::Microsoft => &["office365admin", "office365mail"],
    };
    let registered = matches!(service, Service::Okta | Service::Slack);
    let host = if registered { format!("127.0.0.1:{port}") } else { "127.0.0.1".to_owned() };
    apps.iter().map(|app| format!("http://{host}/oauth/callback/{app}")).collect()
}

fn merge(into: &mut Value, more: Value) {
    if into.is_null() {
        *into = json!({});
    }
    let (Value::Object(into), Value::Object(more)) = (into, more) else { panic!("objects") };
    into.extend(more);
}
