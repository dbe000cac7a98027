//! Connect prompts: one per app, connection or slot, and reason, however many runs wait.
//!
//! Must never reopen an answered prompt or drop a waiter: see `record::PromptHead` for why its parts are separate.
//! Tests: `tests/connect.rs`.

use std::collections::BTreeSet;

use flowdeck_engine::ports::{Hold, Op, Scan, Space, StoreError, WaitKey};
use flowdeck_model::app::{AppAuth, AuthKind, OAuthGrant, RedirectPolicy};
use flowdeck_model::connect::{Need, PromptMethod, PromptReason, PromptState, PromptView};
use flowdeck_model::{ConnectionId, Millis, Nickname, PromptId};

use crate::api::{BindTarget, ConnectError, PromptFilter};
use crate::protocol::union;
use crate::record::{ConnectionRecord, Member, PromptHead, binding_key, encode, key, member_key, waiter_key};
use crate::registry::{Change, Inner, LIST_MAX, Registry, oauth_of, slot_key, view};

impl Registry {
    /// Prompts, oldest first.
    ///
    /// # Errors
    /// [`ConnectError::Store`].
    pub async fn prompts(&self, filter: &PromptFilter) -> Result<Vec<PromptView>, ConnectError> {
        let mut out = Vec::new();
        for head in self.inner.heads().await? {
            if filter.app.as_ref().is_some_and(|app| *app != head.app) {
                continue;
            }
            let prompt = self.inner.prompt_view(&head, None).await?;
            if filter.state.is_none_or(|state| state == prompt.state) {
                out.push(prompt);
            }
        }
        Ok(out)
    }

    /// One prompt.
    ///
    /// # Errors
    /// [`ConnectError::UnknownPrompt`], [`ConnectError::Store`].
    pub async fn prompt(&self, id: PromptId) -> Result<PromptView, ConnectError> {
        let head = self.inner.head(id).await?;
        Ok(self.inner.prompt_view(&head, None).await?)
    }

    /// Closes a prompt without an answer. What waits goes on waiting until its own deadline or a new prompt.
    ///
    /// # Errors
    /// [`ConnectError::UnknownPrompt`], [`ConnectError::Store`].
    pub async fn close_prompt(&self, id: PromptId) -> Result<PromptView, ConnectError> {
        let head = self.inner.head(id).await?;
        {
            let _write = self.inner.write.lock().await;
            let mut change = self.inner.change();
            self.inner.end_prompt(&mut change, &head, PromptState::Closed).await?;
            self.inner.commit(change).await?;
        }
        self.prompt(id).await
    }

    /// Binds the slots of a prompt, or one slot, to an existing connection.
    ///
    /// # Errors
    /// [`ConnectError::UnknownConnection`], [`ConnectError::WrongApp`], [`ConnectError::PromptOver`].
    pub async fn use_connection(&self, target: BindTarget, connection: ConnectionId) -> Result<(), ConnectError> {
        let _write = self.inner.write.lock().await;
        let record = self.inner.known(connection).await?;
        let mut change = self.inner.change();
        match target {
            BindTarget::Prompt(id) => {
                let head = self.inner.head(id).await?;
                if head.app != record.app {
                    return Err(ConnectError::WrongApp { connection, app: record.app, wanted: head.app });
                }
                if self.inner.prompt_state(&head).await? != PromptState::Open {
                    return Err(ConnectError::PromptOver(id));
                }
                self.inner.answer_prompt(&mut change, &head, &record).await?;
            }
            BindTarget::Slot { flow, slot } => {
                change.delta.put(Space::Bindings, binding_key("b", &record.app, &flow, &slot), encode(&connection));
                change.touched.insert(slot_key(&record.app, &flow, &slot));
            }
        }
        self.inner.audit(&mut change, crate::api::AuditKind::Bind, &record, "");
        Ok(self.inner.commit(change).await?)
    }
}

impl Inner {
    async fn heads(&self) -> Result<Vec<PromptHead>, StoreError> {
        let found = self.parts.store.scan(Scan::prefix(Space::Prompts, *b"p/", LIST_MAX)).await?;
        Ok(found.iter().filter_map(|(_, value)| serde_json::from_slice(value).ok()).collect())
    }

    pub(crate) async fn head(&self, id: PromptId) -> Result<PromptHead, ConnectError> {
        if let Some(head) = self.read(Space::Prompts, &key("p", &id.to_bytes())).await? {
            return Ok(head);
        }
        let drafts = self.drafts.lock();
        drafts.values().find(|head| head.id == id).cloned().ok_or(ConnectError::UnknownPrompt(id))
    }

    pub(crate) async fn prompt_state(&self, head: &PromptHead) -> Result<PromptState, StoreError> {
        let ended: Option<PromptState> = self.read(Space::Prompts, &key("d", &head.id.to_bytes())).await?;
        Ok(match ended {
            Some(state) => state,
            None if head.deadline <= self.now() => PromptState::Closed,
            None => PromptState::Open,
        })
    }

    async fn members(&self, id: PromptId) -> Result<Vec<Member>, StoreError> {
        let found = self.parts.store.scan(Scan::prefix(Space::Prompts, key("m", &id.to_bytes()), LIST_MAX)).await?;
        Ok(found.iter().filter_map(|(_, value)| serde_json::from_slice(value).ok()).collect())
    }

    /// The open prompt of this kind, or a draft that the caller's commit makes real.
    pub(crate) async fn head_for(
        &self,
        need: &Need,
        reason: PromptReason,
        connection: Option<&ConnectionRecord>,
        detail: &str,
    ) -> Result<PromptHead, StoreError> {
        let who = match (connection, &need.nickname) {
            (Some(record), _) => record.id.to_string(),
            (None, Some(nickname)) => format!("nickname:{nickname}"),
            (None, None) => format!("slot:{}:{}", need.flow, need.slot),
        };
        let name = format!("{}/{who}/{reason:?}", need.app);
        if let Some(id) = self.read::<PromptId>(Space::Prompts, &key("k", name.as_bytes())).await?
            && let Ok(head) = self.head(id).await
            && self.prompt_state(&head).await? == PromptState::Open
        {
            return Ok(head);
        }
        let draft = self.drafts.lock().get(&name).cloned();
        if let Some(head) = draft
            && self.prompt_state(&head).await? == PromptState::Open
        {
            return Ok(head);
        }
        let now = self.now();
        let head = PromptHead {
            v: 1,
            id: PromptId::new(now, self.random_id()),
            key: name.clone(),
            app: need.app.clone(),
            reason,
            connection: connection.map(|r| r.id),
            nickname: connection.map(|r| r.nickname.clone()).or_else(|| need.nickname.clone()),
            detail: detail.to_owned(),
            created_at: now,
            deadline: now.plus(self.parts.options.prompt_wait_ms),
        };
        let mut drafts = self.drafts.lock();
        if drafts.len() >= LIST_MAX {
            drafts.clear();
        }
        // Somebody may have drafted the same while we read.
        Ok(match drafts.get(&name) {
            Some(other) if other.deadline > now && other.created_at == now => other.clone(),
            _ => {
                drafts.insert(name, head.clone());
                head
            }
        })
    }

    pub(crate) fn prompt_ops(&self, head: &PromptHead, need: &Need) -> Vec<Op> {
        let member = Member {
            flow: need.flow.clone(),
            slot: need.slot.clone(),
            card: need.card_title.clone(),
            scopes: need.scopes.clone(),
            deadline: head.deadline,
        };
        let put = |key, value| Op::Put { space: Space::Prompts, key, value };
        let mut ops = vec![
            put(key("p", &head.id.to_bytes()), encode(head)),
            put(key("k", head.key.as_bytes()), encode(&head.id)),
            put(
                member_key(head.id, &need.flow, &need.slot, &format!("{}/{}", need.card, need.scopes.join(" "))),
                encode(&member),
            ),
        ];
        if let Some((run, _)) = &need.step {
            ops.push(put(waiter_key(head.id, *run), Vec::new()));
        }
        ops
    }

    pub(crate) async fn hold(
        &self,
        need: &Need,
        reason: PromptReason,
        connection: Option<&ConnectionRecord>,
        detail: &str,
        seen: u64,
        mut ops: Vec<Op>,
    ) -> Result<Hold, StoreError> {
        let head = self.head_for(need, reason, connection, detail).await?;
        ops.extend(self.prompt_ops(&head, need));
        let on = match connection {
            Some(record) => crate::registry::con_key(record.id),
            None => slot_key(&need.app, &need.flow, &need.slot),
        };
        Ok(Hold { on, seen, reason, prompt: head.id, deadline: head.deadline, ops })
    }

    /// Binds every slot of the prompt and ends it.
    pub(crate) async fn answer_prompt(
        &self,
        change: &mut Change,
        head: &PromptHead,
        record: &ConnectionRecord,
    ) -> Result<(), StoreError> {
        for member in self.members(head.id).await? {
            change.delta.put(
                Space::Bindings,
                binding_key("b", &head.app, &member.flow, &member.slot),
                encode(&record.id),
            );
        }
        self.end_prompt(change, head, PromptState::Answered).await
    }

    pub(crate) async fn end_prompt(
        &self,
        change: &mut Change,
        head: &PromptHead,
        state: PromptState,
    ) -> Result<(), StoreError> {
        for member in self.members(head.id).await? {
            change.touched.insert(slot_key(&head.app, &member.flow, &member.slot));
        }
        if let Some(connection) = head.connection {
            change.touched.insert(crate::registry::con_key(connection));
        }
        change.touched.insert(WaitKey(format!("app:{}", head.app)));
        change.delta.put(Space::Prompts, key("p", &head.id.to_bytes()), encode(head));
        change.delta.put(Space::Prompts, key("d", &head.id.to_bytes()), encode(&state));
        change.delta.delete(Space::Prompts, key("k", head.key.as_bytes()));
        self.drafts.lock().remove(&head.key);
        Ok(())
    }

    /// Ends the open prompts that an authorization of `record` answers.
    pub(crate) async fn settle_prompts(
        &self,
        change: &mut Change,
        record: &ConnectionRecord,
        answered: Option<PromptId>,
        is_only: bool,
    ) -> Result<(), StoreError> {
        for head in self.heads().await?.into_iter().filter(|h| h.app == record.app) {
            if self.prompt_state(&head).await? != PromptState::Open || Some(head.id) == answered {
                continue;
            }
            let settled = match (head.reason, head.connection) {
                (PromptReason::Scope, Some(id)) if id == record.id => {
                    let members = self.members(head.id).await?;
                    let granted = record.granted.as_deref();
                    members.iter().flat_map(|m| &m.scopes).all(|s| granted.is_none_or(|g| g.contains(s)))
                }
                (_, Some(id)) => id == record.id,
                (PromptReason::Missing, None) => match &head.nickname {
                    Some(nickname) => *nickname == record.nickname,
                    None => is_only,
                },
                (_, None) => false,
            };
            if settled {
                self.end_prompt(change, &head, PromptState::Answered).await?;
            }
        }
        Ok(())
    }

    /// Scopes that anybody waits for on this connection.
    pub(crate) async fn awaited_scopes(&self, id: ConnectionId) -> Result<Vec<String>, StoreError> {
        let mut lists = Vec::new();
        for head in self.heads().await?.into_iter().filter(|h| h.connection == Some(id)) {
            if self.prompt_state(&head).await? == PromptState::Open {
                lists.extend(self.members(head.id).await?.into_iter().map(|m| m.scopes));
            }
        }
        Ok(union(lists.iter().map(Vec::as_slice)))
    }

    /// A prompt as people see it; `drafted` stands for the members of one that is not stored.
    pub(crate) async fn prompt_view(
        &self,
        head: &PromptHead,
        drafted: Option<&Need>,
    ) -> Result<PromptView, StoreError> {
        let mut members = self.members(head.id).await?;
        members.extend(drafted.map(|need| Member {
            flow: need.flow.clone(),
            slot: need.slot.clone(),
            card: need.card_title.clone(),
            scopes: need.scopes.clone(),
            deadline: head.deadline,
        }));
        let waiters = key("w", &head.id.to_bytes());
        let scan = Scan { keys_only: true, ..Scan::prefix(Space::Prompts, waiters, LIST_MAX) };
        let waiting = self.parts.store.scan(scan).await?.len() as u64;
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
        let cards: BTreeSet<String> = members.iter().map(|m| m.card.clone()).collect();
        let slots: BTreeSet<_> = members.iter().map(|m| (m.flow.clone(), m.slot.clone())).collect();
        let taken = |name: &Nickname| records.iter().any(|r| r.nickname == *name);
        let nickname = head.nickname.clone().unwrap_or_else(|| free_nickname(head.app.as_str(), taken));
        Ok(PromptView {
            id: head.id,
            state: self.prompt_state(head).await?,
            app: head.app.clone(),
            app_title: title.clone(),
            reason: head.reason,
            message: sentence(head, &title, &nickname, &cards, record.as_ref(), &needed),
            slots: slots.into_iter().collect(),
            cards: cards.into_iter().collect(),
            nickname,
            connection: head.connection,
            methods: auth.map(|a| self.prompt_methods(&a, record.as_ref(), &scopes)).unwrap_or_default(),
            scopes,
            others: records.iter().filter(|r| Some(r.id) != head.connection).map(view).collect(),
            waiting,
            created_at: head.created_at,
            deadline: head.deadline,
        })
    }

    fn prompt_methods(
        &self,
        auth: &AppAuth,
        record: Option<&ConnectionRecord>,
        scopes: &[String],
    ) -> Vec<PromptMethod> {
        let redirect = self.redirect_uri(&auth.app);
        auth.methods
            .iter()
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

/// `base`, or `base-2`, `base-3`, … where it is taken.
pub(crate) fn free_nickname(base: &str, taken: impl Fn(&Nickname) -> bool) -> Nickname {
    let base: String = base.chars().take(120).collect();
    let mut names = std::iter::once(base.clone()).chain((2..u32::MAX).map(|n| format!("{base}-{n}")));
    names
        .find_map(|name| Nickname::new(&name).ok().filter(|n| !taken(n)))
        .expect("an app or nickname is a nickname, and fewer connections exist than numbers")
}

fn sentence(
    head: &PromptHead,
    title: &str,
    nickname: &Nickname,
    cards: &BTreeSet<String>,
    record: Option<&ConnectionRecord>,
    needed: &[Vec<String>],
) -> String {
    let who = match cards.len() {
        0 => "A flow".to_owned(),
        1 => format!("\u{201c}{}\u{201d}", cards.iter().next().map_or("", String::as_str)),
        n => format!("\u{201c}{}\u{201d} and {} more cards", cards.iter().next().map_or("", String::as_str), n - 1),
    };
    let why = if head.detail.is_empty() { String::new() } else { format!(" ({})", head.detail) };
    let account = record.and_then(|r| r.account.as_deref()).map(|a| format!(" as {a}")).unwrap_or_default();
    match head.reason {
        PromptReason::Missing => format!("{who} needs a connection to {title}{why}. Connect one to go on."),
        PromptReason::Choose => format!("{who} needs a connection to {title}{why}. Choose which one to use."),
        PromptReason::Lost => format!(
            "{who} lost the {title} connection \u{201c}{nickname}\u{201d}{why}. Sign in again{account} to go on."
        ),
        PromptReason::Scope => {
            let scopes = union(needed.iter().map(Vec::as_slice)).join(", ");
            format!(
                "{who} needs more rights on the {title} connection \u{201c}{nickname}\u{201d}: {scopes}. Grant them{account} to go on."
            )
        }
        PromptReason::Setup => format!(
            "{title} no longer accepts the app registration of \u{201c}{nickname}\u{201d}{why}. Check its client id and secret, then connect again."
        ),
    }
}

pub(crate) fn is_due(expires_at: Option<Millis>, issued_at: Millis, now: Millis) -> bool {
    let Some(end) = expires_at else { return false };
    let life = end.since(issued_at);
    // The last fifth, or the last minute of tokens that live long enough for it to be the smaller part.
    let margin = (life / 5).max(60_000.min(life / 2));
    end.since(now) < margin
}
