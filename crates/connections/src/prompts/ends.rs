//! How prompts end: answered, settled by something else that happened, or closed because nothing waits any more.
//!
//! Must never leave a run waiting at a prompt that ended: ending one touches every slot that waits there, so that it asks
//! again.
//! Tests: `tests/prompts.rs`, `tests/closing.rs`.

use flowdeck_engine::ports::{Scan, Space, StoreError, WaitKey};
use flowdeck_engine::wire::keys::waits_on;
use flowdeck_model::connect::{PromptReason, PromptState};
use flowdeck_model::{AppName, ConnectionId, PromptId};

use crate::record::{ConnectionRecord, PromptHead, binding_key, encode, key};
use crate::registry::{Change, Inner, con_key, slot_key};

impl Inner {
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
            change.touched.insert(con_key(connection));
        }
        change.touched.insert(WaitKey(format!("app:{}", head.app)));
        change.delta.put(Space::Prompts, key("p", &head.id.to_bytes()), encode(head));
        change.delta.put(Space::Prompts, key("d", &head.id.to_bytes()), encode(&state));
        change.delta.delete(Space::Prompts, key("k", head.key.as_bytes()));
        self.drafts.lock().remove(&head.key);
        Ok(())
    }

    /// What an answered prompt was answered with: what its slots are bound to, or what alone fits them.
    pub(crate) async fn answer_of(&self, head: &PromptHead) -> Result<Option<ConnectionRecord>, StoreError> {
        if self.prompt_state(head).await?.0 != PromptState::Answered {
            return Ok(None);
        }
        if let Some(id) = head.connection {
            return self.record(id).await;
        }
        for member in self.members(head.id).await? {
            if let Some(id) = self.bound(&head.app, &member.flow, &member.slot).await? {
                return self.record(id).await;
            }
        }
        let mut fits = self.records(Some(&head.app)).await?;
        fits.retain(|record| head.nickname.as_ref().is_none_or(|nickname| *nickname == record.nickname));
        Ok(if fits.len() == 1 { fits.pop() } else { None })
    }

    /// Ends the open prompts that waited for a connection with this nickname.
    pub(crate) async fn settle_named(&self, change: &mut Change, record: &ConnectionRecord) -> Result<(), StoreError> {
        for head in self.open_heads(Some(&record.app)).await? {
            if head.connection.is_none() && head.nickname.as_ref() == Some(&record.nickname) {
                self.end_prompt(change, &head, PromptState::Answered).await?;
            }
        }
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
        for head in self.open_heads(Some(&record.app)).await?.into_iter().filter(|h| Some(h.id) != answered) {
            let settled = match (head.reason, head.connection) {
                (PromptReason::Scope, Some(id)) if id == record.id => {
                    let granted = record.granted.as_deref();
                    self.member_scopes(head.id).await?.iter().all(|s| granted.is_none_or(|g| g.contains(s)))
                }
                (_, Some(id)) => id == record.id,
                (PromptReason::Missing, None) => match &head.nickname {
                    Some(nickname) => *nickname == record.nickname,
                    None => is_only,
                },
                (PromptReason::Choose, None) => is_only && self.is_unbound(&head).await?,
                (_, None) => false,
            };
            if settled {
                self.end_prompt(change, &head, PromptState::Answered).await?;
            }
        }
        Ok(())
    }

    /// Ends what a removal answers: where one connection is left, a slot that nothing is bound to takes it as a new run
    /// would; where none is left, there is nothing to choose from, and who waits asks for the first one.
    pub(crate) async fn settle_removed(
        &self,
        change: &mut Change,
        app: &AppName,
        removed: ConnectionId,
    ) -> Result<(), StoreError> {
        let left = self.records(Some(app)).await?.iter().filter(|r| r.id != removed).count();
        if left > 1 {
            return Ok(());
        }
        for head in self.open_heads(Some(app)).await? {
            if head.reason != PromptReason::Choose {
                continue;
            }
            if left == 0 {
                self.end_prompt(change, &head, PromptState::Closed).await?;
            } else if self.is_unbound(&head).await? {
                self.end_prompt(change, &head, PromptState::Answered).await?;
            }
        }
        Ok(())
    }

    /// Ends the prompts that ask to repair a connection which works again by itself.
    pub(crate) async fn settle_repaired(
        &self,
        change: &mut Change,
        record: &ConnectionRecord,
    ) -> Result<(), StoreError> {
        for head in self.open_heads(Some(&record.app)).await? {
            let repairs = matches!(head.reason, PromptReason::Lost | PromptReason::Setup);
            if repairs && head.connection == Some(record.id) {
                self.end_prompt(change, &head, PromptState::Answered).await?;
            }
        }
        Ok(())
    }

    /// Closes a prompt that a run left, where no other waits at it.
    pub(crate) async fn close_left(&self, id: PromptId) -> Result<(), StoreError> {
        if self.read::<PromptState>(Space::Prompts, &key("d", &id.to_bytes())).await?.is_some() {
            return Ok(());
        }
        let _write = self.write.lock().await;
        let Some(head) = self.read::<PromptHead>(Space::Prompts, &key("p", &id.to_bytes())).await? else {
            return Ok(());
        };
        if self.prompt_state(&head).await?.0 != PromptState::Open || self.is_awaited(&head).await? {
            return Ok(());
        }
        let mut change = self.change();
        self.end_prompt(&mut change, &head, PromptState::Closed).await?;
        self.commit(change).await
    }

    /// Whether any run waits at the prompt, as the store's index of waits says.
    pub(crate) async fn is_awaited(&self, head: &PromptHead) -> Result<bool, StoreError> {
        let mut keys: Vec<WaitKey> = match head.connection {
            Some(id) => vec![con_key(id)],
            None => self.members(head.id).await?.iter().map(|m| slot_key(&head.app, &m.flow, &m.slot)).collect(),
        };
        keys.dedup();
        for on in keys {
            let scan = Scan { keys_only: true, ..Scan::prefix(Space::Waits, waits_on(&on), 1) };
            if !self.parts.store.scan(scan).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether no slot of the prompt was ever bound or matched: what was stays what it was, also when it is removed.
    async fn is_unbound(&self, head: &PromptHead) -> Result<bool, StoreError> {
        for member in self.members(head.id).await? {
            for kind in ["b", "m"] {
                let bound = binding_key(kind, &head.app, &member.flow, &member.slot);
                if self.parts.store.get(Space::Bindings, &bound).await?.is_some() {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}
