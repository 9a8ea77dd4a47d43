//! Whether the time of an answer tells a hidden row from one that is not there:
//! `cargo bench --bench hidden_timing -- [TRIES] [URL]…`, 10,000 tries a channel by default. Without a URL a SQLite file is
//! used; a PostgreSQL URL names an empty database.
//!
//! Tries alternate at random between the two. The figure is the area under the curve of a classifier by time: 0.5 is a
//! guess, 1 is certainty; beside it the 95 % interval of a bootstrap, for the clock on the wall and for the processor time
//! of the thread that answers. 0.45–0.55 is held to be no difference; the exit code is 1 outside.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use domain::access::Actor;
use domain::clock::SystemClock;
use domain::signin::Asking;
use domain::{Domain, DomainOptions, demo};
use graphql::{Limits, Request, Schema};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

type Failure = Box<dyn std::error::Error>;

const NODE: &str = "query($id: ID!) { node(id: $id) { id } }";
const CHILD: &str = "query($id: ID!) { child(id: $id) { id name visits(first: 5) { totalCount nodes { id finding } } } }";
const SEARCH: &str = "query($id: String!) { children(filter: { identityNumber: $id }) { totalCount nodes { id name } } }";
const VISIT: &str = "mutation($id: ID!) { recordVisit(input: { childId: $id, kind: ROUTINE, finding: NORMAL, occurredAt: \"2026-01-02T00:00:00Z\" }) { userErrors { code } } }";
const END_FACT: &str = "mutation($id: ID!) { endFact(input: { factId: $id, expectedVersion: 1, trueTo: \"2026-01-02\" }) { userErrors { code } } }";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let tries: usize = arguments.next().map_or(Ok(10_000), |n| n.parse())?;
    let folder = tempfile::tempdir()?;
    let mut urls: Vec<String> = arguments.collect();
    if urls.is_empty() {
        urls.push(format!("sqlite://{}", folder.path().join("timing.db").display()));
    }
    let mut told = false;
    for (at, url) in urls.iter().enumerate() {
        told |= measure(url, &folder.path().join(at.to_string()), tries).await?;
    }
    if told { Err("the time tells hidden from absent".into()) } else { Ok(()) }
}

struct Bench {
    schema: Schema,
    actor: Actor,
}

impl Bench {
    async fn ask(&self, query: &str, id: &str) -> Value {
        let variables = Map::from_iter([("id".to_owned(), json!(id))]);
        let answer = match self.schema.prepare(Request { query: query.to_owned(), variables, ..Request::default() }) {
            Ok(prepared) => self.schema.answer(prepared, self.actor.clone()).await,
            Err(refused) => (*refused).into(),
        };
        let data = answer.data().and_then(|data| serde_json::from_slice(&data).ok()).unwrap_or(Value::Null);
        json!({ "data": data, "errors": answer.response.errors })
    }
}

/// Nanoseconds this thread has run.
fn processor() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn ids(value: &Value, prefix: &str, out: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.starts_with(prefix) => {
            out.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| ids(item, prefix, out)),
        Value::Object(fields) => fields.values().for_each(|item| ids(item, prefix, out)),
        _ => {}
    }
}

/// The neighbour of an id: on the same page of an index, and nobody's.
fn neighbour(id: &str) -> String {
    let last = if id.ends_with('f') { 'e' } else { 'f' };
    format!("{}{last}", &id[..id.len() - 1])
}

/// A number of the same place and day with another order code.
fn other_number(number: &str) -> Option<String> {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let order: u32 = number.get(14..17)?.parse().ok()?;
    let body = format!("{}{:03}", &number[..14], (order + 500) % 1000);
    let sum: u32 = body.chars().zip(WEIGHTS).map(|(c, w)| c.to_digit(10).unwrap_or(0) * w).sum();
    Some(format!("{body}{}", ["1", "0", "X", "9", "8", "7", "6", "5", "4", "3", "2"][(sum % 11) as usize]))
}

async fn measure(url: &str, data: &std::path::Path, tries: usize) -> Result<bool, Failure> {
    let kind = url.split(':').next().unwrap_or_default();
    let options = DomainOptions {
        migrate_database_url: None,
        database_url: url.to_owned(),
        data: data.to_owned(),
        profile: "demo",
        max_connections: 4,
        migrate: true,
        clock: Arc::new(SystemClock),
        sealing: Default::default(),
        rules: Default::default(),
        sign_in: Default::default(),
        terms: Default::default(),
        audit: Default::default(),
    };
    let domain = Domain::open(options).await?;
    demo::prepare(&domain).await?;
    let asking = || Asking::default();
    let officer = domain.act_as("county-officer", asking()).await?;
    // Has every action of an officer, in another county.
    let mut far = domain.act_as("county-officer", asking()).await?;
    let grants: Vec<_> = far.grants.iter().cloned().map(|g| domain::access::Grant { ranges: vec![(110_101_000_000, 110_101_999_999)], ..g }).collect();
    far.lens = Arc::new(domain::access::Lens::new(&domain.policy, far.account, &grants, &far.purpose));
    let bench = Bench { schema: Schema::new(domain.clone(), Limits { cost: 10_000_000, ..Limits::default() }), actor: far };
    let everything = "{ children(first: 100) { nodes { id identityNumber facts { nodes { id } } } } }";
    let all = match bench.schema.prepare(Request { query: everything.to_owned(), ..Request::default() }) {
        Ok(prepared) => serde_json::to_value(bench.schema.execute(prepared, officer).await)?,
        Err(refused) => return Err(format!("{:?}", refused.errors).into()),
    };
    let (mut children, mut facts, mut numbers) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    ids(&all["data"], "Child:", &mut children);
    ids(&all["data"], "Fact:", &mut facts);
    for node in all["data"]["children"]["nodes"].as_array().into_iter().flatten() {
        numbers.extend(node["identityNumber"].as_str().map(str::to_owned));
    }
    let mut told = false;
    let paired = |hidden: BTreeSet<String>| -> Vec<(String, String)> { hidden.into_iter().map(|id| (id.clone(), neighbour(&id))).collect() };
    let numbers: Vec<(String, String)> = numbers.iter().filter_map(|n| Some((n.clone(), other_number(n)?))).filter(|(_, other)| !numbers.contains(other)).collect();
    for (channel, query, pairs) in [
        ("node", NODE, paired(children.clone())),
        ("child with links", CHILD, paired(children.clone())),
        ("search by number", SEARCH, numbers),
        ("mutation on a child", VISIT, paired(children)),
        ("mutation on a fact", END_FACT, paired(facts)),
    ] {
        if pairs.is_empty() {
            return Err(format!("nothing is hidden for {channel}").into());
        }
        told |= !channel_of(&bench, kind, channel, query, &pairs, tries).await?;
    }
    domain.db.clone().close().await;
    Ok(told)
}

async fn channel_of(bench: &Bench, kind: &str, channel: &str, query: &str, pairs: &[(String, String)], tries: usize) -> Result<bool, Failure> {
    let mut rng = StdRng::seed_from_u64(7);
    let mut taken: [[Vec<f64>; 2]; 2] = Default::default();
    let mut same: Option<Value> = None;
    for n in 0..tries + 200 {
        let hidden = rng.random_bool(0.5);
        let Some((there, absent)) = pairs.choose(&mut rng) else { continue };
        let id = if hidden { there } else { absent };
        let (wall, spent) = (Instant::now(), processor());
        let answer = bench.ask(query, id).await;
        let (wall, spent) = (wall.elapsed().as_nanos() as f64, processor().saturating_sub(spent) as f64);
        if *same.get_or_insert_with(|| answer.clone()) != answer {
            return Err(format!("{channel}: hidden and absent are answered differently: {answer}").into());
        }
        // The first warm things up.
        if n >= 200 {
            taken[0][usize::from(hidden)].push(wall);
            taken[1][usize::from(hidden)].push(spent);
        }
    }
    let mut good = true;
    for (clock, [absent, hidden]) in ["wall", "thread"].into_iter().zip(&taken) {
        let area = area(absent, hidden);
        let (low, high) = bootstrap(absent, hidden, &mut rng);
        let median = |v: &[f64]| {
            let mut v = v.to_vec();
            v.sort_by(f64::total_cmp);
            v[v.len() / 2] / 1000.0
        };
        println!("{kind:8} {channel:20} {clock:6} AUC {area:.3} [{low:.3}, {high:.3}]  median µs absent {:.1} hidden {:.1}", median(absent), median(hidden));
        good &= (0.45..=0.55).contains(&area);
    }
    Ok(good)
}

/// How often a hidden one takes longer than an absent one.
fn area(absent: &[f64], hidden: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> = absent.iter().map(|t| (*t, false)).chain(hidden.iter().map(|t| (*t, true))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut ranks, mut at) = (0.0, 0);
    while at < all.len() {
        let end = at + all[at..].iter().take_while(|(t, _)| *t == all[at].0).count();
        // Those of the same time share their ranks.
        let rank = (at + 1 + end) as f64 / 2.0;
        ranks += rank * all[at..end].iter().filter(|(_, hidden)| *hidden).count() as f64;
        at = end;
    }
    let (n, m) = (hidden.len() as f64, absent.len() as f64);
    (ranks - n * (n + 1.0) / 2.0) / (n * m)
}

fn bootstrap(absent: &[f64], hidden: &[f64], rng: &mut StdRng) -> (f64, f64) {
    let mut again = |from: &[f64]| -> Vec<f64> { (0..from.len()).map(|_| from[rng.random_range(0..from.len())]).collect() };
    let mut areas: Vec<f64> = (0..200).map(|_| area(&again(absent), &again(hidden))).collect();
    areas.sort_by(f64::total_cmp);
    (areas[5], areas[194])
}
