//! What comes in from files and goes out to them.

pub mod import;
pub mod survey;
pub mod uploads;
