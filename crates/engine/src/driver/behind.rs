//! A commit that is on its way while the run goes on computing.
//!
//! Must never let anything leave before it is durable: whoever commits, acts or stops waits for it first. Must never have
//! two of one run on their way.
//! Tests: `tests/driver/behind.rs`, `tests/crash.rs`.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use super::api::EngineError;
use super::commit::{After, put};
use super::live::Live;
use crate::machine::event::Effect;
use crate::wire::entry::Entry;

/// A commit on its way.
pub(super) struct Behind {
    done: Pin<Box<dyn Future<Output = Result<(), EngineError>> + Send>>,
    after: After,
    entries: Vec<Entry>,
}

impl Live {
    /// Commits because enough was computed, not because anything waits for it: the run need not wait either.
    pub(super) async fn save_behind(&mut self) -> Result<(), EngineError> {
        if !self.may_run_ahead() {
            return self.save().await;
        }
        self.settle().await?;
        let Some((delta, after)) = self.delta(false, Vec::new(), Vec::new())? else { return Ok(()) };
        let entries = self.forget_new(&after);
        let (inner, run, tries) = (Arc::clone(&self.inner), self.view.id, self.tries());
        let done = Box::pin(async move { put(&inner, run, tries, delta).await });
        let mut behind = Behind { done, after, entries };
        // Begun here: a store that answers at once is through with it, others have it in their queue.
        let begun = std::future::poll_fn(|cx| Poll::Ready(behind.done.as_mut().poll(cx))).await;
        match begun {
            Poll::Ready(done) => {
                done?;
                self.committed(behind.after, &behind.entries).await;
            }
            Poll::Pending => self.behind = Some(behind),
        }
        Ok(())
    }

    /// Whether the next commit holds nothing but what the run computed: it is known in the store, and nothing is about
    /// to leave, to be started or to be answered.
    fn may_run_ahead(&self) -> bool {
        let starts = |effect: &Effect| matches!(effect, Effect::StartChild { .. });
        self.stored.state
            && self.stored.ready
            && !self.is_over()
            && self.flow_unsaved.is_none()
            && self.outgoing.is_empty()
            && self.fresh_holds.is_empty()
            && self.preconditions.is_empty()
            && self.ops.is_empty()
            && self.children.is_empty()
            && self.inbox_done.is_empty()
            && !self.queue.iter().any(starts)
    }

    /// Waits until nothing is on its way.
    pub(super) async fn settle(&mut self) -> Result<(), EngineError> {
        let Some(behind) = self.behind.take() else { return Ok(()) };
        behind.done.await?;
        self.committed(behind.after, &behind.entries).await;
        Ok(())
    }
}
