//! What is printed.

use crate::account;
use crate::args::{Args, Database};
use crate::load::quantile;
use crate::measure::{Cost, Costs, Side, World};
use crate::places::Stage;
use crate::{Result, server};

pub async fn heading(args: &Args, stage: &Stage) -> Result<()> {
    let cpus = std::thread::available_parallelism()?;
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':')).map_or("", |(_, name)| name.trim()).to_owned();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{} children, {}; {cpus} processors ({model}); load before: {}", args.children, server::which(args.database), load.split(' ').next().unwrap_or("?"));
    if args.database == Database::Postgres {
        let (client, connection) = tokio_postgres::connect(&stage.owner(), tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        let row = client
            .query_one("SELECT version(), pg_size_pretty(pg_database_size(current_database())), (SELECT count(*) FROM child)", &[])
            .await?;
        let version: &str = row.get(0);
        println!("{}; database {}, {} files", version.split(" on ").next().unwrap_or(version), row.get::<_, &str>(1), row.get::<_, i64>(2));
    }
    Ok(())
}

/// Milliseconds of CPU for one request.
fn each(nanos: u64, requests: u64) -> f64 {
    nanos as f64 / 1e6 / requests.max(1) as f64
}

fn total(cost: &Cost) -> f64 {
    each(cost.server + cost.database, cost.requests)
}

fn name(side: Side) -> String {
    match side {
        Side::Limit => "limit".to_owned(),
        Side::Ours(form) => form.name().to_owned(),
        Side::Compared(form) => format!("compared, {}", form.name()),
    }
}

pub fn print(world: &World, costs: &mut Costs, sides: &[Side]) -> Result<()> {
    println!("\nCPU in milliseconds a request (1,000 requests: seconds); × is ours over the limit, from the sums over all rounds; spread: dearest round over cheapest");
    println!("{:4} {:20} {:>8} {:>8} {:>8} {:>7} {:>7} {:>9} {:>8} {:>8} {:>6}", "", "", "server", "database", "both", "×", "spread", "requests/s", "p50 ms", "p99 ms", "SQL");
    for (at, kind) in world.kinds.iter().enumerate() {
        println!("{}  {}", kind.name, kind.about);
        let limit = costs.get(&(at, Side::Limit)).map_or(f64::NAN, total);
        for side in sides {
            let Some(cost) = costs.get_mut(&(at, *side)) else { continue };
            cost.latencies.sort_unstable();
            let (low, high) = cost.rounds.iter().fold((f64::MAX, 0.0_f64), |(low, high), n| (low.min(*n), high.max(*n)));
            println!(
                "{:4} {:20} {:8.3} {:8.3} {:8.3} {:7.2} {:7.2} {:10.0} {:8.2} {:8.2} {:>6}",
                "",
                name(*side),
                each(cost.server, cost.requests),
                each(cost.database, cost.requests),
                total(cost),
                total(cost) / limit,
                high / low,
                cost.requests as f64 / cost.wall.as_secs_f64(),
                f64::from(quantile(&cost.latencies, 0.5)) / 1000.0,
                f64::from(quantile(&cost.latencies, 0.99)) / 1000.0,
                cost.statements.map_or("–".to_owned(), |n| format!("{n:.1}")),
            );
        }
    }
    let mib = |pid| Ok::<_, crate::Failure>(account::peak(pid)? as f64 / 1024.0);
    println!("\npeak memory: ours {:.0} MiB, limit {:.0} MiB", mib(world.ours.pid())?, mib(world.limit.pid())?);
    if world.compared.is_some() {
        println!("\ncompared over ours, CPU of both:");
        for (at, kind) in world.kinds.iter().enumerate() {
            for side in sides {
                let Side::Compared(form) = side else { continue };
                if let (Some(a), Some(b)) = (costs.get(&(at, *side)), costs.get(&(at, Side::Ours(*form)))) {
                    println!("  {:4} {:10} {:.3}", kind.name, form.name(), total(a) / total(b));
                }
            }
        }
    }
    Ok(())
}
