//! GraphQL over HTTP.

use super::answer::{self, Done, Refused, json_answer};
use super::negotiate::{self, Media};
use super::{App, Context, Shared, auth, documents, only, params, rates, sse, ws};
use axum::Extension;
use axum::extract::{FromRequestParts, Request, State, WebSocketUpgrade};
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use domain::access::Actor;
use domain::store::meter::{metered, statements};
use futures_util::FutureExt;
use graphql::{OperationKind, Prepared};
use std::panic::AssertUnwindSafe;
use tokio::time::Instant;

pub async fn handle(State(app): State<Shared>, Extension(context): Extension<Context>, request: Request) -> Response {
    if request.headers().get(header::UPGRADE).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"websocket")) {
        return open_socket(app, context, request).await;
    }
    let media = negotiate::for_errors(request.headers());
    match metered(async {
        let mut answer = answer(&app, &context, request).await;
        if let Ok(answer) = &mut answer
            && let Some(done) = answer.extensions_mut().get_mut::<Done>()
        {
            done.statements = statements();
        }
        answer
    })
    .await
    {
        Ok(answer) => answer,
        Err(refused) => refused.answer(&context, media),
    }
}

async fn open_socket(app: Shared, context: Context, request: Request) -> Response {
    if !super::cors::may_open_socket(&app.config.cors_origins, request.headers()) {
        let refused = Refused::new(StatusCode::FORBIDDEN, "FORBIDDEN", "不接受来自此网站的连接", "sockets from pages of that origin are not accepted");
        return refused.answer(&context, Media::Json);
    }
    let (mut parts, _) = request.into_parts();
    match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => ws::upgrade(app, context, upgrade, &parts.headers),
        Err(_) => Refused::bad_request("WebSocket 握手不正确", "the WebSocket handshake is not right").answer(&context, Media::Json),
    }
}

async fn answer(app: &Shared, context: &Context, request: Request) -> Result<Response, Refused> {
    // Who asks comes before what is asked.
    let signed = auth::sign_in(app, request.headers(), context).await?;
    if let Some(answer) = only("GET, HEAD, POST", request.method(), context) {
        return Ok(answer);
    }
    let partner = rates::is_partner(&signed.actor);
    context.note(app.rates.request(signed.actor.account, partner, Instant::now())?);
    let (may_stream, streams) = negotiate::events(request.headers());
    let media = match negotiate::accept(request.headers()) {
        Some(media) => media,
        None if may_stream => Media::Json,
        None => {
            return Err(Refused::new(
                StatusCode::NOT_ACCEPTABLE,
                "NOT_ACCEPTABLE",
                "答复只有 application/graphql-response+json、application/json 或 text/event-stream",
                "answers are application/graphql-response+json, application/json or text/event-stream",
            ));
        }
    };
    let (parts, body) = request.into_parts();
    let post = parts.method == Method::POST;
    let mut asked = if post {
        if !negotiate::is_json(&parts.headers) {
            return Err(Refused::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UNSUPPORTED_MEDIA_TYPE",
                "请求体应为 application/json，编码 UTF-8",
                "the body should be application/json in UTF-8",
            ));
        }
        params::from_body(&params::read_body(body, &parts.headers, app.config.limits.body_bytes, app.config.limits.read).await?)?
    } else {
        if parts.uri.query().is_some_and(|q| q.len() > app.config.limits.body_bytes) {
            return Err(Refused::too_large(app.config.limits.body_bytes as u64));
        }
        params::from_uri(&parts.uri)?
    };
    documents::resolve(app, &signed.actor, &mut asked, context).await?;
    asked.language = context.language;
    let permit = app.in_flight.try_acquire().map_err(|_| Refused::overloaded())?;
    let mut operation = None;
    let answer = match app.schema.prepare(asked) {
        Err(response) => (*response).into(),
        Ok(prepared) => {
            // A name that the document has, not one that the caller wrote beside it.
            operation = prepared.name();
            context.note(app.rates.cost(signed.actor.account, partner, prepared.cost(), Instant::now())?);
            match prepared.kind() {
                OperationKind::Mutation if !post => return Err(Refused::method("POST")),
                OperationKind::Subscription if may_stream => {
                    let held = app.rates.stream(signed.actor.account, partner, Instant::now()).ok_or_else(too_many_streams)?;
                    drop(permit);
                    return Ok(sse::subscribe(app.clone(), context.clone(), signed, prepared, held));
                }
                OperationKind::Subscription => {
                    return Err(Refused::bad_request(
                        "订阅请使用 WebSocket（graphql-transport-ws）或 Accept: text/event-stream",
                        "subscriptions go over WebSocket (graphql-transport-ws) or with Accept: text/event-stream",
                    ));
                }
                _ => run(app, prepared, signed.actor, context).await?,
            }
        }
    };
    let errors = &answer.response.errors;
    if errors.iter().any(|e| e.extensions.as_ref().is_some_and(|x| x.get("code") == Some(&"AUDIT_UNAVAILABLE".into()))) {
        return Err(Refused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "AUDIT_UNAVAILABLE",
            "无法记入审计日志，因此不予答复，请稍后重试",
            "the answer cannot be put on record, and so is not given: try again later",
        )
        .with(header::RETRY_AFTER, "2"));
    }
    let failed = answer.is_request_error();
    let outcome = if failed {
        "request_error"
    } else if errors.is_empty() {
        "ok"
    } else {
        "field_errors"
    };
    let mut answer = if streams {
        sse::once(&answer, context)
    } else {
        let status = if failed && media == Media::Response { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        json_answer(status, media, answer::body(&answer, context).ok_or_else(Refused::internal)?)
    };
    answer.extensions_mut().insert(Done { outcome, operation, statements: 0 });
    Ok(answer)
}

fn too_many_streams() -> Refused {
    Refused::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_STREAMS", "此账号打开的连接过多", "this account has too many open connections")
        .with(header::RETRY_AFTER, "30")
        .outcome("limited")
}

/// Executes within the time allowed; what is late is dropped, and its transaction with it.
pub async fn run(app: &App, prepared: Prepared, actor: Actor, context: &Context) -> Result<graphql::Answer, Refused> {
    let work = AssertUnwindSafe(app.schema.answer(prepared, actor)).catch_unwind();
    match tokio::time::timeout(app.config.limits.operation, work).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(Refused::internal()),
        Err(_) => {
            tracing::warn!(request_id = %context.request_id, "operation timed out");
            Err(Refused::timeout())
        }
    }
}
