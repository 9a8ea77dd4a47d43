pub mod division;
pub mod fen;
pub mod identity_number;
pub mod sealed;
