//! An event of an app file: how it arrives, how it is verified, what it carries.
//!
//! Must never read a body before its signature is checked.
//! Tests: `tests/harness.rs`.

use flowdeck_model::FieldDecl;
use serde::Deserialize;
use serde_json::Value;

use super::action::Request;

/// An event.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Name on screens.
    pub title: String,
    /// One sentence ending with a full stop.
    pub summary: String,
    /// More, as Markdown.
    #[serde(default)]
    pub help: String,
    /// Event cards of Okta exports, `connector/method`, that this event serves besides those of its own name.
    #[serde(default)]
    pub export_names: Vec<String>,
    /// Options.
    #[serde(default)]
    pub inputs: Vec<FieldDecl>,
    /// Scopes the connection needs to listen.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What a delivery carries: a list with one entry an event, each an object for `outputs`.
    pub each: Value,
    /// Condition over `item` that says whether an entry is this event.
    #[serde(default)]
    pub when: Option<Value>,
    /// Outputs over `item`.
    pub outputs: Vec<super::Output>,
    /// A mapping over `item` that gives an object whose members become outputs beyond the declared ones.
    #[serde(default)]
    pub more_outputs: Option<Value>,
    /// A mapping over `item` that names the event for ever (dedupe).
    pub key: Value,
    /// How deliveries are verified; absent where the app cannot push.
    #[serde(default)]
    pub webhook: Option<Verification>,
    /// How to ask for new ones; absent where the app cannot be asked.
    #[serde(default)]
    pub poll: Option<PollEvent>,
}

/// How a delivery is verified.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Verification {
    /// A shared secret in a header, compared in constant time; with a one-time challenge (Okta event hooks).
    SharedHeader {
        /// The header that carries the secret.
        header: String,
        /// The header of the one-time challenge, answered as `{answer: value}`.
        #[serde(default)]
        challenge_header: Option<String>,
        /// The key of the answer.
        #[serde(default)]
        answer: Option<String>,
    },
    /// HMAC over the raw body.
    Hmac {
        /// The header that carries the signature.
        header: String,
        /// `sha256` or `sha1`.
        algorithm: String,
        /// Text before the digest.
        #[serde(default)]
        prefix: String,
        /// How the digest is written.
        #[serde(default)]
        encoding: Encoding,
        /// The header with the Unix time of the delivery in seconds; then `time.body` is signed instead of the body, and
        /// old deliveries are refused.
        #[serde(default)]
        timestamp_header: Option<String>,
    },
    /// Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`).
    StandardWebhooks,
    /// Slack (`v0=` over `v0:timestamp:body`).
    Slack,
    /// Stripe (`t=…,v1=…` over `t.body`).
    Stripe,
}

/// How a digest is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Hexadecimal digits.
    #[default]
    Hex,
    /// Base64.
    Base64,
}

/// How to ask for new events.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PollEvent {
    /// The read; `cursor` is where the last one ended (null at first).
    pub request: Request,
    /// A mapping over `response` and `cursor` that gives the next cursor.
    pub cursor: Value,
    /// Pause between polls in seconds.
    pub every_s: u32,
    /// The cursor of the first poll, so that it tells only of what happens from now on (`now` is the time, as text).
    /// Without it the first poll reads to the end and starts nothing.
    #[serde(default)]
    pub from: Option<Value>,
}
