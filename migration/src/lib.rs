pub mod divisions;
