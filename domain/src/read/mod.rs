//! The read seam: a root field says what its selection wants, and gets it whole, scoped and decided.

mod access;
mod cursor;
mod load;
pub mod links;
mod nested;
pub mod plan;
mod record;
mod want;

pub(crate) use access::{anchor, child_keys};
pub use cursor::{Cursor, PageArgs};
pub use links::{Link, Road};
pub(crate) use load::{col, ordered};
pub use load::{ListQuery, Reader};
pub use record::{Page, Record, Related};
pub use want::{LinkWant, Want};
