//! Files that fail on demand: by what is done, or at the n-th operation.
//!
//! Must never fail on its own, and never hide what was asked of it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flowdeck_store::{Io, IoFile, SystemIo};
use parking_lot::Mutex;
use rustix::io::Errno;

/// What was done, in order, and which operation fails with what.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    done: Vec<String>,
    fail: Option<(&'static str, Errno)>,
    /// Fails when this many operations that match have gone before; later ones pass again.
    nth: Option<(Vec<&'static str>, u64, Errno)>,
    hit: bool,
}

impl Faults {
    /// Every later operation whose description contains `what` fails.
    pub(crate) fn fail(&self, what: &'static str, errno: Errno) {
        self.0.lock().fail = Some((what, errno));
    }

    /// The operation after `n` others among those that begin with one of `verbs` fails, once.
    pub(crate) fn fail_nth(&self, verbs: &[&'static str], n: u64, errno: Errno) {
        let mut script = self.0.lock();
        script.nth = Some((verbs.to_vec(), n, errno));
        script.hit = false;
    }

    /// Whether the n-th operation was reached.
    pub(crate) fn was_hit(&self) -> bool {
        self.0.lock().hit
    }

    pub(crate) fn heal(&self) {
        let mut script = self.0.lock();
        script.fail = None;
        script.nth = None;
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().done)
    }

    fn note(&self, verb: &str, path: &Path) -> io::Result<()> {
        let mut script = self.0.lock();
        let has = |name: &str| path.extension().is_some_and(|extension| extension == name);
        let kind = if has("log") {
            "segment".to_owned()
        } else if has("base") {
            "base".to_owned()
        } else if path.components().any(|part| part.as_os_str() == "blobs") {
            "blob".to_owned()
        } else {
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        };
        let line = format!("{verb} {kind}");
        let mut failing = script.fail.filter(|(what, _)| line.contains(what)).map(|(_, errno)| errno);
        if let Some((verbs, left, errno)) = &mut script.nth
            && verbs.contains(&verb)
        {
            if *left == 0 {
                failing = Some(*errno);
                script.nth = None;
                script.hit = true;
            } else {
                *left -= 1;
            }
        }
        script.done.push(line);
        failing.map_or(Ok(()), |errno| Err(errno.into()))
    }
}

impl Io for Faults {
    fn create(&self, path: &Path) -> io::Result<Box<dyn IoFile>> {
        self.note("create", path)?;
        Ok(Box::new(FaultFile(SystemIo.create(path)?, self.clone(), named(path))))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn IoFile>> {
        Ok(Box::new(FaultFile(SystemIo.open(path)?, self.clone(), named(path))))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note("rename", to)?;
        SystemIo.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.note("remove", path)?;
        SystemIo.remove_file(path)
    }
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.note("create-folder", path)?;
        SystemIo.create_folder(path)
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.note("sync-folder", path)?;
        SystemIo.sync_folder(path)
    }
    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        if self.note("free", path).is_err() { Ok(10) } else { SystemIo.free_bytes(path) }
    }
}

/// A new segment or base is written under another name first; faults mean the final one.
fn named(path: &Path) -> PathBuf {
    if path.extension().is_none_or(|extension| extension != "new") {
        return path.into();
    }
    let final_name = path.with_extension("");
    if final_name.extension().is_some() { final_name } else { path.with_extension("log") }
}

#[derive(Debug)]
struct FaultFile(Box<dyn IoFile>, Faults, PathBuf);

impl IoFile for FaultFile {
    /// A failing write has written half.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if let Err(cause) = self.1.note("write", &self.2) {
            self.0.write_at(offset, &bytes[..bytes.len() / 2])?;
            return Err(cause);
        }
        self.0.write_at(offset, bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.1.note("sync", &self.2)?;
        self.0.sync()
    }
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.1.note("cut", &self.2)?;
        self.0.set_len(len)
    }
    fn reserve(&mut self, len: u64) -> io::Result<()> {
        self.1.note("reserve", &self.2)?;
        self.0.reserve(len)
    }
}
