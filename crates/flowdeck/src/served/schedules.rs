//! Starts what schedules say.
//!
//! Must never start a planned time twice: the run's idempotency key is the time, and the position is moved only when
//! its runs are durable. Tests: `tests/served.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use flowdeck_engine::Start;
use flowdeck_model::schedule::{MISSED_MAX, Overlap, Plan, Schedule};
use flowdeck_model::{Fields, Flow, FlowName, Millis, RunId, Trigger};

use super::SERVED_MAX;
use super::agenda::Unread;
use super::record::Record;
use crate::error::RuntimeError;
use crate::runtime::Runtime;

/// When a flow's schedule wants to be looked at next.
pub(super) fn next(record: &Record, flow: &Flow) -> Option<Millis> {
    let Trigger::Schedule(schedule) = &flow.on else { return None };
    let waiting = record.queued.first().copied();
    waiting.or_else(|| Plan::of(schedule).ok()?.next_after(record.position)).filter(|_| record.on)
}

impl Runtime {
    /// Starts the runs that schedules have due now, and answers them. They are durable; the background or the host
    /// drives them. Nothing starts twice, whoever calls this and how often.
    ///
    /// # Errors
    /// [`RuntimeError::Store`]; what was not started is due at the next call.
    pub async fn start_scheduled(&self) -> Result<Vec<RunId>, RuntimeError> {
        Ok(self.look_once().await?.0)
    }

    /// When the next schedule is due; `None` where none is.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn next_scheduled(&self) -> Result<Option<Millis>, RuntimeError> {
        self.read_agenda().await?;
        Ok(self.agenda().first())
    }

    /// Starts what is due; answers it, and when the next schedule is due.
    pub(super) async fn look_once(&self) -> Result<(Vec<RunId>, Option<Millis>), RuntimeError> {
        self.read_agenda().await?;
        let names = self.agenda().look(self.now());
        let mut started = Vec::new();
        for name in names {
            let due = match self.scheduled(&name).await? {
                Some((record, flow, schedule)) => {
                    let (runs, record) = self.start_flow(&flow, &schedule, &record).await?;
                    started.extend(runs);
                    Some(next(&record, &flow))
                }
                None => None,
            };
            self.agenda().set(name, due);
        }
        Ok((started, self.agenda().first()))
    }

    /// Reads what changed since the last look; at the first one, everything.
    async fn read_agenda(&self) -> Result<(), RuntimeError> {
        let unread = self.agenda().take_unread();
        let read = match unread {
            Unread::All => self.read_all().await,
            Unread::Some(names) => self.read_some(names).await,
        };
        read.inspect_err(|_| self.agenda().forget())
    }

    async fn read_all(&self) -> Result<(), RuntimeError> {
        let mut due = HashMap::new();
        for (name, record) in self.records(None, SERVED_MAX).await?.into_iter().filter(|(_, record)| record.on) {
            let flow = self.engine().version(record.hash).await?;
            if matches!(flow.on, Trigger::Schedule(_)) {
                due.insert(name, self.wanted(&record, &flow));
            }
        }
        self.agenda().fill(due);
        Ok(())
    }

    async fn read_some(&self, names: Vec<FlowName>) -> Result<(), RuntimeError> {
        for name in names {
            let due = self.scheduled(&name).await?.map(|(record, flow, _)| self.wanted(&record, &flow));
            self.agenda().set(name, due);
        }
        Ok(())
    }

    /// As [`next`]; at once where the clock was set back while nobody looked: the position must come back with it, or
    /// nothing starts until the clock has caught up.
    fn wanted(&self, record: &Record, flow: &Flow) -> Option<Millis> {
        let now = self.now();
        if record.on && record.position > now { Some(now) } else { next(record, flow) }
    }

    /// A flow that is on and has a schedule.
    async fn scheduled(&self, name: &FlowName) -> Result<Option<(Record, Arc<Flow>, Schedule)>, RuntimeError> {
        let Some(record) = self.record(name).await?.filter(|record| record.on) else { return Ok(None) };
        let flow = Arc::new(self.engine().version(record.hash).await?);
        let Trigger::Schedule(schedule) = &flow.on else { return Ok(None) };
        let schedule = schedule.clone();
        Ok(Some((record, flow, schedule)))
    }

    /// Starts what is due of one flow; answers it, and the record afterwards.
    async fn start_flow(
        &self,
        flow: &Arc<Flow>,
        schedule: &Schedule,
        record: &Record,
    ) -> Result<(Vec<RunId>, Record), RuntimeError> {
        let plan = Plan::of(schedule).map_err(|fault| RuntimeError::Setting(format!("flow {}: {fault}", flow.name)))?;
        let now = self.now();
        let due = plan.due(record.position, now);
        if due.skipped > 0 {
            tracing::warn!(flow = %flow.name, times = due.skipped, "scheduled times were missed and are left out");
        }
        // A position ahead of the clock must come back with it, or times would be left out.
        let moves = due.skipped > 0 || !due.starts.is_empty() || record.position > now;
        // A time ahead of the clock comes again, as the position does.
        let mut times: Vec<Millis> = record.queued.iter().copied().filter(|time| *time <= now).collect();
        times.extend(due.starts);
        let (mut started, mut queued, mut last) = (Vec::new(), Vec::new(), record.last);
        for time in times {
            let free = schedule.overlap == Overlap::Parallel || self.has_ended(last).await?;
            match (free, schedule.overlap) {
                (true, _) => {
                    let run = self.start_run(start(flow, time)).await?;
                    started.push(run);
                    last = Some(run);
                }
                (false, Overlap::Queue) if queued.len() < MISSED_MAX => queued.push(time),
                (false, _) => tracing::warn!(flow = %flow.name, at = time.to_iso(), "the run before has not ended"),
            }
        }
        let position = if moves { due.position } else { record.position };
        let settled = Record { position, queued, last, ..record.clone() };
        // Someone who switched it meanwhile wins; then its times are looked at again, and the keys keep them single.
        let now = self.change(&flow.name, |known| (known.as_ref() == Some(record)).then(|| settled.clone())).await?;
        Ok((started, now.unwrap_or(settled)))
    }

    /// A run that is gone has ended.
    async fn has_ended(&self, run: Option<RunId>) -> Result<bool, RuntimeError> {
        let Some(run) = run else { return Ok(true) };
        Ok(self.engine().run(run).await?.is_none_or(|view| view.status.is_ended()))
    }
}

fn start(flow: &Arc<Flow>, time: Millis) -> Start {
    let event = Fields::one("scheduled_at", time.to_iso());
    let key = format!("schedule:{}", time.0);
    Start { event: Some(event), idempotency_key: Some(key), ..Start::new(flow.clone(), Fields::new()) }
}
