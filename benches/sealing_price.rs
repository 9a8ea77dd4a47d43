//! What sealing costs: the CPU of a page of 20 children, the same data sealed by each cipher and by one that seals nothing.
//! `cargo bench --bench sealing_price --features null-cipher -- [REQUESTS]`
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use domain::access::Actor;
use domain::clock::{Clock, SystemClock};
use domain::sealing::{Algorithm, Place, SealingOptions};
use domain::signin::Asking;
use domain::{Domain, DomainOptions, demo};
use graphql::{Limits, Request, Schema};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

const CHILDREN: usize = 300;
const ROUNDS: u32 = 10;
const PAGES: [(&str, &str); 2] = [
    (
        "20 children: name, number, telephone, addresses, illness",
        "{ children(first: 20) { nodes { id fileNumber name identityNumber phone householdAddress residenceAddress illness } } }",
    ),
    (
        "20 children with their guardians' names and telephones",
        "{ children(first: 20) { nodes { id name identityNumber phone householdAddress guardianships { nodes { person { name phone } } } } } }",
    ),
];

struct World {
    domain: Domain,
    schema: Schema,
    actor: Actor,
    cpu: Duration,
    _folder: tempfile::TempDir,
}

async fn world(algorithm: Algorithm) -> Result<World, Failure> {
    let folder = tempfile::tempdir()?;
    let domain = Domain::open(DomainOptions {
        migrate_database_url: None,
        database_url: format!("sqlite://{}", folder.path().join("price.db").display()),
        data: folder.path().to_owned(),
        profile: "demo",
        max_connections: 4,
        migrate: true,
        clock: Arc::new(SystemClock),
        rules: Default::default(),
        audit: Default::default(),
        sign_in: Default::default(),
        terms: Default::default(),
        sealing: SealingOptions { kms: None, algorithm },
    })
    .await?;
    demo::prepare(&domain).await?;
    demo::fill(&domain, CHILDREN, &|_, _| {}).await?;
    let actor = domain.act_as("county-officer", Asking::default()).await?;
    let schema = Schema::new(domain.clone(), Limits { cost: 1_000_000, ..Limits::default() });
    Ok(World { domain, schema, actor, cpu: Duration::ZERO, _folder: folder })
}

impl World {
    /// How many texts the answer holds.
    async fn page(&self, query: &str) -> Result<usize, Failure> {
        let request = Request { query: query.into(), ..Request::default() };
        let prepared = self.schema.prepare(request).map_err(|_| "the query is refused")?;
        let answer = serde_json::to_value(self.schema.execute(prepared, self.actor.clone()).await)?;
        if answer.get("errors").is_some() || answer["data"]["children"]["nodes"].as_array().is_none_or(|nodes| nodes.len() != 20) {
            return Err(answer.to_string().into());
        }
        Ok(texts(&answer))
    }
}

fn texts(value: &Value) -> usize {
    match value {
        Value::String(_) => 1,
        Value::Array(list) => list.iter().map(texts).sum(),
        Value::Object(map) => map.values().map(texts).sum(),
        _ => 0,
    }
}

/// Of all threads, as the system counts it, to a hundredth of a second.
fn cpu() -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit_once(')').ok_or("no /proc/self/stat")?.1;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 10))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let requests: u32 = std::env::args().skip(1).find(|a| a != "--bench").map_or(Ok(2000), |n| n.parse())?;
    let mut worlds = Vec::new();
    for algorithm in [Algorithm::Null, Algorithm::Aes256Gcm, Algorithm::Sm4Gcm] {
        worlds.push((algorithm, world(algorithm).await?));
    }
    for (name, query) in PAGES {
        let mut held = 0;
        for (_, world) in &mut worlds {
            held = world.page(query).await?;
            world.cpu = Duration::ZERO;
        }
        // In turns, so that what else the machine does meets all alike.
        for _ in 0..ROUNDS {
            for (_, world) in &mut worlds {
                let before = cpu()?;
                for _ in 0..requests / ROUNDS {
                    world.page(query).await?;
                }
                world.cpu += cpu()? - before;
            }
        }
        println!("{name} ({held} texts in the answer), {requests} requests each");
        let bare = worlds[0].1.cpu.as_secs_f64();
        for (algorithm, world) in &worlds {
            let each = world.cpu.as_secs_f64() * 1e6 / f64::from(requests);
            println!("  {:12} {each:7.0} µs CPU a request, {:.3} of that without sealing", algorithm.setting(), world.cpu.as_secs_f64() / bare);
        }
    }
    for (algorithm, world) in &worlds {
        let new = if *algorithm == Algorithm::Null { Algorithm::Aes256Gcm } else { *algorithm };
        world.domain.rotate_sealing(new, Duration::ZERO).await?;
        let start = Instant::now();
        let moved = world.domain.reseal(Duration::ZERO, &|_, _| {}).await?.resealed_rows;
        let rate = moved as f64 / start.elapsed().as_secs_f64();
        println!("  {:12} resealing {moved} rows under {}: {rate:.0} rows/s", algorithm.setting(), new.setting());
    }
    for (algorithm, world) in &worlds {
        one_value(*algorithm, &world.domain)?;
    }
    Ok(())
}

fn one_value(algorithm: Algorithm, domain: &Domain) -> Result<(), Failure> {
    const TIMES: u32 = 200_000;
    let place = Place { table: "child", column: "identity_number", row: domain.clock.id() };
    let clock: &dyn Clock = domain.clock.as_ref();
    let start = Instant::now();
    for _ in 0..TIMES {
        std::hint::black_box(domain.keys.seal(place, "991234201503021234", clock)?);
    }
    let seal = start.elapsed() / TIMES;
    let sealed = domain.keys.seal(place, "991234201503021234", clock)?;
    let start = Instant::now();
    for _ in 0..TIMES {
        std::hint::black_box(domain.keys.open(place, &sealed.0)?);
    }
    println!("  {:12} sealing a number {seal:?}, opening it {:?}", algorithm.setting(), start.elapsed() / TIMES);
    Ok(())
}
