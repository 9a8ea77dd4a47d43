//! Code lists, so that front ends never hard-code a label.

use async_graphql::{ID, SimpleObject};

/// One value of a code list.
#[derive(SimpleObject)]
pub struct CodeValue {
    /// The enum value.
    pub value: String,
    /// Official label, in the language of `Accept-Language`.
    pub label: String,
    /// Official Chinese label.
    pub label_zh: String,
    /// English label.
    pub label_en: String,
    /// National code, where one exists.
    pub national_code: Option<String>,
}

/// An enum of this schema with its official labels and codes.
#[derive(SimpleObject)]
pub struct CodeList {
    /// Name of the enum.
    pub id: ID,
    /// Name of the enum.
    pub name: String,
    /// What it is about.
    pub about: String,
    /// Its values in their order.
    pub values: Vec<CodeValue>,
}
