//! A prompt's stored parts, and drafts of those that the engine has not committed yet.
//!
//! Must never make two prompts of one kind: the draft is looked up and made under one lock.
//! Tests: `tests/prompts.rs`.

use std::collections::{BTreeMap, HashMap};

use flowdeck_engine::ports::{Hold, Op, Scan, Space, StoreError};
use flowdeck_model::connect::{Need, PromptReason, PromptState};
use flowdeck_model::{AppName, ConnectionId, Millis, PromptId};

use crate::error::ConnectError;
use crate::protocol::union;
use crate::record::{ConnectionRecord, Member, PromptHead, encode, key, member_key};
use crate::registry::{Inner, LIST_MAX, con_key, slot_key};

const DRAFTS_MAX: usize = 10_000;
const DRAFT_MEMBERS_MAX: usize = 1_000;

/// A prompt that was promised to somebody whose commit may still be under way.
pub(crate) struct Draft {
    head: PromptHead,
    /// Who was told to wait: bound by an answer that comes before their commit.
    members: BTreeMap<Vec<u8>, Member>,
}

/// Drafts by the prompt's key.
pub(crate) type Drafts = HashMap<String, Draft>;

impl Member {
    pub(crate) fn new(need: &Need, deadline: Millis) -> Self {
        Self {
            flow: need.flow.clone(),
            slot: need.slot.clone(),
            card: need.card_title.clone(),
            scopes: union([need.scopes.as_slice(), &need.also]),
            deadline,
            raised: false,
        }
    }
}

fn key_of(id: PromptId, need: &Need) -> Vec<u8> {
    member_key(id, &need.flow, &need.slot, &format!("{}/{}", need.card, need.scopes.join(" ")))
}

impl Inner {
    /// Prompts that are open, oldest first; of one app or of all.
    pub(crate) async fn open_heads(&self, app: Option<&AppName>) -> Result<Vec<PromptHead>, StoreError> {
        let prefix = key("k", app.map(|app| format!("{app}/")).unwrap_or_default().as_bytes());
        let mut heads = Vec::new();
        for (_, value) in self.parts.store.scan(Scan::prefix(Space::Prompts, prefix, LIST_MAX)).await? {
            let Ok(id) = serde_json::from_slice::<PromptId>(&value) else { continue };
            let Some(head) = self.read::<PromptHead>(Space::Prompts, &key("p", &id.to_bytes())).await? else {
                continue;
            };
            // A late commit may have put back the pointer to a prompt that ended.
            if self.prompt_state(&head).await?.0 == PromptState::Open {
                heads.push(head);
            }
        }
        heads.sort_by_key(|head| (head.created_at, head.id));
        Ok(heads)
    }

    /// Every prompt that is kept, newest last.
    pub(crate) async fn heads(&self) -> Result<Vec<PromptHead>, StoreError> {
        let found = self.parts.store.scan(Scan::prefix(Space::Prompts, *b"p/", LIST_MAX)).await?;
        Ok(found.iter().filter_map(|(_, value)| serde_json::from_slice(value).ok()).collect())
    }

    pub(crate) async fn head(&self, id: PromptId) -> Result<PromptHead, ConnectError> {
        if let Some(head) = self.read(Space::Prompts, &key("p", &id.to_bytes())).await? {
            return Ok(head);
        }
        let drafts = self.drafts.lock();
        let draft = drafts.values().find(|draft| draft.head.id == id);
        draft.map(|d| d.head.clone()).ok_or(ConnectError::UnknownPrompt(id))
    }

    /// Its state and when it gives up: when the last of those who wait does.
    pub(crate) async fn prompt_state(&self, head: &PromptHead) -> Result<(PromptState, Millis), StoreError> {
        let last = self.members(head.id).await?.iter().map(|m| m.deadline).fold(head.deadline, Ord::max);
        let ended: Option<PromptState> = self.read(Space::Prompts, &key("d", &head.id.to_bytes())).await?;
        let state = match ended {
            Some(state) => state,
            None if last <= self.now() => PromptState::Closed,
            None => PromptState::Open,
        };
        Ok((state, last))
    }

    pub(crate) async fn members(&self, id: PromptId) -> Result<Vec<Member>, StoreError> {
        let found = self.parts.store.scan(Scan::prefix(Space::Prompts, key("m", &id.to_bytes()), LIST_MAX)).await?;
        let stored = found.into_iter().filter_map(|(key, value)| Some((key, serde_json::from_slice(&value).ok()?)));
        let drafts = self.drafts.lock();
        let drafted = drafts.values().filter(|d| d.head.id == id).flat_map(|d| d.members.clone());
        let all: BTreeMap<Vec<u8>, Member> = drafted.chain(stored).collect();
        let mut members: Vec<Member> = all.into_values().collect();
        members.sort_by(|a, b| (&a.flow, &a.slot, &a.card, &a.scopes).cmp(&(&b.flow, &b.slot, &b.card, &b.scopes)));
        Ok(members)
    }

    /// Scopes of all that wait at this prompt.
    pub(crate) async fn member_scopes(&self, id: PromptId) -> Result<Vec<String>, StoreError> {
        Ok(union(self.members(id).await?.iter().map(|m| m.scopes.as_slice())))
    }

    /// Scopes that anybody waits for on this connection.
    pub(crate) async fn awaited_scopes(&self, id: ConnectionId) -> Result<Vec<String>, StoreError> {
        let mut lists = Vec::new();
        for head in self.open_heads(None).await?.into_iter().filter(|h| h.connection == Some(id)) {
            lists.push(self.member_scopes(head.id).await?);
        }
        Ok(union(lists.iter().map(Vec::as_slice)))
    }

    /// The open prompt of this kind, or a draft that the caller's commit makes real.
    pub(crate) async fn head_for(
        &self,
        need: &Need,
        reason: PromptReason,
        connection: Option<&ConnectionRecord>,
        detail: &str,
    ) -> Result<PromptHead, StoreError> {
        let who = match (connection, &need.nickname, reason) {
            (Some(record), _, _) => record.id.to_string(),
            (None, Some(nickname), _) => format!("nickname:{nickname}"),
            // The app has no connection at all: the first one serves every slot that names none.
            (None, None, PromptReason::Missing) => "first".to_owned(),
            (None, None, _) => format!("slot:{}:{}", need.flow, need.slot),
        };
        let name = format!("{}/{who}/{reason:?}", need.app);
        if let Some(id) = self.read::<PromptId>(Space::Prompts, &key("k", name.as_bytes())).await?
            && let Ok(head) = self.head(id).await
            && self.prompt_state(&head).await?.0 == PromptState::Open
        {
            return Ok(head);
        }
        let now = self.now();
        let mut drafts = self.drafts.lock();
        if let Some(draft) = drafts.get(&name).filter(|d| d.head.deadline > now) {
            return Ok(draft.head.clone());
        }
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
        if drafts.len() >= DRAFTS_MAX {
            drafts.clear();
        }
        drafts.insert(name, Draft { head: head.clone(), members: BTreeMap::new() });
        Ok(head)
    }

    /// What makes a prompt and one who waits at it durable.
    pub(crate) fn prompt_ops(&self, head: &PromptHead, need: &Need, member: &Member) -> Vec<Op> {
        let put = |key, value| Op::Put { space: Space::Prompts, key, value };
        vec![
            put(key("p", &head.id.to_bytes()), encode(head)),
            put(key("k", head.key.as_bytes()), encode(&head.id)),
            put(key_of(head.id, need), encode(member)),
        ]
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
        let deadline = self.now().plus(self.parts.options.prompt_wait_ms);
        ops.extend(self.prompt_ops(&head, need, &Member::new(need, deadline)));
        if let Some(draft) = self.drafts.lock().get_mut(&head.key)
            && draft.head.id == head.id
            && draft.members.len() < DRAFT_MEMBERS_MAX
        {
            draft.members.insert(key_of(head.id, need), Member::new(need, deadline));
        }
        let on = match connection {
            Some(record) => con_key(record.id),
            None => slot_key(&need.app, &need.flow, &need.slot),
        };
        Ok(Hold { on, seen, reason, prompt: head.id, deadline, ops })
    }

    /// At the start, when no commit can be under way: closes prompts whose last run left while nobody could tell, and
    /// clears away those that ended, or gave up, a prompt's time ago.
    pub(crate) async fn sweep_prompts(&self) -> Result<(), StoreError> {
        let mut change = self.change();
        for head in self.heads().await? {
            let (state, last) = self.prompt_state(&head).await?;
            let is_raised = || async { Ok::<_, StoreError>(self.members(head.id).await?.iter().any(|m| m.raised)) };
            if state == PromptState::Open && !is_raised().await? && !self.is_awaited(&head).await? {
                self.end_prompt(&mut change, &head, PromptState::Closed).await?;
                continue;
            }
            if state == PromptState::Open || last.plus(self.parts.options.prompt_wait_ms) > self.now() {
                continue;
            }
            let id = head.id.to_bytes();
            for (member, _) in self.parts.store.scan(Scan::prefix(Space::Prompts, key("m", &id), LIST_MAX)).await? {
                change.delta.delete(Space::Prompts, member);
            }
            change.delta.delete(Space::Prompts, key("p", &id)).delete(Space::Prompts, key("d", &id));
            let pointer = key("k", head.key.as_bytes());
            if self.read::<PromptId>(Space::Prompts, &pointer).await? == Some(head.id) {
                change.delta.delete(Space::Prompts, pointer);
            }
        }
        if !change.delta.is_empty() {
            self.commit(change).await?;
        }
        Ok(())
    }
}
