//! The GraphQL schema over the use cases.

mod api;
pub mod codes;
mod context;
mod directives;
mod documents;
mod errors;
pub mod fields;
#[cfg(test)]
mod fuzz_tests;
mod ids;
pub mod input;
mod limits;
mod messages;
pub mod mutation;
mod object;
mod overlap;
mod plan;
mod query;
mod scalars;
mod selection;
mod subscription;
pub mod types;
mod vet;

pub use api::{Answer, OperationKind, Prepared, Request, Schema, vet};
pub use limits::Limits;
pub use vet::told;
