//! The one door: prepare a document, then execute it or subscribe to it as an actor.

use crate::context::{Disclosed, Trail};
use crate::limits::{Broken, Limits};
use crate::messages;
use crate::mutation::Mutation;
use crate::query::Query;
use crate::subscription::Subscriptions;
use crate::documents::{Documents, Known};
use crate::plan::{Compiled, Written};
use crate::vet::OnlyValidate;
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{ErrorExtensionValues, Response, ServerError, Value, Variables};
use domain::Domain;
use domain::access::{Actor, Language};
use domain::audit::Entry;
use domain::check;
use domain::clients::documents::Hash;
use crate::documents::Facts;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use std::borrow::Cow;
use std::sync::Arc;

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
    known: Arc<Known>,
    operation_name: Option<String>,
    variables: Variables,
    cost: u64,
    explore: bool,
}

/// Roots that need no second factor: the way to one.
pub(crate) const WITHOUT_SECOND_FACTOR: &[&str] = &["__typename", "viewer", "beginTotpEnrolment", "confirmTotpEnrolment", "signOutEverywhere"];

impl Prepared {
    fn facts(&self) -> Option<&Facts> {
        self.known.operation(self.operation_name.as_deref()).ok().map(|(_, facts)| facts)
    }
    pub fn kind(&self) -> OperationKind {
        self.facts().map_or(OperationKind::Query, |facts| facts.kind)
    }
    /// Name of the operation, as the client gave it.
    pub fn name(&self) -> Option<String> {
        self.known.name(self.operation_name.as_deref())
    }
    /// Static cost, in fields times rows.
    pub fn cost(&self) -> u64 {
        self.cost
    }
    fn action(&self) -> String {
        self.facts().map(|facts| facts.action.clone()).unwrap_or_default()
    }
    /// For the executor.
    fn request(self) -> async_graphql::Request {
        let mut request = async_graphql::Request::new("").variables(self.variables);
        if let Some(name) = self.operation_name {
            request = request.operation_name(name);
        }
        if !check!("explore", self.explore) {
            request = request.disable_introspection();
        }
        request.set_parsed_query(self.known.document.clone());
        request
    }
}

/// What is given out: a response of the executor, or data that was written straight to JSON.
pub struct Answer {
    /// Its data is null where `data` stands.
    pub response: Response,
    data: Option<Vec<u8>>,
}

impl From<Response> for Answer {
    fn from(response: Response) -> Answer {
        Answer { response, data: None }
    }
}

impl Answer {
    /// Whether nothing was executed: such a result has no `data`.
    pub fn is_request_error(&self) -> bool {
        let response = &self.response;
        self.data.is_none() && response.data == Value::Null && !response.errors.is_empty() && response.errors.iter().all(|e| e.path.is_empty())
    }

    /// Whether it was written straight to JSON.
    pub fn is_short(&self) -> bool {
        self.data.is_some()
    }

    /// `data` as JSON; None where nothing was executed.
    pub fn data(&self) -> Option<Cow<'_, [u8]>> {
        match &self.data {
            Some(data) => Some(Cow::Borrowed(data)),
            None if self.is_request_error() => None,
            None => serde_json::to_vec(&self.response.data).ok().map(Cow::Owned),
        }
    }
}

type Inner = async_graphql::Schema<Query, Mutation, Subscriptions>;

#[derive(Clone)]
pub struct Schema {
    inner: Inner,
    /// The same with suggestions, for those who may explore.
    suggesting: Inner,
    /// Runs nothing.
    validating: Inner,
    domain: Domain,
    limits: Limits,
    documents: Documents,
    /// Whether queries may go the short way.
    short: bool,
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
        let validating = async_graphql::Schema::build(Query, Mutation::default(), Subscriptions).extension(OnlyValidate).finish();
        Schema { inner, suggesting, validating, domain, limits, documents: Documents::default(), short: true }
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
        let known = self.documents.get(&request.query, request.trusted, || self.parse(&request.query, language))?;
        let (operation, facts) = known.operation(request.operation_name.as_deref()).map_err(|said| refused("GRAPHQL_VALIDATION_FAILED", messages::translated(said, language), &[]))?;
        let variables = Variables::from_json(serde_json::Value::Object(request.variables));
        let cost = self.limits.check_document(&known.document, operation, &variables).map_err(|broken| over(&broken, language))?;
        if let Some(key) = &facts.conflict {
            let message = format!("{key} stands for several fields, or for one with several arguments, or for a mutation twice: give each a name of its own");
            return Err(refused("GRAPHQL_VALIDATION_FAILED", messages::translated(&message, language), &[]));
        }
        Ok(Prepared { known, operation_name: request.operation_name, variables, cost, explore: request.explore })
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

    /// Runs a query or a mutation the shortest way there is; what it disclosed is on record before the answer is given out.
    pub async fn answer(&self, prepared: Prepared, actor: Actor) -> Answer {
        let _held = self.domain.audit.under_way();
        if let Some(refused) = self.too_weak(&prepared, &actor).await {
            return refused.into();
        }
        if let Some(compiled) = self.compiled(&prepared).await
            && let Some(Written { data, errors, disclosed }) = compiled.run(&self.domain, &actor, &prepared.variables).await
        {
            let mut response = Response::from_errors(errors);
            in_order(&mut response);
            return match self.record(&actor, prepared.action(), disclosed).await {
                Ok(()) => Answer { response, data: Some(data) },
                Err(refused) => (*refused).into(),
            };
        }
        self.execute_any(prepared, actor).await.into()
    }

    /// The same by the general way alone.
    pub async fn execute(&self, prepared: Prepared, actor: Actor) -> Response {
        match self.too_weak(&prepared, &actor).await {
            Some(refused) => refused,
            None => self.execute_any(prepared, actor).await,
        }
    }

    async fn execute_any(&self, prepared: Prepared, actor: Actor) -> Response {
        let trail = Trail::default();
        let (action, inner) = (prepared.action(), self.inner(prepared.explore));
        let known = prepared.known.clone();
        let name = prepared.operation_name.clone();
        let mut response = inner.execute(prepared.request().data(actor.clone()).data(trail.clone())).await;
        finish(&mut response, actor.language);
        // The executor answers roots in the order in which they were done.
        if let (Value::Object(data), Ok((_, facts))) = (&mut response.data, known.operation(name.as_deref())) {
            data.sort_by_cached_key(|key, _| facts.keys.iter().position(|known| key == known));
        }
        self.recorded(response, &actor, action, trail.take()).await
    }

    /// The short way of this operation, if it has one; worked out once the document was found valid.
    async fn compiled<'p>(&self, prepared: &'p Prepared) -> Option<&'p Compiled> {
        let (operation, facts) = prepared.known.operation(prepared.operation_name.as_deref()).ok()?;
        if !self.short || facts.kind != OperationKind::Query {
            return None;
        }
        if let Some(compiled) = facts.compiled.get() {
            return compiled.as_ref();
        }
        let compiled = Compiled::new(&prepared.known.document, operation);
        if compiled.is_some() && !self.is_valid(prepared).await {
            // Its variables may be what is wrong: the next ones are looked at again.
            return None;
        }
        facts.compiled.get_or_init(|| compiled).as_ref()
    }

    async fn is_valid(&self, prepared: &Prepared) -> bool {
        let mut request = async_graphql::Request::new("").variables(prepared.variables.clone());
        if let Some(name) = &prepared.operation_name {
            request = request.operation_name(name.clone());
        }
        request.set_parsed_query(prepared.known.document.clone());
        self.validating.execute(request).await.errors.iter().all(|error| error.message == OnlyValidate::GOOD)
    }

    /// Without the short way.
    pub fn generally(mut self) -> Schema {
        self.short = false;
        self
    }

    /// A session without a second factor gets to one, and nowhere else.
    async fn too_weak(&self, prepared: &Prepared, actor: &Actor) -> Option<Response> {
        if check!("session.enrolling", actor.session.is_none_or(|session| session.strong)) || prepared.facts().is_some_and(|facts| facts.enrolling) {
            return None;
        }
        let message = actor.language.choose("请先启用第二因子", "enrol a second factor first");
        let response = *refused("SECOND_FACTOR_REQUIRED", message.to_owned(), &[]);
        let trail = Trail::default();
        trail.denied("second-factor");
        Some(self.recorded(response, actor, prepared.action(), trail.take()).await)
    }

    /// Runs a subscription; each event is on record before it is given out.
    pub fn subscribe(&self, prepared: Prepared, actor: Actor) -> BoxStream<'static, Response> {
        if actor.session.is_some_and(|session| !session.strong) {
            let schema = self.clone();
            let refused = async move { schema.too_weak(&prepared, &actor).await };
            return Box::pin(futures_util::stream::once(refused).filter_map(std::future::ready));
        }
        let trail = Trail::default();
        let (action, inner) = (prepared.action(), self.inner(prepared.explore));
        let schema = self.clone();
        let events = inner.execute_stream(prepared.request().data(actor.clone()).data(trail.clone()));
        Box::pin(events.then(move |mut response| {
            let (schema, actor, action, trail) = (schema.clone(), actor.clone(), action.clone(), trail.clone());
            async move {
                finish(&mut response, actor.language);
                schema.recorded(response, &actor, action, trail.take()).await
            }
        }))
    }

    async fn recorded(&self, response: Response, actor: &Actor, action: String, disclosed: Disclosed) -> Response {
        match self.record(actor, action, disclosed).await {
            Ok(()) => response,
            Err(refused) => *refused,
        }
    }

    async fn record(&self, actor: &Actor, action: String, disclosed: Disclosed) -> Result<(), Box<Response>> {
        if !disclosed.protected {
            return Ok(());
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
            written if check!("audit.durable", written.is_ok()) => Ok(()),
            _ => Err(refused("AUDIT_UNAVAILABLE", messages::translated("the answer cannot be put on record, and so is not given", actor.language), &[])),
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
    in_order(response);
}

/// Where several fields fail, the order of completion must not show; one that was selected twice fails once.
fn in_order(response: &mut Response) {
    response.errors.sort_by_key(|e| {
        e.path
            .iter()
            .map(|segment| match segment {
                async_graphql::PathSegment::Field(name) => (name.clone(), 0),
                async_graphql::PathSegment::Index(at) => (String::new(), *at),
            })
            .collect::<Vec<_>>()
    });    let code = |e: &ServerError| e.extensions.as_ref().and_then(|x| x.get("code").cloned());
    response.errors.dedup_by(|b, a| !a.path.is_empty() && a.path == b.path && code(a) == code(b));
}
