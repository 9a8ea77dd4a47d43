//! What is wrong with a document, without running it.

use async_graphql::ServerError;
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation};
use async_graphql::ValidationResult;
use crate::limits::Limits;
use std::sync::Arc;

/// What a text asks for, in few words and without any of its values: kind, name and root fields of its first operation.
pub fn told(text: &str, limits: &Limits) -> String {
    let document = match limits.check_text(text) {
        Ok(()) => async_graphql::parser::parse_query(text),
        Err(broken) => return format!("over the limit of {}", broken.limit),
    };
    let Ok(document) = document else { return "no document that can be parsed".to_owned() };
    let Some((name, operation)) = document.operations.iter().next() else { return "no operation".to_owned() };
    // A cycle of fragments is for validation to name.
    let roots = crate::overlap::root_fields(&document, &operation.node);
    format!("{} {}({roots})", operation.node.ty, name.map(|name| format!("{name} ")).unwrap_or_default())
}

/// Ends after validation, before anything is run.
pub struct OnlyValidate;

impl OnlyValidate {
    pub const GOOD: &str = "the document is good";
}

impl ExtensionFactory for OnlyValidate {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(OnlyValidate)
    }
}

#[async_trait::async_trait]
impl Extension for OnlyValidate {
    async fn validation(&self, ctx: &ExtensionContext<'_>, next: NextValidation<'_>) -> Result<ValidationResult, Vec<ServerError>> {
        next.run(ctx).await?;
        Err(vec![ServerError::new(OnlyValidate::GOOD, None)])
    }
}
