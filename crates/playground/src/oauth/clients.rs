//! Which client is calling, and registering new ones (RFC 7591).
//!
//! Must never treat a client with a secret as known before the secret was checked.
//! Tests: `tests/walk/`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::form::{Form, OauthRefusal};
use crate::app::App;
use crate::grants::{Client, ClientKind, TokenRefusal, registrable_redirect};
use crate::limits;
use crate::secret::Digest;

fn decoded(text: &str) -> String {
    // RFC 6749 section 2.3.1: both halves are form-encoded before they are joined.
    Form::read(format!("v={text}").as_bytes()).get("v").unwrap_or_default().to_owned()
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let pair = STANDARD.decode(token.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let pair = String::from_utf8(pair).ok()?;
    pair.split_once(':').map(|(id, secret)| (decoded(id), decoded(secret)))
}

impl App {
    /// Authenticates the client of a token request: a public one by name, a confidential one by its secret.
    pub(super) fn client_of(&self, headers: &HeaderMap, form: &Form) -> Result<Client, TokenRefusal> {
        if form.repeats_any() {
            return Err(TokenRefusal::InvalidRequest("a parameter was sent twice"));
        }
        let in_body = form.get("client_id").map(str::to_owned);
        let (id, secret) = match basic(headers) {
            Some((id, _)) if in_body.as_ref().is_some_and(|other| *other != id) => {
                return Err(TokenRefusal::InvalidRequest("two different clients were named"));
            }
            Some((id, secret)) => (id, Some(secret).filter(|secret| !secret.is_empty())),
            None => (in_body.ok_or(TokenRefusal::InvalidClient)?, form.get("client_secret").map(str::to_owned)),
        };
        let client = self.keeper.read(|state| state.grants.client(&id).cloned()).ok_or(TokenRefusal::InvalidClient)?;
        let is_known = match (&client.kind, secret) {
            (ClientKind::Public, secret) => secret.is_none(),
            (ClientKind::Confidential { secret: kept }, Some(secret)) => Digest::of(&secret) == *kept,
            (ClientKind::Confidential { .. }, None) => false,
        };
        if is_known { Ok(client) } else { Err(TokenRefusal::InvalidClient) }
    }
}

#[derive(Deserialize)]
pub(super) struct Registration {
    client_name: Option<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: Option<String>,
}

pub(super) async fn register(
    State(app): State<App>,
    Json(asked): Json<Registration>,
) -> Result<Response, OauthRefusal> {
    let method = asked.token_endpoint_auth_method.unwrap_or_else(|| "client_secret_basic".to_owned());
    let is_confidential = match method.as_str() {
        "none" => false,
        "client_secret_basic" | "client_secret_post" => true,
        _ => return Err(TokenRefusal::InvalidRequest("token_endpoint_auth_method is not offered").into()),
    };
    let uris = asked.redirect_uris;
    if uris.len() > limits::REDIRECT_URIS_MAX || !uris.iter().all(|uri| registrable_redirect(uri)) {
        return Err(
            TokenRefusal::InvalidRequest("redirect_uris must be loopback http or https, without fragment").into()
        );
    }
    let name: String = asked.client_name.unwrap_or_else(|| "An application".to_owned());
    let name = name.chars().filter(|letter| !letter.is_control()).take(limits::TEXT_CHARS_MAX).collect();
    let (client, secret) = app.keeper.change(|state| state.grants.register(name, uris, is_confidential)).await??;
    let mut body = json!({
        "client_id": client.id,
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "token_endpoint_auth_method": method,
        "grant_types": if is_confidential {
            json!(["authorization_code", "refresh_token", "client_credentials"])
        } else {
            json!(["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"])
        },
    });
    if let Some(secret) = secret {
        body["client_secret"] = json!(secret.expose());
        body["client_secret_expires_at"] = json!(0);
    }
    Ok((StatusCode::CREATED, Json(body)).into_response())
}
