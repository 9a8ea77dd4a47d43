//! Windows of load, in turns, and what each has cost.

use crate::account::{Process, Processes};
use crate::args::Args;
use crate::cluster::APPLICATION;
use crate::load::{Load, Most, Sample};
use crate::places::{Running, Stage};
use crate::server::{self, SignedIn};
use crate::work::{self, Asking, Form, Kind, Who};
use crate::{Result, table};
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

/// Links of the audit chain are made twice a second behind the answers: they belong to the window before.
const SETTLE: Duration = Duration::from_millis(700);
/// For the number of statements.
const COUNTED: u64 = 100;

/// One column of the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Side {
    Limit,
    Ours(Form),
    Compared(Form),
}

impl Side {
    fn form(self) -> Option<Form> {
        match self {
            Side::Limit => None,
            Side::Ours(form) | Side::Compared(form) => Some(form),
        }
    }
}

/// Sums over all rounds.
#[derive(Default)]
pub struct Cost {
    pub requests: u64,
    /// CPU in nanoseconds.
    pub server: u64,
    pub database: u64,
    pub wall: Duration,
    pub latencies: Vec<u32>,
    pub statements: Option<f64>,
    /// CPU of each round in nanoseconds a request: how far they lie apart.
    pub rounds: Vec<f64>,
}

pub struct World {
    pub ours: Running,
    pub compared: Option<Running>,
    pub limit: Running,
    pub kinds: Vec<Kind>,
    pub signed: SignedIn,
    province: String,
    statistician: String,
    admin: Option<tokio_postgres::Client>,
    postmaster: Option<u32>,
}

impl World {
    pub async fn open(stage: &Stage, args: &Args) -> Result<World> {
        let ours = server::ours(stage, &stage.binary, "ours").await?;
        let compared = match &args.compare {
            Some(binary) => Some(server::ours(stage, &std::fs::canonicalize(binary)?, "compared").await?),
            None => None,
        };
        server::load_documents(stage, &work::DOCUMENTS)?;
        let limit = server::limit(stage).await?;
        let signed = SignedIn::enter(&ours).await?;
        let kinds = work::kinds(&ours, &signed.token, args.only.as_deref()).await?;
        let admin = match &stage.cluster {
            None => None,
            Some(cluster) => {
                let (client, connection) = tokio_postgres::connect(&cluster.owner_url(), tokio_postgres::NoTls).await?;
                tokio::spawn(connection);
                Some(client)
            }
        };
        Ok(World {
            ours,
            compared,
            limit,
            kinds,
            signed,
            province: server::persona(stage, "province-officer")?,
            statistician: server::persona(stage, "national-statistician")?,
            admin,
            postmaster: stage.cluster.as_ref().map(|c| c.postmaster),
        })
    }

    pub fn token(&self, who: Who) -> &str {
        match who {
            Who::CountyOfficer => &self.signed.token,
            Who::ProvinceOfficer => &self.province,
            Who::Statistician => &self.statistician,
        }
    }

    fn server(&self, side: Side) -> &Running {
        match side {
            Side::Limit => &self.limit,
            Side::Ours(_) => &self.ours,
            Side::Compared(_) => self.compared.as_ref().unwrap_or(&self.ours),
        }
    }

    /// Backends that are not of this side.
    async fn others(&self, side: Side) -> Result<HashSet<u32>> {
        let Some(admin) = &self.admin else { return Ok(HashSet::new()) };
        let sql = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND (usename = $1) = ($2 OR pid = pg_backend_pid())";
        let rows = admin.query(sql, &[&APPLICATION, &(side == Side::Limit)]).await?;
        Ok(rows.iter().map(|row| row.get::<_, i32>(0) as u32).collect())
    }

    fn used(&self, side: Side) -> Result<(Process, Processes)> {
        let database = self.postmaster.map(Processes::of).transpose()?.unwrap_or_default();
        Ok((Process::of(self.server(side).pid())?, database))
    }

    async fn window(&self, kind: &Kind, side: Side, args: &Args, cost: &mut Cost) -> Result<()> {
        let asking = Asking::new(kind, side.form(), self.token(kind.who));
        let mut load = Load::open(self.server(side).address, args.load, &asking).await?;
        let others = self.others(side).await?;
        let before = self.used(side)?;
        let Sample { requests, wall, latencies, .. } = load.run(&asking, Most::Time(Duration::from_secs_f64(args.seconds))).await?;
        if side != Side::Limit {
            tokio::time::sleep(SETTLE).await;
        }
        let after = self.used(side)?;
        let (server, database) = (after.0.since(&before.0), after.1.since(&before.1, &others));
        cost.requests += requests;
        cost.server += server;
        cost.database += database;
        cost.wall += wall;
        cost.latencies.extend(latencies);
        cost.rounds.push((server + database) as f64 / requests as f64);
        Ok(())
    }

    /// Statements of a request, as PostgreSQL counts them.
    async fn statements(&self, kind: &Kind, side: Side) -> Result<Option<f64>> {
        let Some(admin) = &self.admin else { return Ok(None) };
        let asking = Asking::new(kind, side.form(), self.token(kind.who));
        let mut load = Load::open(self.server(side).address, 1, &asking).await?;
        let track = async |which: &str| -> Result<()> {
            admin.batch_execute(&format!("ALTER SYSTEM SET pg_stat_statements.track = '{which}'")).await?;
            admin.batch_execute("SELECT pg_reload_conf()").await?;
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok(())
        };
        track("top").await?;
        admin.batch_execute("SELECT measure.pg_stat_statements_reset()").await?;
        load.run(&asking, Most::Requests(COUNTED)).await?;
        let sql = "SELECT coalesce(sum(calls), 0)::bigint FROM measure.pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid \
            WHERE (r.rolname = $1) <> $2 AND query NOT LIKE '%pg_stat_statements%'";
        let calls: i64 = admin.query_one(sql, &[&APPLICATION, &(side == Side::Limit)]).await?.get(0);
        track("none").await?;
        Ok(Some(calls as f64 / COUNTED as f64))
    }
}

pub type Costs = BTreeMap<(usize, Side), Cost>;

pub async fn run(world: &mut World, args: &Args) -> Result<()> {
    let mut sides: Vec<Side> = Form::ALL.into_iter().map(Side::Ours).collect();
    if world.compared.is_some() {
        sides.extend(Form::ALL.into_iter().filter(|form| *form != Form::Cold).map(Side::Compared));
    }
    // In the middle, so that it is near to each of the others.
    sides.insert(sides.len() / 2, Side::Limit);
    let mut costs = Costs::new();
    for round in 0..args.rounds {
        world.signed.renew(&world.ours).await?;
        let mut kinds = std::mem::take(&mut world.kinds);
        // Visits change what is answered: before each round both say what is right now, which also warms them up.
        for kind in &mut kinds {
            kind.agree(&world.ours, &world.limit, world.token(kind.who)).await?;
        }
        let mut turns: Vec<(usize, Side)> = (0..kinds.len()).flat_map(|kind| sides.iter().map(move |side| (kind, *side))).collect();
        if round % 2 == 1 {
            turns.reverse();
        }
        let all = turns.len();
        for (turn, (kind, side)) in turns.into_iter().enumerate() {
            eprint!("\rround {}/{} {}/{all}   ", round + 1, args.rounds, turn + 1);
            world.window(&kinds[kind], side, args, costs.entry((kind, side)).or_default()).await?;
        }
        world.kinds = kinds;
    }
    for ((kind, side), cost) in &mut costs {
        // The fewer of two counts: now and then what looks through the audit trail behind the answers falls into one of them.
        let (one, other) = (world.statements(&world.kinds[*kind], *side).await?, world.statements(&world.kinds[*kind], *side).await?);
        cost.statements = one.zip(other).map(|(one, other)| one.min(other));
    }
    eprintln!();
    table::print(world, &mut costs, &sides)
}
