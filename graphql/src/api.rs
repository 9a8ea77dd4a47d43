//! The one door: prepare a document, then execute it or subscribe to it as an actor.

use async_graphql::{EmptyMutation, EmptySubscription, Object, Response};
use domain::Domain;
use domain::access::Actor;
use futures_util::stream::BoxStream;

/// A GraphQL request as it came over the wire.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub query: String,
    pub operation_name: Option<String>,
    pub variables: serde_json::Map<String, serde_json::Value>,
    pub extensions: serde_json::Map<String, serde_json::Value>,
}

#[derive(Clone, Debug)]
pub struct Limits {
    pub tokens: usize,
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { tokens: 4000, depth: 15 }
    }
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
}

impl Prepared {
    pub fn kind(&self) -> OperationKind {
        self.kind
    }
}

struct Query;

#[Object]
impl Query {
    /// Placeholder.
    async fn ping(&self) -> bool {
        true
    }
}

#[derive(Clone)]
pub struct Schema {
    inner: async_graphql::Schema<Query, EmptyMutation, EmptySubscription>,
}

impl Schema {
    pub fn new(domain: Domain, _limits: Limits, _introspection: bool) -> Schema {
        Schema { inner: async_graphql::Schema::build(Query, EmptyMutation, EmptySubscription).data(domain).finish() }
    }

    /// The schema without a database behind it, for printing.
    pub fn sdl() -> String {
        async_graphql::Schema::new(Query, EmptyMutation, EmptySubscription).sdl()
    }

    /// Parses, and checks limits, before anything runs. An error here is a request error: nothing was executed.
    pub fn prepare(&self, request: Request) -> Result<Prepared, Box<Response>> {
        let mut inner = async_graphql::Request::new(request.query);
        if let Some(name) = request.operation_name {
            inner = inner.operation_name(name);
        }
        Ok(Prepared { request: inner, kind: OperationKind::Query })
    }

    pub async fn execute(&self, prepared: Prepared, actor: Actor) -> Response {
        self.inner.execute(prepared.request.data(actor)).await
    }

    pub fn subscribe(&self, prepared: Prepared, actor: Actor) -> BoxStream<'static, Response> {
        Box::pin(self.inner.execute_stream(prepared.request.data(actor)))
    }
}
