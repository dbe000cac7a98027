//! What is asked of a person who connects: out of a prompt, or out of an app's own declaration.
//!
//! Must never hold a secret.
//! Tests: `crates/cli/src/screen/golden.rs`.

use flowdeck::model::app::{AppAuth, AuthKind, OAuthGrant, RedirectPolicy};
use flowdeck::model::connect::{ConnectionView, PromptMethod, PromptReason, PromptView};
use flowdeck::model::{AppName, ConnectionId, Nickname, PromptId};
use indexmap::IndexMap;

/// A question about one connection.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// The app.
    pub(crate) app: AppName,
    /// Its name on screens.
    pub(crate) title: String,
    /// What is needed, by which card, why.
    pub(crate) message: String,
    /// Runs that wait.
    pub(crate) waiting: u64,
    /// Scopes it will ask for.
    pub(crate) scopes: Vec<String>,
    /// A sentence for each scope the app knows.
    pub(crate) scope_words: IndexMap<String, String>,
    /// The suggested nickname.
    pub(crate) nickname: Nickname,
    /// Ways to connect.
    pub(crate) methods: Vec<PromptMethod>,
    /// Connections that could be used instead.
    pub(crate) others: Vec<ConnectionView>,
    /// The prompt, where there is one.
    pub(crate) prompt: Option<PromptId>,
    /// The connection to repair or widen.
    pub(crate) connection: Option<ConnectionId>,
    /// Whether only the choice among existing connections is open.
    pub(crate) choose: bool,
}

impl Ask {
    /// Out of a prompt.
    pub(crate) fn of_prompt(view: &PromptView, auth: Option<&AppAuth>) -> Self {
        Self {
            app: view.app.clone(),
            title: view.app_title.clone(),
            message: view.message.clone(),
            waiting: view.waiting,
            scopes: view.scopes.clone(),
            scope_words: auth.map(|a| a.scopes.clone()).unwrap_or_default(),
            nickname: view.nickname.clone(),
            methods: view.methods.clone(),
            others: view.others.clone(),
            prompt: Some(view.id),
            connection: view.connection,
            choose: view.reason == PromptReason::Choose,
        }
    }

    /// Out of an app's declaration, for a new connection or the repair of `existing`.
    pub(crate) fn of_app(
        auth: &AppAuth,
        nickname: Nickname,
        existing: Option<&ConnectionView>,
        redirect: &str,
    ) -> Self {
        let mut scopes = auth.default_scopes.clone();
        for scope in existing.iter().flat_map(|c| c.granted.iter().flatten().chain(&c.requested)) {
            if auth.scopes.contains_key(scope) && !scopes.contains(scope) {
                scopes.push(scope.clone());
            }
        }
        let message = match existing {
            Some(c) => format!("Authorizes the connection \u{201c}{}\u{201d} again.", c.nickname),
            None => format!("A new connection to {}, for every flow that wants one.", auth.title),
        };
        let methods = auth.methods.iter().map(|m| {
            let oauth = match &m.kind {
                AuthKind::OAuth2(oauth) => Some(oauth),
                AuthKind::None | AuthKind::Headers { .. } | AuthKind::Basic { .. } | AuthKind::AwsSigV4 { .. } => None,
            };
            let offers = |grant| oauth.is_some_and(|o| o.grants.contains(&grant));
            let registered = oauth.is_some_and(|o| o.redirect == RedirectPolicy::Registered);
            let help = if m.help.is_empty() { &auth.help } else { &m.help };
            PromptMethod {
                key: m.key.clone(),
                title: m.title.clone(),
                fields: m.fields.clone(),
                known: existing.filter(|c| c.method == m.key).map(|c| c.fields.clone()).unwrap_or_default(),
                help: help.replace("{redirect_uri}", redirect).replace("{scopes}", &scopes.join(" ")),
                redirect_uri: (registered && offers(OAuthGrant::AuthorizationCode)).then(|| redirect.to_owned()),
                browser: offers(OAuthGrant::AuthorizationCode),
                device: offers(OAuthGrant::Device),
            }
        });
        Self {
            app: auth.app.clone(),
            title: auth.title.clone(),
            message,
            waiting: 0,
            scope_words: auth.scopes.clone(),
            nickname,
            methods: methods.collect(),
            others: Vec::new(),
            prompt: None,
            connection: existing.map(|c| c.id),
            choose: false,
            scopes,
        }
    }

    /// The method with this key, or the first.
    pub(crate) fn method(&self, key: Option<&str>) -> Option<&PromptMethod> {
        match key {
            Some(key) => self.methods.iter().find(|m| m.key == key),
            None => self.methods.first(),
        }
    }
}
