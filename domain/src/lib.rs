//! Use cases and rules by context; who may see what; audit, outbox, clock.

pub mod access;
pub mod audit;
pub mod clock;
pub mod error;
pub mod names;
pub mod read;
pub mod sealing;
pub mod store;

pub use error::{Error, Result};
