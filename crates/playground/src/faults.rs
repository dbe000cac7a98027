//! Faults on order, for tests of whoever talks to the playground.
//!
//! Must never do anything unless a test asked for it.
//! Tests: `tests/walk/`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::accounts::Account;
use crate::scopes::Scopes;

/// What goes wrong, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    /// The next `times` calls of `/oauth/token`.
    #[serde(default)]
    pub token_endpoint: Option<TokenFault>,
    /// Single API requests, counted from 1 since the faults were set.
    #[serde(default)]
    pub api: Vec<ApiFault>,
}

/// What goes wrong at the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenFault {
    /// What happens.
    pub kind: TokenFaultKind,
    /// For `Delay`: how long.
    #[serde(default)]
    pub delay_ms: u64,
    /// How often it happens.
    #[serde(default = "once")]
    pub times: u32,
}

/// Ways in which a token call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenFaultKind {
    /// Answers late.
    Delay,
    /// Answers 500 and does nothing.
    ServerError,
    /// Closes the connection and does nothing.
    Close,
    /// Does it, then closes the connection without an answer: the client's new token is lost.
    CloseAfterActing,
}

/// What goes wrong with one API request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiFault {
    /// Which request, from 1.
    pub nth: u64,
    /// What happens.
    pub kind: ApiFaultKind,
    /// For `TooManyRequests`: the `Retry-After`.
    #[serde(default)]
    pub retry_after_s: u32,
}

/// Ways in which an API request goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiFaultKind {
    /// 401 `invalid_token`, though the token is good.
    Unauthorized,
    /// 429 with `Retry-After`.
    TooManyRequests,
    /// 500, nothing done.
    ServerError,
    /// Connection closed, nothing done.
    Close,
    /// Done, then the connection closed without an answer.
    CloseAfterActing,
}

/// What was asked of the playground since it started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests by method and route, like `GET /api/people/{id}`.
    pub requests: BTreeMap<String, u64>,
    /// Successful token answers by grant type (`device_code` for the long one).
    pub tokens_issued: BTreeMap<String, u64>,
}

/// From now on a person is taken to press Allow at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoConsent {
    /// Who is signed in.
    pub account: Account,
    /// The boxes left ticked; `None`: all that is asked for.
    pub scopes: Option<Scopes>,
}

/// The part of the playground that tests steer. Not kept.
#[derive(Debug, Default)]
pub(crate) struct Steering {
    pub(crate) faults: Faults,
    pub(crate) api_requests: u64,
    pub(crate) counts: Counts,
    pub(crate) auto_consent: Option<AutoConsent>,
}

impl Steering {
    pub(crate) fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
        self.api_requests = 0;
    }

    pub(crate) fn next_token_fault(&mut self) -> Option<TokenFault> {
        let fault = self.faults.token_endpoint.as_mut().filter(|fault| fault.times > 0)?;
        fault.times -= 1;
        Some(fault.clone())
    }

    pub(crate) fn next_api_fault(&mut self) -> Option<ApiFault> {
        self.api_requests += 1;
        let nth = self.api_requests;
        self.faults.api.iter().find(|fault| fault.nth == nth).cloned()
    }
}

fn once() -> u32 {
    1
}
