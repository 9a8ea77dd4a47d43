//! The short way of a query: its document is compiled once, read in one statement a root, and written straight to JSON.
//!
//! What is not compiled ([`compile`] gives None) or does not fit at run time goes the general way, through the executor.
//! Both ways answer alike, to the byte; a differential test holds them to it.

mod arguments;
mod compile;
mod note;
mod run;
mod write;

pub use compile::Compiled;
pub use run::Written;
