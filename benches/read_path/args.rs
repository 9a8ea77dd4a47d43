//! The command line.

use std::path::PathBuf;

pub const HELP: &str = "\
cargo bench --bench read_path --features read-path -- [OPTIONS]

  --children N        synthetic children (default 10000)
  --rounds R          rounds; each has all kinds of request, every second one in the reverse order (default 3)
  --seconds S         how long each kind and form is asked in a round (default 2)
  --load N            connections that ask at once (default 8)
  --only A,B          kinds: Q1, Q2, Q3, Q3N (the nation), M1, S1 (default: all)
  --database WHICH    postgres (default) or sqlite
  --against BINARY    our server (default: what `cargo build --release` makes)
  --compare BINARY    a second server of ours on the same data, in the same rounds (audit or access left out, say)
  --connections A,B   instead of all that: peak memory under so many connections
  --overload          instead of all that: ten times as many requests as can be answered
  --folder DIR        keep cluster and data there and use them again (default: a temporary folder)
  --postgres DIR      where initdb and postgres are (default: the newest of /usr/lib/postgresql/*/bin)";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Database {
    Postgres,
    Sqlite,
}

pub struct Args {
    pub children: usize,
    pub rounds: u32,
    pub seconds: f64,
    pub load: usize,
    pub only: Option<Vec<String>>,
    pub database: Database,
    pub against: Option<PathBuf>,
    pub compare: Option<PathBuf>,
    pub connections: Option<Vec<usize>>,
    pub overload: bool,
    pub folder: Option<PathBuf>,
    pub postgres: Option<PathBuf>,
}

impl Args {
    /// None: help is asked for.
    pub fn parse(given: &[String]) -> Result<Option<Args>, String> {
        let mut args = Args {
            children: 10_000,
            rounds: 3,
            seconds: 2.0,
            load: 8,
            only: None,
            database: Database::Postgres,
            against: None,
            compare: None,
            connections: None,
            overload: false,
            folder: None,
            postgres: None,
        };
        let mut given = given.iter();
        while let Some(name) = given.next() {
            let mut value = || given.next().ok_or(format!("{name} needs a value"));
            fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
                text.parse().map_err(|_| format!("{text} is no number"))
            }
            match name.as_str() {
                "--children" => args.children = number(value()?)?,
                "--rounds" => args.rounds = number(value()?)?,
                "--seconds" => args.seconds = number(value()?)?,
                "--load" => args.load = number(value()?)?,
                "--only" => args.only = Some(value()?.split(',').map(str::to_uppercase).collect()),
                "--database" => {
                    args.database = match value()?.as_str() {
                        "postgres" => Database::Postgres,
                        "sqlite" => Database::Sqlite,
                        other => return Err(format!("--database is postgres or sqlite, not {other}")),
                    }
                }
                "--against" => args.against = Some(value()?.into()),
                "--compare" => args.compare = Some(value()?.into()),
                "--connections" => args.connections = Some(value()?.split(',').map(number).collect::<Result<_, _>>()?),
                "--overload" => args.overload = true,
                "--folder" => args.folder = Some(value()?.into()),
                "--postgres" => args.postgres = Some(value()?.into()),
                "--help" | "-h" => return Ok(None),
                other => return Err(format!("there is no option {other}")),
            }
        }
        if args.rounds == 0 || args.load == 0 || args.seconds <= 0.0 {
            return Err("--rounds, --load and --seconds are more than 0".into());
        }
        Ok(Some(args))
    }
}
