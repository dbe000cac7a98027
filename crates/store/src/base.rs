//! The base: a copy of all records, from which the log can build sled anew.
//!
//! Must never be there under its name before it is whole and durable. It is made while commits go on: what it has of
//! later ones, the log says again. Tests: `tests/rebuild.rs`.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use flowdeck_engine::ports::store::StoreError;

use crate::account::{ACCOUNT_BYTES, Account, decode_own};
use crate::io::Io;
use crate::log::{
    Chain, FRAME_HEAD_BYTES, FrameHead, LogFault, Piece, SEGMENT_HEAD_BYTES, SegmentHead, base_path, decode_frame,
};
use crate::read::Reader;
use crate::{account, check, fault, group, record};

/// Records of about this size go to one frame, which is one batch when sled is built anew: sled's memory grows with its
/// largest batches (100,000 waiting runs: 880 MiB with frames of 1 MiB, 260 MiB with these).
const FRAME_BYTES: usize = 64 << 10;
/// Longest frame that is read back: earlier bases have frames of 1 MiB and a record.
const FRAME_BYTES_MAX: usize = 2 << 20;

/// What a new base reflects at least: everything before the segment that goes on from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct From {
    pub sequence: u64,
    pub chain: Chain,
    pub account: Account,
}

/// Writes a base, durable under its name at the end. `None`: it was told to stop, and left nothing that counts.
pub(crate) fn write(
    io: &dyn Io,
    reader: &Reader,
    folder: &Path,
    from: From,
    stop: &AtomicBool,
) -> Result<Option<Piece>, StoreError> {
    let failed = |cause| fault::io(&reader.folder, "write a base", cause);
    let path = base_path(folder, from.sequence);
    let unfinished = path.with_extension("base.new");
    let mut file = io.create(&unfinished).map_err(failed)?;
    let head = SegmentHead { first_sequence: from.sequence + 1, chain: from.chain };
    file.write_at(0, &head.encode()).map_err(failed)?;
    let (mut at, mut number, mut chain) = (SEGMENT_HEAD_BYTES as u64, 0, from.chain);
    let mut put = |frame: &mut Vec<u8>| {
        number += 1;
        let head = FrameHead::of(&frame[FRAME_HEAD_BYTES..], number, &chain);
        frame[..FRAME_HEAD_BYTES].copy_from_slice(&head.encode());
        file.write_at(at, frame)?;
        (at, chain) = (at + frame.len() as u64, head.chain);
        empty(frame, from.account);
        Ok(())
    };
    let mut frame = Vec::new();
    empty(&mut frame, from.account);
    let mut found = Account { records: 0, sum: 0, ..from.account };
    let mut records = reader.guarded(|| Ok(reader.db.iter()))?;
    while let Some((key, record)) = reader.guarded(|| records.next().transpose())? {
        if key == record::OWN_KEY {
            continue;
        }
        check::sound(reader, &key, &record)?;
        found.add(account::mark(&record));
        group::push(&mut frame, &key, Some(&record));
        if frame.len() >= FRAME_BYTES {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            put(&mut frame).map_err(failed)?;
        }
    }
    // Nothing was committed meanwhile: then it can be compared.
    let own = reader.record(record::OWN_KEY)?;
    let quiet = own.as_deref().and_then(decode_own).is_some_and(|(sequence, _)| sequence == from.sequence);
    if quiet && found != from.account {
        return Err(check::differs(reader, found, from.account));
    }
    let rest = frame.len() > FRAME_HEAD_BYTES + ACCOUNT_BYTES;
    // The last frame has no record: a base without it was cut.
    for _ in 0..=usize::from(rest) {
        put(&mut frame).map_err(failed)?;
    }
    file.sync().map_err(failed)?;
    io.rename(&unfinished, &path).map_err(failed)?;
    io.sync_folder(folder).map_err(failed)?;
    Ok(Some(Piece { sequence: from.sequence, bytes: at }))
}

fn empty(frame: &mut Vec<u8>, account: Account) {
    frame.clear();
    frame.resize(FRAME_HEAD_BYTES, 0);
    frame.extend_from_slice(&account.encode());
}

/// Hands the records of a base to `each`, in batches, and answers the chain that the log goes on from.
pub(crate) fn read(
    folder: &Path,
    sequence: u64,
    mut each: impl FnMut(sled::Batch) -> Result<(), StoreError>,
) -> Result<From, ReadFault> {
    let damaged = || LogFault::Damaged(format!("the base at commit {sequence} is damaged"));
    let mut file = BufReader::new(File::open(base_path(folder, sequence)).map_err(LogFault::Io)?);
    let mut head = [0; SEGMENT_HEAD_BYTES];
    file.read_exact(&mut head).map_err(LogFault::Io)?;
    let head = SegmentHead::decode(&head).filter(|head| head.first_sequence == sequence + 1).ok_or_else(damaged)?;
    let (mut chain, mut frame) = (head.chain, Vec::new());
    for number in 1.. {
        frame.resize(FRAME_HEAD_BYTES, 0);
        file.read_exact(&mut frame).map_err(LogFault::Io)?;
        let len = FrameHead::decode(&frame).map(|head| head.len as usize).filter(|len| *len <= FRAME_BYTES_MAX);
        frame.resize(FRAME_HEAD_BYTES + len.ok_or_else(damaged)?, 0);
        file.read_exact(&mut frame[FRAME_HEAD_BYTES..]).map_err(LogFault::Io)?;
        let sound = decode_frame(&frame, number, &chain).ok_or_else(damaged)?;
        chain = sound.head.chain;
        let (account, batch) = group::decode(sound.payload).ok_or_else(damaged)?;
        if sound.payload.len() == ACCOUNT_BYTES {
            return Ok(From { sequence, chain: head.chain, account });
        }
        each(batch)?;
    }
    Err(damaged().into())
}

/// Why a base could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadFault {
    #[error(transparent)]
    Log(#[from] LogFault),
    #[error(transparent)]
    Store(#[from] StoreError),
}
