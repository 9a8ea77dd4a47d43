//! What the rest of the system knows of a table: its columns, each with its data class, and whose rows they are.

use crate::DataClass;

/// How a column's value is read from a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    I16,
    I32,
    I64,
    Text,
    Sealed,
    SealedCode,
    Bytes,
    Uuid,
    Date,
    Time,
}

/// A Rust type a column may have.
pub trait Storable {
    const KIND: Kind;
    const NULLABLE: bool = false;
}
macro_rules! storable { ($($t:ty = $k:ident,)+) => { $(impl Storable for $t { const KIND: Kind = Kind::$k; })+ } }
storable! {
    bool = Bool, i16 = I16, i32 = I32, i64 = I64, String = Text, Vec<u8> = Bytes, uuid::Uuid = Uuid,
    chrono::NaiveDate = Date, chrono::DateTime<chrono::Utc> = Time, crate::Sealed = Sealed, crate::SealedCode = SealedCode, crate::Fen = I64,
}
impl<T: Storable> Storable for Option<T> {
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;
}

#[derive(Debug)]
pub struct Column {
    pub name: &'static str,
    pub class: DataClass,
    pub kind: Kind,
    pub nullable: bool,
}

/// Whose rows a table holds, and so by which road access reaches them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Open to everyone who is signed in.
    Reference,
    /// The child's file itself.
    Child,
    /// Belongs to one child through `child_id`.
    OfChild,
    /// A person, seen through the children it is related to.
    Person,
    /// Accounts and what hangs on them through `account_id`.
    Account,
    /// The audit trail.
    Audit,
    /// Import batches and their rows.
    Import,
    /// Alerts, reached by the division they are for.
    Alert,
    /// Never served: indexes, logs, keys.
    Internal,
}

#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    /// Name of the GraphQL type and prefix of its ids.
    pub type_name: &'static str,
    pub family: Family,
    pub columns: &'static [Column],
}

impl Table {
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }
}

/// `table! { /// doc \n module "table" TypeName: Family { #[attr] column: Type => Class, … } }`
#[macro_export]
macro_rules! table {
    ($($(#[$doc:meta])* $module:ident $table:literal $type:ident : $family:ident {
        $($(#[$attr:meta])* $col:ident : $ty:ty => $class:ident,)+
    })+) => {
        $(
            $(#[$doc])*
            pub mod $module {
                #[allow(unused_imports)]
                use super::*;
                use sea_orm::{ActiveModelBehavior, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter, PrimaryKeyTrait};

                #[derive(Clone, Debug, PartialEq, sea_orm::DeriveEntityModel)]
                #[sea_orm(table_name = $table)]
                pub struct Model { $($(#[$attr])* pub $col: $ty,)+ }

                #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
                pub enum Relation {}
                impl ActiveModelBehavior for ActiveModel {}

                pub static TABLE: $crate::Table = $crate::Table {
                    name: $table,
                    type_name: stringify!($type),
                    family: $crate::Family::$family,
                    columns: &[$($crate::Column {
                        name: stringify!($col),
                        class: $crate::DataClass::$class,
                        kind: <$ty as $crate::Storable>::KIND,
                        nullable: <$ty as $crate::Storable>::NULLABLE,
                    },)+],
                };
            }
        )+
        /// The tables defined here.
        pub static TABLES: &[&$crate::Table] = &[$(&$module::TABLE,)+];
    };
}
