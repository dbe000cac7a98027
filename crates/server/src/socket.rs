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
    Ok(Local { listener, socket: socket.to_path_buf(), uid: own_uid() })
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

/// The listening side. Takes the socket away when dropped.
#[derive(Debug)]
pub(crate) struct Local {
    listener: UnixListener,
    socket: PathBuf,
    uid: u32,
}

impl Drop for Local {
    fn drop(&mut self) {
        // A successor makes it anew anyway.
        fs::remove_file(&self.socket).ok();
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
    async fn a_link_in_place_of_the_folder_and_a_long_path_are_refused() {
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(root.path(), root.path().join("link")).unwrap();
        assert!(listen(&root.path().join("link/x.sock")).unwrap_err().to_string().contains("not a folder"));
        let long = root.path().join("x".repeat(120));
        assert!(listen(&long).unwrap_err().to_string().contains("XDG_RUNTIME_DIR"));
    }
}
