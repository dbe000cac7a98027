//! What a run will need, before its first card: one line a slot, one prompt for all that one consent can give.
//!
//! Must never store anything unless it is asked to raise the prompts.
//! Tests: `tests/prompts.rs`.

use std::collections::{BTreeMap, BTreeSet};

use flowdeck_model::PromptId;
use flowdeck_model::connect::{Need, PromptReason, PromptView};

use crate::api::PreflightLine;
use crate::authorize::{Found, missing};
use crate::error::ConnectError;
use crate::protocol::union;
use crate::record::{ConnectionRecord, Member, PromptHead};
use crate::registry::{Inner, Registry};

struct Line {
    needs: Vec<Need>,
    shown: PreflightLine,
    head: Option<PromptHead>,
}

impl Registry {
    /// What a run would need before its first card: one line per slot. Stores nothing; [`Self::raise`] the prompts
    /// to have them answered.
    ///
    /// # Errors
    /// [`ConnectError::Store`].
    pub async fn preflight(&self, needs: &[Need]) -> Result<Vec<PreflightLine>, ConnectError> {
        let lines = self.inner.lines(needs).await?;
        // Slots that share a prompt are asked for together: one consent for all.
        let mut asking: BTreeMap<PromptId, Vec<Need>> = BTreeMap::new();
        for line in &lines {
            if let Some(head) = &line.head {
                asking.entry(head.id).or_default().extend(line.needs.iter().cloned());
            }
        }
        let mut out = Vec::new();
        for mut line in lines {
            if let Some(head) = &line.head {
                let asking = asking.get(&head.id).map(Vec::as_slice).unwrap_or_default();
                line.shown.prompt = Some(self.inner.prompt_view(head, asking).await?);
            }
            out.push(line.shown);
        }
        Ok(out)
    }

    /// Stores the prompts of these needs, so that they can be answered before a run begins.
    ///
    /// # Errors
    /// [`ConnectError::Store`].
    pub async fn raise(&self, needs: &[Need]) -> Result<Vec<PromptView>, ConnectError> {
        let mut ids = BTreeSet::new();
        {
            let _write = self.inner.write.lock().await;
            let mut change = self.inner.change();
            let deadline = self.inner.now().plus(self.inner.parts.options.prompt_wait_ms);
            for line in self.inner.lines(needs).await? {
                let Some(head) = line.head else { continue };
                for need in &line.needs {
                    let member = Member { raised: true, ..Member::new(need, deadline) };
                    change.delta.ops.extend(self.inner.prompt_ops(&head, need, &member));
                }
                ids.insert(head.id);
            }
            if !change.delta.is_empty() {
                self.inner.commit(change).await?;
            }
        }
        let mut prompts = Vec::new();
        for id in ids {
            prompts.push(self.prompt(id).await?);
        }
        Ok(prompts)
    }
}

impl Inner {
    async fn lines(&self, needs: &[Need]) -> Result<Vec<Line>, ConnectError> {
        let mut slots: BTreeMap<_, Vec<Need>> = BTreeMap::new();
        for need in needs {
            slots.entry((need.app.clone(), need.flow.clone(), need.slot.clone())).or_default().push(need.clone());
        }
        let mut lines = Vec::new();
        for needs in slots.into_values() {
            let scopes = union(needs.iter().map(|n| n.scopes.as_slice()));
            let Some(need) = needs.first().map(|first| Need { scopes, ..first.clone() }) else { continue };
            let (record, reason, detail) = match self.resolve(&need).await? {
                Found::Bound(record, _) => {
                    let reason = self.wanting(&record, &need);
                    let detail = record.why_wanted();
                    (Some(*record), reason, detail)
                }
                Found::None(reason, detail) => (None, Some(reason), detail.to_owned()),
            };
            let head = match reason {
                Some(reason) => Some(self.head_for(&need, reason, record.as_ref(), &detail).await?),
                None => None,
            };
            let connection = match &record {
                Some(record) => Some(self.counted(record).await?),
                None => None,
            };
            // The card that will ask is the first one that lacks something.
            let lacks = |record: &ConnectionRecord, need: &&Need| !missing(record, &need.scopes).is_empty();
            let lacking = record.as_ref().and_then(|record| needs.iter().find(|need| lacks(record, need)));
            let need = match (reason, lacking) {
                (Some(PromptReason::Scope), Some(first)) => Need { scopes: need.scopes, ..first.clone() },
                _ => need,
            };
            let missing_scopes = record.as_ref().map(|r| missing(r, &need.scopes)).unwrap_or_default();
            let shown = PreflightLine { need, connection, reason, missing_scopes, prompt: None };
            lines.push(Line { needs, shown, head });
        }
        Ok(lines)
    }
}
