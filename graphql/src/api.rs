//! The one door: prepare a document, then execute it or subscribe to it as an actor.

use crate::context::{Disclosed, Trail};
use crate::limits::{Broken, Limits};
use crate::messages;
use crate::mutation::Mutation;
use crate::query::Query;
use crate::subscription::Subscriptions;
use crate::trusted::{OnlyValidate, Trusted};
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType};
use async_graphql::{ErrorExtensionValues, Response, ServerError, Value, Variables};
use domain::Domain;
use domain::access::{Actor, Language};
use domain::audit::Entry;
use domain::check;
use domain::clients::documents::Hash;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

/// A GraphQL request as it came over the wire.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub query: String,
    pub operation_name: Option<String>,
    pub variables: serde_json::Map<String, serde_json::Value>,
    pub extensions: serde_json::Map<String, serde_json::Value>,
    /// The document by its name, `sha256:…`; whoever runs the request puts its text into `query` first.
    pub document_id: Option<String>,
    /// The hash of a text that is on the caller's list.
    pub trusted: Option<Hash>,
    /// Whether the caller may ask for the schema itself, and hears what a misspelt name may have meant.
    pub explore: bool,
    /// Of the messages when it is refused.
    pub language: Language,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    Query,
    Mutation,
    Subscription,
}

/// A document that was parsed and found within the limits.
pub struct Prepared {
    request: async_graphql::Request,
    kind: OperationKind,
    name: Option<String>,
    /// For the audit trail.
    action: String,
    cost: u64,
    explore: bool,
    /// Only what is allowed before there is a second factor.
    enrolling: bool,
}

/// Roots that need no second factor: the way to one.
const WITHOUT_SECOND_FACTOR: &[&str] = &["__typename", "viewer", "beginTotpEnrolment", "confirmTotpEnrolment", "signOutEverywhere"];

impl Prepared {
    pub fn kind(&self) -> OperationKind {
        self.kind
    }
    /// Name of the operation, as the client gave it.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
    /// Static cost, in fields times rows.
    pub fn cost(&self) -> u64 {
        self.cost
    }
}

type Inner = async_graphql::Schema<Query, Mutation, Subscriptions>;

#[derive(Clone)]
pub struct Schema {
    inner: Inner,
    /// The same with suggestions, for those who may explore.
    suggesting: Inner,
    domain: Domain,
    limits: Limits,
    trusted: Trusted,
}

fn build(data: Option<Domain>, suggestions: bool) -> Inner {
    let mut builder = async_graphql::Schema::build(Query, Mutation::default(), Subscriptions);
    if !suggestions {
        builder = builder.disable_suggestions();
    }
    match data {
        Some(domain) => builder.data(domain).finish(),
        None => builder.finish(),
    }
}

fn without_builtin_directives(sdl: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    for line in sdl.lines() {
        let builtin = ["include", "skip", "deprecated", "specifiedBy", "oneOf"].iter().any(|name| line.starts_with(&format!("directive @{name}")));
        if builtin {
            // Its description stands in the lines before: from quotes to quotes.
            if out.last() == Some(&"\"\"\"") {
                out.pop();
                while out.pop().is_some_and(|line| line != "\"\"\"") {}
            }
            continue;
        }
        out.push(line);
    }
    out.join("\n") + "\n"
}

/// A request error: nothing was executed.
fn refused(code: &str, message: String, more: &[(&str, u64)]) -> Box<Response> {
    let mut error = ServerError::new(message, None);
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code);
    for (name, value) in more {
        extensions.set(*name, *value);
    }
    error.extensions = Some(extensions);
    Box::new(Response::from_errors(vec![error]))
}

fn over(broken: &Broken, language: Language) -> Box<Response> {
    let mut response = refused("LIMIT_EXCEEDED", messages::over(broken, language), &[("most", broken.most)]);
    if let Some(extensions) = response.errors.first_mut().and_then(|e| e.extensions.as_mut()) {
        extensions.set("limit", broken.limit);
    }
    response
}

impl Schema {
    pub fn new(domain: Domain, limits: Limits) -> Schema {
        let (inner, suggesting) = (build(Some(domain.clone()), false), build(Some(domain.clone()), true));
        Schema { inner, suggesting, domain, limits, trusted: Trusted::default() }
    }

    fn inner(&self, explore: bool) -> &Inner {
        if explore { &self.suggesting } else { &self.inner }
    }

    /// The schema as text.
    pub fn sdl() -> String {
        let text = build(None, false).sdl();
        // Directives of the language itself are not for a schema to define; the one of the nullability specification gets its default.
        let own = "directive @semanticNonNull(levels: [Int!]) on FIELD_DEFINITION";
        let full = "directive @semanticNonNull(\n\t\"\"\"\n\tLevels of a list it holds for; 0 is the field itself.\n\t\"\"\"\n\tlevels: [Int] = [0]\n) on FIELD_DEFINITION";
        without_builtin_directives(&text).replace(own, full)
    }

    /// Parses, and checks limits, before anything runs. An error here is a request error: nothing was executed.
    pub fn prepare(&self, request: Request) -> Result<Prepared, Box<Response>> {
        let language = request.language;
        let document = match request.trusted {
            Some(hash) => self.trusted.document(hash, || self.parse(&request.query, language))?,
            None => self.parse(&request.query, language)?,
        };
        let operation = chosen(&document, request.operation_name.as_deref()).map_err(|said| refused("GRAPHQL_VALIDATION_FAILED", messages::translated(said, language), &[]))?;
        let kind = match operation.ty {
            OperationType::Query => OperationKind::Query,
            OperationType::Mutation => OperationKind::Mutation,
            OperationType::Subscription => OperationKind::Subscription,
        };
        let variables = Variables::from_json(serde_json::Value::Object(request.variables));
        let cost = self.limits.check_document(&document, operation, &variables).map_err(|broken| over(&broken, language))?;
        if let Some(key) = crate::overlap::conflict(&document, operation) {
            let message = format!("{key} stands for several fields, or for one with several arguments, or for a mutation twice: give each a name of its own");
            return Err(refused("GRAPHQL_VALIDATION_FAILED", messages::translated(&message, language), &[]));
        }
        let name = request.operation_name.clone().or_else(|| match &document.operations {
            DocumentOperations::Multiple(all) if all.len() == 1 => all.keys().next().map(ToString::to_string),
            _ => None,
        });
        let roots = crate::overlap::root_fields(&document, operation);
        let enrolling = roots.split(',').all(|root| WITHOUT_SECOND_FACTOR.contains(&root));
        let action = roots.chars().take(100).collect();
        let mut inner = async_graphql::Request::new("").variables(variables);
        if let Some(name) = request.operation_name {
            inner = inner.operation_name(name);
        }
        if !check!("explore", request.explore) {
            inner = inner.disable_introspection();
        }
        inner.set_parsed_query(document);
        Ok(Prepared { request: inner, kind, name, action, cost, explore: request.explore, enrolling })
    }

    fn parse(&self, text: &str, language: Language) -> Result<ExecutableDocument, Box<Response>> {
        self.limits.check_text(text).map_err(|broken| over(&broken, language))?;
        async_graphql::parser::parse_query(text).map_err(|error| {
            let mut found = ServerError::new(messages::parse_failed(&error, language), None);
            found.locations = error.positions().collect();
            let mut response = Response::from_errors(vec![found]);
            polish(&mut response, "GRAPHQL_PARSE_FAILED");
            Box::new(response)
        })
    }

    /// Runs a query or a mutation; what it disclosed is on record before the answer is given out.
    pub async fn execute(&self, prepared: Prepared, actor: Actor) -> Response {
        if let Some(refused) = self.too_weak(&prepared, &actor).await {
            return refused;
        }
        let trail = Trail::default();
        let action = prepared.action;
        let mut response = self.inner(prepared.explore).execute(prepared.request.data(actor.clone()).data(trail.clone())).await;
        finish(&mut response, actor.language);
        self.recorded(response, &actor, action, trail.take()).await
    }

    /// A session without a second factor gets to one, and nowhere else.
    async fn too_weak(&self, prepared: &Prepared, actor: &Actor) -> Option<Response> {
        if prepared.enrolling || check!("session.enrolling", actor.session.is_none_or(|session| session.strong)) {
            return None;
        }
        let message = actor.language.choose("请先启用第二因子", "enrol a second factor first");
        let response = *refused("SECOND_FACTOR_REQUIRED", message.to_owned(), &[]);
        let trail = Trail::default();
        trail.denied("second-factor");
        Some(self.recorded(response, actor, prepared.action.clone(), trail.take()).await)
    }

    /// Runs a subscription; each event is on record before it is given out.
    pub fn subscribe(&self, prepared: Prepared, actor: Actor) -> BoxStream<'static, Response> {
        if actor.session.is_some_and(|session| !session.strong) {
            let schema = self.clone();
            let refused = async move { schema.too_weak(&Prepared { enrolling: false, ..prepared }, &actor).await };
            return Box::pin(futures_util::stream::once(refused).filter_map(std::future::ready));
        }
        let trail = Trail::default();
        let action = prepared.action;
        let schema = self.clone();
        let events = self.inner(prepared.explore).execute_stream(prepared.request.data(actor.clone()).data(trail.clone()));
        Box::pin(events.then(move |mut response| {
            let (schema, actor, action, trail) = (schema.clone(), actor.clone(), action.clone(), trail.clone());
            async move {
                finish(&mut response, actor.language);
                schema.recorded(response, &actor, action, trail.take()).await
            }
        }))
    }

    async fn recorded(&self, response: Response, actor: &Actor, action: String, disclosed: Disclosed) -> Response {
        if !disclosed.protected {
            return response;
        }
        let outcome = match disclosed.objects.is_empty() {
            true if disclosed.refused => "REFUSED",
            true if !disclosed.denied.is_empty() => "DENIED",
            _ if disclosed.break_glass => "BREAK_GLASS",
            _ => "DISCLOSED",
        };
        let (classes, objects) = disclosed.objects.render(&disclosed.denied, &disclosed.looked);
        let entry = Entry {
            id: self.domain.clock.id(),
            at: self.domain.clock.now(),
            account: Some(actor.account),
            username: actor.username.clone(),
            client: actor.client(),
            action,
            outcome,
            purpose: actor.purpose.clone(),
            legal_basis: actor.legal_basis.clone(),
            request_id: actor.request_id.clone(),
            classes,
            objects,
            children: disclosed.children.into_iter().collect(),
        };
        match self.domain.audit.write(entry).await {
            written if check!("audit.durable", written.is_ok()) => response,
            _ => *refused("AUDIT_UNAVAILABLE", messages::translated("the answer cannot be put on record, and so is not given", actor.language), &[]),
        }
    }
}

/// What is wrong with a document, found without running it. Variables are not known: the cost is that of the defaults.
pub async fn vet(text: &str, limits: &Limits) -> Result<String, Vec<String>> {
    limits.check_text(text).map_err(|broken| vec![format!("over the limit of {}: at most {}", broken.limit, broken.most)])?;
    let document = async_graphql::parser::parse_query(text).map_err(|error| vec![error.to_string()])?;
    let (mut wrong, mut names) = (Vec::new(), Vec::new());
    for (name, operation) in document.operations.iter() {
        names.extend(name.map(ToString::to_string));
        if let Err(broken) = limits.check_document(&document, &operation.node, &Variables::default()) {
            wrong.push(format!("over the limit of {}: at most {}", broken.limit, broken.most));
        }
        if let Some(key) = crate::overlap::conflict(&document, &operation.node) {
            wrong.push(format!("{key} stands for several fields, or for one with several arguments, or for a mutation twice"));
        }
        let schema = async_graphql::Schema::build(Query, Mutation::default(), Subscriptions).extension(OnlyValidate).finish();
        let mut request = async_graphql::Request::new(text).disable_introspection();
        if let Some(name) = name {
            request = request.operation_name(name.to_string());
        }
        let found = schema.execute(request).await.errors;
        wrong.extend(found.into_iter().map(|e| e.message).filter(|message| message != OnlyValidate::GOOD));
    }
    wrong.dedup();
    if wrong.is_empty() { Ok(names.first().cloned().unwrap_or_else(|| "unnamed".into())) } else { Err(wrong) }
}

fn chosen<'d>(document: &'d ExecutableDocument, name: Option<&str>) -> Result<&'d OperationDefinition, &'static str> {
    let wrong = Err;
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Ok(&operation.node),
        (DocumentOperations::Single(_), Some(_)) => wrong("operationName names no operation of the document"),
        (DocumentOperations::Multiple(all), Some(name)) => match all.get(name) {
            Some(operation) => Ok(&operation.node),
            None => wrong("operationName names no operation of the document"),
        },
        (DocumentOperations::Multiple(all), None) => match all.values().next() {
            Some(operation) if all.len() == 1 => Ok(&operation.node),
            _ => wrong("a document with several operations needs operationName"),
        },
    }
}

const MOST_REASONS: usize = 20;

/// Every error gets a code; those of the executor never say more than the caller sent.
fn finish(response: &mut Response, language: Language) {
    let validation = response.data == Value::Null;
    if validation {
        // A rejection stays small, however many ways the document is wrong in.
        response.errors.sort_by_key(|e| e.locations.first().map(|at| (at.line, at.column)));
        response.errors.truncate(MOST_REASONS);
    }
    for error in response.errors.iter_mut().filter(|e| !is_coded(e)) {
        error.message = messages::translated(&error.message, language);
    }
    polish(response, if validation { "GRAPHQL_VALIDATION_FAILED" } else { "BAD_USER_INPUT" });
}

fn is_coded(error: &ServerError) -> bool {
    error.extensions.as_ref().is_some_and(|e| e.get("code").is_some())
}

fn polish(response: &mut Response, code: &str) {
    for error in &mut response.errors {
        if error.message.chars().count() > 500 {
            error.message = error.message.chars().take(500).chain(['…']).collect();
        }
        if !is_coded(error) {
            error.extensions.get_or_insert_default().set("code", code);
        }
    }
    // Where several fields fail, the order of completion must not show.
    response.errors.sort_by_key(|e| {
        e.path
            .iter()
            .map(|segment| match segment {
                async_graphql::PathSegment::Field(name) => (name.clone(), 0),
                async_graphql::PathSegment::Index(at) => (String::new(), *at),
            })
            .collect::<Vec<_>>()
    });
}
