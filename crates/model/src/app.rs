//! How an app authorizes, as data: methods, their forms, endpoints and rules.
//!
//! Must never know how a token is fetched; the connections crate does.
//! Tests: the app-file harness in `crates/apps`.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::names::AppName;

/// What the connection registry needs to know of an app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppAuth {
    /// The app.
    pub app: AppName,
    /// The name on screens.
    pub title: String,
    /// Version of the app file; kept with each connection.
    pub version: String,
    /// Ways to authorize, the recommended one first. Empty: the app needs no connection.
    pub methods: Vec<AuthMethod>,
    /// Scope names with a sentence each.
    #[serde(default)]
    pub scopes: IndexMap<String, String>,
    /// Scopes asked for unless the person chooses others.
    #[serde(default)]
    pub default_scopes: Vec<String>,
    /// Hosts a credential may travel to; `{domain}`-style placeholders are filled from the connection's fields.
    pub hosts: Vec<String>,
    /// Whether the hosts may be loopback or private addresses.
    #[serde(default)]
    pub private_hosts: bool,
    /// How to find out whose account it is, and that the credential works.
    #[serde(default)]
    pub probe: Option<Probe>,
    /// Which answers mean that the credential or its scopes are at fault.
    #[serde(default)]
    pub auth_errors: AuthErrors,
    /// "Need help?": steps as Markdown; `{redirect_uri}` and `{scopes}` are filled in.
    #[serde(default)]
    pub help: String,
}

/// One way to authorize.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuthMethod {
    /// Key, unique in the app: `oauth`, `api_token`.
    pub key: String,
    /// The name on screens.
    pub title: String,
    /// The form, besides the nickname.
    pub fields: Vec<AuthField>,
    /// How it works.
    pub kind: AuthKind,
    /// Steps for this method as Markdown; the app's help where empty.
    #[serde(default)]
    pub help: String,
}

/// A field of a connect form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuthField {
    /// Key used in placeholders: `domain`, `client_id`.
    pub key: String,
    /// The label.
    pub title: String,
    /// Where to find it.
    #[serde(default)]
    pub help: String,
    /// Never shown, echoed, logged or returned.
    #[serde(default)]
    pub secret: bool,
    /// May stay empty.
    #[serde(default)]
    pub optional: bool,
    /// An example.
    #[serde(default)]
    pub example: String,
    /// Value when left empty.
    #[serde(default)]
    pub default: Option<String>,
    /// How the input is tidied and checked.
    #[serde(default)]
    pub shape: FieldShape,
}

/// How a form field is tidied and checked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldShape {
    /// Trimmed text.
    #[default]
    Text,
    /// A host name pasted in any form (`https://acme-admin.okta.com/admin` becomes `acme.okta.com`): scheme, path and
    /// the listed label suffixes go; `http://localhost:PORT` stays only where the operator allows it.
    Domain {
        /// Suffixes removed from the first label, as `-admin`.
        strip_suffixes: Vec<String>,
    },
    /// An http(s) URL.
    Url,
    /// One of these.
    Choice(Vec<String>),
}

/// The kind of authorization. Texts are templates over the form's fields: `https://{domain}/oauth2/v1/token`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthKind {
    /// Nothing is sent.
    None,
    /// Headers (and query parameters) made from the form: `Authorization: SSWS {api_token}`.
    Headers {
        /// Header name to template.
        headers: IndexMap<String, String>,
        /// Query parameter name to template.
        #[serde(default)]
        query: IndexMap<String, String>,
    },
    /// HTTP Basic (RFC 7617).
    Basic {
        /// Template of the user name.
        username: String,
        /// Template of the password.
        password: String,
    },
    /// AWS Signature Version 4. Service and region are those of the host, `lambda.us-east-1.amazonaws.com`.
    #[serde(rename = "aws_sig_v4")]
    AwsSigV4 {
        /// Template of the access key's id.
        access_key_id: String,
        /// Template of the secret access key.
        secret_access_key: String,
        /// Template of the session token, which may come out empty.
        #[serde(default)]
        session_token: String,
    },
    /// OAuth 2.0.
    #[serde(rename = "oauth2")]
    OAuth2(Box<OAuth2>),
}

/// OAuth 2.0 settings of an app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OAuth2 {
    /// Grants the app supports, the preferred first.
    pub grants: Vec<OAuthGrant>,
    /// Authorization endpoint.
    #[serde(default)]
    pub authorize_url: Option<String>,
    /// Token endpoint.
    pub token_url: String,
    /// Device authorization endpoint (RFC 8628).
    #[serde(default)]
    pub device_url: Option<String>,
    /// Revocation endpoint (RFC 7009).
    #[serde(default)]
    pub revoke_url: Option<String>,
    /// Expected issuer (RFC 9207); checked where given.
    #[serde(default)]
    pub issuer: Option<String>,
    /// A client id that comes with the app (public client); else the form has `client_id`.
    #[serde(default)]
    pub client_id: Option<String>,
    /// How the client authenticates at the token endpoint.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// Whether any loopback port will do as redirect URI (RFC 8252), or only the registered one.
    #[serde(default)]
    pub redirect: RedirectPolicy,
    /// Between scopes in a request; a space unless the provider differs.
    #[serde(default = "space")]
    pub scope_separator: String,
    /// Scopes always asked for besides the chosen ones (`offline_access`, `openid`).
    #[serde(default)]
    pub always_scopes: Vec<String>,
    /// Further parameters of the authorization request.
    #[serde(default)]
    pub authorize_params: IndexMap<String, String>,
    /// Further parameters of token requests, as `audience`; templates over the form's fields.
    #[serde(default)]
    pub token_params: IndexMap<String, String>,
    /// What happens to a refresh token when it is used.
    #[serde(default)]
    pub rotation: Rotation,
    /// Whether PKCE must be left out (the provider refuses it). Never set for new apps.
    #[serde(default)]
    pub no_pkce: bool,
}

fn space() -> String {
    " ".into()
}

/// An OAuth 2.0 grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OAuthGrant {
    /// Authorization code with PKCE (RFC 6749, 7636).
    AuthorizationCode,
    /// Device authorization (RFC 8628).
    Device,
    /// Client credentials (RFC 6749 4.4).
    ClientCredentials,
}

/// How a client authenticates at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// HTTP Basic.
    #[default]
    Basic,
    /// In the body.
    Body,
    /// A public client.
    None,
}

/// Which redirect URIs the provider takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedirectPolicy {
    /// Only the registered one, compared exactly: a fixed port.
    #[default]
    Registered,
    /// Any loopback port (RFC 8252 7.3).
    AnyPort,
}

/// What happens to a refresh token when it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// It stays the same.
    #[default]
    Static,
    /// A new one comes; the old one stays valid.
    OldValid,
    /// A new one comes; the old one still works for some seconds.
    SingleUse {
        /// How long, in seconds; 0 for not at all.
        grace_s: u32,
    },
}

/// A harmless request that proves a credential and names the account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// URL template, GET unless `post`.
    pub url: String,
    /// Whether it is asked with POST, without a body.
    #[serde(default)]
    pub post: bool,
    /// JSON pointer to a value that is `true` where the credential works, for apps that answer 200 to everything.
    #[serde(default)]
    pub ok: Option<String>,
    /// JSON pointers tried in order for the account's stable id.
    pub subject: Vec<String>,
    /// JSON pointers tried in order for the account's readable name.
    pub label: Vec<String>,
    /// Scopes the probe itself needs; always asked for with OAuth.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// Which answers of the API mean that the credential or its scopes are at fault.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AuthErrors {
    /// Body codes (JSON pointer and values) that mean a dead or stale credential, whatever the status.
    #[serde(default)]
    pub unauthorized: Vec<BodyRule>,
    /// Body codes that mean a missing scope.
    #[serde(default)]
    pub scope: Vec<BodyRule>,
}

/// A rule over an error body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BodyRule {
    /// Only for this status, where given.
    #[serde(default)]
    pub status: Option<u16>,
    /// JSON pointer into the body.
    pub pointer: String,
    /// Values that match (exact text).
    pub values: Vec<String>,
}

/// Finds apps' auth declarations.
pub trait AppDirectory: Send + Sync {
    /// The auth declaration of an app.
    fn auth(&self, app: &AppName) -> Option<Arc<AppAuth>>;
    /// All apps that can be connected, in a stable order.
    fn auths(&self) -> Vec<Arc<AppAuth>>;
}
