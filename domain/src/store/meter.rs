//! Counts the SQL statements of one request.

use std::cell::Cell;
use std::future::Future;

tokio::task_local! {
    static STATEMENTS: Cell<u32>;
}

pub(crate) fn count() {
    let _ = STATEMENTS.try_with(|n| n.set(n.get() + 1));
}

/// Statements run so far in this request.
pub fn statements() -> u32 {
    STATEMENTS.try_with(Cell::get).unwrap_or(0)
}

/// Runs a request with a counter of its own.
pub async fn metered<F: Future>(work: F) -> F::Output {
    STATEMENTS.scope(Cell::new(0), work).await
}
