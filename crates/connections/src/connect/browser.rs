//! Authorization code with PKCE (RFC 6749 4.1, 7636, 8252): out to the browser, and its answer back.
//!
//! Must never call the token endpoint before the attempt's state is used up, nor for an answer that came elsewhere.
//! Tests: `tests/connect.rs`, `tests/hostile.rs`.

use std::collections::BTreeMap;

use flowdeck_engine::ports::Space;
use flowdeck_model::AttemptId;
use flowdeck_model::app::{AppAuth, OAuth2, RedirectPolicy};
use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use url::{Url, form_urlencoded};

use crate::api::Attempt;
use crate::error::ConnectError;
use crate::hosts::is_loopback;
use crate::protocol::{read_tokens, short};
use crate::random::token;
use crate::record::{AttemptRecord, Phase, digest, encode, key};
use crate::registry::{Inner, Registry, Secrets, method_of, oauth_of, plain};

const PARAMETERS_MAX: usize = 64;

/// What came back: the path it came to, where that is known, and its parameters.
struct Answer {
    path: Option<String>,
    values: BTreeMap<String, String>,
}

impl Registry {
    pub(super) async fn begin_browser(
        &self,
        auth: &AppAuth,
        oauth: &OAuth2,
        client_id: &str,
        mut attempt: AttemptRecord,
        mut kept: Secrets,
        redirect: Option<String>,
    ) -> Result<Attempt, ConnectError> {
        let inner = &self.inner;
        let wrong = |why: &str| ConnectError::Declaration { app: auth.app.clone(), why: why.to_owned() };
        let redirect = inner.checked_redirect(auth, oauth.redirect, redirect)?;
        let template = oauth.authorize_url.as_deref().ok_or_else(|| wrong("no authorization endpoint"))?;
        let mut url = Url::parse(&inner.filled(auth, template, &plain(&attempt.fields))?)
            .map_err(|_| wrong("the authorization endpoint is no URL"))?;
        let state = token(&*inner.parts.random);
        let verifier = PkceCodeVerifier::new(token(&*inner.parts.random));
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("response_type", "code").append_pair("client_id", client_id);
            query.append_pair("redirect_uri", &redirect);
            query.append_pair("scope", &attempt.requested.join(&oauth.scope_separator)).append_pair("state", &state);
            if !oauth.no_pkce {
                let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
                query.append_pair("code_challenge", challenge.as_str()).append_pair("code_challenge_method", "S256");
            }
            for (name, value) in &oauth.authorize_params {
                query.append_pair(name, value);
            }
        }
        kept.insert("attempt.verifier".into(), verifier.secret().as_str().into());
        kept.insert("attempt.state".into(), state.as_str().into());
        kept.insert("attempt.url".into(), url.as_str().into());
        let hash = hex::encode(digest(&state));
        attempt.state_hash = Some(hash.clone());
        attempt.redirect_uri = Some(redirect);
        attempt.sealed = inner.seal("attempt", attempt.id.to_bytes(), 0, &kept);
        let mut change = inner.change();
        change.delta.put(Space::Attempts, key("a", &attempt.id.to_bytes()), encode(&attempt));
        change.delta.put(Space::Attempts, key("s", hash.as_bytes()), encode(&attempt.id));
        inner.parts.store.commit(change.delta).await?;
        inner.shown(attempt).await
    }

    /// The browser's answer: a path with its query, or the whole URL. Of a bare query the path cannot be checked, so
    /// whoever listens passes the path along: it says for which app the answer is meant (RFC 9700 4.4.2.2).
    ///
    /// # Errors
    /// [`ConnectError::UnknownState`] for a replay or a foreign answer; [`ConnectError::AttemptOver`];
    /// [`ConnectError::WrongIssuer`].
    pub async fn callback(&self, query: &str) -> Result<Attempt, ConnectError> {
        let answer = Answer::read(query);
        let hash = hex::encode(digest(answer.values.get("state").ok_or(ConnectError::UnknownState)?));
        let id: Option<AttemptId> = self.inner.read(Space::Attempts, &key("s", hash.as_bytes())).await?;
        self.answered(id.ok_or(ConnectError::UnknownState)?, answer).await
    }

    /// What a person pasted: the whole URL they were sent to, its query, or the code in it.
    ///
    /// # Errors
    /// As [`Self::callback`]; [`ConnectError::WrongPaste`] where the attempt goes on.
    pub async fn paste(&self, attempt: AttemptId, text: &str) -> Result<Attempt, ConnectError> {
        let text = text.trim().trim_matches(['"', '\'', '<', '>', '`']);
        let answer = if text.contains('=') && (text.contains('?') || text.contains("code=") || text.contains("error="))
        {
            Answer::read(text)
        } else {
            Answer { path: None, values: BTreeMap::from([("code".to_owned(), text.to_owned())]) }
        };
        let record = self.inner.attempt_record(attempt).await?;
        if record.state_hash.is_none() {
            return Err(ConnectError::UnknownState);
        }
        self.inner.still_pending(&record)?;
        let state = answer.values.get("state").map(|s| hex::encode(digest(s)));
        if state.is_some() && state != record.state_hash {
            return Err(ConnectError::WrongPaste);
        }
        match self.answered(attempt, answer).await {
            Err(ConnectError::UnknownState) => Err(ConnectError::WrongPaste),
            answered => answered,
        }
    }

    async fn answered(&self, id: AttemptId, answer: Answer) -> Result<Attempt, ConnectError> {
        let this = self.clone();
        // The code works once: the exchange goes on when the caller goes away.
        let work = self.inner.errands.run(async move { Box::pin(this.exchange(id, answer)).await });
        work.await.unwrap_or(Err(ConnectError::AttemptOver { why: "the exchange stopped" }))
    }

    async fn exchange(&self, id: AttemptId, answer: Answer) -> Result<Attempt, ConnectError> {
        let inner = &self.inner;
        let lock = inner.flight(id.to_bytes());
        let _flight = lock.lock().await;
        let mut attempt = inner.attempt_record(id).await?;
        inner.still_pending(&attempt)?;
        let redirect = attempt.redirect_uri.clone().ok_or(ConnectError::UnknownState)?;
        if answer.path.is_some() && answer.path != path_of(&redirect) {
            return Err(ConnectError::UnknownState);
        }
        let auth = inner.auth(&attempt.app)?;
        let method = method_of(&auth, &attempt.method)?;
        let oauth = oauth_of(method).ok_or(ConnectError::UnknownState)?;
        let fields = plain(&attempt.fields);
        let mut kept = inner.unseal("attempt", attempt.id.to_bytes(), 0, &attempt.sealed)?;
        let before = encode(&attempt);
        attempt.phase = Phase::Consumed;
        attempt.sealed.clear();
        let mut change = inner.change();
        change.delta.expect_equals(Space::Attempts, key("a", &id.to_bytes()), before);
        change.delta.put(Space::Attempts, key("a", &id.to_bytes()), encode(&attempt));
        if let Some(hash) = &attempt.state_hash {
            change.delta.delete(Space::Attempts, key("s", hash.as_bytes()));
        }
        inner.parts.store.commit(change.delta).await?;
        if let Some(iss) = answer.values.get("iss")
            && let Some(expected) = inner.other_issuer(&auth, oauth, &fields, iss)?
        {
            let why = format!("the answer names the issuer `{}`, but `{expected}` was asked", short(iss));
            self.fail(attempt, "refused", &why).await?;
            return Err(ConnectError::WrongIssuer { expected, got: short(iss) });
        }
        if let Some(error) = answer.values.get("error") {
            let detail = answer.values.get("error_description").map(|d| format!(": {}", short(d))).unwrap_or_default();
            if error == "access_denied" {
                return self.fail(attempt, "declined", &format!("it was declined (access_denied{detail})")).await;
            }
            return self.fail(attempt, "refused", &format!("the provider answered `{}`{detail}", short(error))).await;
        }
        let Some(code) = answer.values.get("code").filter(|c| !c.is_empty()) else {
            return self.fail(attempt, "provider", "the provider's answer has no code").await;
        };
        kept.insert("attempt.code".into(), code.as_str().into());
        let client = inner.client(&auth, oauth, &fields, &kept)?;
        let url = inner.filled(&auth, &oauth.token_url, &fields)?;
        let mut params =
            vec![("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", redirect.as_str())];
        if let Some(verifier) = kept.get("attempt.verifier").filter(|_| !oauth.no_pkce) {
            params.push(("code_verifier", verifier.expose()));
        }
        let called = match client.post(&url, &params).await {
            Ok(raw) => read_tokens(&raw, oauth),
            Err(e) => Err((&e).into()),
        };
        drop(params);
        self.tokens(attempt, kept, called).await
    }
}

impl Inner {
    /// The issuer that was asked, where `iss` is another one (RFC 9207 2.4). An app that declares none must at least
    /// have been answered by the server that will be asked for the token. An answer without `iss` passes: many
    /// providers send none, and the path of the redirect URI already tells apps apart.
    fn other_issuer(
        &self,
        auth: &AppAuth,
        oauth: &OAuth2,
        fields: &BTreeMap<String, String>,
        iss: &str,
    ) -> Result<Option<String>, ConnectError> {
        if let Some(template) = &oauth.issuer {
            let expected = self.filled(auth, template, fields)?;
            return Ok((*iss != expected).then_some(expected));
        }
        let asked = Url::parse(&self.filled(auth, &oauth.token_url, fields)?).ok();
        let same = Url::parse(iss).ok().zip(asked.as_ref()).is_some_and(|(a, b)| a.origin() == b.origin());
        Ok((!same).then(|| asked.map(|u| u.origin().ascii_serialization()).unwrap_or_default()))
    }

    fn checked_redirect(
        &self,
        auth: &AppAuth,
        policy: RedirectPolicy,
        given: Option<String>,
    ) -> Result<String, ConnectError> {
        let ours = self.redirect_uri(&auth.app);
        let Some(uri) = given.filter(|g| *g != ours) else { return Ok(ours) };
        let why = match (Url::parse(&uri), policy) {
            (Ok(url), RedirectPolicy::AnyPort) if is_native(&url) => return Ok(uri),
            (Ok(_), RedirectPolicy::AnyPort) => {
                "it must be plain http on this machine's loopback address, without user, query or fragment".to_owned()
            }
            (Ok(_), RedirectPolicy::Registered) => format!("the app takes only the registered one, {ours}"),
            (Err(_), _) => "it is not a URL".to_owned(),
        };
        Err(ConnectError::Redirect { uri, why })
    }
}

/// RFC 8252 7.3: plain http on loopback; RFC 6749 3.1.2: no fragment.
fn is_native(url: &Url) -> bool {
    let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    url.scheme() == "http" && is_loopback(url) && bare && url.fragment().is_none()
}

fn path_of(uri: &str) -> Option<String> {
    Url::parse(uri).ok().map(|u| u.path().to_owned())
}

impl Answer {
    fn read(text: &str) -> Self {
        let (before, query) = text.split_once('?').unwrap_or(("", text));
        let query = query.split_once('#').map_or(query, |(query, _)| query);
        let path = match before {
            "" => None,
            // Whatever stands before the query counts as the address: what cannot be read matches none.
            _ if before.starts_with('/') => Some(before.to_owned()),
            _ => Some(path_of(before).unwrap_or_default()),
        };
        // The first of a repeated parameter counts; a later one cannot replace it.
        let pairs = form_urlencoded::parse(query.as_bytes()).take(PARAMETERS_MAX);
        let values = pairs.fold(BTreeMap::new(), |mut map, (k, v)| {
            map.entry(k.into_owned()).or_insert_with(|| v.into_owned());
            map
        });
        Self { path, values }
    }
}
