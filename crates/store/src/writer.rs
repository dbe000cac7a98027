//! The one thread that changes the store: groups commits, logs them, syncs, applies, answers.
//!
//! Must never answer `Ok` before the log's sync, and never write again after a failure.
//! Tests: `tests/contract.rs`, `tests/guards.rs`, `tests/disk.rs`, `tests/sync.rs`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use flowdeck_engine::ports::store::{Delta, Op, StoreError};
use parking_lot::Mutex;

use crate::account::{Account, own};
use crate::base::From;
use crate::blobs::WriteFault;
use crate::group::Group;
use crate::io::IoFile;
use crate::log::Log;
use crate::making::Making;
use crate::options::Options;
use crate::queue::{Answer, Queue, Request, Taken};
use crate::read::Reader;
use crate::record;
use crate::{ballast, blobs, check, fault, suspect};

const GROUP_COMMITS_MAX: usize = 1024;
const GROUP_BYTES_MAX: usize = 8 << 20;
/// How often the writer lets callers run before it begins a group without those that were answered just now.
const GATHER_TRIES: usize = 32;
/// From here on a sync counts as slow: a closing store leaves the rest of its work, several syncs, to the next open.
const SLOW_SYNC: Duration = Duration::from_secs(1);
/// Only to look up from time to time; the end of the store wakes the writer.
const NOTHING_TO_DO: Duration = Duration::from_secs(3600);

pub(crate) type Poison = Arc<Mutex<Option<String>>>;

pub(crate) struct Writer {
    pub reader: Reader,
    pub log: Log,
    pub options: Options,
    pub db_file: Box<dyn IoFile>,
    pub poison: Poison,
    pub account: Account,
    pub frame: Vec<u8>,
    /// The base that is being made.
    pub making: Option<Making>,
    /// How long the log's last sync took.
    pub last_sync: Duration,
}

/// Commits that will be synced together.
#[derive(Default)]
struct Gathering {
    group: Group,
    waiting: Vec<(Answer<()>, tokio::sync::OwnedSemaphorePermit)>,
    /// Asked once a group.
    disk_is_full: Option<bool>,
}

impl Writer {
    pub(crate) fn run(mut self, queue: &Queue) {
        let mut last = 0;
        loop {
            let patience = if self.log.tail_bytes() > 0 { self.options.checkpoint_after } else { NOTHING_TO_DO };
            match queue.take(patience) {
                Taken::Requests(mut requests) => {
                    // Those answered just now are about to ask again. Without them the callers fall into two halves
                    // that take turns, and each half pays for a sync of its own.
                    let expected = last + requests.len();
                    for _ in 0..GATHER_TRIES {
                        if last <= 1 || requests.len() * 8 >= expected * 7 {
                            break;
                        }
                        std::thread::yield_now();
                        if let Taken::Requests(more) = queue.take(Duration::ZERO) {
                            requests.extend(more);
                        }
                    }
                    last = requests.len();
                    self.serve(requests);
                    self.collect_base(false);
                }
                Taken::Idle => self.tidy_up(),
                Taken::Closed => {
                    // As after a kill: the log has everything, and the next open reads it.
                    if self.last_sync < SLOW_SYNC {
                        self.tidy_up();
                    }
                    self.collect_base(true);
                    return;
                }
            }
        }
    }

    fn serve(&mut self, requests: Vec<Request>) {
        let mut gathering = Gathering::default();
        // A caller that went away needs no answer, here and below.
        for request in requests {
            match request {
                Request::Commit(delta, answer, permit) => match self.add(&mut gathering, &delta) {
                    Ok(()) => gathering.waiting.push((answer, permit)),
                    Err(refusal) => drop(answer.send(Err(refusal))),
                },
                Request::Check(answer) => {
                    self.finish(std::mem::take(&mut gathering));
                    let outcome = check::walk(&self.reader, self.account, true);
                    drop(answer.send(outcome.inspect_err(|error| self.suspect(error))));
                }
                Request::Sweep(answer) => {
                    self.finish(std::mem::take(&mut gathering));
                    drop(answer.send(blobs::sweep(&*self.options.io, &self.reader)));
                }
            }
            if gathering.waiting.len() >= GROUP_COMMITS_MAX || gathering.group.bytes >= GROUP_BYTES_MAX {
                self.finish(std::mem::take(&mut gathering));
            }
        }
        self.finish(gathering);
    }

    fn add(&mut self, gathering: &mut Gathering, delta: &Delta) -> Result<(), StoreError> {
        if let Some(what) = &*self.poison.lock() {
            return Err(fault::poisoned(&self.reader.folder, what));
        }
        let (io, folder, least) = (&self.options.io, &self.reader.folder, self.options.free_bytes_min);
        let full = gathering.disk_is_full.get_or_insert_with(|| io.free_bytes(folder).is_ok_and(|free| free < least));
        if *full {
            return Err(fault::full(&self.reader.folder));
        }
        gathering.group.check(&self.reader, delta)?;
        gathering.group.prepare(&self.reader, delta)?;
        // Files first: only they can run out of space, and then nothing of this commit is in the group.
        for op in &delta.ops {
            if let Op::Put { value, .. } = op
                && value.len() > record::SPLIT_BYTES_MAX
            {
                blobs::write(&*self.options.io, &self.reader.folder, value).map_err(|fault| self.no_blob(fault))?;
            }
        }
        gathering.group.add(&mut self.account, delta);
        Ok(())
    }

    fn no_blob(&self, fault: WriteFault) -> StoreError {
        match fault {
            WriteFault::Write(cause) if fault::is_full(&cause) => self.full(),
            WriteFault::Write(cause) => self.stop("write a large value", &cause),
            WriteFault::Keep(cause) => self.stop("keep a large value", &cause),
        }
    }

    fn finish(&mut self, gathering: Gathering) {
        if gathering.waiting.is_empty() {
            return;
        }
        let outcome = self.commit(gathering.group);
        for (answer, permit) in gathering.waiting {
            drop(answer.send(outcome.clone()));
            drop(permit);
        }
        if outcome.is_ok() && self.log.tail_bytes() > self.options.segment_bytes {
            self.checkpoint().unwrap_or_else(|cause| tracing::error!(%cause, "checkpoint failed"));
        }
    }

    /// Logs, syncs and applies one group.
    pub(crate) fn commit(&mut self, group: Group) -> Result<(), StoreError> {
        if let Some(what) = &*self.poison.lock() {
            return Err(fault::poisoned(&self.reader.folder, what));
        }
        let (account, mut batch) = group.encode(self.account, &mut self.frame);
        let written = match self.log.write(&mut self.frame) {
            Ok(written) => written,
            Err(cause) if fault::is_full(&cause) => {
                self.log.cut_back().map_err(|cause| self.stop("cut the log back", &cause))?;
                return Err(self.full());
            }
            Err(cause) => return Err(self.stop("write the log", &cause)),
        };
        self.options.point("log-written");
        let began = Instant::now();
        self.log.sync(written).map_err(|cause| self.stop("sync the log", &cause))?;
        self.options.point("log-synced");
        self.last_sync = began.elapsed();
        batch.insert(record::OWN_KEY, own(self.log.sequence(), account));
        let applied = self.reader.guarded(|| self.reader.db.apply_batch(batch));
        applied.inspect_err(|error| self.suspect(error)).map_err(|cause| self.stop("apply", &cause))?;
        self.account = account;
        self.frame.shrink_to(GROUP_BYTES_MAX);
        self.options.point("applied");
        Ok(())
    }

    /// The first failure is kept; from now on nothing is written or synced.
    fn stop(&self, what: &str, cause: &dyn std::fmt::Display) -> StoreError {
        let mut poison = self.poison.lock();
        let first = poison.get_or_insert_with(|| format!("{what}: {cause}"));
        fault::poisoned(&self.reader.folder, first)
    }

    /// The system refused space. The reserve is given back, so that sled can finish what it has taken.
    fn full(&self) -> StoreError {
        ballast::release(&self.options, &self.reader.folder);
        fault::full(&self.reader.folder)
    }

    fn tidy_up(&mut self) {
        if self.poison.lock().is_some() {
            return;
        }
        if self.log.tail_bytes() > 0 {
            self.checkpoint().unwrap_or_else(|cause| tracing::error!(%cause, "checkpoint failed"));
        }
        if self.poison.lock().is_none() && blobs::is_due(&self.reader.folder) {
            match blobs::sweep(&*self.options.io, &self.reader) {
                Ok(swept) if swept.files > 0 => tracing::info!(files = swept.files, bytes = swept.bytes, "swept"),
                Ok(_) => {}
                Err(cause) => tracing::warn!(%cause, "large values were not swept"),
            }
        }
    }

    /// Makes sled durable with our own sync (its `flush` does not reach the disk), then starts a new segment.
    pub(crate) fn checkpoint(&mut self) -> Result<(), StoreError> {
        let flushed = self.reader.guarded(|| self.reader.db.flush());
        flushed.inspect_err(|error| self.suspect(error)).map_err(|cause| self.stop("flush sled", &cause))?;
        self.db_file.sync().map_err(|cause| self.stop("sync sled's file", &cause))?;
        self.log.turn().map_err(|cause| self.stop("start a log segment", &cause))?;
        self.options.point("checkpoint");
        if self.making.is_none() && self.log.base_is_due(self.options.segment_bytes) {
            let from = From { sequence: self.log.sequence(), chain: self.log.chain(), account: self.account };
            let making = Making::start(&self.reader, &self.options, &self.log, from);
            self.making = making.map_err(|cause| tracing::warn!(%cause, "a base of the store was not begun")).ok();
        }
        Ok(())
    }

    /// Takes a finished base; a closing store waits for one that is overdue and gives up any other.
    fn collect_base(&mut self, closing: bool) {
        let wait = closing && self.log.base_is_overdue(self.options.segment_bytes);
        let outcome = match self.making.take_if(|making| wait || closing || making.is_finished()) {
            Some(making) if wait || making.is_finished() => making.join(),
            _ => return,
        };
        match outcome {
            Ok(Some(base)) => {
                self.log.take_base(base).unwrap_or_else(|cause| drop(self.stop("shorten the log", &cause)));
                self.options.point("base");
            }
            Ok(None) => {}
            // The log is kept from the base before, until one can be made.
            Err(cause @ StoreError::Full { .. }) => tracing::warn!(%cause, "a base of the store was not made"),
            Err(cause) => {
                self.suspect(&cause);
                drop(self.stop("make a base", &cause));
            }
        }
    }

    /// Damage was met: the next open looks at everything.
    fn suspect(&self, error: &StoreError) {
        suspect::note(&*self.options.io, &self.reader.folder, error);
    }
}
