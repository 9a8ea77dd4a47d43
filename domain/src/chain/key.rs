//! The key that signs checkpoints: whoever checks needs its public half alone.

use super::{hex, sha256, unhex};
use crate::clock::Clock;
use crate::error::{Error, Result};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::io::{Error as IoError, ErrorKind, Write};
use std::path::Path;

pub struct CheckpointKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// An Ed25519 public key; its id is the beginning of its SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    pub id: String,
    bytes: Vec<u8>,
}

impl PublicKey {
    /// From 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<PublicKey> {
        let bytes = unhex(text.trim()).filter(|bytes| bytes.len() == 32)?;
        Some(PublicKey { id: sha256(&bytes)[..16].to_owned(), bytes })
    }
    pub fn text(&self) -> String {
        hex(&self.bytes)
    }
    pub fn verifies(&self, context: &str, body: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.bytes).verify(&message(context, body), signature).is_ok()
    }
}

/// A signature under one heading never serves under another.
fn message(context: &str, body: &str) -> Vec<u8> {
    format!("child-welfare {context}\n{body}").into_bytes()
}

impl CheckpointKey {
    /// Reads the key file, or makes one that only its owner may read, with the public half beside it.
    pub fn open_or_create(folder: &Path, clock: &dyn Clock) -> std::io::Result<CheckpointKey> {
        let path = folder.join("audit-checkpoint.key");
        let bad = |what: &str| IoError::new(ErrorKind::InvalidData, format!("{}: {what}", path.display()));
        if !path.exists() {
            let mut seed = [0; 32];
            clock.random(&mut seed);
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            match options.open(&path) {
                Ok(mut file) => {
                    file.write_all(&seed)?;
                    file.sync_all()?;
                }
                // Another process was quicker: its key counts.
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(&std::fs::read(&path)?).map_err(|_| bad("a key for checkpoints has 32 bytes"))?;
        let public = PublicKey::parse(&hex(pair.public_key().as_ref())).ok_or_else(|| bad("not usable as a key"))?;
        let beside = folder.join("audit-checkpoint.pub");
        if !beside.exists() {
            std::fs::write(&beside, format!("{}\n", public.text()))?;
        }
        Ok(CheckpointKey { pair, public })
    }

    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(super) fn sign(&self, context: &str, body: &str) -> Vec<u8> {
        self.pair.sign(&message(context, body)).as_ref().to_vec()
    }
}

/// The key of that id among those one trusts.
pub(super) fn trusted<'k>(keys: &'k [PublicKey], id: &str) -> Result<&'k PublicKey> {
    keys.iter().find(|key| key.id == id).ok_or_else(|| Error::internal(format!("signed by key {id}, which is not among those trusted")))
}
