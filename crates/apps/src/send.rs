//! One request of an app: with its credential, to its hosts, within limits.
//!
//! Must never send a credential where the app file does not say so, nor follow a redirect of a write.
//! Tests: `tests/actions`, `tests/polls.rs`.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_egress::{AllowedHosts, AllowedTarget, Credential, EgressError, Redirects, Request};
use flowdeck_engine::ports::Authorized;

use crate::compile::App;
use crate::host::AppHost;
use crate::render::Rendered;

/// Largest answer taken, in bytes.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// How a request is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sending {
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) reads: bool,
    pub(crate) credential: bool,
}

impl AppHost {
    /// One request of an app.
    pub(crate) async fn request(
        &self,
        app: &App,
        rendered: Rendered,
        authorized: Option<&Authorized>,
        how: Sending,
        within: Duration,
    ) -> Result<flowdeck_egress::Response, EgressError> {
        let Some(egress) = &self.egress else {
            return Err(EgressError::Setup { why: "flows are only tested here; nothing leaves".into() });
        };
        let mut request = Request::new(rendered.method, rendered.url);
        request.headers = rendered.headers;
        request.body = rendered.body;
        request.credential = authorized.filter(|_| how.credential).and_then(credential);
        request.redirects = if how.reads { Redirects::USUAL } else { Redirects::None };
        request.timeout = within;
        request.response_bytes_max = ANSWER_BYTES_MAX;
        request.app_hosts = private_hosts(app, authorized);
        egress.send(request).await
    }
}

fn credential(authorized: &Authorized) -> Option<Arc<dyn Credential>> {
    authorized.handle.downcast_ref::<Arc<dyn Credential>>().cloned()
}

/// Private targets of the app's file, with the connection's fields filled in.
fn private_hosts(app: &App, authorized: Option<&Authorized>) -> AllowedHosts {
    let Some(auth) = app.auth.as_ref().filter(|a| a.private_hosts) else { return AllowedHosts::none() };
    let targets = auth.hosts.iter().filter_map(|host| {
        let mut host = host.clone();
        for (key, value) in authorized.iter().flat_map(|a| a.fields.iter()) {
            host = host.replace(&format!("{{{key}}}"), value);
        }
        let bare = host.trim_start_matches("http://").trim_start_matches("https://").trim_end_matches('/');
        bare.parse::<AllowedTarget>().ok()
    });
    targets.collect()
}
