//! Who may see and change what: the policy, the viewer, the rows in reach.

pub mod actor;
pub mod bound;
pub mod lens;
pub mod mask;
pub mod mutant;
pub mod policy;
pub mod scope;
#[cfg(any(test, feature = "mutants"))]
pub mod trial;
pub(crate) mod wall;

pub use actor::{Actor, Grant, Language, SessionRef};
pub use bound::Bound;
pub use lens::{Lens, NamedAccess, NamedChild, RowAccess, View};
pub use policy::{Basis, Decision, Decisions, Policy};
