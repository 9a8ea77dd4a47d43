//! All integration tests: the built binary as a process, on both databases.

mod harness;
mod wire;
