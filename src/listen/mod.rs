//! Connections: taken, bounded, secured, served, and closed when their peer is too slow.

pub mod guard;
pub mod peer;
pub mod tls;

use crate::commands::Failure;
use axum::Router;
use guard::Guarded;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use peer::Peer;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_rustls::TlsAcceptor;

const MOST_HEADERS: usize = 64;
const MOST_HEAD_BYTES: usize = 64 * 1024;

pub async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => Failure::PortInUse { address },
        _ => Failure::Listen { address, source },
    })
}

#[derive(Clone)]
pub struct Terms {
    /// For a head to arrive, for the handshake of TLS, and for a peer to go on reading.
    pub patience: Duration,
    pub connections: usize,
    pub tls: Option<TlsAcceptor>,
}

/// Takes connections until told to stop, then waits for those it has.
pub async fn accept(listener: TcpListener, router: Router, terms: Terms, mut stop: watch::Receiver<bool>) {
    let (open, mut last_closed) = mpsc::channel::<()>(1);
    let slots = Arc::new(Semaphore::new(terms.connections));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = told(&mut stop) => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Over the limit a connection is closed at once.
        let Ok(slot) = slots.clone().try_acquire_owned() else { continue };
        let _ = stream.set_nodelay(true);
        let stream = Guarded::new(stream, terms.patience);
        let (router, terms, stop, open) = (router.clone(), terms.clone(), stop.clone(), open.clone());
        tokio::spawn(async move {
            match &terms.tls {
                None => serve(stream, router, Peer { address, secure: false }, terms.patience, stop).await,
                Some(tls) => {
                    // A handshake that fails or drags on is no event of ours.
                    if let Ok(Ok(stream)) = tokio::time::timeout(terms.patience, tls.accept(stream)).await {
                        serve(stream, router, Peer { address, secure: true }, terms.patience, stop).await;
                    }
                }
            }
            drop((slot, open));
        });
    }
    drop(listener);
    drop(open);
    let _ = last_closed.recv().await;
}

async fn serve<S>(stream: S, router: Router, peer: Peer, patience: Duration, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let inner = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        inner.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_headers(MOST_HEADERS)
        .max_buf_size(MOST_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    // What a peer does to its own connection is no event of ours.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = told(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// Returns once the server is to stop.
pub async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
