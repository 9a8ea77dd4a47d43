//! The GraphQL schema over the use cases.

mod api;

pub use api::{Limits, OperationKind, Prepared, Request, Schema};
