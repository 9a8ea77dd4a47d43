//! All integration tests: the built binary as a process, on both databases.

#![allow(clippy::unwrap_used)]

mod harness;
mod journeys;
mod wire;
