//! Documents as they were parsed, remembered with whatever is worked out of them once.

use crate::api::{OperationKind, WITHOUT_SECOND_FACTOR};
use crate::plan::Compiled;
use async_graphql::Response;
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType};
use domain::clients::documents::Hash;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

/// A parsed document and its operations.
pub struct Known {
    pub document: ExecutableDocument,
    operations: Vec<(Option<String>, Facts)>,
}

/// What is known of an operation before it runs.
pub struct Facts {
    pub kind: OperationKind,
    /// For the audit trail.
    pub action: String,
    /// Keys of the answer, in the order selected.
    pub keys: Vec<String>,
    /// Only what is allowed before there is a second factor.
    pub enrolling: bool,
    /// A response key that stands for several things.
    pub conflict: Option<String>,
    /// Set once the document was found valid; None: it goes the general way.
    pub compiled: OnceLock<Option<Compiled>>,
}

impl Known {
    pub fn new(document: ExecutableDocument) -> Known {
        let facts = |operation: &OperationDefinition| {
            let roots = crate::overlap::root_fields(&document, operation);
            Facts {
                kind: match operation.ty {
                    OperationType::Query => OperationKind::Query,
                    OperationType::Mutation => OperationKind::Mutation,
                    OperationType::Subscription => OperationKind::Subscription,
                },
                enrolling: roots.split(',').all(|root| WITHOUT_SECOND_FACTOR.contains(&root)),
                action: roots.chars().take(100).collect(),
                keys: crate::overlap::root_keys(&document, operation),
                conflict: crate::overlap::conflict(&document, operation),
                compiled: OnceLock::new(),
            }
        };
        let operations = document.operations.iter().map(|(name, operation)| (name.map(ToString::to_string), facts(&operation.node))).collect();
        Known { document, operations }
    }

    /// The operation of this name, or the only one.
    pub fn operation(&self, name: Option<&str>) -> Result<(&OperationDefinition, &Facts), &'static str> {
        let place = match (&self.document.operations, name) {
            (DocumentOperations::Single(_), None) => 0,
            (DocumentOperations::Multiple(all), None) if all.len() == 1 => 0,
            (DocumentOperations::Multiple(_), None) => return Err("a document with several operations needs operationName"),
            (_, Some(name)) => {
                let named = self.operations.iter().position(|(known, _)| known.as_deref() == Some(name));
                named.ok_or("operationName names no operation of the document")?
            }
        };
        let (name, facts) = &self.operations[place];
        let operation = match (&self.document.operations, name) {
            (DocumentOperations::Single(operation), _) => Some(&operation.node),
            (DocumentOperations::Multiple(all), Some(name)) => all.get(name.as_str()).map(|operation| &operation.node),
            (DocumentOperations::Multiple(_), None) => None,
        };
        operation.map(|operation| (operation, facts)).ok_or("operationName names no operation of the document")
    }

    /// The name of the operation, as the document gives it.
    pub fn name(&self, asked: Option<&str>) -> Option<String> {
        asked.map(str::to_owned).or_else(|| match &self.operations[..] {
            [(name, _)] => name.clone(),
            _ => None,
        })
    }
}

/// How many documents, and how long a text at most; longer ones are parsed each time.
const MOST: usize = 1000;
const LONGEST: usize = 16 << 10;

/// Two generations: what is asked for again outlives a flood of documents that are not.
struct Generations<K> {
    young: HashMap<K, Arc<Known>>,
    old: HashMap<K, Arc<Known>>,
}

impl<K> Default for Generations<K> {
    fn default() -> Generations<K> {
        Generations { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<K: Eq + std::hash::Hash> Generations<K> {
    fn get<Q: Eq + std::hash::Hash + ?Sized>(&mut self, name: &Q) -> Option<Arc<Known>>
    where
        K: Borrow<Q>,
    {
        if let Some(known) = self.young.get(name) {
            return Some(known.clone());
        }
        let (name, known) = self.old.remove_entry(name)?;
        self.put(name, known.clone());
        Some(known)
    }
    fn put(&mut self, name: K, known: Arc<Known>) {
        if self.young.len() >= MOST {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name, known);
    }
}

#[derive(Clone, Default)]
pub struct Documents {
    listed: Arc<Mutex<Generations<Hash>>>,
    /// Texts that anybody may send push out none that are on a list.
    texts: Arc<Mutex<Generations<Box<str>>>>,
}

impl Documents {
    /// The document of a text, which may be on a list under a hash; it is parsed once.
    pub fn get(&self, text: &str, listed: Option<Hash>, parse: impl FnOnce() -> Result<ExecutableDocument, Box<Response>>) -> Result<Arc<Known>, Box<Response>> {
        if text.len() > LONGEST && listed.is_none() {
            return Ok(Arc::new(Known::new(parse()?)));
        }
        let known = match listed {
            Some(hash) => self.listed.lock().ok().and_then(|mut all| all.get(&hash)),
            None => self.texts.lock().ok().and_then(|mut all| all.get(text)),
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let known = Arc::new(Known::new(parse()?));
        match (listed, self.listed.lock(), self.texts.lock()) {
            (Some(hash), Ok(mut all), _) => all.put(hash, known.clone()),
            (None, _, Ok(mut all)) => all.put(text.into(), known.clone()),
            _ => {}
        }
        Ok(known)
    }
}
