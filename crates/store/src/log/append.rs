//! Appends groups to the newest segment and starts new ones.
//!
//! Must never append after a failed write or sync: its owner stops for good. Tests: `tests/guards.rs`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame::{Chain, FRAME_HEAD_BYTES, FrameHead, SEGMENT_HEAD_BYTES, SegmentHead};
use super::kept::{Kept, Piece};
use super::read::{Found, base_path};
use super::segment::segment_path;
use super::witness;
use crate::io::{Io, IoFile};

/// The open end of the log.
#[derive(Debug)]
pub(crate) struct Log {
    io: Arc<dyn Io>,
    folder: PathBuf,
    segment: Box<dyn IoFile>,
    segment_first: u64,
    witness: Box<dyn IoFile>,
    end: u64,
    sequence: u64,
    chain: Chain,
    kept: Kept,
}

impl Log {
    /// Starts a log whose next group is `first_sequence`: a new segment, durable under its final name.
    pub(crate) fn start(io: Arc<dyn Io>, folder: &Path, first_sequence: u64, chain: Chain) -> io::Result<Self> {
        let segment = new_segment(&*io, folder, first_sequence, chain)?;
        let witness = open_witness(&*io, folder)?;
        let (end, sequence) = (SEGMENT_HEAD_BYTES as u64, first_sequence - 1);
        let (folder, kept) = (folder.to_path_buf(), Kept::default());
        Ok(Self { io, folder, segment, segment_first: first_sequence, witness, end, sequence, chain, kept })
    }

    /// Goes on behind a log with a torn tail. Its bytes stay behind in a segment that the new one follows; a segment
    /// without any whole frame is written again under the same name.
    pub(crate) fn resume_torn(io: Arc<dyn Io>, folder: &Path, found: &Found) -> io::Result<Self> {
        let newest = &found.newest;
        let mut log = Self::start(io, folder, newest.last_sequence + 1, newest.chain)?;
        log.kept = found.kept.clone();
        if newest.last_sequence >= newest.first_sequence {
            log.kept.segments.push(Piece { sequence: newest.first_sequence, bytes: newest.end as u64 });
        }
        Ok(log)
    }

    /// Goes on at the end of a log without a torn tail.
    pub(crate) fn resume(io: Arc<dyn Io>, folder: &Path, found: &Found) -> io::Result<Self> {
        let newest = &found.newest;
        let segment = io.open(&segment_path(folder, newest.first_sequence))?;
        let witness = open_witness(&*io, folder)?;
        Ok(Self {
            io,
            folder: folder.to_path_buf(),
            segment,
            segment_first: newest.first_sequence,
            witness,
            end: newest.end as u64,
            sequence: newest.last_sequence,
            chain: newest.chain,
            kept: found.kept.clone(),
        })
    }

    /// The last sequence appended and acknowledged.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn chain(&self) -> Chain {
        self.chain
    }

    /// Whether a new base should be made at the next checkpoint.
    pub(crate) fn base_is_due(&self, segment_bytes: u64) -> bool {
        self.kept.is_due(self.segment_first, segment_bytes)
    }

    /// Whether even a closing store should wait for it.
    pub(crate) fn base_is_overdue(&self, segment_bytes: u64) -> bool {
        self.kept.is_overdue(self.segment_first, segment_bytes)
    }

    /// Bytes since the last checkpoint.
    pub(crate) fn tail_bytes(&self) -> u64 {
        self.end - SEGMENT_HEAD_BYTES as u64
    }

    /// Writes the next group without syncing it. The first [`FRAME_HEAD_BYTES`] of `frame` are filled in here, the
    /// payload stands behind them: encoded once, written once.
    pub(crate) fn write(&mut self, frame: &mut [u8]) -> io::Result<Written> {
        let head = FrameHead::of(&frame[FRAME_HEAD_BYTES..], self.sequence + 1, &self.chain);
        frame[..FRAME_HEAD_BYTES].copy_from_slice(&head.encode());
        self.segment.write_at(self.end, frame)?;
        Ok(Written { end: self.end + frame.len() as u64, chain: head.chain })
    }

    /// Removes what a write that ran out of space left behind.
    pub(crate) fn cut_back(&mut self) -> io::Result<()> {
        self.segment.set_len(self.end)
    }

    /// Makes the written group durable: after `Ok` it may be acknowledged.
    pub(crate) fn sync(&mut self, written: Written) -> io::Result<()> {
        self.segment.sync()?;
        self.end = written.end;
        self.chain = written.chain;
        self.sequence += 1;
        let (at, slot) = witness::encode(self.sequence, &self.chain);
        self.witness.write_at(at, &slot)
    }

    /// Starts a new segment. Only after sled is durable up to [`Log::sequence`].
    pub(crate) fn turn(&mut self) -> io::Result<()> {
        let first = self.sequence + 1;
        if first == self.segment_first {
            return Ok(());
        }
        self.witness.sync()?;
        self.segment = new_segment(&*self.io, &self.folder, first, self.chain)?;
        self.kept.segments.push(Piece { sequence: self.segment_first, bytes: self.end });
        self.segment_first = first;
        self.end = SEGMENT_HEAD_BYTES as u64;
        Ok(())
    }

    /// Takes a base that is durable under its name, and removes what it makes superfluous.
    pub(crate) fn take_base(&mut self, base: Piece) -> io::Result<()> {
        let before = self.kept.base.replace(base).filter(|before| before.sequence != base.sequence);
        for first in self.kept.take_superfluous(self.segment_first) {
            self.io.remove_file(&segment_path(&self.folder, first))?;
        }
        before.map_or(Ok(()), |before| self.io.remove_file(&base_path(&self.folder, before.sequence)))
    }
}

/// A group that is written and not yet synced.
#[derive(Debug)]
pub(crate) struct Written {
    end: u64,
    chain: Chain,
}

fn new_segment(io: &dyn Io, folder: &Path, first_sequence: u64, chain: Chain) -> io::Result<Box<dyn IoFile>> {
    let path = segment_path(folder, first_sequence);
    let unfinished = path.with_extension("new");
    let mut segment = io.create(&unfinished)?;
    segment.write_at(0, &SegmentHead { first_sequence, chain }.encode())?;
    segment.sync()?;
    io.rename(&unfinished, &path)?;
    io.sync_folder(folder)?;
    Ok(segment)
}

fn open_witness(io: &dyn Io, folder: &Path) -> io::Result<Box<dyn IoFile>> {
    let path = folder.join(witness::NAME);
    match io.open(&path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            // At full length, so that no later write needs space.
            let mut file = io.create(&path)?;
            file.write_at(0, &[0; witness::FILE_BYTES])?;
            Ok(file)
        }
        opened => opened,
    }
}
