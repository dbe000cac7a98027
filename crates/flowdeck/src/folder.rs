//! The layout of a data folder, and the app files that a user keeps in it.
//!
//! Must never look outside the folder, nor read an app file without a limit.
//! Tests: `tests/apps.rs`.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flowdeck_apps::{App, Apps};
use flowdeck_functions::Functions;
use indexmap::IndexMap;

use crate::error::RuntimeError;

/// Most app files in a data folder.
const APP_FILES_MAX: usize = 1_000;
/// Largest app file, in bytes (4 MiB).
const APP_FILE_BYTES_MAX: u64 = 4 << 20;
/// Families of cards that are nobody's app.
const OWN_FAMILIES: &[&str] = &["tables"];

/// A data folder: `<project>/.flowdeck/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFolder(PathBuf);

impl DataFolder {
    /// The folder at this path; nothing is made yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where the store lives; its lock `store.lock` beside it makes a process the holder.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    /// Where a user's app files live, each called `*.app.yaml` (or `.yml`, `.json`).
    #[must_use]
    pub fn apps(&self) -> PathBuf {
        self.0.join("apps")
    }

    /// Where the playground keeps its state.
    #[must_use]
    pub fn playground(&self) -> PathBuf {
        self.0.join("playground")
    }

    /// The user's app files in order of their names: name and text.
    ///
    /// # Errors
    /// [`RuntimeError::AppFile`] for one that is too large, not UTF-8, or cannot be read.
    pub fn app_files(&self) -> Result<Vec<(String, String)>, RuntimeError> {
        let folder = self.apps();
        let found = match fs::read_dir(&folder) {
            Ok(found) => found,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(cause) => return Err(wrong(&folder.display().to_string(), cause.to_string())),
        };
        let mut paths: Vec<PathBuf> =
            found.filter_map(|entry| Some(entry.ok()?.path())).filter(|p| is_app(p)).collect();
        paths.sort();
        if paths.len() > APP_FILES_MAX {
            return Err(wrong(&folder.display().to_string(), format!("there are more than {APP_FILES_MAX} app files")));
        }
        paths.iter().map(|path| Ok((path.display().to_string(), text_of(path)?))).collect()
    }
}

fn is_app(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let kinds = [".app.yaml", ".app.yml", ".app.json"];
    !name.starts_with('.') && kinds.iter().any(|kind| name.ends_with(kind))
}

fn text_of(path: &Path) -> Result<String, RuntimeError> {
    let refused = |what: String| wrong(&path.display().to_string(), what);
    let file = fs::File::open(path).map_err(|cause| refused(format!("cannot be opened: {cause}")))?;
    let mut bytes = Vec::new();
    file.take(APP_FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|cause| refused(format!("cannot be read: {cause}")))?;
    if bytes.len() as u64 > APP_FILE_BYTES_MAX {
        return Err(refused(format!("it is larger than {APP_FILE_BYTES_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| refused("it is not UTF-8 text".into()))
}

fn wrong(file: &str, what: String) -> RuntimeError {
    RuntimeError::AppFile { file: file.to_owned(), what }
}

/// The built-in apps and a user's. A user's file may neither replace a built-in app, nor take the family of a
/// function card, nor the app of another file: cards of one name would mean two things.
pub(crate) fn all_apps(
    variables: &IndexMap<String, String>,
    functions: &Functions,
    files: &[(String, String)],
) -> Result<Apps, RuntimeError> {
    let mut apps = Apps::built_in(variables).map_err(|e| wrong(&e.name, e.what))?;
    let built_in: Vec<String> = apps.names().map(str::to_owned).collect();
    let families: Vec<String> = functions.cards().iter().map(|card| card.name.family().to_owned()).collect();
    let mut added: IndexMap<String, &str> = IndexMap::new();
    for (name, text) in files {
        let app = App::read(name, text).map_err(|e| wrong(&e.name, e.what))?;
        let app = app.file.app.as_str().to_owned();
        let taken = if built_in.contains(&app) {
            Some("comes with flowdeck".to_owned())
        } else if families.contains(&app) || OWN_FAMILIES.contains(&app.as_str()) {
            Some("is a family of cards that come with flowdeck".to_owned())
        } else {
            added.get(&app).map(|other| format!("is declared by {other} too"))
        };
        if let Some(taken) = taken {
            return Err(wrong(name, format!("`{app}` {taken}; give the app in this file another name")));
        }
        apps.add(name, text).map_err(|e| wrong(&e.name, e.what))?;
        added.insert(app, name);
    }
    Ok(apps)
}
