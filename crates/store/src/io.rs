//! The file operations of the log, the blobs and every rename, behind one small trait.
//!
//! Must never hide an error or repeat an operation. Tests replace it to count, fail, record and drop writes:
//! `tests/guards.rs`, `tests/power.rs`.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// What the store asks of a file system. Paths are always inside or beside the data folder.
pub trait Io: Send + Sync + Debug {
    /// Makes a new, empty file (0600); an existing one is emptied.
    ///
    /// # Errors
    /// What the operating system says; the same for every method here.
    fn create(&self, path: &Path) -> io::Result<Box<dyn IoFile>>;

    /// Opens an existing file to write to it or sync it.
    ///
    /// # Errors
    /// As [`Io::create`].
    fn open(&self, path: &Path) -> io::Result<Box<dyn IoFile>>;

    /// Renames within one file system, replacing the target.
    ///
    /// # Errors
    /// As [`Io::create`].
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes one file.
    ///
    /// # Errors
    /// As [`Io::create`].
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Makes a folder (0700) and those above it.
    ///
    /// # Errors
    /// As [`Io::create`].
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// As [`Io::create`].
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Bytes that this user can still write to the file system that holds `path`.
    ///
    /// # Errors
    /// As [`Io::create`].
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// One open file.
pub trait IoFile: Send + Debug {
    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// As [`Io::create`]; a part may have been written.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes content and size durable (`fdatasync`).
    ///
    /// # Errors
    /// As [`Io::create`]; after an error nobody knows what is durable.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts or extends the file.
    ///
    /// # Errors
    /// As [`Io::create`].
    fn set_len(&mut self, len: u64) -> io::Result<()>;

    /// Takes disk space for the first `len` bytes.
    ///
    /// # Errors
    /// As [`Io::create`].
    fn reserve(&mut self, len: u64) -> io::Result<()>;
}

/// The operating system's files.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemIo;

impl Io for SystemIo {
    fn create(&self, path: &Path) -> io::Result<Box<dyn IoFile>> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        Ok(Box::new(SystemFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn IoFile>> {
        Ok(Box::new(SystemFile(OpenOptions::new().write(true).open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(path)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

#[derive(Debug)]
struct SystemFile(File);

impl IoFile for SystemFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn reserve(&mut self, len: u64) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        rustix::fs::fallocate(&self.0, rustix::fs::FallocateFlags::empty(), 0, len)?;
        #[cfg(not(target_os = "linux"))]
        for start in (0..len).step_by(1 << 20) {
            self.0.write_all_at(&vec![0; (len - start).min(1 << 20) as usize], start)?;
        }
        Ok(())
    }
}
