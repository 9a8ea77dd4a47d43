//! graphql-transport-ws: one task a socket, one task an operation.

mod message;
mod operation;

use super::answer::Refused;
use super::auth::SignedIn;
use super::rates::{self, Stream};
use super::negotiate;
use super::{Context, PURPOSE, Shared, auth};
use crate::telemetry::{self, Gauge};
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use message::{Incoming, Init, Outgoing};
use operation::Operations;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

const PROTOCOL: &str = "graphql-transport-ws";
const MOST_FRAME: usize = 64 * 1024;
const INIT_WITHIN: Duration = Duration::from_secs(10);
/// How often the token's end and the account's grants are looked at.
const TICK: Duration = Duration::from_secs(3);
const PING_EVERY: Duration = Duration::from_secs(20);
/// A peer that says nothing, not even pong, for so long is gone.
const SILENT: Duration = Duration::from_secs(60);
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// Why a socket is closed by us.
#[derive(Debug)]
pub struct Close(pub u16, pub &'static str);

const BAD: u16 = 4400;
const FORBIDDEN: Close = Close(4403, "Forbidden");

pub fn upgrade(app: Shared, context: Context, upgrade: WebSocketUpgrade, headers: &HeaderMap) -> Response {
    let handshake = Init {
        authorization: headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).map(str::to_owned),
        purpose: headers.get(PURPOSE).and_then(|v| v.to_str().ok()).map(str::to_owned),
        language: None,
    };
    upgrade
        .protocols([PROTOCOL])
        .max_message_size(MOST_FRAME)
        .max_frame_size(MOST_FRAME)
        .on_upgrade(move |socket| async move {
            let _open = Gauge::up(telemetry::SOCKETS);
            let _alive = app.sockets.clone();
            Driver { app, context, handshake, socket, session: None, held: None, initialised: false }.run().await;
        })
}

struct Driver {
    app: Shared,
    context: Context,
    handshake: Init,
    socket: WebSocket,
    session: Option<SignedIn>,
    /// Its place among the sockets of the account.
    held: Option<Stream>,
    initialised: bool,
}

/// How a socket ends: closed by us with a code, or gone.
enum End {
    Close(Close),
    Gone,
}

impl From<Close> for End {
    fn from(close: Close) -> End {
        End::Close(close)
    }
}

impl Driver {
    async fn run(mut self) {
        let end = match self.socket.protocol() {
            Some(_) => self.talk().await,
            None => End::Close(Close(4406, "Subprotocol not acceptable")),
        };
        if let End::Close(Close(code, reason)) = end {
            tracing::debug!(request_id = %self.context.request_id, code, reason, "socket closed");
            let frame = CloseFrame { code, reason: reason.into() };
            let _ = timeout(SEND_WITHIN, self.socket.send(Message::Close(Some(frame)))).await;
            // The peer's own close frame, so that it sees ours before the connection ends.
            let _ = timeout(Duration::from_secs(2), async { while let Some(Ok(_)) = self.socket.recv().await {} }).await;
        }
    }

    async fn talk(&mut self) -> End {
        let (mut operations, mut results) = Operations::new(self.app.clone());
        let init_until = Instant::now() + INIT_WITHIN;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stop = self.app.stop.clone();
        let (mut heard, mut pinged) = (Instant::now(), Instant::now());
        loop {
            if *stop.borrow() && operations.drain() {
                return Close(1001, "Going away").into();
            }
            let step = tokio::select! {
                // What is done goes out before more is taken in.
                biased;
                Some(result) = results.recv() => match operations.finish(result) {
                    Some(messages) => self.send_all(messages).await,
                    None => Ok(()),
                },
                _ = stop.changed() => Ok(()),
                () = sleep_until(init_until), if !self.initialised => Err(Close(4408, "Connection initialisation timeout").into()),
                _ = tick.tick() => {
                    if heard.elapsed() > SILENT {
                        return End::Gone;
                    }
                    let mut step = self.check_session().await;
                    if step.is_ok() && pinged.elapsed() > PING_EVERY {
                        pinged = Instant::now();
                        step = self.put(Message::Ping(bytes::Bytes::new())).await;
                    }
                    step
                }
                received = self.socket.recv() => {
                    heard = Instant::now();
                    match received {
                        Some(Ok(message)) => self.take(message, &mut operations).await,
                        Some(Err(error)) if is_too_long(&error) => Err(Close(1009, "Message too big").into()),
                        Some(Err(_)) | None => Err(End::Gone),
                    }
                }
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn take(&mut self, message: Message, operations: &mut Operations) -> Result<(), End> {
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return Err(Close(BAD, "Only text messages are accepted").into()),
            Message::Close(_) => return Err(End::Gone),
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
        };
        match message::read(&text)? {
            Incoming::Init(init) => self.init(init).await,
            Incoming::Ping(payload) => self.send(Outgoing::Pong { payload }).await,
            Incoming::Pong => Ok(()),
            Incoming::Complete { id } => {
                operations.cancel(&id);
                Ok(())
            }
            Incoming::Subscribe { id, payload } => {
                let Some(session) = &self.session else { return Err(Close(4401, "Unauthorized").into()) };
                if operations.is_running(&id) {
                    return Err(Close(4409, "Subscriber for this id already exists").into());
                }
                let mut request = super::params::from_map(payload).map_err(|_| Close(BAD, "The payload is not a GraphQL request"))?;
                request.language = self.context.language;
                let context = self.context.again(self.app.domain.clock.id().to_string());
                // Anew, so that a changed grant holds from the next operation on.
                let actor = auth::actor(&self.app, &session.verified, session.purpose.clone(), &context).await.map_err(refusal)?;
                match operations.start(id.clone(), request, actor, context.clone()) {
                    Ok(()) => Ok(()),
                    Err(refused) => self.send(Outgoing::error(id, vec![refused.error(&context)])).await,
                }
            }
        }
    }

    async fn init(&mut self, init: Init) -> Result<(), End> {
        if std::mem::replace(&mut self.initialised, true) {
            return Err(Close(4429, "Too many initialisation requests").into());
        }
        if let Some(language) = &init.language {
            self.context.language = negotiate::language_in(language);
        }
        let authorization = init.authorization.or(self.handshake.authorization.take());
        let purpose = init.purpose.or(self.handshake.purpose.take()).filter(|p| !p.is_empty());
        let token = authorization.as_deref().and_then(auth::bearer).ok_or(FORBIDDEN)?;
        let signed = auth::with_token(&self.app, token, purpose, &self.context).await.map_err(refusal)?;
        let held = self.app.rates.stream(signed.actor.account, rates::is_partner(&signed.actor), Instant::now());
        self.held = Some(held.ok_or(Close(1013, "Too many connections of this account"))?);
        self.session = Some(signed);
        self.send(Outgoing::Ack).await
    }

    /// Ends the socket when its token has, or when the grants are no longer those it was opened with.
    async fn check_session(&mut self) -> Result<(), End> {
        match &self.session {
            Some(session) => auth::still_good(&self.app, session, &self.context).await.map_err(|_| FORBIDDEN.into()),
            None => Ok(()),
        }
    }

    async fn send_all(&mut self, messages: Vec<Outgoing>) -> Result<(), End> {
        for message in messages {
            self.send(message).await?;
        }
        Ok(())
    }

    async fn send(&mut self, message: Outgoing) -> Result<(), End> {
        let text = serde_json::to_string(&message).map_err(|_| Close(1011, "Internal error"))?;
        self.put(Message::Text(text.into())).await
    }

    async fn put(&mut self, message: Message) -> Result<(), End> {
        match timeout(SEND_WITHIN, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            // A peer that does not read is let go.
            _ => Err(End::Gone),
        }
    }
}

fn refusal(refused: Refused) -> End {
    if refused.status.is_server_error() || refused.status == StatusCode::TOO_MANY_REQUESTS { Close(1013, "Try again later").into() } else { FORBIDDEN.into() }
}

fn is_too_long(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|e| e.to_string().contains("too long") || e.to_string().contains("too big"))
        || error.to_string().contains("too long")
}
