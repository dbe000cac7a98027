//! Folders of flow files that are served as they are: a file that comes or changes is published, one that goes is
//! switched off.
//!
//! Must never let a file with errors, or one that is half written, take the place of a version that runs; must never take
//! a folder that cannot be read for an empty one. Tests: `tests/folders.rs`.

mod list;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use flowdeck_format::{Checked, Diagnostic, Source};
use flowdeck_model::FlowName;

use self::list::{Listing, Stamp, stamp};
use super::{SERVED_MAX, Served};
use crate::error::RuntimeError;
use crate::runtime::Runtime;

/// Something to tell of a watched folder.
#[derive(Debug)]
pub enum FileNews {
    /// A flow was published.
    Published(Box<Served>),
    /// What is wrong in a file; with errors among it, the version before goes on.
    Found(Source, Vec<Diagnostic>),
    /// A file, or a flow in it, is not published, and why.
    Refused(PathBuf, String),
    /// The file of a flow is gone, or the flow is no longer in it: it was switched off.
    SwitchedOff(FlowName),
    /// An export lies there, which is not served as it is.
    Export(PathBuf),
    /// The folders cannot be looked at; everything goes on as it was.
    Unreadable(String),
}

/// Folders to look into, again and again.
#[derive(Debug, Default)]
pub struct FlowFolder {
    folders: Vec<PathBuf>,
    files: BTreeMap<PathBuf, Seen>,
    is_known: bool,
    told: HashSet<PathBuf>,
    unreadable: Option<String>,
}

/// A file as it was last seen.
#[derive(Debug, Default)]
struct Seen {
    /// The stamps of the file and its helpers, when it was read.
    stamps: Vec<(PathBuf, Stamp)>,
    /// What it looked like at the last look; it is read when it looks so twice.
    fresh: Option<Vec<(PathBuf, Stamp)>>,
    /// Its texts, when it was read.
    texts: Vec<String>,
    flows: Vec<FlowName>,
    is_bad: bool,
    /// Whether a flow of it comes from another file, which may go.
    is_second: bool,
    /// Whether the last look missed it.
    is_missing: bool,
}

/// What reading a file gave.
struct Read {
    source: Source,
    checked: Checked,
    stamps: Vec<(PathBuf, Stamp)>,
    texts: Vec<String>,
}

impl FlowFolder {
    /// These folders; nothing is read yet.
    #[must_use]
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders, ..Self::default() }
    }

    /// Looks once, publishes what changed, and tells what came of it. Meant to be called about once a second: a file
    /// that changed is taken when it looked the same at two looks, one that is gone when it was missing at two.
    ///
    /// # Errors
    /// [`RuntimeError::Store`], [`RuntimeError::Stopping`]; what was not published is tried at the next look.
    pub async fn look(&mut self, runtime: &Runtime) -> Result<Vec<FileNews>, RuntimeError> {
        let mut news = Vec::new();
        let folders = self.folders.clone();
        let listing = match blocking(move || list::list(&folders)).await? {
            Ok(listing) => listing,
            Err(why) => {
                if self.unreadable.as_ref() != Some(&why) {
                    news.push(FileNews::Unreadable(why.clone()));
                    self.unreadable = Some(why);
                }
                return Ok(news);
            }
        };
        self.unreadable = None;
        self.tell_exports(&listing, &mut news);
        // First: a flow may have moved to another file.
        self.drop_missing(runtime, &listing, &mut news).await?;
        for path in &listing.flows {
            if self.is_due(path) {
                self.take(runtime, path, &mut news).await?;
            }
        }
        if !std::mem::replace(&mut self.is_known, true) {
            self.drop_unknown(runtime, &mut news).await?;
        }
        Ok(news)
    }

    fn tell_exports(&mut self, listing: &Listing, news: &mut Vec<FileNews>) {
        for path in &listing.exports {
            if self.told.insert(path.clone()) {
                news.push(FileNews::Export(path.clone()));
            }
        }
    }

    /// Whether a file has to be read now.
    fn is_due(&mut self, path: &Path) -> bool {
        let is_known = self.is_known;
        let seen = self.files.entry(path.to_path_buf()).or_default();
        seen.is_missing = false;
        if seen.stamps.is_empty() {
            seen.stamps.push((path.to_path_buf(), None));
        }
        let now: Vec<_> = seen.stamps.iter().map(|(path, _)| (path.clone(), stamp(path))).collect();
        if now == seen.stamps {
            seen.fresh = None;
            return false;
        }
        // Somebody may be in the middle of writing it.
        let is_settled = !is_known || seen.fresh.as_ref() == Some(&now);
        seen.fresh = Some(now);
        is_settled
    }

    async fn take(&mut self, runtime: &Runtime, path: &Path, news: &mut Vec<FileNews>) -> Result<(), RuntimeError> {
        let (file, reader) = (path.to_path_buf(), runtime.clone());
        let read = match blocking(move || read(&reader, &file)).await? {
            Ok(read) => read,
            Err(why) => {
                let seen = self.files.entry(path.to_path_buf()).or_default();
                (seen.stamps, seen.is_bad) = (vec![(path.to_path_buf(), stamp(path))], true);
                news.push(FileNews::Refused(path.to_path_buf(), why));
                return Ok(());
            }
        };
        if let Some(seen) = self.files.get_mut(path)
            && seen.texts == read.texts
        {
            seen.stamps = read.stamps;
            return Ok(());
        }
        let is_bad = read.checked.has_errors();
        if !read.checked.diagnostics.is_empty() {
            news.push(FileNews::Found(read.source.clone(), read.checked.diagnostics.clone()));
        }
        let (mut flows, mut is_second) = (Vec::new(), false);
        if !is_bad {
            (flows, is_second) = self.publish(runtime, path, &read, news).await?;
        }
        let seen = self.files.entry(path.to_path_buf()).or_default();
        let before = if is_bad { seen.flows.clone() } else { std::mem::replace(&mut seen.flows, flows) };
        let after = seen.flows.clone();
        (seen.stamps, seen.texts, seen.is_bad, seen.is_second) = (read.stamps, read.texts, is_bad, is_second);
        for gone in before.iter().filter(|name| !after.contains(name)) {
            self.switch_off(runtime, gone, news).await?;
        }
        Ok(())
    }

    /// Publishes the flows of a file; answers which are of this file now, and whether one is of another file.
    async fn publish(
        &self,
        runtime: &Runtime,
        path: &Path,
        read: &Read,
        news: &mut Vec<FileNews>,
    ) -> Result<(Vec<FlowName>, bool), RuntimeError> {
        let (mut flows, mut is_second) = (Vec::new(), false);
        for flow in &read.checked.flows {
            let other = self.files.iter().find(|(other, seen)| *other != path && seen.flows.contains(&flow.name));
            if let Some((other, _)) = other {
                let why = format!("flow {} comes from {} already; give it another name", flow.name, other.display());
                news.push(FileNews::Refused(path.to_path_buf(), why));
                is_second = true;
                continue;
            }
            match runtime.publish_as(flow, Some(&absolute(path))).await {
                Ok(served) => {
                    flows.push(flow.name.clone());
                    news.push(FileNews::Published(Box::new(served)));
                }
                Err(error @ (RuntimeError::Setting(_) | RuntimeError::Engine(_))) => {
                    // The version before goes on.
                    if self.files.get(path).is_some_and(|seen| seen.flows.contains(&flow.name)) {
                        flows.push(flow.name.clone());
                    }
                    news.push(FileNews::Refused(path.to_path_buf(), error.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok((flows, is_second))
    }

    /// Files that are gone for two looks.
    async fn drop_missing(
        &mut self,
        runtime: &Runtime,
        listing: &Listing,
        news: &mut Vec<FileNews>,
    ) -> Result<(), RuntimeError> {
        let mut gone = Vec::new();
        for (path, seen) in &mut self.files {
            if listing.flows.binary_search(path).is_err() && std::mem::replace(&mut seen.is_missing, true) {
                gone.push((path.clone(), seen.flows.clone()));
            }
        }
        let is_any = !gone.is_empty();
        for (path, flows) in gone {
            for name in &flows {
                self.switch_off(runtime, name, news).await?;
            }
            self.files.remove(&path);
        }
        for (_, seen) in self.files.iter_mut().filter(|(_, seen)| is_any && seen.is_second) {
            *seen = Seen { flows: std::mem::take(&mut seen.flows), ..Seen::default() };
        }
        Ok(())
    }

    /// Flows of files that went while nobody looked.
    async fn drop_unknown(&self, runtime: &Runtime, news: &mut Vec<FileNews>) -> Result<(), RuntimeError> {
        let folders: Vec<PathBuf> = self.folders.iter().map(|folder| real(folder)).collect();
        let bad = self.files.iter().filter(|(_, seen)| seen.is_bad);
        let bad: Vec<String> = bad.map(|(path, _)| absolute(path)).collect();
        for (name, record) in runtime.records(None, SERVED_MAX).await? {
            let Some(file) = &record.file else { continue };
            let is_ours = folders.iter().any(|folder| Path::new(file).starts_with(folder));
            let is_here = self.files.values().any(|seen| seen.flows.contains(&name));
            if is_ours && !is_here && !bad.contains(file) {
                self.switch_off(runtime, &name, news).await?;
            }
        }
        Ok(())
    }

    async fn switch_off(
        &self,
        runtime: &Runtime,
        name: &FlowName,
        news: &mut Vec<FileNews>,
    ) -> Result<(), RuntimeError> {
        runtime.let_go(name).await?;
        news.push(FileNews::SwitchedOff(name.clone()));
        Ok(())
    }
}

/// Reads a file and the helpers that it leads to.
fn read(runtime: &Runtime, path: &Path) -> Result<Read, String> {
    // Before the text: a change in between shows at the next look.
    let stamps = RefCell::new(vec![(path.to_path_buf(), stamp(path))]);
    let text = list::text(path)?;
    let texts = RefCell::new(vec![text.clone()]);
    let source = Source::new(&path.display().to_string(), &text);
    let checked = runtime.read_with(&source, &|helper| {
        let file = Path::new(helper);
        stamps.borrow_mut().push((file.to_path_buf(), stamp(file)));
        let text = list::text(file)?;
        texts.borrow_mut().push(text.clone());
        Ok(Source::new(helper, &text))
    });
    Ok(Read { source, checked, stamps: stamps.into_inner(), texts: texts.into_inner() })
}

/// A file by its folder's real path: it may be a link itself.
fn absolute(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default();
    real(file.parent().unwrap_or(Path::new(""))).join(name).display().to_string()
}

fn real(folder: &Path) -> PathBuf {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    folder.canonicalize().or_else(|_| std::path::absolute(folder)).unwrap_or_else(|_| folder.to_path_buf())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, RuntimeError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| RuntimeError::Setting(format!("a look broke: {error}")))
}
