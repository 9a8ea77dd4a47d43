//! Server-sent events: graphql-sse in distinct connections mode, one operation for each request.

use super::answer::{self, Done, Refused};
use super::auth::{self, SignedIn};
use super::rates::Stream;
use super::{Context, Shared};
use crate::listen::told;
use crate::telemetry::{self, Gauge};
use graphql::Answer;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use domain::store::meter::{metered, statements};
use futures_util::{FutureExt, StreamExt, stream};
use graphql::Prepared;
use serde_json::json;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often the token's end and the account's grants are looked at.
const TICK: Duration = Duration::from_secs(3);
/// A comment goes out after so long without an event, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(12);
const COMMENT: &[u8] = b":\n\n";
/// With an empty `data`, without which browsers do not hear it.
const COMPLETE: &[u8] = b"event: complete\ndata: \n\n";

fn next_event(json: &str) -> Bytes {
    // JSON has no line ends of its own.
    format!("event: next\ndata: {json}\n\n").into()
}

fn event_of(outcome: &Answer, context: &Context) -> Bytes {
    let body = answer::body(outcome, context).and_then(|body| String::from_utf8(body).ok());
    next_event(&body.unwrap_or_else(|| refusal(&Refused::internal(), context)))
}

fn refusal(refused: &Refused, context: &Context) -> String {
    json!({ "errors": [refused.error(context)], "extensions": { "requestId": context.request_id } }).to_string()
}

fn stream_of(body: Body) -> Response {
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::OK;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    // Proxies that gather answers are to pass these on at once.
    answer.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    answer
}

/// The result of a query or a mutation, or why a document was not run.
pub fn once(outcome: &Answer, context: &Context) -> Response {
    stream_of(Body::from([&event_of(outcome, context)[..], COMPLETE].concat()))
}

/// The events of a subscription, until it ends, the client goes, or the client may no longer hear them.
pub fn subscribe(app: Shared, context: Context, signed: SignedIn, prepared: Prepared, held: Stream) -> Response {
    let (out, events) = mpsc::channel::<Bytes>(16);
    let operation = prepared.name();
    let done = Done { outcome: "ok", operation: operation.clone(), statements: 0 };
    tokio::spawn(async move {
        let work = metered(async {
            let outcome = run(&app, &context, signed, prepared, &out).await;
            (outcome, statements())
        });
        let (outcome, statements) = AssertUnwindSafe(work).catch_unwind().await.unwrap_or(("failed", 0));
        metrics::counter!(telemetry::REQUESTS, "route" => "events", "outcome" => outcome).increment(1);
        metrics::counter!(telemetry::STATEMENTS).increment(statements.into());
        tracing::info!(request_id = %context.request_id, route = "events", operation = operation.unwrap_or_default(), outcome, statements, "operation");
        drop(held);
    });
    let body = stream::unfold(events, async |mut events| events.recv().await.map(|event| (Ok::<_, std::convert::Infallible>(event), events)));
    let mut answer = stream_of(Body::from_stream(body));
    answer.extensions_mut().insert(done);
    answer
}

async fn run(app: &Shared, context: &Context, signed: SignedIn, prepared: Prepared, out: &mpsc::Sender<Bytes>) -> &'static str {
    let _running = Gauge::up(telemetry::SUBSCRIPTIONS);
    let mut stop = app.stop.clone();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut events = app.schema.subscribe(prepared, signed.actor.clone());
    let mut said = Instant::now();
    let send = async |event: Bytes| out.send(event).await.is_ok();
    loop {
        tokio::select! {
            biased;
            () = out.closed() => return "gone",
            // Without `complete`, so that the client comes back to a server that runs.
            () = told(&mut stop) => return "stopping",
            _ = tick.tick() => {
                if let Err(refused) = auth::still_good(app, &signed, context).await {
                    send(next_event(&refusal(&refused, context))).await;
                    send(Bytes::from_static(COMPLETE)).await;
                    return "unauthenticated";
                }
                if said.elapsed() >= KEEP_ALIVE {
                    said = Instant::now();
                    if !send(Bytes::from_static(COMMENT)).await {
                        return "gone";
                    }
                }
            }
            event = events.next() => {
                said = Instant::now();
                let Some(outcome) = event.map(Answer::from) else {
                    send(Bytes::from_static(COMPLETE)).await;
                    return "ok";
                };
                if !send(event_of(&outcome, context)).await {
                    return "gone";
                }
                if outcome.is_request_error() {
                    send(Bytes::from_static(COMPLETE)).await;
                    return "request_error";
                }
            }
        }
    }
}
