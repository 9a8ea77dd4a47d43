//! The operations that run over one socket.

use super::super::answer::{Refused, body, with_id};
use super::super::rates;
use super::super::{App, Context, Shared, graphql as over_http};
use super::message::Outgoing;
use crate::telemetry::{self, Gauge};
use graphql::Answer;
use axum::http::StatusCode;
use domain::access::Actor;
use domain::store::meter::{metered, statements};
use futures_util::{FutureExt, StreamExt};
use graphql::{OperationKind, Prepared, Request};
use serde_json::Value;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

const MOST_RUNNING: usize = 50;

/// What an operation's task has to say; `run` tells it from an earlier one of the same id.
pub struct Said {
    id: String,
    run: u64,
    what: What,
}

enum What {
    Next(Value),
    /// The operation was not executed.
    Error(Vec<Value>),
    Complete,
}

struct Running {
    run: u64,
    subscription: bool,
    task: AbortHandle,
}

pub struct Operations {
    app: Shared,
    running: HashMap<String, Running>,
    results: mpsc::Sender<Said>,
    runs: u64,
}

impl Drop for Operations {
    fn drop(&mut self) {
        self.running.values().for_each(|r| r.task.abort());
    }
}

impl Operations {
    pub fn new(app: Shared) -> (Operations, mpsc::Receiver<Said>) {
        // Small: an operation waits for its reader.
        let (results, receiver) = mpsc::channel(16);
        (Operations { app, running: HashMap::new(), results, runs: 0 }, receiver)
    }

    pub fn is_running(&self, id: &str) -> bool {
        self.running.contains_key(id)
    }

    pub fn cancel(&mut self, id: &str) {
        if let Some(running) = self.running.remove(id) {
            running.task.abort();
        }
    }

    /// Ends the subscriptions; true once nothing else runs.
    pub fn drain(&mut self) -> bool {
        self.running.retain(|_, r| {
            if r.subscription {
                r.task.abort();
            }
            !r.subscription
        });
        self.running.is_empty()
    }

    pub fn start(&mut self, id: String, request: Request, actor: Actor, context: Context) -> Result<(), Refused> {
        if *self.app.stop.borrow() {
            return Err(Refused::unavailable());
        }
        if self.running.len() >= MOST_RUNNING {
            return Err(Refused::new(
                StatusCode::TOO_MANY_REQUESTS,
                "TOO_MANY_OPERATIONS",
                format!("每个连接最多同时运行 {MOST_RUNNING} 个操作"),
                format!("at most {MOST_RUNNING} operations run over one socket"),
            ));
        }
        let partner = rates::is_partner(&actor);
        context.note(self.app.rates.request(actor.account, partner, Instant::now())?);
        self.runs += 1;
        let run = self.runs;
        let prepared = self.app.schema.prepare(request);
        if let Ok(prepared) = &prepared {
            context.note(self.app.rates.cost(actor.account, partner, prepared.cost(), Instant::now())?);
        }
        let operation = prepared.as_ref().ok().and_then(graphql::Prepared::name);
        let subscription = matches!(&prepared, Ok(p) if p.kind() == OperationKind::Subscription);
        let (app, results, of) = (self.app.clone(), self.results.clone(), id.clone());
        let task = tokio::spawn(async move {
            let say = Say { results, id: of, run };
            let context = &context;
            let work = metered(async {
                let outcome = match prepared {
                    Err(response) => say.result(&Answer::from(*response), context).await,
                    Ok(prepared) if subscription => stream(&app, prepared, actor, context, &say).await,
                    Ok(prepared) => once(&app, prepared, actor, context, &say).await,
                };
                (outcome, statements())
            });
            let (outcome, statements) = match AssertUnwindSafe(work).catch_unwind().await {
                Ok(done) => done,
                Err(_) => (say.refused(&Refused::internal(), context).await, 0),
            };
            metrics::counter!(telemetry::REQUESTS, "route" => "websocket", "outcome" => outcome).increment(1);
            metrics::counter!(telemetry::STATEMENTS).increment(statements.into());
            let operation = operation.unwrap_or_default();
            tracing::info!(request_id = %context.request_id, route = "websocket", operation, outcome, statements, "operation");
        });
        self.running.insert(id, Running { run, subscription, task: task.abort_handle() });
        Ok(())
    }

    /// The messages for what a task said; nothing when it was cancelled meanwhile.
    pub fn finish(&mut self, said: Said) -> Option<Vec<Outgoing>> {
        self.running.get(&said.id).filter(|r| r.run == said.run)?;
        let id = said.id;
        Some(match said.what {
            What::Next(payload) => vec![Outgoing::Next { id, payload }],
            What::Error(errors) => {
                self.running.remove(&id);
                vec![Outgoing::error(id, errors)]
            }
            What::Complete => {
                self.running.remove(&id);
                vec![Outgoing::Complete { id }]
            }
        })
    }
}

async fn once(app: &App, prepared: Prepared, actor: Actor, context: &Context, say: &Say) -> &'static str {
    let Ok(_permit) = app.in_flight.try_acquire() else { return say.refused(&Refused::overloaded(), context).await };
    match over_http::run(app, prepared, actor, context).await {
        Ok(answer) => say.result(&answer, context).await,
        Err(refused) => say.refused(&refused, context).await,
    }
}

async fn stream(app: &App, prepared: Prepared, actor: Actor, context: &Context, say: &Say) -> &'static str {
    let _running = Gauge::up(telemetry::SUBSCRIPTIONS);
    let mut events = app.schema.subscribe(prepared, actor);
    while let Some(response) = events.next().await {
        let answer = Answer::from(response);
        if answer.is_request_error() {
            return say.result(&answer, context).await;
        }
        say.next(&answer, context).await;
    }
    say.say(What::Complete).await;
    "ok"
}

struct Say {
    results: mpsc::Sender<Said>,
    id: String,
    run: u64,
}

impl Say {
    async fn say(&self, what: What) {
        // A socket that is gone has no use for it.
        let _ = self.results.send(Said { id: self.id.clone(), run: self.run, what }).await;
    }

    async fn next(&self, answer: &Answer, context: &Context) {
        let body = body(answer, context).and_then(|body| serde_json::from_slice(&body).ok());
        self.say(What::Next(body.unwrap_or_default())).await;
    }

    async fn refused(&self, refused: &Refused, context: &Context) -> &'static str {
        self.say(What::Error(vec![refused.error(context)])).await;
        if refused.code == "TIMEOUT" { "timeout" } else { "failed" }
    }

    async fn result(&self, answer: &Answer, context: &Context) -> &'static str {
        if answer.is_request_error() {
            let errors = answer.response.errors.iter().filter_map(|e| serde_json::to_value(with_id(e, context)).ok()).collect();
            self.say(What::Error(errors)).await;
            return "request_error";
        }
        self.next(answer, context).await;
        self.say(What::Complete).await;
        if answer.response.errors.is_empty() { "ok" } else { "field_errors" }
    }
}
