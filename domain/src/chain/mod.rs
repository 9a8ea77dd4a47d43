//! The keyed hash chain over committed audit records, signed checkpoints, what a check of both finds, and the dropping of old
//! records. Each server process is a writer of a chain of its own; docs/audit.md describes every byte for third parties.

mod check;
mod checkpoint;
mod key;
mod link;
mod retain;

pub use check::{ChainReport, Problem};
pub use checkpoint::{Body, Checkpoint, Head, Line};
pub use key::{CheckpointKey, PublicKey};
pub use link::{LATE, LinkState, Linker};
pub use retain::{Anchor, LEAST_MONTHS, Retained};

use aws_lc_rs::{digest, hmac};
use uuid::Uuid;

/// Bytes of a link's hash.
const HASH: usize = 32;
/// Bytes of a record's digest in a checkpoint.
const DIGEST: usize = 8;

/// Where a writer's chain begins.
fn first(key: &hmac::Key, writer: Uuid) -> [u8; HASH] {
    let mut context = hmac::Context::with_key(key);
    context.update(b"child-welfare audit chain 1");
    context.update(writer.as_bytes());
    tag(context)
}

fn next(key: &hmac::Key, before: &[u8], position: i64, record: &[u8]) -> [u8; HASH] {
    let mut context = hmac::Context::with_key(key);
    context.update(before);
    context.update(&position.to_be_bytes());
    context.update(record);
    tag(context)
}

fn tag(context: hmac::Context) -> [u8; HASH] {
    let mut out = [0; HASH];
    out.copy_from_slice(context.sign().as_ref());
    out
}

/// What a checkpoint says of a record: no key is needed to check it.
fn short(record: &[u8]) -> [u8; DIGEST] {
    let mut out = [0; DIGEST];
    out.copy_from_slice(&digest::digest(&digest::SHA256, record).as_ref()[..DIGEST]);
    out
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests;
