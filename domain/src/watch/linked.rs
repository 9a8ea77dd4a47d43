//! What this process linked, handed to its watch in memory.

use crate::audit::Entry;
use std::collections::VecDeque;
use std::sync::Mutex;
use uuid::Uuid;

/// Records that this process linked, for the watch, by their block: they need not be read again.
#[derive(Default)]
pub(crate) struct Linked(Mutex<VecDeque<(Uuid, i64, Vec<Entry>)>>);

/// More records than these wait for no watch: another process watches.
const MOST_WAITING: usize = 8000;

impl Linked {
    pub(crate) fn put(&self, writer: Uuid, number: i64, entries: Vec<Entry>) {
        let seen = |entry: Entry| Entry { objects: String::new(), legal_basis: String::new(), ..entry };
        if let Ok(mut blocks) = self.0.lock() {
            blocks.push_back((writer, number, entries.into_iter().map(seen).collect()));
            while blocks.iter().map(|(.., entries)| entries.len()).sum::<usize>() > MOST_WAITING {
                blocks.pop_front();
            }
        }
    }

    pub(super) fn take(&self, writer: Uuid, number: i64) -> Option<Vec<Entry>> {
        let mut blocks = self.0.lock().ok()?;
        let at = blocks.iter().position(|block| (block.0, block.1) == (writer, number))?;
        // What lies before it was looked at by another process.
        blocks.drain(..=at).next_back().map(|(.., entries)| entries)
    }
}
