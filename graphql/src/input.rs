//! Inputs: each field names the column it writes, once, for access and for the documentation.

use async_graphql::{ID, MaybeUndefined};
use entity::{DataClass, Table};

/// Whether a caller set a field.
pub trait IsSet {
    fn is_set(&self) -> bool {
        true
    }
}
impl<T> IsSet for Option<T> {
    fn is_set(&self) -> bool {
        self.is_some()
    }
}
impl<T> IsSet for MaybeUndefined<T> {
    fn is_set(&self) -> bool {
        !self.is_undefined()
    }
}
impl IsSet for String {}
impl<T> IsSet for Vec<T> {}
impl IsSet for ID {}
impl IsSet for crate::scalars::SecretText {}
impl IsSet for bool {}
impl IsSet for i64 {}
impl IsSet for i32 {}
impl<T> IsSet for crate::scalars::Code<T> {}
impl IsSet for crate::scalars::Date {}
impl IsSet for crate::scalars::DateTime {}

/// An input type as the coverage test and the documentation see it.
pub struct InputSpec {
    pub name: &'static str,
    /// Field and the table and column it writes; none for references and technical fields.
    pub fields: &'static [(&'static str, Option<(&'static Table, &'static str)>)],
}

pub fn class_of(table: &Table, column: &str) -> DataClass {
    table.column(column).map_or(DataClass::Sealed, |at| table.columns[at].class)
}

#[macro_export]
macro_rules! input {
    ($(#[doc = $doc:literal])+ $name:ident {
        $($(#[doc = $fdoc:literal])+ $(#[graphql($($attr:tt)*)])? $field:ident : $ty:ty $(=> $table:ident . $col:ident)? ;)+
    }) => {
        $(#[doc = $doc])+
        #[derive(async_graphql::InputObject, Debug)]
        pub struct $name {
            $($(#[doc = $fdoc])+ $(#[graphql($($attr)*)])? pub $field: $ty,)+
            /// Makes a repetition harmless: the same key with the same input is carried out once, and answered again for 24 hours or more.
            pub idempotency_key: Option<String>,
            /// Echoed in the payload.
            pub client_mutation_id: Option<String>,
        }
        impl $name {
            pub const SPEC: &'static $crate::input::InputSpec = &$crate::input::InputSpec {
                name: stringify!($name),
                fields: &[$((stringify!($field), $crate::input!(@column $($table . $col)?)),)+],
            };
            pub fn meta(&self) -> domain::command::Meta {
                use $crate::input::IsSet;
                #[allow(unused_mut)]
                let mut fields = Vec::new();
                $($(
                    if self.$field.is_set() {
                        let class = $crate::input::class_of(&entity::tables::$table::TABLE, stringify!($col));
                        fields.push(($crate::fields::camel(stringify!($field)), class));
                    }
                )?)+
                let mut body = String::new();
                $({
                    use std::fmt::Write;
                    let _ = self.$field.is_set();
                    let _ = write!(body, "{}={:?};", stringify!($field), self.$field);
                })+
                domain::command::Meta { idempotency_key: self.idempotency_key.clone(), body, fields, ..Default::default() }
            }
        }
    };
    (@column) => { None };
    (@column $table:ident . $col:ident) => { Some((&entity::tables::$table::TABLE, stringify!($col))) };
}
