//! Directives that the schema puts on its fields.
#![allow(non_snake_case, non_upper_case_globals)]

use async_graphql::TypeDirective;

/// The value is null only together with an error at its path.
#[TypeDirective(location = "FieldDefinition")]
pub fn semanticNonNull(levels: Option<Vec<i32>>) {}

/// The field itself, no level of a list.
pub const always: Option<Vec<i32>> = None;
