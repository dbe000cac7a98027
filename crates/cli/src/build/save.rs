//! Replaces a file whole, or not at all.
//!
//! Must never write over what somebody else wrote meanwhile, nor leave a half file.
//! Tests: below.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::end::WrongFile;

/// Names that are tried for the file beside.
const TRIES_MAX: u32 = 100;

/// Writes a new text where the old one still is.
///
/// # Errors
/// A [`WrongFile`] where the file changed since it was read; what the system says else.
pub(crate) fn replace(path: &Path, old: &str, new: &str) -> Result<()> {
    // A link stays a link.
    let path = &path.canonicalize().with_context(|| format!("find {}", path.display()))?;
    let beside = beside(path, new).with_context(|| format!("write beside {}", path.display()))?;
    let replaced = (|| {
        let mode = fs::metadata(path)?.permissions();
        fs::set_permissions(&beside, mode)?;
        if fs::read(path)? != old.as_bytes() {
            return Ok(false);
        }
        fs::rename(&beside, path).map(|()| true)
    })();
    if !matches!(replaced, Ok(true)) {
        fs::remove_file(&beside).ok(); // It is only ours.
    }
    if replaced.with_context(|| format!("write {}", path.display()))? {
        return Ok(());
    }
    let text = format!("{} was changed by somebody else meanwhile; nothing was written. Do it again", path.display());
    Err(WrongFile::new(text).into())
}

/// Writes a file that is not there yet, and its folder; false where it is. With `force` it is replaced.
///
/// # Errors
/// What the system says.
pub(crate) fn create(path: &Path, text: &str, force: bool) -> Result<bool> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    let beside = beside(path, text).with_context(|| format!("write beside {}", path.display()))?;
    // A second name for the whole file: unlike a rename, it is refused where the name is taken.
    let made = if force { fs::rename(&beside, path) } else { fs::hard_link(&beside, path) };
    fs::remove_file(&beside).ok(); // After a rename it is gone already.
    match made {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e).with_context(|| format!("write {}", path.display())),
    }
}

/// The whole text in a file of its own in the same folder, synced.
fn beside(path: &Path, text: &str) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::other("it has no file name"))?.to_string_lossy().into_owned();
    for _ in 0..TRIES_MAX {
        let beside = path.with_file_name(format!(".{name}.{:08x}", rand::random::<u32>()));
        match File::options().write(true).create_new(true).open(&beside) {
            Ok(mut file) => {
                let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
                return match written {
                    Ok(()) => Ok(beside),
                    Err(error) => {
                        fs::remove_file(&beside).ok(); // The first error is the one to tell.
                        Err(error)
                    }
                };
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::other("no name is free beside it"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_file_that_changed_meanwhile_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        replace(&path, "old", "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        let said = replace(&path, "old", "newer").unwrap_err();
        assert!(said.is::<WrongFile>() && said.to_string().contains("meanwhile"), "{said}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(names(folder.path()), ["a.yaml"], "nothing is left beside");
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a.yaml"), folder.path().join("link.yaml"));
        fs::write(&path, "old").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        replace(&link, "old", "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn a_file_that_is_there_is_not_overwritten_unless_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows/a.yaml");
        assert!(create(&path, "one", false).unwrap());
        assert!(!create(&path, "two", false).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        assert!(create(&path, "two", true).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(names(path.parent().unwrap()), ["a.yaml"]);
    }
}
