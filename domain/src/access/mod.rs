//! Who may see and change what: the policy, the viewer, the rows in reach.

pub mod actor;
pub mod lens;
pub mod mask;
pub mod mutant;
pub mod policy;
pub mod scope;

pub use actor::{Actor, Grant, Language, SessionRef};
pub use lens::{Lens, RowAccess, View};
pub use policy::{Basis, Decision, Decisions, Policy};
