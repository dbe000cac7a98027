//! Controls for tests: in process, and over HTTP when `test_controls` is on.
//!
//! Must never be reachable over HTTP otherwise: the routes are not even there.
//! Tests: `tests/walk/`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use crate::accounts::Account;
use crate::app::App;
use crate::faults::{AutoConsent, Counts, Faults};
use crate::grants::{DeviceAnswer, RevokeKind};
use crate::limits;
use crate::scopes::Scopes;

/// A handle on a running playground, for tests in the same process.
#[derive(Clone)]
pub struct Controls(App);

/// The control did not take effect.
#[derive(Debug, thiserror::Error)]
#[error("steer the playground: {0}")]
pub struct ControlsError(String);

impl Controls {
    pub(crate) fn new(app: App) -> Controls {
        Controls(app)
    }

    /// Replaces the faults and counts API requests from 1 again.
    pub fn set_faults(&self, mut faults: Faults) {
        faults.api.truncate(limits::FAULTS_MAX);
        self.0.steering.lock().set_faults(faults);
    }

    /// From now on consent is given at once; `None` ends it.
    pub fn set_consent(&self, consent: Option<AutoConsent>) {
        self.0.steering.lock().auto_consent = consent;
    }

    /// What was asked so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.steering.lock().counts.clone()
    }

    /// Revokes tokens behind the client's back. Answers how many.
    pub async fn revoke(&self, account: Account, kind: RevokeKind) -> Result<u64, ControlsError> {
        let revoke = self.0.keeper.change(|state| state.grants.revoke_account(account, kind));
        revoke.await.map_err(|error| ControlsError(error.to_string()))
    }

    /// Makes an API token for `Authorization: PlayToken`.
    pub async fn api_token(&self, account: Account, name: &str) -> Result<String, ControlsError> {
        let now_ms = self.0.now_ms();
        let name = name.chars().take(limits::TEXT_CHARS_MAX).collect();
        let made = self.0.keeper.change(|state| state.grants.make_api_token(name, account, now_ms)).await;
        let made = made.map_err(|error| ControlsError(error.to_string()))?;
        made.map(|token| token.expose().to_owned()).map_err(|refusal| ControlsError(refusal.description().to_owned()))
    }

    /// Answers a device code: `Some((who, scopes or all asked))` allows, `None` denies.
    pub async fn answer_device(
        &self,
        user_code: &str,
        allow: Option<(Account, Option<Scopes>)>,
    ) -> Result<(), ControlsError> {
        let now_ms = self.0.now_ms();
        let answered = self.0.keeper.change(|state| {
            let asked = state.grants.waiting_device(user_code, now_ms).map(|device| device.scopes.clone());
            let asked = asked.unwrap_or_default();
            let answer = match allow {
                Some((account, scopes)) => {
                    let scopes = scopes.map_or(asked.clone(), |scopes| &scopes & &asked);
                    DeviceAnswer::Allowed { account, scopes }
                }
                None => DeviceAnswer::Denied,
            };
            state.grants.answer_device(user_code, answer, now_ms)
        });
        match answered.await {
            Ok(true) => Ok(()),
            Ok(false) => Err(ControlsError("no device waits for this code".to_owned())),
            Err(error) => Err(ControlsError(error.to_string())),
        }
    }
}

impl std::fmt::Debug for Controls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Controls")
    }
}

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/_test/faults", post(set_faults))
        .route("/_test/revoke", post(revoke))
        .route("/_test/consent", post(set_consent))
        .route("/_test/device", post(answer_device))
        .route("/_test/counts", get(counts))
}

async fn set_faults(State(app): State<App>, Json(faults): Json<Faults>) -> StatusCode {
    Controls(app).set_faults(faults);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Revoke {
    account: Account,
    kind: RevokeKind,
}

async fn revoke(State(app): State<App>, Json(asked): Json<Revoke>) -> Response {
    match Controls(app).revoke(asked.account, asked.kind).await {
        Ok(revoked) => Json(json!({ "revoked": revoked })).into_response(),
        Err(error) => failed(&error),
    }
}

#[derive(Deserialize)]
struct Consent {
    account: Option<Account>,
    scopes: Option<Scopes>,
}

async fn set_consent(State(app): State<App>, Json(asked): Json<Consent>) -> StatusCode {
    let consent = asked.account.map(|account| AutoConsent { account, scopes: asked.scopes });
    Controls(app).set_consent(consent);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Allow,
    Deny,
}

#[derive(Deserialize)]
struct AnswerDevice {
    user_code: String,
    account: Account,
    decision: Decision,
    scopes: Option<Scopes>,
}

async fn answer_device(State(app): State<App>, Json(asked): Json<AnswerDevice>) -> Response {
    let allow = match asked.decision {
        Decision::Allow => Some((asked.account, asked.scopes)),
        Decision::Deny => None,
    };
    match Controls(app).answer_device(&asked.user_code, allow).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => failed(&error),
    }
}

async fn counts(State(app): State<App>) -> Json<Counts> {
    Json(Controls(app).counts())
}

fn failed(error: &ControlsError) -> Response {
    (StatusCode::CONFLICT, Json(json!({ "error": "not_done", "message": error.to_string() }))).into_response()
}
