//! The app file: a connector as data. Auth, actions and events, read from YAML or JSON.
//!
//! Must never hold code, a secret or a path of a machine.
//! Tests: `tests/harness.rs` checks every built-in file against the card specification.

pub mod action;
pub mod event;
pub(crate) mod expand;
pub mod output;
pub mod request;

use flowdeck_model::AppName;
use flowdeck_model::app::{AuthErrors, AuthMethod, Probe};
use indexmap::IndexMap;
use serde::Deserialize;

pub use action::{Action, Before, ErrorRule, ListOutput, Made, Output, Pagination, Part, Request, Way};
pub use event::{Event, PollEvent, Verification};

/// An app file as written.
///
/// Texts with `${…}` are mappings. What they can refer to: `input` (the action's inputs), `connection` (its form
/// fields that are not secret), `page` (where the next page begins), and in outputs `response` (`status`, `headers`,
/// `body`, `text`) and `item`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppFile {
    /// Name, the family of its cards.
    pub app: AppName,
    /// Name on screens.
    pub title: String,
    /// One sentence.
    pub summary: String,
    /// Rises with each change that connections must know of.
    pub version: String,
    /// Where the facts come from; `unconfirmed` says which are not.
    #[serde(default)]
    pub sources: Vec<String>,
    /// What could not be confirmed, in words.
    #[serde(default)]
    pub unconfirmed: Vec<String>,
    /// How it authorizes; absent for apps that need no connection.
    #[serde(default)]
    pub auth: Option<Auth>,
    /// Base of relative request URLs: `https://${connection.domain}`.
    #[serde(default)]
    pub base_url: String,
    /// What its connector is called in Okta's exports besides its own name; their cards have the names of ours.
    #[serde(default)]
    pub export_connectors: Vec<String>,
    /// Addresses of the app, each `{app.NAME}` in auth templates and `${app.NAME}` in mappings. An operator may put a
    /// stand-in there: variable `APP.NAME`.
    #[serde(default)]
    pub addresses: IndexMap<String, String>,
    /// Requests a second at most for one connection.
    #[serde(default)]
    pub requests_per_second: Option<f64>,
    /// Header with the Unix time in seconds at which requests are taken again, sent with 429: `X-Rate-Limit-Reset`.
    #[serde(default)]
    pub rate_limit_reset_header: String,
    /// Whether every good answer with a body is JSON. What is not, as the page of a captive portal, is then not the
    /// app's answer.
    #[serde(default)]
    pub answers_json: bool,
    /// Headers of every request.
    #[serde(default)]
    pub headers: IndexMap<String, serde_json::Value>,
    /// How error answers are read, first match wins; a plain reading where none does.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
    /// Its actions by operation name.
    #[serde(default)]
    pub actions: IndexMap<String, Action>,
    /// Its events by operation name.
    #[serde(default)]
    pub events: IndexMap<String, Event>,
}

/// The auth part of an app file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Ways to authorize, the recommended one first.
    pub methods: Vec<AuthMethod>,
    /// Scopes with a sentence each.
    #[serde(default)]
    pub scopes: IndexMap<String, String>,
    /// Scopes asked for unless the person chooses others.
    #[serde(default)]
    pub default_scopes: Vec<String>,
    /// Hosts the credential may travel to, with `{field}` placeholders; `host` or `host:port`.
    pub hosts: Vec<String>,
    /// Whether these hosts may be loopback or private addresses.
    #[serde(default)]
    pub private_hosts: bool,
    /// Proves the credential and names the account.
    #[serde(default)]
    pub probe: Option<Probe>,
    /// Answers that mean the credential or its scopes are at fault.
    #[serde(default)]
    pub errors: AuthErrors,
    /// "Need help?" as Markdown.
    #[serde(default)]
    pub help: String,
}
