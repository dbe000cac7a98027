//! A flow's `limits`: a person is asked before a card is used more often than its author thought of.
//!
//! Must never let a use beyond the limit begin before somebody allowed it.
//! Tests: `tests/driver/limits.rs`.

use flowdeck_model::CardName;

use super::context::Context;
use super::program::Node;
use super::state::{Container, FrameId, LoopState, Phase, Step, Waiting};
use crate::wire::entry::{EntryKind, WaitReason};

impl Context<'_> {
    /// Counts a use of the current card. True: it is one too many, and the step waits for a person.
    pub(super) fn stops_at_limit(&mut self, id: FrameId, node: &Node) -> bool {
        let Some((card, block)) = node.call().map(|c| c.card.clone()).zip(self.frame(id).map(|f| f.block)) else {
            return false;
        };
        let Some(limit) = self.program.limit(block, &card) else { return false };
        if matches!(self.frame(id).and_then(|f| f.container.as_ref()), Some(Container::Loop(l)) if l.pages > 0) {
            // The next page of a use that is counted already.
            return false;
        }
        let used = self.state.uses.get(&card).copied().unwrap_or(0);
        let allowed = limit.saturating_add(self.state.allowed.get(&card).copied().unwrap_or(0));
        if used < allowed {
            self.state.uses.insert(card, used + 1);
            return false;
        }
        let wanted = self.wanted(id, used);
        // An answer to "412 times" is one answer. Where the number is not known, the same number again is allowed.
        let more = wanted.map_or(limit, |wanted| wanted.saturating_sub(used)).max(1);
        let path = self.path(id);
        let rest = match wanted {
            Some(wanted) => format!("would be used up to {wanted} times, {more} more"),
            None => format!("would be used again; how often is not known, and approving allows {more} more"),
        };
        let message =
            format!("`{card}` at {path} was used {used} times, the limit is {limit}, and it {rest}: approve / cancel");
        let deadline = self.now.plus(self.wait_ms(id));
        self.note(id, EntryKind::Waiting(WaitReason::Approval { message: message.clone() }));
        self.set_step(id, Step::Waiting(Waiting::Limit { card, message, deadline, more }));
        true
    }

    /// Uses in all when the loop around is through, if every round that is left uses the card once. `None` where that is
    /// not known: no loop, a loop in a loop, a list that still comes in pages.
    fn wanted(&self, id: FrameId, used: u64) -> Option<u64> {
        let mut around = None;
        let (mut round, mut at) = (id, id);
        while let Some(parent) = self.frame(at).and_then(|f| f.parent) {
            if let Some(Container::Loop(l)) = self.frame(parent).and_then(|f| f.container.as_ref()) {
                if around.is_some() {
                    return None;
                }
                around = Some((parent, l));
                round = at;
            }
            at = parent;
        }
        let (parent, l) = around?;
        let known = l.complete && l.end > 0 && l.end != u64::MAX;
        known.then(|| used + left(l).saturating_sub(self.past(parent, round)))
    }

    /// Rounds at work that have used the card already: those that are at it, or further.
    fn past(&self, parent: FrameId, round: FrameId) -> u64 {
        let Some(own) = self.frame(round).map(|f| f.at) else { return 0 };
        let others = self.state.frames.iter().filter(|(id, f)| f.parent == Some(parent) && **id != round);
        let past = others.filter(|(_, f)| match &f.step {
            Step::Waiting(Waiting::Limit { .. }) => f.at > own,
            Step::Attempting { .. } | Step::Sent { .. } | Step::Pausing { .. } => f.at >= own,
            _ => f.at > own,
        });
        past.count() as u64
    }

    /// A person decided about the limit that a step waits at; the answer is for every step that waits at it.
    pub(super) fn limit_decided(&mut self, id: FrameId, card: &CardName, more: u64, approved: bool, by: &str) {
        if !approved {
            self.note(id, EntryKind::Asked { what: format!("cancel by {by}") });
            return self.end_run(Phase::Cancelled);
        }
        let allowed = self.state.allowed.entry(card.clone()).or_insert(0);
        *allowed = allowed.saturating_add(more);
        let same = self
            .state
            .frames
            .iter_mut()
            .filter(|(_, f)| matches!(&f.step, Step::Waiting(Waiting::Limit { card: c, .. }) if c == card));
        let mut woken = Vec::new();
        for (id, frame) in same {
            woken.push(*id);
            frame.step = if frame.container.is_some() { Step::Nested } else { Step::Ready };
        }
        for id in woken {
            self.resume_frame(id);
        }
    }
}

/// Rounds that are not over.
fn left(l: &LoopState) -> u64 {
    l.end.saturating_sub(l.done.count())
}
