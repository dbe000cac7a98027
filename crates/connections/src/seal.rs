//! Seals secrets at rest: XChaCha20-Poly1305 under a key from a file, bound to the record they belong to.
//!
//! Must never write a key into the data folder, and never open a ciphertext under another record's name.
//! Tests: below.

use std::fmt;
use std::io::Write as _;
use std::path::Path;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::random::{Random, bytes};
use crate::secret::SecretText;

const FORMAT: u8 = 1;
const KEY_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;
const FILE_LINE: &str = "flowdeck-key-1";
const KEYS_MAX: usize = 64;

/// Why something sealed cannot be read, or the key file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The data was sealed under a key that is not in the key file.
    #[error(
        "the connections here were sealed with key {wanted}, but the key file holds {held}; point to the key file of this data folder with --key-file, or connect again"
    )]
    WrongKey {
        /// Key id in the record.
        wanted: String,
        /// Key ids at hand.
        held: String,
    },
    /// The ciphertext does not belong to this record, or was changed.
    #[error("a sealed record was changed or moved and cannot be read; connect again")]
    Broken,
    /// Other users of this machine can read the key file.
    #[error("the key file {path} can be read by others (mode {mode:o}); run `chmod 600 {path}`")]
    OpenToOthers {
        /// The file.
        path: String,
        /// Its mode bits.
        mode: u32,
    },
    /// The key file is not one.
    #[error("{path} is not a flowdeck key file: {why}")]
    NotAKeyFile {
        /// The file.
        path: String,
        /// What is wrong.
        why: &'static str,
    },
    /// The operating system refused.
    #[error("{what} the key file {path}: {cause}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: String,
        /// The answer.
        cause: String,
    },
}

/// What a sealed value belongs to. Part of the associated data: a value moved elsewhere does not open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label<'a> {
    /// Kind of record: `grant`, `answer`, `attempt`, `run`.
    pub(crate) kind: &'a str,
    /// Id of the record's owner, as bytes.
    pub(crate) owner: [u8; 16],
    /// Generation; 0 where there is none.
    pub(crate) generation: u64,
    /// Name of the field.
    pub(crate) field: &'a str,
}

impl Label<'_> {
    fn associated(&self) -> Vec<u8> {
        let mut out = vec![FORMAT];
        for part in [self.kind.as_bytes(), &self.owner, &self.generation.to_be_bytes(), self.field.as_bytes()] {
            out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }
}

#[derive(Clone)]
struct Key {
    id: [u8; KEY_ID_BYTES],
    bytes: Zeroizing<[u8; 32]>,
}

impl Key {
    fn new(bytes: [u8; 32]) -> Self {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&bytes).expect("HMAC takes keys of any length");
        mac.update(b"flowdeck key id");
        let digest = mac.finalize().into_bytes();
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&digest[..KEY_ID_BYTES]);
        Self { id, bytes: Zeroizing::new(bytes) }
    }
}

/// The keys that seal secrets: the first seals, all open.
#[derive(Clone)]
pub struct MasterKey {
    keys: Vec<Key>,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("ids", &self.ids()).finish()
    }
}

impl MasterKey {
    /// A key of these bytes, for tests and for programs that keep their keys elsewhere.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { keys: vec![Key::new(bytes)] }
    }

    /// Reads the key file, or makes it (mode 0600, parents too) where there is none.
    ///
    /// The file has one line per key, the sealing one first: `flowdeck-key-1 <64 hex digits>`.
    ///
    /// # Errors
    /// [`SealError`] when the file is readable by others, is not a key file, or cannot be read or written.
    pub fn load_or_create(path: &Path, random: &dyn Random) -> Result<Self, SealError> {
        match Self::load(path)? {
            Some(held) => Ok(held),
            None => Self::create(path, random),
        }
    }

    /// Reads the key file; `None` where there is none.
    ///
    /// # Errors
    /// [`SealError`] when the file is readable by others, is not a key file, or cannot be read.
    pub fn load(path: &Path) -> Result<Option<Self>, SealError> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let text = Zeroizing::new(text);
                refuse_open_mode(path)?;
                Self::parse(path, &text).map(Some)
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(io_error("read", path, &e)),
        }
    }

    /// Puts a new sealing key before the others in the key file, and returns all of them.
    ///
    /// # Errors
    /// As [`Self::load_or_create`].
    pub fn rotate(path: &Path, random: &dyn Random) -> Result<Self, SealError> {
        let mut held = Self::load_or_create(path, random)?;
        held.keys.insert(0, Key::new(bytes::<32>(random)));
        held.keys.truncate(KEYS_MAX);
        let fresh = path.with_extension("new");
        std::fs::remove_file(&fresh).ok(); // A leftover of an interrupted rotation is worth nothing.
        held.write(&fresh)?;
        std::fs::rename(&fresh, path).map_err(|e| io_error("replace", path, &e))?;
        sync_folder(path)?;
        Ok(held)
    }

    fn create(path: &Path, random: &dyn Random) -> Result<Self, SealError> {
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent).map_err(|e| io_error("make the folder of", path, &e))?;
        }
        let made = Self::from_bytes(bytes::<32>(random));
        // Written beside and then given its name: nobody, and no crash, ever sees a part of a key file.
        let fresh = path.with_extension(format!("{}.new", hex::encode(bytes::<8>(random))));
        made.write(&fresh)?;
        let named = std::fs::hard_link(&fresh, path);
        std::fs::remove_file(&fresh).ok();
        match named {
            Ok(()) => {
                // Before a secret is sealed with it the key must outlive a power cut.
                sync_folder(path)?;
                Ok(made)
            }
            // Another process was faster: its key counts.
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                Self::load(path)?.ok_or_else(|| io_error("make", path, &e))
            }
            Err(e) => Err(io_error("make", path, &e)),
        }
    }

    fn write(&self, path: &Path) -> Result<(), SealError> {
        let mut text = Zeroizing::new(String::new());
        for key in &self.keys {
            text.push_str(FILE_LINE);
            text.push(' ');
            text.push_str(&Zeroizing::new(hex::encode(*key.bytes)));
            text.push('\n');
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|e| io_error("make", path, &e))?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|e| io_error("write", path, &e))
    }

    fn parse(path: &Path, text: &str) -> Result<Self, SealError> {
        let not = |why| SealError::NotAKeyFile { path: path.display().to_string(), why };
        let mut keys = Vec::new();
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).take(KEYS_MAX) {
            let digits =
                line.strip_prefix(FILE_LINE).ok_or_else(|| not("a line does not begin with flowdeck-key-1"))?;
            let mut bytes = [0; 32];
            hex::decode_to_slice(digits.trim(), &mut bytes).map_err(|_| not("a key is not 64 hex digits"))?;
            keys.push(Key::new(bytes));
        }
        if keys.is_empty() { Err(not("it holds no key")) } else { Ok(Self { keys }) }
    }

    /// The ids of the keys, the sealing one first.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.keys.iter().map(|k| hex::encode(k.id)).collect()
    }

    pub(crate) fn seal(&self, random: &dyn Random, label: Label<'_>, plain: &str) -> Vec<u8> {
        self.seal_bytes(random, label, plain.as_bytes())
    }

    pub(crate) fn seal_bytes(&self, random: &dyn Random, label: Label<'_>, plain: &[u8]) -> Vec<u8> {
        let key = &self.keys[0];
        let nonce: [u8; NONCE_BYTES] = bytes(random);
        let payload = Payload { msg: plain, aad: &label.associated() };
        let sealed = XChaCha20Poly1305::new((&*key.bytes).into())
            .encrypt(XNonce::from_slice(&nonce), payload)
            .expect("texts are far below the cipher's limit of 256 GiB");
        let mut out = Vec::with_capacity(HEAD_BYTES + sealed.len());
        out.push(FORMAT);
        out.extend_from_slice(&key.id);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        out
    }

    pub(crate) fn open(&self, label: Label<'_>, sealed: &[u8]) -> Result<SecretText, SealError> {
        let plain = self.open_bytes(label, sealed)?;
        String::from_utf8(plain).map(SecretText::from).map_err(|_| SealError::Broken)
    }

    pub(crate) fn open_bytes(&self, label: Label<'_>, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        if sealed.len() < HEAD_BYTES || sealed[0] != FORMAT {
            return Err(SealError::Broken);
        }
        let (head, body) = sealed.split_at(HEAD_BYTES);
        let (id, nonce) = head[1..].split_at(KEY_ID_BYTES);
        let key = self
            .keys
            .iter()
            .find(|k| k.id == id)
            .ok_or_else(|| SealError::WrongKey { wanted: hex::encode(id), held: self.ids().join(", ") })?;
        XChaCha20Poly1305::new((&*key.bytes).into())
            .decrypt(XNonce::from_slice(nonce), Payload { msg: body, aad: &label.associated() })
            .map_err(|_| SealError::Broken)
    }

    /// Fingerprints that say whether two secrets are the same, and nothing else; one a key, the sealing one first.
    pub(crate) fn fingerprints(&self, secret: &SecretText) -> Vec<String> {
        let under = |key: &Key| {
            let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&*key.bytes).expect("HMAC takes keys of any length");
            mac.update(b"fingerprint\0");
            mac.update(secret.expose().as_bytes());
            hex::encode(&mac.finalize().into_bytes()[..16])
        };
        self.keys.iter().map(under).collect()
    }
}

#[cfg(unix)]
fn refuse_open_mode(path: &Path) -> Result<(), SealError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).map_err(|e| io_error("read", path, &e))?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(SealError::OpenToOthers { path: path.display().to_string(), mode }) }
}

#[cfg(not(unix))]
fn refuse_open_mode(_: &Path) -> Result<(), SealError> {
    Ok(())
}

/// Makes the names in the file's folder durable.
fn sync_folder(path: &Path) -> Result<(), SealError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|e| io_error("sync the folder of", path, &e))
}

fn io_error(what: &'static str, path: &Path, cause: &std::io::Error) -> SealError {
    SealError::Io { what, path: path.display().to_string(), cause: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::OsRandom;

    fn label(kind: &'static str, owner: u8, generation: u64, field: &'static str) -> Label<'static> {
        Label { kind, owner: [owner; 16], generation, field }
    }

    #[test]
    fn a_sealed_text_opens_only_as_the_record_it_was_sealed_for() {
        let key = MasterKey::from_bytes([7; 32]);
        let sealed = key.seal(&OsRandom, label("grant", 1, 3, "access"), "canary");
        assert_eq!(key.open(label("grant", 1, 3, "access"), &sealed).unwrap().expose(), "canary");
        for other in [
            label("answer", 1, 3, "access"),
            label("grant", 2, 3, "access"),
            label("grant", 1, 4, "access"),
            label("grant", 1, 3, "refresh"),
        ] {
            assert_eq!(key.open(other, &sealed), Err(SealError::Broken), "{other:?}");
        }
        assert!(!sealed.windows(6).any(|w| w == b"canary"));
    }

    #[test]
    fn a_changed_byte_anywhere_is_refused() {
        let key = MasterKey::from_bytes([7; 32]);
        let sealed = key.seal(&OsRandom, label("grant", 1, 1, "a"), "text");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open(label("grant", 1, 1, "a"), &changed).is_err(), "byte {at}");
            assert!(key.open(label("grant", 1, 1, "a"), &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn two_seals_of_one_text_differ() {
        let key = MasterKey::from_bytes([7; 32]);
        let l = label("grant", 1, 1, "a");
        assert_ne!(key.seal(&OsRandom, l, "text"), key.seal(&OsRandom, l, "text"));
    }

    #[test]
    fn another_key_is_named_in_the_refusal() {
        let sealed = MasterKey::from_bytes([1; 32]).seal(&OsRandom, label("grant", 1, 1, "a"), "text");
        let refusal = MasterKey::from_bytes([2; 32]).open(label("grant", 1, 1, "a"), &sealed);
        assert!(matches!(refusal, Err(SealError::WrongKey { .. })), "{refusal:?}");
    }

    #[test]
    fn the_key_file_is_made_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/master.key");
        let made = MasterKey::load_or_create(&path, &OsRandom).unwrap();
        let read = MasterKey::load_or_create(&path, &OsRandom).unwrap();
        assert_eq!(made.ids(), read.ids());
        let rotated = MasterKey::rotate(&path, &OsRandom).unwrap();
        assert_eq!(rotated.ids()[1], made.ids()[0]);
        let old = made.seal(&OsRandom, label("grant", 1, 1, "a"), "text");
        assert!(rotated.open(label("grant", 1, 1, "a"), &old).is_ok(), "older keys still open");
        assert!(!format!("{rotated:?}").contains(&hex::encode(*rotated.keys[0].bytes)));
    }

    #[test]
    fn a_key_file_has_a_limit_and_a_leftover_does_not_stop_a_rotation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let lines: String = (0..70).map(|n| format!("{FILE_LINE} {}\n", hex::encode([n; 32]))).collect();
        std::fs::write(&path, lines).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let read = MasterKey::load(&path).unwrap().unwrap();
        assert_eq!(read.ids().len(), KEYS_MAX);
        std::fs::write(path.with_extension("new"), "cut off").unwrap();
        let rotated = MasterKey::rotate(&path, &OsRandom).unwrap();
        assert_eq!((rotated.ids().len(), &rotated.ids()[1]), (KEYS_MAX, &read.ids()[0]));
        let secret = SecretText::new("token");
        assert!(rotated.fingerprints(&secret).contains(&read.fingerprints(&secret)[0]), "older keys are recognised");
    }

    #[test]
    fn many_who_make_the_key_file_at_once_end_with_one_key() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..20 {
            let path = folder.path().join(format!("{round}/master.key"));
            let start = std::sync::Barrier::new(8);
            let ids: Vec<_> = std::thread::scope(|scope| {
                let one = || {
                    start.wait();
                    MasterKey::load_or_create(&path, &OsRandom).map(|key| key.ids())
                };
                let all: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
                all.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let kept = MasterKey::load(&path).unwrap().unwrap().ids();
            assert!(ids.iter().all(|found| found.as_ref() == Ok(&kept)), "{ids:?}");
            let files = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
            assert_eq!(files, 1, "nothing is left beside the key file");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        MasterKey::load_or_create(&path, &OsRandom).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for mode in [0o640, 0o604, 0o660, 0o644] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let refusal = MasterKey::load_or_create(&path, &OsRandom);
            assert!(matches!(refusal, Err(SealError::OpenToOthers { .. })), "{mode:o}");
        }
    }

    #[test]
    fn a_file_that_is_no_key_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "hello", "flowdeck-key-1 12", "flowdeck-key-1"] {
            let path = folder.path().join("k");
            std::fs::write(&path, text).unwrap();
            #[cfg(unix)]
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            assert!(
                matches!(MasterKey::load_or_create(&path, &OsRandom), Err(SealError::NotAKeyFile { .. })),
                "{text}"
            );
        }
    }
}
