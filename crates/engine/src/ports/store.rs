//! The store port: ordered keys in named spaces, changed only by whole commits.
//!
//! Must never show a part of a commit, and must never acknowledge what a power cut could undo.
//! Contract suite: `crates/store/tests/contract.rs`, run on every implementation.

use async_trait::async_trait;

/// A family of keys. Keys of different spaces never mix in a scan.
///
/// The discriminants are part of the stored format: never reuse or renumber one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Space {
    /// Format version, identity of the store, counters.
    Meta = 1,
    /// Flow versions by hash, and names that point at them.
    Flows = 2,
    /// One record per run: status and summary.
    Runs = 3,
    /// Resumable state of runs that have not ended.
    States = 4,
    /// Collected outputs of loops, in append-only chunks.
    Chunks = 5,
    /// History: journal entries of runs.
    Entries = 6,
    /// Runs that can go on now.
    Ready = 7,
    /// Due times.
    Timers = 8,
    /// What waits for what (connection, signal, approval, child run).
    Waits = 9,
    /// Signals that arrived before anybody waited.
    Inbox = 10,
    /// Events for subscribers, by sequence number.
    Outbox = 11,
    /// Keys seen, with expiry.
    Dedupe = 12,
    /// Table definitions and generations.
    Tables = 13,
    /// Table rows.
    Rows = 14,
    /// Connection records.
    Connections = 15,
    /// Sealed grant material, one record per generation.
    Grants = 16,
    /// Slot bindings.
    Bindings = 17,
    /// Connect prompts.
    Prompts = 18,
    /// Connect attempts.
    Attempts = 19,
    /// Poll cursors of event cards.
    Cursors = 20,
    /// Schedule positions.
    Schedules = 21,
    /// Append-only audit records.
    Audit = 22,
    /// Settings of the data folder.
    Settings = 23,
}

impl Space {
    /// Every space, in stored order.
    pub const ALL: [Space; 23] = [
        Space::Meta,
        Space::Flows,
        Space::Runs,
        Space::States,
        Space::Chunks,
        Space::Entries,
        Space::Ready,
        Space::Timers,
        Space::Waits,
        Space::Inbox,
        Space::Outbox,
        Space::Dedupe,
        Space::Tables,
        Space::Rows,
        Space::Connections,
        Space::Grants,
        Space::Bindings,
        Space::Prompts,
        Space::Attempts,
        Space::Cursors,
        Space::Schedules,
        Space::Audit,
        Space::Settings,
    ];
}

/// One change inside a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Sets a key. Values of any size up to [`VALUE_BYTES_MAX`]; the store splits what is large.
    Put {
        /// Family of the key.
        space: Space,
        /// At most [`KEY_BYTES_MAX`] bytes.
        key: Vec<u8>,
        /// The whole new value.
        value: Vec<u8>,
    },
    /// Removes a key; removing an absent key is fine.
    Delete {
        /// Family of the key.
        space: Space,
        /// The key.
        key: Vec<u8>,
    },
}

/// What must be true of the store for a commit to happen. Checked atomically with the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// The key is absent.
    Absent {
        /// Family of the key.
        space: Space,
        /// The key.
        key: Vec<u8>,
    },
    /// The key is present with exactly this value.
    Equals {
        /// Family of the key.
        space: Space,
        /// The key.
        key: Vec<u8>,
        /// The expected value.
        value: Vec<u8>,
    },
}

/// All that happens together: either every operation is durable or nothing changed.
///
/// Operations apply in order; a later one on the same key wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    /// The store's epoch as the writer knew it; a commit of an older epoch is refused as [`StoreError::Fenced`].
    pub epoch: u64,
    /// Every one must hold, else [`StoreError::Conflict`] and nothing changes.
    pub preconditions: Vec<Precondition>,
    /// The changes.
    pub ops: Vec<Op>,
}

impl Delta {
    /// An empty commit under `epoch`.
    #[must_use]
    pub fn new(epoch: u64) -> Self {
        Self { epoch, ..Self::default() }
    }

    /// Adds a `Put`.
    pub fn put(&mut self, space: Space, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> &mut Self {
        self.ops.push(Op::Put { space, key: key.into(), value: value.into() });
        self
    }

    /// Adds a `Delete`.
    pub fn delete(&mut self, space: Space, key: impl Into<Vec<u8>>) -> &mut Self {
        self.ops.push(Op::Delete { space, key: key.into() });
        self
    }

    /// Requires that a key is absent.
    pub fn expect_absent(&mut self, space: Space, key: impl Into<Vec<u8>>) -> &mut Self {
        self.preconditions.push(Precondition::Absent { space, key: key.into() });
        self
    }

    /// Requires that a key has this value.
    pub fn expect_equals(&mut self, space: Space, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> &mut Self {
        self.preconditions.push(Precondition::Equals { space, key: key.into(), value: value.into() });
        self
    }

    /// Whether it would change or check nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty() && self.preconditions.is_empty()
    }
}

/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 512;
/// Largest value of one key, in bytes (64 MiB).
pub const VALUE_BYTES_MAX: usize = 64 << 20;
/// Most operations in one commit.
pub const OPS_MAX: usize = 100_000;

/// A key and its value, as a scan returns them.
pub type KeyValue = (Vec<u8>, Vec<u8>);

/// Which part of a space a scan visits. Keys come in byte order (`reverse`: from the end).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Family of the keys.
    pub space: Space,
    /// Only keys that begin with these bytes.
    pub prefix: Vec<u8>,
    /// Only keys strictly after this one in scan order (a full key, prefix included).
    pub after: Option<Vec<u8>>,
    /// At most this many; an answer of this length may have more behind it.
    pub limit: usize,
    /// From the last key to the first.
    pub reverse: bool,
    /// Leave the values empty (cheaper).
    pub keys_only: bool,
}

impl Scan {
    /// All keys of `space` with `prefix`, first to last, up to `limit`.
    #[must_use]
    pub fn prefix(space: Space, prefix: impl Into<Vec<u8>>, limit: usize) -> Self {
        Self { space, prefix: prefix.into(), after: None, limit, reverse: false, keys_only: false }
    }
}

/// Where runs, tables, connections and everything else durable lives.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Raised durably by every open of the store; carried by every commit.
    fn epoch(&self) -> u64;

    /// After `Ok` the whole delta survives a kill and a power cut, and every later read sees it.
    /// After `Conflict`, `Fenced`, `TooLarge` or `Full` nothing changed. After `Poisoned` the outcome is
    /// unknown until the store is opened again; every later call answers `Poisoned` too.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn commit(&self, delta: Delta) -> Result<(), StoreError>;

    /// The value of a key, or `None`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the value cannot be read whole; [`StoreError::Poisoned`].
    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The keys of a range, in order.
    ///
    /// # Errors
    /// As [`Store::get`].
    async fn scan(&self, scan: Scan) -> Result<Vec<KeyValue>, StoreError>;
}

/// Why the store refused or could not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A precondition did not hold.
    #[error("commit: a precondition does not hold")]
    Conflict,
    /// Another process opened the store since.
    #[error("commit: epoch {seen} is over, the store is at {current}")]
    Fenced {
        /// Epoch of the delta.
        seen: u64,
        /// Epoch of the store.
        current: u64,
    },
    /// A key, value or delta above its limit.
    #[error("commit: {what} is {size}, the limit is {limit}")]
    TooLarge {
        /// What was too large.
        what: &'static str,
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// The disk is full or nearly so; reads go on.
    #[error("commit: the disk that holds {folder} is full or nearly so; free some space and try again")]
    Full {
        /// The data folder.
        folder: String,
    },
    /// Another process holds the data folder.
    #[error("open {folder}: held by process {holder}")]
    Held {
        /// The data folder.
        folder: String,
        /// Process id of the holder, or `?`.
        holder: String,
    },
    /// The files are damaged. Nothing was deleted.
    #[error("open {folder}: {what}; {remedy}")]
    Damaged {
        /// The data folder.
        folder: String,
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// A sync or write failed; the process must end and the store be opened again.
    #[error("store in {folder} stopped after a failed write: {what}; restart to recover")]
    Poisoned {
        /// The data folder.
        folder: String,
        /// The first failure.
        what: String,
    },
    /// Anything else the operating system refused.
    #[error("{what} in {folder}: {cause}")]
    Io {
        /// The data folder.
        folder: String,
        /// What was tried.
        what: String,
        /// The system's answer.
        cause: String,
    },
}
