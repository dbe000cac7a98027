//! The local socket of a data folder: where it is, who may use it.
//!
//! Must never be opened by a process that does not hold the folder, nor serve another user.
//! Tests: below and `tests/session.rs`.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::net::{UnixListener, UnixStream};

use crate::serve::Accept;

/// Longest path of a socket, in bytes, on every supported system.
const PATH_BYTES_MAX: usize = 103;

/// The socket of a data folder: `<runtime folder>/flowdeck/<16 hex of SHA-256 of the folder's absolute path>.sock`;
/// without a runtime folder (`XDG_RUNTIME_DIR`) below `<temporary folder>/flowdeck-<user id>/`.
///
/// ```
/// let data = std::path::Path::new("/home/ada/project/.flowdeck");
/// let socket = flowdeck_server::session::socket_path(data, Some("/run/user/1000".as_ref()));
/// assert!(socket.starts_with("/run/user/1000/flowdeck"));
/// ```
#[must_use]
pub fn socket_path(data: &Path, runtime_folder: Option<&Path>) -> PathBuf {
    let folder = match runtime_folder {
        Some(folder) => folder.join("flowdeck"),
        None => std::env::temp_dir().join(format!("flowdeck-{}", own_uid())),
    };
    let absolute = std::path::absolute(data).unwrap_or_else(|_| data.to_path_buf());
    let hash = Sha256::digest(absolute.as_os_str().as_encoded_bytes());
    folder.join(format!("{}.sock", &hex::encode(hash)[..16]))
}

fn own_uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// Makes the socket, in place of one that a dead holder left. Only for who holds the data folder.
pub(crate) fn listen(socket: &Path) -> io::Result<Local> {
    if socket.as_os_str().len() > PATH_BYTES_MAX {
        let why = format!("its path is longer than {PATH_BYTES_MAX} bytes; set XDG_RUNTIME_DIR to a shorter folder");
        return Err(io::Error::other(why));
    }
    let folder = socket.parent().ok_or_else(|| io::Error::other("it has no folder"))?;
    private_folder(folder)?;
    match fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(socket)?;
    fs::set_permissions(socket, fs::Permissions::from_mode(0o600))?;
    let made = identity(socket)?;
    Ok(Local { listener, socket: socket.to_path_buf(), made, uid: own_uid() })
}

/// A folder that only this user can enter; one of somebody else's making is refused.
fn private_folder(folder: &Path) -> io::Result<()> {
    if !folder.exists() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() {
        return Err(io::Error::other(format!("{} is not a folder", folder.display())));
    }
    if found.uid() != own_uid() {
        let why = format!("{} belongs to another user; set XDG_RUNTIME_DIR to a folder of your own", folder.display());
        return Err(io::Error::other(why));
    }
    if found.mode() & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Which file it is, whatever its name.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// Refuses a socket that another user listens on: secrets go through it.
pub(crate) fn own_peer(stream: &UnixStream) -> io::Result<()> {
    same_user(stream.peer_cred()?.uid(), own_uid())
}

fn same_user(theirs: u32, ours: u32) -> io::Result<()> {
    if theirs == ours {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("user {theirs} listens on it, not user {ours}")))
}

/// The listening side. Takes the socket away when dropped.
#[derive(Debug)]
pub(crate) struct Local {
    listener: UnixListener,
    socket: PathBuf,
    made: (u64, u64),
    uid: u32,
}

impl Drop for Local {
    fn drop(&mut self) {
        // A successor may have made its own in the same place already.
        if identity(&self.socket).is_ok_and(|found| found == self.made) {
            fs::remove_file(&self.socket).ok();
        }
    }
}

impl Accept for Local {
    type Stream = UnixStream;

    async fn accept(&mut self) -> io::Result<Option<UnixStream>> {
        let (stream, _) = self.listener.accept().await?;
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == self.uid => Ok(Some(stream)),
            Ok(peer) => {
                tracing::warn!(uid = peer.uid(), "another user tried the local socket");
                Ok(None)
            }
            Err(error) => {
                tracing::debug!(%error, "a caller was gone before it could be known");
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_folder_has_a_socket_of_its_own() {
        let at = |data: &str| socket_path(Path::new(data), Some(Path::new("/run/user/7")));
        assert_eq!(at("/a/.flowdeck"), at("/a/.flowdeck"));
        assert_ne!(at("/a/.flowdeck"), at("/b/.flowdeck"));
        let name = at("/a/.flowdeck").file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(name.len(), "0123456789abcdef.sock".len());
        assert!(socket_path(Path::new("/a"), None).starts_with(std::env::temp_dir()));
    }

    #[tokio::test]
    async fn folder_and_socket_are_private_and_a_stale_socket_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let socket = root.path().join("flowdeck/x.sock");
        fs::create_dir_all(socket.parent().unwrap()).unwrap();
        fs::set_permissions(socket.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(&socket, "stale").unwrap();
        let local = listen(&socket).unwrap();
        assert_eq!(fs::metadata(socket.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(&socket).unwrap().mode() & 0o777, 0o600);
        drop(local);
        assert!(!socket.exists());
    }

    #[tokio::test]
    async fn a_holder_that_ends_late_leaves_its_successors_socket() {
        let root = tempfile::tempdir().unwrap();
        let socket = root.path().join("flowdeck/x.sock");
        let late = listen(&socket).unwrap();
        let successor = listen(&socket).unwrap();
        drop(late);
        assert!(socket.exists());
        own_peer(&UnixStream::connect(&socket).await.unwrap()).unwrap();
        drop(successor);
        assert!(!socket.exists());
    }

    #[test]
    fn another_users_socket_is_refused() {
        same_user(7, 7).unwrap();
        assert_eq!(same_user(8, 7).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    #[tokio::test]
    async fn a_link_in_place_of_the_folder_and_a_long_path_are_refused() {
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(root.path(), root.path().join("link")).unwrap();
        assert!(listen(&root.path().join("link/x.sock")).unwrap_err().to_string().contains("not a folder"));
        let long = root.path().join("x".repeat(120));
        assert!(listen(&long).unwrap_err().to_string().contains("XDG_RUNTIME_DIR"));
    }
}
