//! Sealed columns: data keys wrapped by a key from outside the database, ciphers, keyed indexes for search, rotation.

mod algorithm;
mod drill;
mod index;
mod keyring;
pub mod kms;
mod reindex;
mod rotation;
mod stream;

pub use algorithm::Algorithm;
pub use drill::{ColumnDrill, DrillReport, drill, keys_of};
pub(crate) use index::joined;
pub use keyring::{KeysError, Keyring, SealingOptions};
pub use kms::{FileKms, Kms, KmsError, Secret, Wrapped};
pub(crate) use rotation::LOOK_EVERY;
pub use reindex::ReindexReport;
pub use rotation::{KeyStatus, RotationReport, SETTLE, SealedTable, sealed_tables};
pub use stream::{Opens, SealedReader, StreamSealer};

#[cfg(test)]
mod tests;

use uuid::Uuid;

/// Where a sealed value lives; a value moved elsewhere no longer opens.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub table: &'a str,
    pub column: &'a str,
    /// The value of the table's first column, its primary key.
    pub row: Uuid,
}

/// Bytes bound to a value: `table|column|`, the row, the key.
pub(crate) struct Bound {
    bytes: [u8; Bound::MOST],
    length: usize,
}

impl Bound {
    const MOST: usize = 160;

    /// None when names of tables are longer than any database allows.
    fn new(place: Place<'_>, key: u32) -> Option<Bound> {
        let mut bound = Bound { bytes: [0; Bound::MOST], length: 0 };
        for part in [place.table.as_bytes(), b"|", place.column.as_bytes(), b"|", place.row.as_bytes(), &key.to_be_bytes()] {
            let end = bound.length + part.len();
            bound.bytes.get_mut(bound.length..end)?.copy_from_slice(part);
            bound.length = end;
        }
        Some(bound)
    }
    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
