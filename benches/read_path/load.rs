//! Load: so many connections that ask, wait for the answer, check it, and ask again.

use crate::Result;
use crate::client::Connection;
use crate::work::Asking;
use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A thousand one after the other would take so long that the server closes those that are idle.
const WARM: usize = 32;
const PATIENCE: Duration = Duration::from_millis(100);

#[derive(Default)]
pub struct Sample {
    pub requests: u64,
    /// With 503; of those that ask patiently alone.
    pub refused: u64,
    pub wall: Duration,
    /// In microseconds.
    pub latencies: Vec<u32>,
}

/// Connections that are open, the first of them warmed up by a request each.
pub struct Load {
    connections: Vec<Connection>,
}

impl Load {
    pub async fn open(address: SocketAddr, connections: usize, asking: &Asking<'_>) -> Result<Load> {
        let mut open = Vec::with_capacity(connections);
        for n in 0..connections {
            let mut connection = Connection::open(address).await?;
            if n < WARM {
                let (request, expected) = asking.request(n as u64);
                connection.ask(&request).await?;
                expected.check(connection.status, connection.answer())?;
            }
            open.push(connection);
        }
        Ok(Load { connections: open })
    }

    pub async fn run(&mut self, asking: &Asking<'_>, most: Most) -> Result<Sample> {
        let start = Instant::now();
        let (next, refused) = (Cell::new(0_u64), Cell::new(0_u64));
        let more = || {
            let n = next.get();
            let go_on = match most {
                Most::Time(time) | Most::Patiently(time) => start.elapsed() < time,
                Most::Requests(requests) => n < requests,
            };
            next.set(n + 1);
            go_on.then_some(n)
        };
        let each = self.connections.iter_mut().map(|connection| async {
            let mut latencies = Vec::new();
            while let Some(n) = more() {
                let (request, expected) = asking.request(n);
                let asked = Instant::now();
                connection.ask(&request).await?;
                if connection.status == 503 && matches!(most, Most::Patiently(_)) {
                    refused.set(refused.get() + 1);
                    tokio::time::sleep(PATIENCE).await;
                    continue;
                }
                latencies.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
                expected.check(connection.status, connection.answer())?;
            }
            Result::Ok(latencies)
        });
        let latencies: Vec<u32> = futures_util::future::try_join_all(each).await?.into_iter().flatten().collect();
        Ok(Sample { requests: latencies.len() as u64, refused: refused.get(), wall: start.elapsed(), latencies })
    }
}

#[derive(Clone, Copy)]
pub enum Most {
    Time(Duration),
    /// The same; who is refused for the server's load asks again after a while.
    Patiently(Duration),
    Requests(u64),
}

/// The value below which this part of the sorted list lies.
pub fn quantile(sorted: &[u32], part: f64) -> u32 {
    sorted.get(((sorted.len() as f64 * part) as usize).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}
