//! Connect prompts: one per app, connection or nickname, and reason, however many runs wait.
//!
//! Must never reopen an answered prompt or drop a waiter: see `record::PromptHead` for why its parts are separate.
//! Tests: `tests/prompts.rs`.

mod ends;
mod heads;
mod view;

use flowdeck_engine::ports::{Space, StoreError};
use flowdeck_model::connect::{ConnectionView, PromptState, PromptView};
use flowdeck_model::{ConnectionId, Nickname, PromptId};

use crate::api::{AuditKind, BindTarget, PromptFilter};
use crate::error::ConnectError;
use crate::record::{ConnectionRecord, PromptHead, binding_key, encode};
use crate::registry::{Change, Inner, LIST_MAX, Registry, slot_key, view};

pub(crate) use heads::Drafts;

impl Registry {
    /// Prompts, oldest first.
    ///
    /// # Errors
    /// [`ConnectError::Store`].
    pub async fn prompts(&self, filter: &PromptFilter) -> Result<Vec<PromptView>, ConnectError> {
        let mut out = Vec::new();
        let heads = match filter.state {
            Some(PromptState::Open) => self.inner.open_heads(filter.app.as_ref()).await?,
            _ => self.inner.heads().await?,
        };
        for head in heads {
            if filter.app.as_ref().is_some_and(|app| *app != head.app) {
                continue;
            }
            let prompt = self.inner.prompt_view(&head, &[]).await?;
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
        Ok(self.inner.prompt_view(&head, &[]).await?)
    }

    /// The connection that a prompt was answered with, where it was and the connection is still there.
    ///
    /// # Errors
    /// [`ConnectError::UnknownPrompt`], [`ConnectError::Store`].
    pub async fn prompt_answer(&self, id: PromptId) -> Result<Option<ConnectionView>, ConnectError> {
        let head = self.inner.head(id).await?;
        Ok(self.inner.answer_of(&head).await?.as_ref().map(view))
    }

    /// Closes a prompt that nothing waits at (one that was only [raised](Registry::raise), say). Runs never wait at a
    /// closed prompt: one whose wait is on its way to the store meanwhile asks anew.
    ///
    /// # Errors
    /// [`ConnectError::PromptAwaited`] where runs wait: they need the answer, or their end. [`ConnectError::UnknownPrompt`],
    /// [`ConnectError::PromptOver`], [`ConnectError::Store`].
    pub async fn close_prompt(&self, id: PromptId) -> Result<PromptView, ConnectError> {
        let head = self.inner.head(id).await?;
        {
            let _write = self.inner.write.lock().await;
            if self.inner.prompt_state(&head).await?.0 != PromptState::Open {
                return Err(ConnectError::PromptOver(id));
            }
            if self.inner.is_awaited(&head).await? {
                let runs = self.prompt(id).await?.waiting;
                return Err(ConnectError::PromptAwaited { prompt: id, runs });
            }
            let mut change = self.inner.change();
            self.inner.end_prompt(&mut change, &head, PromptState::Closed).await?;
            self.inner.commit(change).await?;
        }
        self.prompt(id).await
    }

    /// Binds the slots of a prompt, or one slot, to an existing connection; the connection that the one slot had before.
    ///
    /// # Errors
    /// [`ConnectError::UnknownConnection`], [`ConnectError::WrongApp`], [`ConnectError::PromptOver`].
    pub async fn use_connection(
        &self,
        target: BindTarget,
        connection: ConnectionId,
    ) -> Result<Option<ConnectionId>, ConnectError> {
        let _write = self.inner.write.lock().await;
        let record = self.inner.known(connection).await?;
        let mut change = self.inner.change();
        let mut before = None;
        match target {
            BindTarget::Prompt(id) => {
                let head = self.inner.head(id).await?;
                if head.app != record.app {
                    return Err(ConnectError::WrongApp { connection, app: record.app, wanted: head.app });
                }
                if self.inner.prompt_state(&head).await?.0 != PromptState::Open {
                    return Err(ConnectError::PromptOver(id));
                }
                self.inner.answer_prompt(&mut change, &head, &record).await?;
            }
            BindTarget::Slot { flow, slot } => {
                before = self.inner.bound(&record.app, &flow, &slot).await?;
                change.delta.put(Space::Bindings, binding_key("b", &record.app, &flow, &slot), encode(&connection));
                change.touched.insert(slot_key(&record.app, &flow, &slot));
            }
        }
        self.inner.audit(&mut change, AuditKind::Bind, &record, "");
        self.inner.commit(change).await?;
        Ok(before)
    }
}

impl Inner {
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
}

/// `base`, or `base-2`, `base-3`, … where it is taken.
pub(crate) fn free_nickname(base: &str, taken: impl Fn(&Nickname) -> bool) -> Nickname {
    // Room for the number: a nickname has at most 200 bytes.
    let cut = (0..=180.min(base.len())).rev().find(|at| base.is_char_boundary(*at)).unwrap_or(0);
    let short = base[..cut].trim();
    let numbered = (2..=LIST_MAX + 2).map(|n| format!("{short}-{n}"));
    std::iter::once(base.to_owned())
        .chain(numbered)
        .find_map(|name| Nickname::new(&name).ok().filter(|n| !taken(n)))
        .expect("an app's name or a nickname is a nickname, and an app has fewer connections than there are numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_nickname_gets_a_number_however_long_it_is() {
        for base in ["admin".to_owned(), "\u{e9}".repeat(100), "x".repeat(200), "a".repeat(179) + "\u{20ac}"] {
            let base = Nickname::new(&base).unwrap();
            assert_eq!(free_nickname(base.as_str(), |_| false), base, "a free name is kept whole");
            let second = free_nickname(base.as_str(), |n| *n == base);
            assert!(second != base && second.as_str().ends_with("-2"), "{second}");
        }
    }
}
