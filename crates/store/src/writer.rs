//! The one thread that changes the store: groups commits, logs them, syncs, applies, answers.
//!
//! Must never answer `Ok` before the log's sync, and never write again after a failure.
//! Tests: `tests/contract.rs`, `tests/guards.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use flowdeck_engine::ports::store::{Delta, Op, Precondition, StoreError};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::account::{ACCOUNT_BYTES, Account, own};
use crate::check::{self, CheckReport};
use crate::fault;
use crate::io::IoFile;
use crate::limits::stored_key;
use crate::log::{FRAME_HEAD_BYTES, Log};
use crate::options::Options;
use crate::read::{Reader, blob_path};
use crate::record::{self, Head};

const GROUP_COMMITS_MAX: usize = 1024;
const GROUP_BYTES_MAX: usize = 8 << 20;

pub(crate) type Answer = oneshot::Sender<Result<(), StoreError>>;
/// What the writer is asked to do.
pub(crate) enum Request {
    Commit(Delta, Answer),
    Check(oneshot::Sender<Result<CheckReport, StoreError>>),
}

pub(crate) type Poison = Arc<Mutex<Option<String>>>;
/// Records of one group, the last word on each key; `None` deletes.
type Pending = HashMap<Vec<u8>, Option<Vec<u8>>>;

pub(crate) struct Writer {
    pub reader: Reader,
    pub log: Log,
    pub options: Options,
    pub db_file: Box<dyn IoFile>,
    pub poison: Poison,
    pub account: Account,
    pub frame: Vec<u8>,
}

impl Writer {
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        while let Some(request) = queue.blocking_recv() {
            let mut question = None;
            let first = match request {
                Request::Commit(delta, answer) => (delta, answer),
                Request::Check(answer) => {
                    drop(answer.send(check::walk(&self.reader, self.account, true)));
                    continue;
                }
            };
            let (mut pending, mut waiting, mut bytes) = (Pending::new(), Vec::new(), 0);
            let mut next = Some(first);
            while let Some((delta, answer)) = next.take() {
                match self.add(&mut pending, &delta) {
                    Ok(added) => {
                        bytes += added;
                        waiting.push(answer);
                    }
                    // A caller that went away needs no answer; the same below.
                    Err(refusal) => drop(answer.send(Err(refusal))),
                }
                if waiting.len() < GROUP_COMMITS_MAX && bytes < GROUP_BYTES_MAX {
                    match queue.try_recv() {
                        Ok(Request::Commit(delta, answer)) => next = Some((delta, answer)),
                        Ok(Request::Check(answer)) => question = Some(answer),
                        Err(_) => {}
                    }
                }
            }
            let outcome = if waiting.is_empty() { Ok(()) } else { self.commit(pending) };
            for answer in waiting {
                drop(answer.send(outcome.clone()));
            }
            if let Some(answer) = question {
                drop(answer.send(check::walk(&self.reader, self.account, true)));
            }
            if outcome.is_ok() && self.log.tail_bytes() > self.options.segment_bytes {
                self.checkpoint().unwrap_or_else(|cause| tracing::error!(%cause, "checkpoint failed"));
            }
        }
        if self.poison.lock().is_none() && self.log.tail_bytes() > 0 {
            self.checkpoint().unwrap_or_else(|cause| tracing::error!(%cause, "the last checkpoint failed"));
        }
    }

    fn add(&mut self, pending: &mut Pending, delta: &Delta) -> Result<usize, StoreError> {
        if let Some(what) = &*self.poison.lock() {
            return Err(fault::poisoned(&self.reader.folder, what));
        }
        let free = self.options.io.free_bytes(&self.reader.folder);
        if free.is_ok_and(|free| free < self.options.free_bytes_min) {
            return Err(fault::full(&self.reader.folder));
        }
        for precondition in &delta.preconditions {
            let (space, key, expected) = match precondition {
                Precondition::Absent { space, key } => (space, key, None),
                Precondition::Equals { space, key, value } => (space, key, Some(value)),
            };
            if self.current(pending, &stored_key(*space, key))?.as_ref() != expected {
                return Err(StoreError::Conflict);
            }
        }
        // Blobs first: only they can run out of space, and then nothing of this commit is pending.
        for op in &delta.ops {
            if let Op::Put { value, .. } = op
                && value.len() > record::SPLIT_BYTES_MAX
            {
                self.write_blob(value)?;
            }
        }
        let mut bytes = 0;
        for op in &delta.ops {
            let (Op::Put { space, key, .. } | Op::Delete { space, key }) = op;
            let key = stored_key(*space, key);
            // A part of this commit may be pending already, so a failed read here must stop the whole group.
            self.drop_chunks(pending, &key).map_err(|cause| self.stop("read what is replaced", &cause))?;
            bytes += key.len();
            let Op::Put { value, .. } = op else {
                pending.insert(key, None);
                continue;
            };
            bytes += value.len().min(record::SPLIT_BYTES_MAX);
            let head = if record::is_inline(&key, value) {
                record::seal(&key, 0, value)
            } else if value.len() > record::SPLIT_BYTES_MAX {
                record::blob_head(&key, &record::hash(value), value.len())
            } else {
                self.account.next_id += 1;
                for (index, chunk) in record::chunks(value).enumerate() {
                    let key = record::chunk_key(self.account.next_id, index);
                    let sealed = record::seal(&key, 3, chunk);
                    pending.insert(key, Some(sealed));
                }
                record::split_head(&key, self.account.next_id, value.len())
            };
            pending.insert(key, Some(head));
        }
        Ok(bytes)
    }

    fn found(&self, pending: &Pending, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        match pending.get(key) {
            Some(newer) => Ok(newer.as_deref().map(sled::IVec::from)),
            None => self.reader.record(key),
        }
    }

    /// The value of a key as the commits before this one leave it.
    fn current(&self, pending: &Pending, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(found) = self.found(pending, key)? else { return Ok(None) };
        let Some(Head::Split { id, len }) = record::head(key, &found) else { return self.reader.resolve(key, found) };
        let mut value = Vec::new();
        for index in 0..record::chunk_count(len) {
            let key = record::chunk_key(id, index);
            let chunk = self.found(pending, &key)?;
            let part = chunk.as_ref().and_then(|chunk| record::unseal(&key, chunk));
            value.extend_from_slice(part.ok_or_else(|| fault::damaged(&self.reader.folder, "a chunk is missing"))?.1);
        }
        Ok(Some(value))
    }

    fn drop_chunks(&self, pending: &mut Pending, key: &[u8]) -> Result<(), StoreError> {
        if let Some(found) = self.found(pending, key)?
            && let Some(Head::Split { id, len }) = record::head(key, &found)
        {
            pending.extend((0..record::chunk_count(len)).map(|index| (record::chunk_key(id, index), None)));
        }
        Ok(())
    }

    /// Written, synced, renamed and its folder synced before a commit names it.
    fn write_blob(&self, value: &[u8]) -> Result<(), StoreError> {
        let (io, path) = (&self.options.io, blob_path(&self.reader.folder, &record::hash(value)));
        let folder = path.parent().expect("a blob lies in a folder");
        let above = folder.parent().expect("which lies in blobs/");
        let unfinished = above.join("unfinished");
        let written = (|| {
            io.create_folder(folder)?;
            io.sync_folder(above)?;
            let mut file = io.create(&unfinished)?;
            file.write_at(0, value)
        })();
        match written {
            Err(cause) if fault::is_full(&cause) => return Err(fault::full(&self.reader.folder)),
            Err(cause) => return Err(self.stop("write a blob", &cause)),
            Ok(()) => {}
        }
        let kept = io.open(&unfinished).and_then(|mut file| file.sync());
        kept.and_then(|()| io.rename(&unfinished, &path))
            .and_then(|()| io.sync_folder(folder))
            .map_err(|cause| self.stop("keep a blob", &cause))
    }

    fn stop(&self, what: &str, cause: &dyn std::fmt::Display) -> StoreError {
        let mut poison = self.poison.lock();
        let first = poison.get_or_insert_with(|| format!("{what}: {cause}"));
        fault::poisoned(&self.reader.folder, first)
    }

    /// Logs, syncs and applies one group.
    pub(crate) fn commit(&mut self, pending: Pending) -> Result<(), StoreError> {
        if self.poison.lock().is_some() {
            return Err(self.stop("commit", &"stopped"));
        }
        self.frame.clear();
        self.frame.resize(FRAME_HEAD_BYTES, 0);
        self.frame.resize(FRAME_HEAD_BYTES + ACCOUNT_BYTES, 0);
        let mut account = self.account;
        let mut batch = sled::Batch::default();
        for (key, value) in pending {
            if let Some(old) = self.reader.record(&key).map_err(|cause| self.stop("read what is replaced", &cause))? {
                account.remove(&old);
            }
            encode(&mut self.frame, &key, value.as_deref());
            match value {
                Some(value) => {
                    account.add(&value);
                    batch.insert(key, value);
                }
                None => batch.remove(key),
            }
        }
        self.frame[FRAME_HEAD_BYTES..][..ACCOUNT_BYTES].copy_from_slice(&account.encode());
        let written = match self.log.write(&mut self.frame) {
            Ok(written) => written,
            Err(cause) if fault::is_full(&cause) => {
                self.log.cut_back().map_err(|cause| self.stop("cut the log back", &cause))?;
                return Err(fault::full(&self.reader.folder));
            }
            Err(cause) => return Err(self.stop("write the log", &cause)),
        };
        self.options.point("log-written");
        self.log.sync(written).map_err(|cause| self.stop("sync the log", &cause))?;
        self.options.point("log-synced");
        batch.insert(record::OWN_KEY, own(self.log.sequence(), account));
        self.reader.guarded(|| self.reader.db.apply_batch(batch)).map_err(|cause| self.stop("apply", &cause))?;
        self.account = account;
        self.options.point("applied");
        Ok(())
    }

    /// Makes sled durable with our own sync (its `flush` does not reach the disk), then shortens the log.
    pub(crate) fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.reader.guarded(|| self.reader.db.flush()).map_err(|cause| self.stop("flush sled", &cause))?;
        self.db_file.sync().map_err(|cause| self.stop("sync sled's file", &cause))?;
        self.log.turn().map_err(|cause| self.stop("start a log segment", &cause))?;
        self.options.point("checkpoint");
        Ok(())
    }
}

fn encode(frame: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>) {
    frame.extend_from_slice(&(key.len() as u16).to_le_bytes());
    frame.extend_from_slice(&value.map_or(u16::MAX, |value| value.len() as u16).to_le_bytes());
    frame.extend_from_slice(key);
    frame.extend_from_slice(value.unwrap_or_default());
}

/// The account and the records of a logged group; `None` if the bytes are not one.
pub(crate) fn decode(payload: &[u8]) -> Option<(Account, sled::Batch)> {
    let account = Account::decode(payload)?;
    let (mut rest, mut batch) = (payload.get(ACCOUNT_BYTES..)?, sled::Batch::default());
    while !rest.is_empty() {
        let key_len = usize::from(u16::from_le_bytes(rest.get(..2)?.try_into().ok()?));
        let value_len = u16::from_le_bytes(rest.get(2..4)?.try_into().ok()?);
        let key = rest.get(4..4 + key_len)?;
        rest = rest.get(4 + key_len..)?;
        if value_len == u16::MAX {
            batch.remove(key);
        } else {
            batch.insert(key, rest.get(..usize::from(value_len))?);
            rest = rest.get(usize::from(value_len)..)?;
        }
    }
    Some((account, batch))
}
