//! Who holds the key that wraps the data keys: a file, or a service outside.

use super::algorithm::{Algorithm, Cipher, NONCE};
use super::hex;
use crate::clock::Clock;
use aws_lc_rs::hmac;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Secret bytes, cleared when they go; never printed.
pub type Secret = Zeroizing<Vec<u8>>;

/// A data key as the database holds it.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// Which key wrapped it; no secret.
    pub by: String,
    pub bytes: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub enum KmsError {
    #[error(
        "the sealing key {path} is not there, but this database was sealed under one ({by}). No new one is made: it would open nothing. \
         Put back the key file from its safe copy, or name it with keys.sealing; docs/keys.md says how"
    )]
    Missing { path: PathBuf, by: String },
    #[error(
        "this database was written with another sealing key ({wanted}; the one given is {given}); put back the key file it was made with \
         (keys/sealing.key in the data folder, or what keys.sealing names); docs/keys.md says how"
    )]
    OtherKey { wanted: String, given: String },
    #[error("a data key of this database does not open although its sealing key {0} is the right one: the row was changed; restore the table data_key from a backup")]
    Tampered(String),
    #[error("the sealing key {path} cannot be used: {what}")]
    File { path: PathBuf, what: String },
    #[error("the key service {service} did not {act} a data key: {what}")]
    Service { service: String, act: &'static str, what: String },
}

/// Wraps and unwraps data keys. `context` is bound to the result: a wrapped key moved to another row does not open.
#[async_trait::async_trait]
pub trait Kms: Send + Sync {
    async fn wrap(&self, context: &str, secret: &[u8]) -> Result<Wrapped, KmsError>;
    async fn unwrap(&self, context: &str, wrapped: &Wrapped) -> Result<Secret, KmsError>;
    /// The 64 bytes that sealed by themselves before data keys were wrapped.
    async fn former(&self) -> Result<Option<Secret>, KmsError> {
        Ok(None)
    }
}

/// The key in a file of 64 random bytes, read anew for each use. Made when the first key is wrapped, never before.
pub struct FileKms {
    path: PathBuf,
    clock: Arc<dyn Clock>,
}

const BYTES: usize = 64;

struct FileKey {
    id: String,
    cipher: Cipher,
}

impl FileKms {
    pub fn new(path: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> FileKms {
        FileKms { path: path.into(), clock }
    }

    fn failed(&self, what: impl std::fmt::Display) -> KmsError {
        KmsError::File { path: self.path.clone(), what: what.to_string() }
    }

    /// None where there is no file.
    fn read(&self) -> Result<Option<Secret>, KmsError> {
        match std::fs::read(&self.path) {
            Ok(bytes) if bytes.len() == BYTES => Ok(Some(Zeroizing::new(bytes))),
            Ok(bytes) => {
                let length = Zeroizing::new(bytes).len();
                Err(self.failed(format!("a sealing key has {BYTES} bytes, this file has {length}")))
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.failed(e)),
        }
    }

    fn key(&self, secret: &[u8]) -> Result<FileKey, KmsError> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let id = format!("file:{}", hex(&hmac::sign(&root, b"key id").as_ref()[..8]));
        let key = hmac::sign(&root, b"key encryption key");
        let cipher = Cipher::new(Algorithm::Aes256Gcm, key.as_ref()).ok_or_else(|| self.failed("not usable as a key"))?;
        Ok(FileKey { id, cipher })
    }

    /// Whole or not at all, for its owner alone; another process that was quicker wins.
    fn create(&self) -> Result<Secret, KmsError> {
        let mut secret = Zeroizing::new(vec![0; BYTES]);
        self.clock.random(&mut secret);
        let draft = draft_of(&self.path);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&draft).and_then(|mut file| file.write_all(&secret).and_then(|()| file.sync_all()));
        // A link never replaces what is there.
        let linked = written.and_then(|()| std::fs::hard_link(&draft, &self.path));
        let _ = std::fs::remove_file(&draft);
        match linked {
            Ok(()) => {
                if let Some(folder) = self.path.parent() {
                    let _ = std::fs::File::open(folder).and_then(|f| f.sync_all());
                }
                Ok(secret)
            }
            Err(e) if e.kind() == ErrorKind::AlreadyExists => self.read()?.ok_or_else(|| self.failed("it was removed again")),
            Err(e) => Err(self.failed(e)),
        }
    }
}

fn draft_of(path: &Path) -> PathBuf {
    path.with_extension(format!("{}.new", std::process::id()))
}

#[async_trait::async_trait]
impl Kms for FileKms {
    async fn wrap(&self, context: &str, secret: &[u8]) -> Result<Wrapped, KmsError> {
        let root = match self.read()? {
            Some(root) => root,
            None => self.create()?,
        };
        let key = self.key(&root)?;
        let mut nonce = [0; NONCE];
        self.clock.random(&mut nonce);
        let mut bytes = Vec::with_capacity(1 + NONCE + secret.len() + 16);
        bytes.push(Algorithm::Aes256Gcm.format());
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(secret);
        key.cipher.seal(nonce, context.as_bytes(), &mut bytes, 1 + NONCE).ok_or_else(|| self.failed("it does not wrap"))?;
        Ok(Wrapped { by: key.id, bytes })
    }

    async fn unwrap(&self, context: &str, wrapped: &Wrapped) -> Result<Secret, KmsError> {
        let Some(root) = self.read()? else { return Err(KmsError::Missing { path: self.path.clone(), by: wrapped.by.clone() }) };
        let key = self.key(&root)?;
        if key.id != wrapped.by {
            return Err(KmsError::OtherKey { wanted: wrapped.by.clone(), given: key.id });
        }
        let opened = match wrapped.bytes.split_at_checked(1 + NONCE) {
            Some((head, body)) if head[0] == Algorithm::Aes256Gcm.format() => key.cipher.open(&head[1..], context.as_bytes(), body, <[u8]>::to_vec),
            _ => None,
        };
        opened.map(Zeroizing::new).ok_or(KmsError::Tampered(key.id))
    }

    async fn former(&self) -> Result<Option<Secret>, KmsError> {
        self.read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn kms(path: &Path) -> FileKms {
        FileKms::new(path, Arc::new(SystemClock))
    }

    #[tokio::test]
    async fn a_wrapped_key_opens_in_its_place_under_its_key_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, other) = (folder.path().join("a.key"), folder.path().join("b.key"));
        let wrapped = kms(&path).wrap("row 1", &[9; 32]).await.expect("wrapped");
        assert_eq!(std::fs::read(&path).expect("made").len(), 64);
        assert!(!wrapped.bytes.windows(8).any(|w| w == [9; 8]));
        assert_eq!(*kms(&path).unwrap("row 1", &wrapped).await.expect("opens"), vec![9; 32]);
        assert!(matches!(kms(&path).unwrap("row 2", &wrapped).await, Err(KmsError::Tampered(_))));
        for at in 0..wrapped.bytes.len() {
            let mut broken = wrapped.clone();
            broken.bytes[at] ^= 1;
            assert!(kms(&path).unwrap("row 1", &broken).await.is_err(), "byte {at}");
        }
        assert!(matches!(kms(&other).unwrap("row 1", &wrapped).await, Err(KmsError::Missing { .. })));
        assert!(!other.exists(), "looking for a key makes none");
        kms(&other).wrap("row 1", &[1; 16]).await.expect("wrapped");
        assert!(matches!(kms(&other).unwrap("row 1", &wrapped).await, Err(KmsError::OtherKey { .. })));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_its_owner_reads_the_key() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.key");
        kms(&path).wrap("x", &[1; 16]).await.expect("wrapped");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, [0; 63]).expect("written");
        assert!(matches!(kms(&path).wrap("x", &[1; 16]).await, Err(KmsError::File { .. })));
    }
}
