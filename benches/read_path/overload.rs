//! Ten times as many requests as can be answered, sent at fixed times whether or not earlier ones are answered.

use crate::args::Args;
use crate::client::Connection;
use crate::load::{Load, Most, quantile};
use crate::measure::World;
use crate::work::{Asking, Form};
use crate::Result;
use std::cell::{Cell, RefCell};
use std::time::Duration;
use tokio::time::Instant;

const TIMES: f64 = 10.0;
/// So many requests may be under way; while all of them wait for answers, later ones are sent late.
const CONNECTIONS: usize = 2000;

#[derive(Default)]
struct Seen {
    served: RefCell<Vec<u32>>,
    refused: RefCell<Vec<u32>>,
    without_hint: Cell<u64>,
    failed: Cell<u64>,
    wrong: Cell<u64>,
}

pub async fn overload(world: &mut World, args: &Args) -> Result<()> {
    let mut kinds = std::mem::take(&mut world.kinds);
    println!("\noverload: {TIMES} × what 32 connections get answered");
    for kind in kinds.iter_mut().filter(|kind| matches!(kind.name, "Q1" | "Q2")) {
        kind.agree(&world.ours, &world.limit, world.token(kind.who)).await?;
        let asking = Asking::new(kind, Some(Form::Trusted), world.token(kind.who));
        let time = Duration::from_secs_f64(args.seconds.max(5.0));
        let mut load = Load::open(world.ours.address, 32, &asking).await?;
        let peak = load.run(&asking, Most::Time(time)).await?;
        let peak = peak.requests as f64 / peak.wall.as_secs_f64();
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Connection::open(world.ours.address).await?);
        }
        let (seen, next, start) = (Seen::default(), Cell::new(0_u64), Instant::now());
        let every = Duration::from_secs_f64(1.0 / (peak * TIMES));
        let each = connections.into_iter().map(|connection| one(connection, &asking, &seen, &next, (start, every, time), world.ours.address));
        futures_util::future::join_all(each).await;
        let wall = start.elapsed().as_secs_f64();
        let (mut served, mut refused) = (seen.served.into_inner(), seen.refused.into_inner());
        served.sort_unstable();
        refused.sort_unstable();
        let sent = (served.len() + refused.len()) as f64 + (seen.failed.get() + seen.wrong.get()) as f64;
        let millis = |list: &[u32], part| f64::from(quantile(list, part)) / 1000.0;
        println!("{}: peak {peak:.0}/s; offered {:.0}/s, sent {:.0}/s", kind.name, peak * TIMES, sent / wall);
        println!("    goodput {:.0}/s, {:.0} % of peak; p50 {:.1} ms, p99 {:.1} ms", served.len() as f64 / wall, served.len() as f64 / wall / peak * 100.0, millis(&served, 0.5), millis(&served, 0.99));
        println!(
            "    503 to {:.0} %, p50 {:.1} ms, p99 {:.1} ms, without Retry-After {}; connections lost {}; wrong answers {}",
            refused.len() as f64 / sent * 100.0,
            millis(&refused, 0.5),
            millis(&refused, 0.99),
            seen.without_hint.get(),
            seen.failed.get(),
            seen.wrong.get()
        );
    }
    world.kinds = kinds;
    Ok(())
}

async fn one(mut connection: Connection, asking: &Asking<'_>, seen: &Seen, next: &Cell<u64>, (start, every, time): (Instant, Duration, Duration), address: std::net::SocketAddr) {
    loop {
        let n = next.get();
        next.set(n + 1);
        let due = start + every.mul_f64(n as f64);
        if due > start + time || start.elapsed() > time {
            return;
        }
        tokio::time::sleep_until(due).await;
        let (request, expected) = asking.request(n);
        let asked = Instant::now();
        if connection.ask(&request).await.is_err() {
            seen.failed.set(seen.failed.get() + 1);
            match Connection::open(address).await {
                Ok(again) => connection = again,
                Err(_) => return,
            }
            continue;
        }
        let micros = u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX);
        if connection.status == 503 {
            seen.refused.borrow_mut().push(micros);
            if !connection.retry_after {
                seen.without_hint.set(seen.without_hint.get() + 1);
            }
        } else if expected.check(connection.status, connection.answer()).is_ok() {
            seen.served.borrow_mut().push(micros);
        } else {
            seen.wrong.set(seen.wrong.get() + 1);
        }
    }
}
