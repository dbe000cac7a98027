//! Prompts as people see them: the sentence, the scopes, the ways to answer.
//!
//! Must never hold a secret: forms carry keys and values that are not secret.
//! Tests: `tests/prompts.rs`.

use std::collections::BTreeSet;

use flowdeck_engine::ports::StoreError;
use flowdeck_model::Nickname;
use flowdeck_model::app::{AppAuth, AuthKind, OAuthGrant, RedirectPolicy};
use flowdeck_model::connect::{Need, PromptMethod, PromptReason, PromptView};

use super::free_nickname;
use crate::authorize::missing;
use crate::protocol::union;
use crate::record::{ConnectionRecord, Member, PromptHead};
use crate::registry::{Inner, con_key, oauth_of, slot_key, view};

impl Inner {
    /// A prompt as people see it; `asking` are needs that it would serve too, though nothing waits yet.
    pub(crate) async fn prompt_view(&self, head: &PromptHead, asking: &[Need]) -> Result<PromptView, StoreError> {
        let mut members = self.members(head.id).await?;
        members.extend(asking.iter().map(|need| Member::new(need, head.deadline)));
        let record = match head.connection {
            Some(id) => self.record(id).await?,
            None => None,
        };
        let records = self.records(Some(&head.app)).await?;
        let auth = self.parts.apps.auth(&head.app);
        let needed: Vec<Vec<String>> = members.iter().map(|m| m.scopes.clone()).collect();
        let granted = record.as_ref().and_then(|r| r.granted.clone());
        let usual = auth.as_ref().map(|a| a.default_scopes.clone()).filter(|_| record.is_none());
        let awaited = match head.connection {
            Some(id) => self.awaited_scopes(id).await?,
            None => Vec::new(),
        };
        let lists = granted.iter().chain(usual.iter()).chain(needed.iter()).chain([&awaited]);
        let scopes = union(lists.map(Vec::as_slice));
        let title = auth.as_ref().map_or_else(|| head.app.to_string(), |a| a.title.clone());
        let taken = |name: &Nickname| records.iter().any(|r| r.nickname == *name);
        let nickname = head.nickname.clone().unwrap_or_else(|| free_nickname(head.app.as_str(), taken));
        let cards: BTreeSet<String> = members.iter().map(|m| m.card.clone()).collect();
        let message = match (head.reason, record.as_ref()) {
            (PromptReason::Scope, Some(record)) => widen(&title, record, &members),
            _ => sentence(head, &title, &nickname, &cards, record.as_ref()),
        };
        let (state, deadline) = self.prompt_state(head).await?;
        let slots: BTreeSet<_> = members.iter().map(|m| (m.flow.clone(), m.slot.clone())).collect();
        let waiting = match head.connection {
            Some(id) => vec![con_key(id)],
            None => slots.iter().map(|(flow, slot)| slot_key(&head.app, flow, slot)).collect(),
        };
        let waiting = self.waiting(waiting).await?;
        Ok(PromptView {
            id: head.id,
            state,
            app: head.app.clone(),
            app_title: title.clone(),
            reason: head.reason,
            message,
            slots: slots.into_iter().collect(),
            cards: cards.into_iter().collect(),
            nickname,
            connection: head.connection,
            methods: auth.map(|a| self.prompt_methods(&a, record.as_ref(), &scopes)).unwrap_or_default(),
            scopes,
            others: records.iter().filter(|r| Some(r.id) != head.connection).map(view).collect(),
            waiting,
            created_at: head.created_at,
            deadline,
        })
    }

    fn prompt_methods(
        &self,
        auth: &AppAuth,
        record: Option<&ConnectionRecord>,
        scopes: &[String],
    ) -> Vec<PromptMethod> {
        let redirect = self.redirect_uri(&auth.app);
        let mut methods: Vec<_> = auth.methods.iter().collect();
        // The way that the connection was made stands first.
        methods.sort_by_key(|method| record.is_some_and(|r| r.method != method.key));
        methods
            .into_iter()
            .map(|method| {
                let oauth = oauth_of(method);
                let offers = |grant| oauth.is_some_and(|o| o.grants.contains(&grant));
                let help = if method.help.is_empty() { &auth.help } else { &method.help };
                let registered = oauth.is_some_and(|o| o.redirect == RedirectPolicy::Registered);
                PromptMethod {
                    key: method.key.clone(),
                    title: method.title.clone(),
                    fields: method.fields.clone(),
                    known: record.filter(|r| r.method == method.key).map(|r| r.fields.clone()).unwrap_or_default(),
                    help: help.replace("{redirect_uri}", &redirect).replace("{scopes}", &scopes.join(" ")),
                    redirect_uri: (registered && offers(OAuthGrant::AuthorizationCode)).then(|| redirect.clone()),
                    browser: matches!(method.kind, AuthKind::OAuth2(_)) && offers(OAuthGrant::AuthorizationCode),
                    device: offers(OAuthGrant::Device),
                }
            })
            .collect()
    }
}

/// Who asks, and the verb that fits.
fn who(cards: &BTreeSet<String>) -> (String, &'static str) {
    let first = cards.iter().next().map_or("", String::as_str);
    match cards.len() {
        0 => ("A flow".to_owned(), "needs"),
        1 => (format!("\u{201c}{first}\u{201d}"), "needs"),
        2 => (format!("\u{201c}{first}\u{201d} and 1 more card"), "need"),
        n => (format!("\u{201c}{first}\u{201d} and {} more cards", n - 1), "need"),
    }
}

fn as_account(record: Option<&ConnectionRecord>) -> String {
    record.and_then(|r| r.account.as_deref()).map(|a| format!(" as {a}")).unwrap_or_default()
}

/// What a connection lacks, and the cards that lack it; others go on.
fn widen(title: &str, record: &ConnectionRecord, members: &[Member]) -> String {
    let mut lacking: Vec<&Member> = members.iter().filter(|m| !missing(record, &m.scopes).is_empty()).collect();
    if lacking.is_empty() {
        lacking = members.iter().collect();
    }
    let cards = lacking.iter().map(|m| m.card.clone()).collect();
    let lists: Vec<Vec<String>> = lacking.iter().map(|m| missing(record, &m.scopes)).collect();
    let mut rights = union(lists.iter().map(Vec::as_slice));
    if rights.is_empty() {
        // They were granted meanwhile: what was asked for stays readable.
        rights = union(lacking.iter().map(|m| m.scopes.as_slice()));
    }
    let (who, needs) = who(&cards);
    format!(
        "{who} {needs} more rights on the {title} connection \u{201c}{}\u{201d}: {}. Grant them{} to go on.",
        record.nickname,
        rights.join(", "),
        as_account(Some(record))
    )
}

fn sentence(
    head: &PromptHead,
    title: &str,
    nickname: &Nickname,
    cards: &BTreeSet<String>,
    record: Option<&ConnectionRecord>,
) -> String {
    let (who, needs) = who(cards);
    let why = if head.detail.is_empty() { String::new() } else { format!(" ({})", head.detail) };
    let account = as_account(record);
    match head.reason {
        PromptReason::Missing => {
            let named =
                head.nickname.as_ref().map(|n| format!(", \u{201c}{n}\u{201d} in the flow")).unwrap_or_default();
            format!("{who} {needs} a connection to {title}{named}{why}. Connect one to go on.")
        }
        PromptReason::Choose => format!("{who} {needs} a connection to {title}{why}. Choose which one to use."),
        PromptReason::Lost => format!(
            "{who} lost the {title} connection \u{201c}{nickname}\u{201d}{why}. Sign in again{account} to go on."
        ),
        PromptReason::Scope => format!(
            "{who} {needs} more rights on the {title} connection \u{201c}{nickname}\u{201d}. Grant them{account} to go on."
        ),
        PromptReason::Setup => format!(
            "{title} no longer accepts the app registration of \u{201c}{nickname}\u{201d}{why}. Check its client id and secret, then connect again."
        ),
    }
}
