//! A stream whose peer must go on reading what it is sent.

use std::future::Future;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Readers slower than this, once they are behind, are let go.
const LEAST_BYTES_A_SECOND: u64 = 1024;

pub struct Guarded<S> {
    inner: S,
    patience: Duration,
    behind: Option<Behind>,
}

/// The peer has not taken all that it was sent.
struct Behind {
    since: Instant,
    taken: u64,
    alarm: Pin<Box<Sleep>>,
}

impl<S> Guarded<S> {
    pub fn new(inner: S, patience: Duration) -> Guarded<S> {
        Guarded { inner, patience, behind: None }
    }

    fn judge(&mut self, cx: &mut Context<'_>, written: Poll<Result<usize>>, offered: usize) -> Poll<Result<usize>> {
        match written {
            Poll::Ready(Ok(n)) if n == offered => self.behind = None,
            Poll::Ready(Ok(n)) => {
                if let Some(behind) = &mut self.behind {
                    behind.taken += n as u64;
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                let patience = self.patience;
                let behind = self.behind.get_or_insert_with(|| {
                    let since = Instant::now();
                    Behind { since, taken: 0, alarm: Box::pin(sleep_until(since + patience)) }
                });
                while behind.alarm.as_mut().poll(cx).is_ready() {
                    let enough = behind.since.elapsed().as_secs().max(1) * LEAST_BYTES_A_SECOND;
                    if behind.taken < enough {
                        return Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the peer does not read")));
                    }
                    behind.alarm.as_mut().reset(Instant::now() + patience);
                }
            }
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.judge(cx, written, buf.len())
    }
    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        let offered = bufs.iter().map(|b| b.len()).sum();
        self.judge(cx, written, offered)
    }
    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_peer_that_does_not_read_is_let_go_and_one_that_reads_is_not() {
        let (peer, ours) = tokio::io::duplex(1000);
        let mut ours = Guarded::new(ours, Duration::from_millis(500));
        let error = ours.write_all(&[0; 5000]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        drop(peer);
        for (bytes, pause, whole) in [(1000, 50, true), (10, 50, false)] {
            let (mut peer, ours) = tokio::io::duplex(1000);
            let mut ours = Guarded::new(ours, Duration::from_millis(500));
            let reader = tokio::spawn(async move {
                let mut part = vec![0; bytes];
                while peer.read_exact(&mut part).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
            });
            assert_eq!(ours.write_all(&[0; 20_000]).await.is_ok(), whole, "{bytes} bytes each {pause} ms");
            reader.abort();
        }
    }
}
