//! A disk with a volatile cache: records what is done to files, and makes the images a power cut may leave.
//!
//! Must never keep less than a sync promised, nor more than a cut may lose. The model: before the last sync of a file
//! its bytes are durable; later writes are there, missing, or torn at 512 bytes, in any mixture; names are durable up
//! to the last sync of their folder, later changes of them up to some point. sled's file is watched from outside.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flowdeck_store::{Io, IoFile, SystemIo};
use parking_lot::Mutex;

use super::{Dice, files};

const SECTOR: usize = 512;

#[derive(Debug, Clone)]
enum Event {
    Write { file: usize, offset: usize, bytes: Vec<u8> },
    Cut { file: usize, len: usize },
    Sync { file: usize },
    Name { folder: PathBuf, change: Change },
    SyncFolder(PathBuf),
}

#[derive(Debug, Clone)]
enum Change {
    Make(PathBuf, usize),
    Folder(PathBuf),
    Rename { from: PathBuf, to: PathBuf, file: usize },
    Remove(PathBuf),
}

#[derive(Debug, Default)]
struct Record {
    events: Vec<Event>,
    /// Which file a name means now.
    names: HashMap<PathBuf, usize>,
    /// Content of each file when the recording began.
    start: Vec<Vec<u8>>,
    start_names: BTreeMap<PathBuf, usize>,
    db: Option<(PathBuf, usize, Vec<u8>)>,
}

impl Record {
    /// What sled wrote since the last look, as sectors.
    fn look_at_sled(&mut self) {
        let Some((path, file, before)) = &mut self.db else { return };
        let now = fs::read(path).unwrap();
        for start in (0..now.len()).step_by(SECTOR) {
            let end = (start + SECTOR).min(now.len());
            if before.get(start..end) != Some(&now[start..end]) {
                self.events.push(Event::Write { file: *file, offset: start, bytes: now[start..end].to_vec() });
            }
        }
        *before = now;
    }

    fn note(&mut self, event: Event) {
        self.look_at_sled();
        self.events.push(event);
    }

    fn file(&mut self, path: &Path) -> usize {
        let next = self.start.len();
        let file = *self.names.entry(path.to_path_buf()).or_insert(next);
        if file == next {
            self.start.push(Vec::new());
        }
        file
    }
}

/// Passes everything on to the system and writes it down.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Record>>);

impl Recorder {
    /// From here on; what is in the folder now counts as durable.
    pub(crate) fn begin(&self, folder: &Path) {
        let mut record = self.0.lock();
        // Files that are open already keep their numbers.
        record.events.clear();
        for path in files(folder) {
            let bytes = fs::read(&path).unwrap();
            let number = record.file(&path);
            if path.ends_with("sled/db") {
                record.db = Some((path.clone(), number, bytes.clone()));
            }
            record.start[number] = bytes;
            record.start_names.insert(path, number);
        }
    }

    /// How much has happened.
    pub(crate) fn now(&self) -> usize {
        self.0.lock().events.len()
    }

    /// Writes one image that a cut after `at` events may leave, with the folder `from` renamed to `to`.
    pub(crate) fn image(&self, at: usize, dice: &mut Dice, from: &Path, to: &Path) {
        let record = self.0.lock();
        let events = &record.events[..at];
        let mut synced: HashMap<usize, usize> = HashMap::new();
        let mut folders: HashMap<&Path, usize> = HashMap::new();
        for (n, event) in events.iter().enumerate() {
            match event {
                Event::Sync { file } => drop(synced.insert(*file, n)),
                Event::SyncFolder(folder) => drop(folders.insert(folder, n)),
                _ => {}
            }
        }
        // Of the changes of names behind a folder's last sync, the first few are there.
        let mut kept: HashMap<&Path, u64> = HashMap::new();
        let mood = dice.roll(5);
        let keeps = |dice: &mut Dice| match mood {
            0 => false,
            1 => dice.roll(20) != 0,
            2 => dice.roll(20) == 0,
            _ => dice.roll(2) == 0,
        };
        let mut contents: HashMap<usize, Vec<u8>> = record.start.iter().cloned().enumerate().collect();
        let mut names = record.start_names.clone();
        let mut lost_folders: Vec<&Path> = Vec::new();
        for (n, event) in events.iter().enumerate() {
            match event {
                Event::Write { file, offset, bytes } => {
                    let durable = synced.get(file).is_some_and(|sync| n < *sync);
                    let whole = durable || (dice.roll(3) > 0 && keeps(dice));
                    let content = contents.get_mut(file).unwrap();
                    for start in (0..bytes.len()).step_by(SECTOR) {
                        if whole || keeps(dice) {
                            let end = (start + SECTOR).min(bytes.len());
                            if content.len() < offset + end {
                                content.resize(offset + end, 0);
                            }
                            content[offset + start..offset + end].copy_from_slice(&bytes[start..end]);
                        }
                    }
                }
                Event::Cut { file, len } => {
                    if synced.get(file).is_some_and(|sync| n < *sync) || keeps(dice) {
                        contents.get_mut(file).unwrap().resize(*len, 0);
                    }
                }
                Event::Name { folder, change } => {
                    let durable = folders.get(folder.as_path()).is_some_and(|sync| n < *sync);
                    let more = kept.entry(folder).or_insert_with(|| if mood == 0 { 0 } else { dice.roll(4) });
                    if !durable && *more == 0 {
                        if let Change::Folder(path) = change {
                            lost_folders.push(path);
                        }
                        continue;
                    }
                    *more -= u64::from(!durable);
                    match change {
                        Change::Make(path, file) => drop(names.insert(path.clone(), *file)),
                        Change::Folder(_) => {}
                        Change::Rename { from, to, file } => {
                            names.retain(|path, found| path != from || found != file);
                            names.insert(to.clone(), *file);
                        }
                        Change::Remove(path) => drop(names.remove(path)),
                    }
                }
                Event::Sync { .. } | Event::SyncFolder(_) => {}
            }
        }
        for part in ["sled/blobs", "log", "blobs"] {
            fs::create_dir_all(to.join(part)).unwrap();
        }
        for (path, file) in names {
            if lost_folders.iter().any(|folder| path.starts_with(folder)) {
                continue;
            }
            let path = to.join(path.strip_prefix(from).unwrap());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &contents[&file]).unwrap();
        }
    }
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().unwrap().to_path_buf()
}

impl Io for Recorder {
    fn create(&self, path: &Path) -> io::Result<Box<dyn IoFile>> {
        let file = SystemIo.create(path)?;
        let mut record = self.0.lock();
        // An emptied file keeps its name; a new number stands for "emptied", which is durable with its first sync.
        record.names.remove(path);
        let number = record.file(path);
        record.note(Event::Name { folder: folder_of(path), change: Change::Make(path.to_path_buf(), number) });
        Ok(Box::new(Recorded(file, self.clone(), number)))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn IoFile>> {
        let file = SystemIo.open(path)?;
        let number = self.0.lock().file(path);
        Ok(Box::new(Recorded(file, self.clone(), number)))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemIo.rename(from, to)?;
        let mut record = self.0.lock();
        let file = record.file(from);
        record.names.remove(from);
        record.names.insert(to.to_path_buf(), file);
        let change = Change::Rename { from: from.to_path_buf(), to: to.to_path_buf(), file };
        record.note(Event::Name { folder: folder_of(to), change });
        Ok(())
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        SystemIo.remove_file(path)?;
        let mut record = self.0.lock();
        record.names.remove(path);
        record.note(Event::Name { folder: folder_of(path), change: Change::Remove(path.to_path_buf()) });
        Ok(())
    }
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        SystemIo.create_folder(path)?;
        self.0.lock().note(Event::Name { folder: folder_of(path), change: Change::Folder(path.to_path_buf()) });
        Ok(())
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        SystemIo.sync_folder(path)?;
        self.0.lock().note(Event::SyncFolder(path.to_path_buf()));
        Ok(())
    }
    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        SystemIo.free_bytes(path)
    }
}

#[derive(Debug)]
struct Recorded(Box<dyn IoFile>, Recorder, usize);

impl IoFile for Recorded {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)?;
        let event = Event::Write { file: self.2, offset: offset as usize, bytes: bytes.to_vec() };
        self.1.0.lock().note(event);
        Ok(())
    }
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()?;
        self.1.0.lock().note(Event::Sync { file: self.2 });
        Ok(())
    }
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)?;
        self.1.0.lock().note(Event::Cut { file: self.2, len: len as usize });
        Ok(())
    }
    fn reserve(&mut self, len: u64) -> io::Result<()> {
        self.0.reserve(len)
    }
}
