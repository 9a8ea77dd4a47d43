//! What is wrong with a document, without running it.

use async_graphql::ServerError;
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation};
use async_graphql::ValidationResult;
use std::sync::Arc;

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
