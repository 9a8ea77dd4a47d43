//! What a request costs, as a multiple of one hand-written statement whose rows are written straight to JSON.
//! `cargo bench --bench read_path --features read-path -- --help`; what is measured and how: docs/benchmarks.md.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod account;
mod args;
mod client;
mod cluster;
mod limit;
mod load;
mod measure;
mod memory;
mod overload;
mod places;
mod server;
mod table;
mod work;

use args::Args;

pub type Failure = Box<dyn std::error::Error + Send + Sync>;
pub type Result<T> = std::result::Result<T, Failure>;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if args.first().is_some_and(|a| a == limit::COMMAND) {
        return limit::serve(&args[1..]);
    }
    let args = match Args::parse(&args) {
        Ok(Some(args)) => args,
        Ok(None) => {
            println!("{}", args::HELP);
            return Ok(());
        }
        Err(wrong) => {
            eprintln!("{wrong}\n\n{}", args::HELP);
            std::process::exit(2);
        }
    };
    // One thread, so that it takes no more than one processor from those that are measured.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            done = run(&args) => done,
            _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
        }
    })
}

async fn run(args: &Args) -> Result<()> {
    let stage = places::Stage::set(args).await?;
    table::heading(args, &stage).await?;
    let mut world = measure::World::open(&stage, args).await?;
    if let Some(numbers) = &args.connections {
        memory::peaks(&mut world, &stage, args, numbers).await?;
    } else if args.overload {
        overload::overload(&mut world, args).await?;
    } else {
        measure::run(&mut world, args).await?;
    }
    Ok(())
}
