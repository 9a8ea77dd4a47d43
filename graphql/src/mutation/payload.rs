//! Payloads: what was changed, read afresh under today's grants, or why nothing was.

use crate::context::{actor, domain, trail};
use crate::errors::soft;
use crate::fields::ObjectType;
use crate::scalars::Code;
use crate::selection::Walk;
use async_graphql::{Context, SimpleObject};
use domain::Result;
use domain::command::Asked;
use domain::problems::UserErrorCode;
use domain::read::Record;
use domain::store::Cell;
use std::sync::Arc;
use uuid::Uuid;

/// Why a mutation changed nothing.
#[derive(SimpleObject)]
pub struct UserError {
    /// Stable code, to act on.
    pub code: Code<UserErrorCode>,
    /// Path of the field below `input`; empty when it is about the whole.
    pub field: Vec<String>,
    /// Message in the language of `Accept-Language`, to show.
    pub message: String,
}

pub(super) fn user_errors(ctx: &Context<'_>, errors: &[domain::problems::UserError]) -> Vec<UserError> {
    trail(ctx).protected();
    without_record(ctx, errors)
}

/// What the answer shows stands in the record of the change.
pub(super) fn without_record(ctx: &Context<'_>, errors: &[domain::problems::UserError]) -> Vec<UserError> {
    if !errors.is_empty() {
        trail(ctx).refused();
    }
    errors.iter().map(|e| UserError { code: Code(e.code), field: e.field.clone(), message: e.message(actor(ctx)) }).collect()
}

/// What the payload will show of its object, but for what hangs on it.
pub(super) fn asked(ctx: &Context<'_>, payload: &str, name: &str, kind: &'static ObjectType) -> Asked {
    match Walk::of(ctx).below(payload, name, kind) {
        Ok(Some(want)) => Asked::Object(want),
        Ok(None) => Asked::Nothing,
        // Read after the change, it says what is wrong.
        Err(_) => Asked::Unknown,
    }
}

/// Reads an object of the payload, if it is selected.
pub(super) async fn selected(ctx: &Context<'_>, payload: &str, name: &str, kind: &'static ObjectType, id: Option<Uuid>) -> Option<Arc<Record>> {
    soft(ctx, read(ctx, payload, name, kind, id).await).flatten()
}

async fn read(ctx: &Context<'_>, payload: &str, name: &str, kind: &'static ObjectType, id: Option<Uuid>) -> Result<Option<Arc<Record>>> {
    let (Some(want), Some(id)) = (Walk::of(ctx).below(payload, name, kind)?, id) else { return Ok(None) };
    let found = domain(ctx).reader(actor(ctx)).object(&want, Cell::Uuid(id)).await?;
    trail(ctx).record(&want, found.as_deref());
    Ok(found)
}

#[macro_export]
macro_rules! payload {
    // About no child.
    ($(#[doc = $doc:literal])+ $name:ident alone { $(#[doc = $odoc:literal])+ $object:ident : $type:ident } ) => {
        $(#[doc = $doc])+
        #[derive(async_graphql::SimpleObject)]
        pub struct $name {
            $(#[doc = $odoc])+
            pub $object: Option<$crate::types::$type>,
            /// Why nothing was changed; empty when it was done.
            pub user_errors: Vec<$crate::mutation::UserError>,
            /// As sent.
            pub client_mutation_id: Option<String>,
        }
        impl $name {
            pub(super) async fn answer(
                ctx: &async_graphql::Context<'_>,
                outcome: domain::Result<domain::command::Outcome>,
                client_mutation_id: Option<String>,
            ) -> Option<$name> {
                use $crate::object::Object;
                let (object, errors) = match $crate::errors::soft(ctx, outcome)? {
                    domain::command::Outcome::Done { object, .. } => (Some(object), Vec::new()),
                    domain::command::Outcome::Refused(errors) => (None, errors),
                };
                Some($name {
                    $object: $crate::mutation::payload::selected(ctx, stringify!($name), &$crate::fields::camel(stringify!($object)), $crate::types::$type::TYPE, object)
                        .await
                        .map($crate::types::$type),
                    user_errors: $crate::mutation::payload::user_errors(ctx, &errors),
                    client_mutation_id,
                })
            }
        }
    };
    ($(#[doc = $doc:literal])+ $name:ident $({ $(#[doc = $odoc:literal])+ $object:ident : $type:ident })? ) => {
        $(#[doc = $doc])+
        #[derive(async_graphql::SimpleObject)]
        pub struct $name {
            /// The child's file as it is now, as far as you may see it.
            pub child: Option<$crate::types::Child>,
            $($(#[doc = $odoc])+ pub $object: Option<$crate::types::$type>,)?
            /// Why nothing was changed; empty when it was done.
            pub user_errors: Vec<$crate::mutation::UserError>,
            /// As sent.
            pub client_mutation_id: Option<String>,
        }
        impl $name {
            $(pub(super) fn asked(ctx: &async_graphql::Context<'_>) -> domain::command::Asked {
                $crate::mutation::payload::asked(ctx, stringify!($name), &$crate::fields::camel(stringify!($object)), <$crate::types::$type as $crate::object::Object>::TYPE)
            })?
            pub(super) async fn answer(
                ctx: &async_graphql::Context<'_>,
                outcome: domain::Result<domain::command::Outcome>,
                client_mutation_id: Option<String>,
            ) -> Option<$name> {
                use $crate::object::Object;
                let outcome = $crate::errors::soft(ctx, outcome)?;
                let (object, child, errors) = match outcome {
                    domain::command::Outcome::Done { object, child, told } => ((Some(object), told), child, Vec::new()),
                    domain::command::Outcome::Refused(errors) => ((None, domain::command::Told::No), None, errors),
                };
                #[allow(unused_variables)]
                let (object, told) = object;
                let on_record = !matches!(told, domain::command::Told::No);
                Some($name {
                    child: $crate::mutation::payload::selected(ctx, stringify!($name), "child", $crate::types::Child::TYPE, child).await.map($crate::types::Child),
                    $($object: match told {
                        domain::command::Told::Row(row) => Some($crate::types::$type(row)),
                        _ => $crate::mutation::payload::selected(ctx, stringify!($name), &$crate::fields::camel(stringify!($object)), $crate::types::$type::TYPE, object)
                            .await
                            .map($crate::types::$type),
                    },)?
                    user_errors: if on_record { $crate::mutation::payload::without_record(ctx, &errors) } else { $crate::mutation::payload::user_errors(ctx, &errors) },
                    client_mutation_id,
                })
            }
        }
    };
}

/// The payload of a mutation that is about no child's file.
#[macro_export]
macro_rules! object_payload {
    ($(#[doc = $doc:literal])+ $name:ident { $(#[doc = $odoc:literal])+ $object:ident : $type:ident } $(looks at $class:ident)? ) => {
        $(#[doc = $doc])+
        #[derive(async_graphql::SimpleObject)]
        pub struct $name {
            $(#[doc = $odoc])+ pub $object: Option<$crate::types::$type>,
            /// Why nothing was changed; empty when it was done.
            pub user_errors: Vec<$crate::mutation::UserError>,
            /// As sent.
            pub client_mutation_id: Option<String>,
        }
        impl $name {
            pub(super) async fn answer(
                ctx: &async_graphql::Context<'_>,
                outcome: domain::Result<domain::command::Outcome>,
                client_mutation_id: Option<String>,
            ) -> Option<$name> {
                use $crate::object::Object;
                $($crate::context::trail(ctx).looked(&[entity::DataClass::$class]);)?
                let (object, errors) = match $crate::errors::soft(ctx, outcome)? {
                    domain::command::Outcome::Done { object, .. } => (Some(object), Vec::new()),
                    domain::command::Outcome::Refused(errors) => (None, errors),
                };
                Some($name {
                    $object: $crate::mutation::payload::selected(ctx, stringify!($name), &$crate::fields::camel(stringify!($object)), $crate::types::$type::TYPE, object)
                        .await
                        .map($crate::types::$type),
                    user_errors: $crate::mutation::payload::user_errors(ctx, &errors),
                    client_mutation_id,
                })
            }
        }
    };
}
