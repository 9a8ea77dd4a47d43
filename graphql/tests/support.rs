//! A demonstration database and viewers made for it.

use domain::access::{Actor, Grant, Language, Lens, NamedAccess, Policy};
use domain::clock::TestClock;
use domain::{Domain, DomainOptions};
use graphql::{Limits, Request, Schema};
use serde_json::{Value, json};
use std::sync::Arc;
use tempfile::TempDir;
use uuid::Uuid;

/// The role of the application owns nothing and cannot pass row-level security.
const APPLICATION: &str = "DO $$ BEGIN CREATE ROLE cw_test_application LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD 'cw_test_application'; \
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$";
const NOW: &str = "2026-11-24T02:00:00Z";
const LATER: &str = "2026-11-24T03:00:00Z";

fn copy(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).expect("readable").flatten() {
        let there = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&there).expect("made");
            copy(&entry.path(), &there);
        } else {
            std::fs::copy(entry.path(), there).expect("copied");
        }
    }
}

/// An answer as it goes over the wire.
pub fn written(answer: &graphql::Answer) -> String {
    let errors = &answer.response.errors;
    let errors = if errors.is_empty() { String::new() } else { format!("\"errors\":{},", serde_json::to_string(errors).expect("json")) };
    let data = answer.data().map_or("null".into(), |data| String::from_utf8(data.into_owned()).expect("text"));
    format!("{{{errors}\"data\":{data}}}")
}

pub struct World {
    pub domain: Domain,
    pub schema: Schema,
    pub url: String,
    /// Past all access.
    pub owner_url: String,
    pub clock: Arc<TestClock>,
    data: TempDir,
    drop: Option<(String, String)>,
}

/// Both databases, or only SQLite where no PostgreSQL is given; the test command always gives one.
pub fn backends() -> Vec<&'static str> {
    if std::env::var_os("CHILD_WELFARE_TEST_POSTGRES").is_some() { vec!["sqlite", "postgres"] } else { vec!["sqlite"] }
}

impl World {
    pub async fn demo(backend: &str) -> World {
        let data = tempfile::tempdir().expect("a folder");
        let (mut drop, mut owner) = (None, None);
        let url = if backend == "postgres" {
            let server = std::env::var("CHILD_WELFARE_TEST_POSTGRES").expect("given");
            let name = format!("cw_graphql_{}", Uuid::new_v4().simple());
            let admin = sea_orm::Database::connect(&server).await.expect("answers");
            sea_orm::ConnectionTrait::execute_unprepared(&admin, &format!("CREATE DATABASE {name}")).await.expect("made");
            sea_orm::ConnectionTrait::execute_unprepared(&admin, APPLICATION).await.expect("made");
            let (base, _) = server.rsplit_once('/').expect("an url");
            let host = base.rsplit_once('@').map_or_else(|| base.split_once("://").expect("an url").1, |(_, host)| host);
            drop = Some((server.clone(), name.clone()));
            owner = Some(format!("{base}/{name}"));
            format!("postgres://cw_test_application:cw_test_application@{host}/{name}")
        } else {
            format!("sqlite://{}", data.path().join("test.sqlite").display())
        };
        let world = World::open(url, owner, data, drop, NOW).await;
        domain::demo::prepare(&world.domain).await.expect("prepared");
        world
    }

    async fn open(url: String, owner: Option<String>, data: TempDir, drop: Option<(String, String)>, now: &str) -> World {
        let clock = Arc::new(TestClock::at(now.parse().expect("a time")));
        let options = DomainOptions { database_url: url.clone(), migrate_database_url: owner.clone(), data: data.path().to_owned(), profile: "demo", max_connections: 4, migrate: true, clock: clock.clone(), rules: Default::default(), sign_in: Default::default(), terms: Default::default(), sealing: Default::default(), audit: Default::default() };
        let domain = Domain::open(options).await.expect("opens");
        let schema = Schema::new(domain.clone(), Limits { cost: 1_000_000, aliases: 1000, root_fields: 1000, ..Limits::default() });
        World { domain, schema, owner_url: owner.unwrap_or_else(|| url.clone()), url, clock, data, drop }
    }

    /// The folder of an SQLite world that has ended, to be copied.
    pub async fn keep(self) -> TempDir {
        let World { domain, schema, data, .. } = self;
        domain.db.clone().close().await;
        std::mem::drop((schema, domain));
        data
    }

    /// A world of its own on a copy; an hour later, so that no id is made twice.
    pub async fn copy_of(kept: &TempDir) -> World {
        let data = tempfile::tempdir().expect("a folder");
        copy(kept.path(), data.path());
        let url = format!("sqlite://{}", data.path().join("test.sqlite").display());
        World::open(url, None, data, None, LATER).await
    }

    pub fn folder(&self) -> &std::path::Path {
        self.data.path()
    }

    pub async fn persona(&self, name: &str) -> Actor {
        self.domain.act_as(name, domain::signin::Asking { language: Language::English, request_id: "test".into(), purpose: None, ..Default::default() }).await.expect("signs in")
    }

    /// A viewer with grants of its own.
    pub fn viewer(&self, grants: Vec<Grant>, purpose: &str) -> Actor {
        self.viewer_with(grants, &[], purpose)
    }

    /// The same, with access to children by name.
    pub fn viewer_with(&self, grants: Vec<Grant>, named: &[NamedAccess], purpose: &str) -> Actor {
        self.made(&self.domain.policy, Uuid::from_u128(0x0193_0000_0000_7000_8000_0001_0000_0063), grants, named, purpose)
    }

    /// A viewer under a policy of its own.
    pub fn under(&self, policy: &Policy, account: Uuid, grants: Vec<Grant>, purpose: &str) -> Actor {
        self.made(policy, account, grants, &[], purpose)
    }

    fn made(&self, policy: &Policy, account: Uuid, grants: Vec<Grant>, named: &[NamedAccess], purpose: &str) -> Actor {
        let lens = Lens::new(policy, account, &grants, purpose).with_named(account, named, purpose);
        Actor {
            account,
            username: "test".into(),
            display_name: "test".into(),
            division: 0,
            organisation: None,
            language: Language::English,
            request_id: "test".into(),
            purpose: purpose.into(),
            legal_basis: String::new(),
            grants: Arc::new(grants),
            lens: Arc::new(lens),
            bound: domain::access::Bound::default(),
            session: None,
        }
    }

    pub async fn ask(&self, actor: &Actor, query: &str, variables: Value) -> Value {
        self.counted(actor, query, variables).await.0
    }

    /// The answer, and the SQL statements it took.
    pub async fn counted(&self, actor: &Actor, query: &str, variables: Value) -> (Value, u32) {
        let (answer, statements, _) = self.metered(actor, query, variables).await;
        (answer, statements)
    }

    /// The answer, the SQL statements it took, and the rows they found.
    pub async fn metered(&self, actor: &Actor, query: &str, variables: Value) -> (Value, u32, usize) {
        let variables = variables.as_object().cloned().unwrap_or_default();
        let explore = actor.lens.actions.contains("explore");
        let request = Request { query: query.into(), variables, explore, ..Request::default() };
        let answered = domain::store::meter::metered(async {
            let answer = match self.schema.prepare(request.clone()) {
                Ok(prepared) => self.schema.answer(prepared, actor.clone()).await,
                Err(response) => (*response).into(),
            };
            (written(&answer), answer.is_short(), domain::store::meter::statements(), domain::store::meter::rows())
        })
        .await;
        let (text, short, statements, rows) = answered;
        if short && domain::access::mutant::switched_off().is_none() {
            let prepared = self.schema.prepare(request).unwrap_or_else(|_| panic!("it was prepared before"));
            let general = self.schema.execute(prepared, actor.clone()).await;
            assert_eq!(text, written(&general.into()), "two ways, two answers: {query}");
        }
        (serde_json::from_str(&text).expect("json"), statements, rows)
    }

    pub async fn end(self) {
        let World { domain, schema, drop, data, .. } = self;
        domain.db.clone().close().await;
        std::mem::drop((schema, domain));
        if let Some((server, name)) = drop {
            let admin = sea_orm::Database::connect(&server).await.expect("answers");
            let _ = sea_orm::ConnectionTrait::execute_unprepared(&admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
        std::mem::drop(data);
    }
}

pub fn no_variables() -> Value {
    json!({})
}
