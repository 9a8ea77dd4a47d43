//! Use cases and rules by context; who may see what; audit, outbox, clock.

pub mod access;
mod adding;
pub mod administrators;
pub mod alerts;
pub mod audit;
pub mod casework;
pub mod chain;
pub mod clients;
pub mod clock;
pub mod command;
pub mod counts;
pub mod demo;
pub mod divisions;
pub mod error;
pub mod exchange;
pub mod grants;
pub mod lists;
pub mod named;
pub mod names;
pub mod problems;
pub mod programmes;
pub mod rates;
pub mod read;
pub mod registry;
pub mod report;
pub mod sealing;
pub mod signin;
pub mod staff;
pub mod statistics;
pub mod store;
pub mod terms;
pub mod verify;
pub mod watch;

mod app;
#[cfg(test)]
mod mutants;
#[cfg(test)]
mod testing;

pub use app::{AuditOptions, Domain, DomainOptions, StartError};
pub use error::{Error, Result};
