//! Millions of files on PostgreSQL: by COPY on several connections, with the indexes made at the end.

use super::batch::Batch;
use super::maker::{MOST_CHILDREN, Maker};
use super::{CHILDREN, Places, SEED, any_family, fill, made, read_places};
use crate::app::Domain;
use crate::divisions::mark;
use crate::error::{Error, Result};
use crate::store::{Built, CopyRows, Owner, Sizes};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// So many files are made the ordinary way, with all that hangs on a change.
pub(super) const ORDINARY: u64 = 10_000;
/// Files that are generated and copied together.
const PIECE: u64 = 1_000;
/// Held while the indexes are away.
const LOADING: &str = "demo:bulk";

/// What was loaded, how fast, and how large it has become.
#[derive(Clone, Debug)]
pub struct BulkReport {
    pub children: u64,
    pub copying: Duration,
    pub built: Vec<Built>,
    pub sizes: Vec<Sizes>,
}

/// What is going on.
pub enum Progress<'a> {
    Children { done: u64, of: u64 },
    Indexes,
    Built(&'a Built),
}

/// For the command line alone: no answer of the API says so.
fn wrong(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::forbidden("bulk", message)
}

/// Makes files until there are `children`. Beyond the first ten thousand there is one row in the change log for each file, for its being made;
/// nothing in the outbox, no audit record.
pub async fn fill_in_bulk(domain: &Domain, owner_url: &str, children: u64, progress: &(dyn Fn(Progress<'_>) + Send + Sync)) -> Result<BulkReport> {
    fill_beyond(domain, owner_url, (ORDINARY, children), progress).await
}

/// All but the first `ordinary` in bulk.
pub(super) async fn fill_beyond(
    domain: &Domain,
    owner_url: &str,
    (ordinary, children): (u64, u64),
    progress: &(dyn Fn(Progress<'_>) + Send + Sync),
) -> Result<BulkReport> {
    if !domain.db.is_postgres() {
        return Err(wrong("loading in bulk is for PostgreSQL"));
    }
    if children > MOST_CHILDREN {
        return Err(wrong(format!("at most {MOST_CHILDREN} synthetic children can be made")));
    }
    if domain.progress(LOADING).await?.is_some() {
        return Err(wrong("an earlier load was interrupted, and its indexes are missing: begin with an empty database"));
    }
    fill(domain, children.min(ordinary) as usize, &|done, _| progress(Progress::Children { done, of: children })).await?;
    let from = made(domain).await?;
    let tables: Vec<String> = Batch::TABLES.iter().map(|table| table.name.to_owned()).collect();
    let mut owner = Owner::connect(owner_url).await?;
    let mut report = BulkReport { children: children.saturating_sub(from), copying: Duration::ZERO, built: Vec::new(), sizes: Vec::new() };
    if report.children > 0 {
        let start = Instant::now();
        mark_now(domain, LOADING, "copying").await?;
        let later = owner.loosen(&tables).await?;
        copy(domain, owner_url, (from, children), progress).await?;
        report.copying = start.elapsed();
        progress(Progress::Indexes);
        report.built = owner.tighten(&tables, &later, &|one| progress(Progress::Built(one))).await?;
        domain.recount().await?;
        mark_now(domain, CHILDREN, &children.to_string()).await?;
        owner.run(format!("DELETE FROM meta WHERE name = '{LOADING}'")).await?;
    }
    report.sizes = owner.sizes(&tables).await?;
    Ok(report)
}

async fn mark_now(domain: &Domain, name: &str, value: &str) -> Result<()> {
    let mut tx = domain.db.begin().await?;
    tx.execute_insert(&mark(name, value)).await?;
    tx.commit_bare().await
}

async fn copy(domain: &Domain, owner_url: &str, (from, to): (u64, u64), progress: &(dyn Fn(Progress<'_>) + Send + Sync)) -> Result<()> {
    let workers = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    let places = Arc::new(read_places().await?);
    let next = Arc::new(AtomicU64::new(from));
    // A few pieces ahead of the database, and no more: they lie in memory.
    let (send, mut receive) = mpsc::channel::<Result<(u64, Vec<CopyRows>)>>(2 * workers);
    for _ in 0..workers {
        let (domain, places, next, send) = (domain.clone(), places.clone(), next.clone(), send.clone());
        tokio::task::spawn_blocking(move || {
            loop {
                let at = next.fetch_add(PIECE, Ordering::Relaxed);
                if at >= to {
                    return;
                }
                let end = to.min(at + PIECE);
                let made = piece(&domain, &places, at, end).map(|rows| (end - at, rows));
                let last = made.is_err();
                if send.blocking_send(made).is_err() || last {
                    return;
                }
            }
        });
    }
    drop(send);
    let (pieces_send, pieces) = async_channel(workers);
    let mut writers = tokio::task::JoinSet::new();
    for pieces in pieces {
        let url = owner_url.to_owned();
        writers.spawn(write(url, pieces));
    }
    let (mut done, mut turn) = (from, 0);
    while let Some(piece) = receive.recv().await {
        let (children, rows) = piece?;
        if pieces_send[turn % workers].send(rows).await.is_err() {
            break;
        }
        turn += 1;
        done += children;
        progress(Progress::Children { done, of: to });
    }
    drop(pieces_send);
    while let Some(written) = writers.join_next().await {
        written.map_err(Error::internal)??;
    }
    Ok(())
}

type Pieces = Vec<CopyRows>;

fn async_channel(writers: usize) -> (Vec<mpsc::Sender<Pieces>>, Vec<mpsc::Receiver<Pieces>>) {
    (0..writers).map(|_| mpsc::channel(1)).unzip()
}

/// The tables in the same order everywhere, on a connection that does not wait for the disk.
async fn write(url: String, mut pieces: mpsc::Receiver<Pieces>) -> Result<()> {
    let mut owner = Owner::connect(&url).await?;
    owner.run("SET synchronous_commit = off".into()).await?;
    while let Some(piece) = pieces.recv().await {
        for rows in piece {
            owner.copy(rows).await?;
        }
    }
    Ok(())
}

fn piece(domain: &Domain, places: &Places, from: u64, to: u64) -> Result<Vec<CopyRows>> {
    let mut maker = Maker::new(domain, SEED, from);
    let mut index = from;
    while index < to {
        index += any_family(&mut maker, places, index, (to - index) as usize)?;
    }
    maker.batch.copy(super::SYSTEM)
}
