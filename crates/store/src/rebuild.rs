//! Builds sled anew from the base and the log, when its own files cannot be used.
//!
//! Must never touch sled's old files before the new ones are whole, nor delete them: they go aside.
//! Tests: `tests/rebuild.rs`, `tests/power.rs`, `tests/damage.rs`.

use std::fs;
use std::path::Path;

use flowdeck_engine::ports::store::StoreError;

use crate::account::{Account, own};
use crate::base::{self, ReadFault};
use crate::log::{Chain, Found, LogFault, Segment};
use crate::options::Options;
use crate::read::Reader;
use crate::{check, fault, group, record, sled_folder};

/// What is being built; a start finds it gone or begins again.
const UNFINISHED: &str = "sled.new";
/// Of a base: after 16 MiB.
const BATCHES_PER_FLUSH: usize = 256;

/// Replaces `<folder>/sled`, whose old handles are closed. `why` is what was wrong with it.
pub(crate) fn rebuild(folder: &Path, options: &Options, found: &Found, why: &str) -> Result<(), StoreError> {
    tracing::warn!(folder = %folder.display(), why, "the store builds its read side anew from its base and its log");
    let failed = |cause| fault::io(folder, "build sled anew", cause);
    let new = folder.join(UNFINISHED);
    if new.exists() {
        fs::remove_dir_all(&new).map_err(failed)?;
    }
    options.io.create_folder(&new).map_err(failed)?;
    let reader = Reader { db: sled_folder::attempt(folder, &new, options.cache_bytes)?, folder: folder.to_path_buf() };
    let account = fill(&reader, options, found)?;
    check::walk(&reader, account, false)?;
    reader.guarded(|| reader.db.flush())?;
    sled_folder::close(reader.db, &new).map_err(failed)?;
    sled_folder::sync(&*options.io, &new).map_err(failed)?;
    swap(folder, options, &new).map_err(failed)?;
    tracing::warn!(folder = %folder.display(), records = account.records, "the store is whole again");
    Ok(())
}

fn fill(reader: &Reader, options: &Options, found: &Found) -> Result<Account, StoreError> {
    let unusable = |cause: LogFault| fault::damaged(&reader.folder, cause);
    let log = reader.folder.join("log");
    let (mut sequence, mut chain, mut account) = (0, None, Account::default());
    if let Some(piece) = found.kept.base {
        let mut batches = 0_usize;
        let from = base::read(&log, piece.sequence, |batch| {
            reader.guarded(|| reader.db.apply_batch(batch))?;
            batches += 1;
            // Memory is bounded by sled's cache only where it may write.
            if batches.is_multiple_of(BATCHES_PER_FLUSH) {
                reader.guarded(|| reader.db.flush()).map(drop)
            } else {
                Ok(())
            }
        });
        let from = from.map_err(|fault| match fault {
            ReadFault::Log(cause) => unusable(cause),
            ReadFault::Store(error) => error,
        })?;
        (sequence, chain, account) = (from.sequence, Some(from.chain), from.account);
    }
    reader.guarded(|| reader.db.insert(record::OWN_KEY, own(sequence, account)))?;
    for piece in &found.kept.segments {
        let segment = Segment::read(&log, piece.sequence).map_err(unusable)?;
        follow(reader, &mut sequence, &mut chain, &segment)?;
        account = replay(reader, &segment, account)?;
        reader.guarded(|| reader.db.flush())?;
        options.point("rebuilding");
    }
    follow(reader, &mut sequence, &mut chain, &found.newest)?;
    replay(reader, &found.newest, account)
}

/// Whether a segment goes on exactly where the one before it, or the base, ends.
fn follow(reader: &Reader, sequence: &mut u64, chain: &mut Option<Chain>, segment: &Segment) -> Result<(), StoreError> {
    if segment.first_sequence != *sequence + 1 || chain.is_some_and(|chain| chain != segment.chain_before) {
        let what = format!("the commit log has a gap before {}", segment.first_sequence);
        return Err(fault::damaged(&reader.folder, what));
    }
    (*sequence, *chain) = (segment.last_sequence, Some(segment.chain));
    Ok(())
}

/// Applies all that a segment holds, also what sled reflects already: a batch that sled lost in part is whole again.
pub(crate) fn replay(reader: &Reader, segment: &Segment, mut account: Account) -> Result<Account, StoreError> {
    for (sequence, payload) in segment.frames() {
        let (newer, mut batch) =
            group::decode(payload).ok_or_else(|| fault::damaged(&reader.folder, "a logged commit is not readable"))?;
        batch.insert(record::OWN_KEY, own(sequence, newer));
        reader.guarded(|| reader.db.apply_batch(batch))?;
        account = newer;
    }
    Ok(account)
}

/// A kill in between leaves no `sled`, which is built again.
fn swap(folder: &Path, options: &Options, new: &Path) -> std::io::Result<()> {
    let sled = folder.join("sled");
    if sled.exists() {
        let aside = sled_folder::free_name(folder)?;
        options.io.rename(&sled, &aside)?;
        tracing::warn!(aside = %aside.display(), "the old files are kept");
    }
    options.point("rebuilt-aside");
    options.io.rename(new, &sled)?;
    options.io.sync_folder(folder)
}
