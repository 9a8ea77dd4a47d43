//! All integration tests: the built binary as a process, on both databases.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod harness;
mod journeys;
mod wire;
