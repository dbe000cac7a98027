//! What the server says about itself (RFC 8414), and how it proves which data folder it serves.
//!
//! Must never name an endpoint that is not there.
//! Tests: `tests/walk/`.

use axum::Json;
use axum::extract::{RawQuery, State};
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::Form;
use crate::app::App;
use crate::scopes::Scope;

pub(super) async fn metadata(State(app): State<App>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", app.base_url);
    Json(json!({
        "issuer": app.base_url,
        "authorization_endpoint": at("/oauth/authorize"),
        "token_endpoint": at("/oauth/token"),
        "device_authorization_endpoint": at("/oauth/device_authorization"),
        "revocation_endpoint": at("/oauth/revoke"),
        "introspection_endpoint": at("/oauth/introspect"),
        "userinfo_endpoint": at("/oauth/userinfo"),
        "registration_endpoint": at("/oauth/register"),
        "scopes_supported": Scope::ALL.map(Scope::name),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [
            "authorization_code", "refresh_token", "client_credentials",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

/// Only who can read the data folder can make this.
pub(crate) fn instance_proof(instance: &str, challenge: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(instance.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(challenge.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

pub(super) async fn prove(State(app): State<App>, RawQuery(query): RawQuery) -> String {
    let query = Form::read(query.unwrap_or_default().as_bytes());
    app.keeper.read(|state| instance_proof(&state.instance, query.get("challenge").unwrap_or_default()))
}
