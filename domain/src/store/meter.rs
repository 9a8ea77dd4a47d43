//! Counts the SQL statements of one request, and the rows they found.

use std::cell::Cell;
use std::future::Future;

tokio::task_local! {
    static STATEMENTS: Cell<u32>;
    static ROWS: Cell<usize>;
}

pub(crate) fn count() {
    let _ = STATEMENTS.try_with(|n| n.set(n.get() + 1));
}

pub(crate) fn found(rows: usize) {
    let _ = ROWS.try_with(|n| n.set(n.get() + rows));
}

/// Rows read so far in this request.
pub fn rows() -> usize {
    ROWS.try_with(Cell::get).unwrap_or(0)
}

/// Statements run so far in this request.
pub fn statements() -> u32 {
    STATEMENTS.try_with(Cell::get).unwrap_or(0)
}

/// Runs a request with a counter of its own.
pub async fn metered<F: Future>(work: F) -> F::Output {
    ROWS.scope(Cell::new(0), STATEMENTS.scope(Cell::new(0), work)).await
}
