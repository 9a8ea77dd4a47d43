//! The survey sheet that townships fill in: from a file to typed rows or named problems, without a database.
//!
//! [`open`] finds out what the file is and streams its rows; [`propose`] recognises the header rows and maps
//! columns to [`Field`]s; [`read`] turns each row into a [`SurveyRow`] or its [`CellProblem`]s; [`ProblemFile`]
//! writes the bad rows so that they can be mended and sent again.

mod cells;
mod check;
mod choices;
mod csv_file;
mod date;
mod ethnic;
mod field;
mod header;
mod mapping;
mod merges;
mod open_error;
mod parse;
mod problem;
mod problem_file;
mod read;
mod resolve;
mod row;
mod source;
mod synonyms;
mod values;
mod vet;
mod vet_xls;
mod xls_file;
mod xlsx_file;

#[cfg(test)]
pub(crate) mod tests;

pub use date::PartialDate;
pub use field::{Field, Target};
pub use header::{Column, Head, Layout};
pub use mapping::{ColumnMapping, Mapping, MappingError, Proposal, propose};
pub use open_error::OpenError;
pub use problem::{CellProblem, Rule, Severity, Words};
pub use problem_file::ProblemFile;
pub use read::{Item, Place, ReadRow, Settings, SkipReason, Skipped, Summary, read};
pub use row::{
    AwayParents, Child, Disability, EntrustedGuardian, Grandparent, Guardianship, Help, Income,
    Parent, ParentSide, SurveyRow,
};
pub use source::{Cell, Input, Limits, Row, RowStream, SheetSource, open, open_input};
