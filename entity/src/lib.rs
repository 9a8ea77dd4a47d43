//! SeaORM entities, coded enumerations and value types. No logic, no I/O.

pub mod class;
pub mod code;
pub mod codes;
pub mod table;
pub mod tables;
pub mod value;

pub use class::DataClass;
pub use code::{Coded, CodedEnum};
pub use table::{Column, Family, Kind, Storable, Table};
pub use value::{division::DivisionCode, fen::Fen, identity_number::IdentityNumber, sealed::Sealed, sealed::SealedCode};
