//! The check: every record against its link, every link against the one before, every signed checkpoint against both.

use super::checkpoint::Checkpoint;
use super::key::PublicKey;
use super::retain::Anchor;
use super::{DIGEST, HASH, first, hex, next, short, unhex};
use crate::alerts::NewAlert;
use crate::app::Domain;
use crate::audit::Entry;
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use entity::codes::AlertKind;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// Something that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// The record is not what was linked, or signed.
    Edited { record: Uuid, writer: Uuid, position: i64 },
    /// The record was linked and is gone.
    Deleted { record: Uuid, writer: Uuid, position: i64 },
    /// A checkpoint knows a record at this position that is nowhere any more.
    Lost { writer: Uuid, position: i64, checkpoint: i64 },
    /// The record stands at another position than the checkpoint says.
    Moved { record: Uuid, writer: Uuid, position: i64, signed: i64 },
    /// Positions have no links.
    Gap { writer: Uuid, from: i64, to: i64 },
    /// The chain ends before the position that a checkpoint signed.
    Truncated { writer: Uuid, from: i64, to: i64, checkpoint: i64 },
    /// The links were made anew, with the key: their hash is not the one that was signed.
    Rewritten { writer: Uuid, position: i64, checkpoint: i64 },
    /// Older than five seconds and in no chain.
    Unlinked { record: Uuid },
    /// A checkpoint or anchor that is not whole, not signed by a trusted key, or not the exported one.
    Signature { what: String, number: i64, why: String },
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Problem::Edited { record, writer, position } => write!(f, "record {record} was changed (chain {writer}, position {position})"),
            Problem::Deleted { record, writer, position } => write!(f, "record {record} is gone (chain {writer}, position {position})"),
            Problem::Lost { writer, position, checkpoint } => {
                write!(f, "the record at position {position} of chain {writer} is gone or was changed; checkpoint {checkpoint} has signed it")
            }
            Problem::Moved { record, writer, position, signed } => {
                write!(f, "record {record} stands at position {position} of chain {writer}; signed was position {signed}")
            }
            Problem::Gap { writer, from, to } => write!(f, "positions {from} to {to} of chain {writer} are gone"),
            Problem::Truncated { writer, from, to, checkpoint } => {
                write!(f, "positions {from} to {to} of chain {writer} were cut off; checkpoint {checkpoint} has signed them")
            }
            Problem::Rewritten { writer, position, checkpoint } => {
                write!(f, "chain {writer} was made anew up to position {position}; checkpoint {checkpoint} has signed another")
            }
            Problem::Unlinked { record } => write!(f, "record {record} stands in no chain"),
            Problem::Signature { what, number, why } => write!(f, "{what} {number}: {why}"),
        }
    }
}

/// What a check of the chain found.
#[derive(Clone, Debug, Default)]
pub struct ChainReport {
    pub records: u64,
    pub writers: u64,
    pub checkpoints: u64,
    pub anchors: Vec<Anchor>,
    pub problems: Vec<Problem>,
}

/// Rows read at once.
const PAGE: u64 = 200;
/// Records fetched at once.
const FETCH: usize = 4000;
/// Problems of a kind that are told one by one; a chain made anew moves everything behind.
const MOST: usize = 1000;

/// One block as stored.
struct Block {
    first: i64,
    ids: Vec<Uuid>,
    hashes: Vec<u8>,
}

/// What was signed of one chain.
#[derive(Default)]
struct Signed {
    /// Position, hash, checkpoint.
    heads: BTreeMap<i64, (String, i64)>,
    /// Position of a record, its digest, the checkpoint.
    digests: BTreeMap<i64, ([u8; DIGEST], i64)>,
}

/// Where a chain stands while it is walked.
struct Walk {
    writer: Uuid,
    key: aws_lc_rs::hmac::Key,
    position: i64,
    hash: Vec<u8>,
    signed: Signed,
    /// Digests found, by position, for what was signed and is not there.
    strange: Vec<(i64, Uuid, [u8; DIGEST])>,
    whole: bool,
}

impl Domain {
    /// Tells the auditors, once a day, that the trail was tampered with.
    pub async fn report_broken_chain(&self, detail: &str) -> Result<()> {
        let once = Some(format!("broken:{}", self.clock.now().format("%Y-%m-%d")));
        self.raise_alert(NewAlert { detail: detail.to_owned(), once, ..NewAlert::of(AlertKind::ChainBroken) }).await.map(|_| ())
    }

    /// Walks every chain. `exported` are checkpoints that were kept elsewhere; `keys` the public keys one trusts.
    pub async fn check_audit_chain(&self, exported: &[Checkpoint], keys: &[PublicKey]) -> Result<ChainReport> {
        let mut report = ChainReport { anchors: self.anchors().await?, ..ChainReport::default() };
        for anchor in &report.anchors {
            if let Err(error) = anchor.check(keys) {
                report.problems.push(Problem::Signature { what: "anchor".into(), number: anchor.body.number, why: why(&error) });
            }
        }
        let mut starts: HashMap<Uuid, (i64, Vec<u8>)> = HashMap::new();
        for (anchor, head) in report.anchors.iter().flat_map(|anchor| anchor.body.heads.iter().map(move |head| (anchor, head))) {
            if anchor.check(keys).is_ok() && starts.get(&head.writer).is_none_or(|(position, _)| *position < head.position) {
                starts.insert(head.writer, (head.position, unhex(&head.hash).unwrap_or_default()));
            }
        }
        let mut signed = self.signed(exported, keys, &mut report).await?;
        let mut writers: Vec<Uuid> = Vec::new();
        let distinct = Query::select().distinct().column("writer").from("audit_block").to_owned();
        for row in self.db.as_system("the chain runs over all of the trail").all(&distinct).await? {
            writers.push(row.try_get_by_index(0)?);
        }
        writers.extend(signed.keys().copied());
        writers.sort_unstable();
        writers.dedup();
        report.writers = writers.len() as u64;
        let mut linked: Vec<u128> = Vec::new();
        for writer in writers {
            let key = self.keys.chain_key();
            let (position, hash) = starts.get(&writer).cloned().unwrap_or_else(|| (0, first(&key, writer).to_vec()));
            let mut of = signed.remove(&writer).unwrap_or_default();
            of.heads.retain(|at, _| *at > position);
            of.digests.retain(|at, _| *at > position);
            let walk = Walk { writer, key, position, hash, signed: of, strange: Vec::new(), whole: true };
            self.walk(walk, &mut linked, &mut report).await?;
        }
        self.find_unlinked(linked, &mut report).await?;
        report.problems.sort();
        report.problems.dedup();
        Ok(report)
    }

    /// The checkpoints of the database and those kept elsewhere, by chain.
    async fn signed(&self, exported: &[Checkpoint], keys: &[PublicKey], report: &mut ChainReport) -> Result<HashMap<Uuid, Signed>> {
        let mut elsewhere: BTreeMap<i64, &Checkpoint> = exported.iter().map(|checkpoint| (checkpoint.body.number, checkpoint)).collect();
        let dropped = report.anchors.iter().filter_map(|anchor| anchor.body.checkpoint.clone()).max();
        let (mut number, mut previous) = dropped.unwrap_or((0, String::new()));
        let mut signed: HashMap<Uuid, Signed> = HashMap::new();
        let problem = |number: i64, why: &str| Problem::Signature { what: "checkpoint".into(), number, why: why.to_owned() };
        elsewhere.retain(|at, _| *at > number);
        loop {
            let page = self.checkpoints(number).await?;
            let Some(last) = page.last().map(|c| c.body.number) else { break };
            for checkpoint in &page {
                report.checkpoints += 1;
                let at = checkpoint.body.number;
                for missing in number + 1..at {
                    if let Some(kept) = elsewhere.remove(&missing) {
                        report.problems.push(problem(missing, "it is gone from the database"));
                        previous = kept.digest_of_body();
                        take(kept, keys, &mut signed, report);
                    } else if missing == number + 1 {
                        report.problems.push(problem(missing, "it is missing"));
                        previous.clear();
                    }
                }
                let fits = checkpoint.body.previous == previous || (previous.is_empty() && at != 1);
                if !fits {
                    report.problems.push(problem(at, "it does not follow the one before"));
                }
                match elsewhere.remove(&at) {
                    Some(kept) if kept.text != checkpoint.text || kept.digests != checkpoint.digests => {
                        report.problems.push(problem(at, "it is not the one that was exported"));
                        take(kept, keys, &mut signed, report);
                    }
                    _ => take(checkpoint, keys, &mut signed, report),
                }
                previous = checkpoint.digest_of_body();
                number = at;
            }
            number = last;
        }
        for (number, kept) in elsewhere {
            report.problems.push(problem(number, "it is gone from the database"));
            take(kept, keys, &mut signed, report);
        }
        Ok(signed)
    }

    async fn walk(&self, mut walk: Walk, linked: &mut Vec<u128>, report: &mut ChainReport) -> Result<()> {
        let mut number = -1_i64;
        let mut waiting: Vec<Block> = Vec::new();
        loop {
            let select = Query::select()
                .columns(["number", "first", "count", "ids", "hashes"])
                .from("audit_block")
                .and_where(Expr::col("writer").eq(walk.writer))
                .and_where(Expr::col("number").gt(number))
                .order_by("number", sea_orm::Order::Asc)
                .limit(PAGE)
                .to_owned();
            let rows = self.db.as_system("the chain runs over all of the trail").all(&select).await?;
            for row in &rows {
                number = row.try_get_by_index(0)?;
                let (first, count): (i64, i64) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
                let ids: Vec<u8> = row.try_get_by_index(3)?;
                let ids: Vec<Uuid> = ids.as_chunks::<16>().0.iter().map(|id| Uuid::from_bytes(*id)).collect();
                let hashes: Vec<u8> = row.try_get_by_index(4)?;
                if usize::try_from(count).ok() != Some(ids.len()) || hashes.len() != ids.len() * HASH {
                    report.problems.push(Problem::Gap { writer: walk.writer, from: first, to: first + count - 1 });
                }
                linked.extend(ids.iter().map(|id| id.as_u128()));
                waiting.push(Block { first, ids, hashes });
                if waiting.iter().map(|block| block.ids.len()).sum::<usize>() >= FETCH {
                    self.check_blocks(&mut walk, &std::mem::take(&mut waiting), report).await?;
                }
            }
            if (rows.len() as u64) < PAGE {
                break;
            }
        }
        self.check_blocks(&mut walk, &waiting, report).await?;
        finish(walk, report);
        Ok(())
    }

    async fn check_blocks(&self, walk: &mut Walk, blocks: &[Block], report: &mut ChainReport) -> Result<()> {
        let ids: Vec<Uuid> = blocks.iter().flat_map(|block| block.ids.iter().copied()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let known: HashMap<Uuid, Entry> = self.audit_entries(&ids).await?.into_iter().map(|entry| (entry.id, entry)).collect();
        for block in blocks {
            if block.first > walk.position + 1 {
                report.problems.push(Problem::Gap { writer: walk.writer, from: walk.position + 1, to: block.first - 1 });
                walk.whole = false;
            }
            walk.position = block.first - 1;
            for (id, stored) in block.ids.iter().zip(block.hashes.as_chunks::<HASH>().0) {
                walk.position += 1;
                report.records += 1;
                let entry = known.get(id);
                walk.step(*id, entry, stored, report);
            }
        }
        Ok(())
    }

    /// Records of some age that no block names.
    async fn find_unlinked(&self, mut linked: Vec<u128>, report: &mut ChainReport) -> Result<()> {
        linked.sort_unstable();
        let until = self.clock.now() - super::link::LATE;
        let mut after: Option<Uuid> = None;
        loop {
            let mut select = Query::select();
            select.columns(["id", "at"]).from("audit_record").order_by("id", sea_orm::Order::Asc).limit(20_000);
            if let Some(after) = after {
                select.and_where(Expr::col((Alias::new("audit_record"), Alias::new("id"))).gt(after));
            }
            let rows = self.db.as_system("the chain runs over all of the trail").all(&select).await?;
            for row in &rows {
                let id: Uuid = row.try_get_by_index(0)?;
                if linked.binary_search(&id.as_u128()).is_err() && row.try_get_by_index::<DateTime<Utc>>(1)? < until {
                    report.problems.push(Problem::Unlinked { record: id });
                }
                after = Some(id);
            }
            if rows.len() < 20_000 {
                return Ok(());
            }
        }
    }
}

fn why(error: &Error) -> String {
    if let Error::Internal(text) = error { text.clone() } else { error.to_string() }
}

/// Notes what a checkpoint has signed; one that is not in order counts for nothing.
fn take(checkpoint: &Checkpoint, keys: &[PublicKey], signed: &mut HashMap<Uuid, Signed>, report: &mut ChainReport) {
    let number = checkpoint.body.number;
    if let Err(error) = checkpoint.check(keys) {
        report.problems.push(Problem::Signature { what: "checkpoint".into(), number, why: why(&error) });
        return;
    }
    let mut digests = checkpoint.digests.as_chunks::<DIGEST>().0.iter();
    for head in &checkpoint.body.heads {
        let of = signed.entry(head.writer).or_default();
        of.heads.insert(head.position, (head.hash.clone(), number));
        for (position, digest) in (head.first..=head.position).zip(digests.by_ref()) {
            of.digests.insert(position, (*digest, number));
        }
    }
}

impl Walk {
    fn step(&mut self, id: Uuid, entry: Option<&Entry>, stored: &[u8; HASH], report: &mut ChainReport) {
        let (writer, position) = (self.writer, self.position);
        let signed = self.signed.digests.remove(&position);
        match entry {
            None => report.problems.push(Problem::Deleted { record: id, writer, position }),
            Some(entry) => {
                let record = entry.canonical();
                let digest = short(&record);
                let fits = next(&self.key, &self.hash, position, &record) == *stored;
                match signed {
                    Some((expected, number)) if expected != digest => {
                        if fits || !self.whole {
                            // The link agrees with the record: both were made anew, or moved. Sorted out at the end.
                            self.strange.push((position, id, digest));
                            self.signed.digests.insert(position, (expected, number));
                        } else {
                            report.problems.push(Problem::Edited { record: id, writer, position });
                        }
                    }
                    // After a gap the hash before is not known.
                    _ if !fits && self.whole => report.problems.push(Problem::Edited { record: id, writer, position }),
                    _ => {}
                }
            }
        }
        self.whole = true;
        self.hash = stored.to_vec();
        if let Some((hash, checkpoint)) = self.signed.heads.remove(&position)
            && hash != hex(stored)
        {
            report.problems.push(Problem::Rewritten { writer, position, checkpoint });
        }
    }
}

/// What was signed and did not turn up at its position: moved, changed, or gone.
fn finish(walk: Walk, report: &mut ChainReport) {
    let Walk { writer, position: end, signed, strange, .. } = walk;
    if let Some((last, (_, checkpoint))) = signed.heads.last_key_value()
        && *last > end
    {
        report.problems.push(Problem::Truncated { writer, from: end + 1, to: *last, checkpoint: *checkpoint });
    }
    let here: HashMap<[u8; DIGEST], (i64, Uuid)> = strange.iter().map(|(position, id, digest)| (*digest, (*position, *id))).collect();
    let expected: HashMap<[u8; DIGEST], i64> = signed.digests.iter().map(|(position, (digest, _))| (*digest, *position)).collect();
    let mut told = 0;
    for (position, (digest, checkpoint)) in signed.digests.iter().filter(|(position, _)| **position <= end) {
        if told >= MOST {
            break;
        }
        let problem = match here.get(digest) {
            Some((at, record)) => Problem::Moved { record: *record, writer, position: *at, signed: *position },
            None => match strange.binary_search_by_key(position, |(at, _, _)| *at).ok().map(|at| &strange[at]) {
                Some((_, record, digest)) if !expected.contains_key(digest) => Problem::Edited { record: *record, writer, position: *position },
                _ => Problem::Lost { writer, position: *position, checkpoint: *checkpoint },
            },
        };
        told += 1;
        report.problems.push(problem);
    }
}
