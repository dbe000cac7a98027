//! A credential as egress uses it: adds its secret to requests for its own hosts.
//!
//! Must never be printed or leave the process; the engine sees it as an opaque handle.
//! Tests: `tests/connect.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use flowdeck_egress::{Credential, EgressError, Outgoing};
use flowdeck_engine::ports::Clock;
use flowdeck_model::app::{AuthKind, AuthMethod};
use url::Url;
use zeroize::Zeroizing;

use crate::aws::AwsKeys;
use crate::fields::fill;
use crate::hosts::HostRules;
use crate::secret::SecretText;

/// A connection's secret, ready to be sent.
pub(crate) struct Bearer {
    pub(crate) connection: String,
    pub(crate) hosts: HostRules,
    headers: Vec<(String, SecretText)>,
    query: Vec<(String, SecretText)>,
    signer: Option<(AwsKeys, Arc<dyn Clock>)>,
}

impl Bearer {
    /// Makes the headers of `method` from the form and, for OAuth, the access token.
    pub(crate) fn new(
        connection: String,
        hosts: HostRules,
        method: &AuthMethod,
        fields: &BTreeMap<String, String>,
        secrets: &BTreeMap<String, SecretText>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let mut all = fields.clone();
        all.extend(secrets.iter().map(|(k, v)| (k.clone(), v.expose().to_owned())));
        let made = make(method, &all, secrets);
        let (headers, query) = made?;
        let signer = match &method.kind {
            AuthKind::AwsSigV4 { access_key_id, secret_access_key, session_token } => {
                // The session token is optional, and so may have no field.
                let optional = |template: &str| fill(template, &all).unwrap_or_default();
                let keys = AwsKeys {
                    id: fill(access_key_id, &all)?,
                    secret: fill(secret_access_key, &all)?.into(),
                    session: optional(session_token).into(),
                };
                Some((keys, Arc::clone(clock)))
            }
            _ => None,
        };
        all.values_mut().for_each(zeroize::Zeroize::zeroize);
        Ok(Self { connection, hosts, headers, query, signer })
    }
}

type Pairs = Vec<(String, SecretText)>;

fn make(
    method: &AuthMethod,
    all: &BTreeMap<String, String>,
    secrets: &BTreeMap<String, SecretText>,
) -> Result<(Pairs, Pairs), String> {
    let filled = |templates: &indexmap::IndexMap<String, String>| -> Result<Pairs, String> {
        templates.iter().map(|(name, t)| Ok((name.clone(), SecretText::from(fill(t, all)?)))).collect()
    };
    let authorization = |text: String| vec![("authorization".to_owned(), SecretText::from(text))];
    Ok(match &method.kind {
        AuthKind::None | AuthKind::AwsSigV4 { .. } => (vec![], vec![]),
        AuthKind::Headers { headers, query } => (filled(headers)?, filled(query)?),
        AuthKind::Basic { username, password } => {
            let pair = Zeroizing::new(format!("{}:{}", fill(username, all)?, *Zeroizing::new(fill(password, all)?)));
            let text = base64::engine::general_purpose::STANDARD.encode(pair.as_bytes());
            (authorization(format!("Basic {text}")), vec![])
        }
        AuthKind::OAuth2(_) => {
            let token = secrets.get("oauth.access").ok_or("its access token is missing")?;
            (authorization(format!("Bearer {}", token.expose())), vec![])
        }
    })
}

impl Credential for Bearer {
    fn covers(&self, url: &Url) -> bool {
        self.hosts.cover(url)
    }

    fn apply(&self, request: &mut Outgoing) -> Result<(), EgressError> {
        for (name, value) in &self.headers {
            request.set_header(name, value.expose())?;
        }
        for (name, value) in &self.query {
            request.set_query(name, value.expose());
        }
        if let Some((keys, clock)) = &self.signer {
            let now = clock.now().to_iso();
            // 2026-01-31T09:30:00.000Z as AWS writes it: 20260131T093000Z.
            let now: String = now.split('.').next().unwrap_or_default().replace(['-', ':'], "") + "Z";
            for (name, value) in keys.sign(request.method(), request.url(), request.body(), &now) {
                request.set_header(name, value.expose())?;
            }
        }
        Ok(())
    }

    fn connection(&self) -> &str {
        &self.connection
    }
}
