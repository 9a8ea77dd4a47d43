//! Documents on a client's list, remembered as they were parsed: whatever is worked out of one once can lie here beside it.

use async_graphql::ServerError;
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation};
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Response, ValidationResult};
use crate::limits::Limits;
use domain::clients::documents::Hash;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

const MOST: usize = 2000;

struct Known {
    document: ExecutableDocument,
}

#[derive(Clone, Default)]
pub struct Trusted(Arc<Mutex<HashMap<Hash, Arc<Known>>>>);

impl Trusted {
    /// The parsed document of a hash; it is parsed once.
    pub fn document(&self, hash: Hash, parse: impl FnOnce() -> Result<ExecutableDocument, Box<Response>>) -> Result<ExecutableDocument, Box<Response>> {
        let known = self.0.lock().ok().and_then(|map| map.get(&hash).cloned());
        if let Some(known) = known {
            return Ok(known.document.clone());
        }
        let document = parse()?;
        if let Ok(mut map) = self.0.lock() {
            if map.len() >= MOST {
                map.clear();
            }
            map.insert(hash, Arc::new(Known { document: document.clone() }));
        }
        Ok(document)
    }
}

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
