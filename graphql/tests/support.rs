//! A demonstration database and viewers made for it.

use domain::access::{Actor, Grant, Language, Lens};
use domain::clock::{Clock, TestClock};
use domain::{Domain, DomainOptions};
use graphql::{Limits, Request, Schema};
use serde_json::{Value, json};
use std::sync::Arc;
use tempfile::TempDir;
use uuid::Uuid;

pub struct World {
    pub domain: Domain,
    pub schema: Schema,
    pub url: String,
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
        let mut drop = None;
        let url = if backend == "postgres" {
            let server = std::env::var("CHILD_WELFARE_TEST_POSTGRES").expect("given");
            let name = format!("cw_graphql_{}", Uuid::new_v4().simple());
            let admin = sea_orm::Database::connect(&server).await.expect("answers");
            sea_orm::ConnectionTrait::execute_unprepared(&admin, &format!("CREATE DATABASE {name}")).await.expect("made");
            let (base, _) = server.rsplit_once('/').expect("an url");
            drop = Some((server.clone(), name.clone()));
            format!("{base}/{name}")
        } else {
            format!("sqlite://{}", data.path().join("test.sqlite").display())
        };
        let clock: Arc<dyn Clock> = Arc::new(TestClock::at("2026-11-24T02:00:00Z".parse().expect("a time")));
        let options = DomainOptions { database_url: url.clone(), data: data.path().to_owned(), profile: "demo", max_connections: 4, migrate: true, clock, rules: Default::default(), sign_in: Default::default(), sealing: Default::default() };
        let domain = Domain::open(options).await.expect("opens");
        domain::demo::prepare(&domain).await.expect("prepared");
        let schema = Schema::new(domain.clone(), Limits { cost: 1_000_000, aliases: 1000, root_fields: 1000, ..Limits::default() }, true);
        World { domain, schema, url, data, drop }
    }

    pub async fn persona(&self, name: &str) -> Actor {
        self.domain.act_as(name, domain::signin::Asking { language: Language::English, request_id: "test".into(), purpose: None, session: None }).await.expect("signs in")
    }

    /// A viewer with grants of its own.
    pub fn viewer(&self, grants: Vec<Grant>, purpose: &str) -> Actor {
        let account = Uuid::from_u128(0x0193_0000_0000_7000_8000_0001_0000_0063);
        let lens = Lens::new(&self.domain.policy, account, &grants, purpose);
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
            session: None,
        }
    }

    pub async fn ask(&self, actor: &Actor, query: &str, variables: Value) -> Value {
        self.counted(actor, query, variables).await.0
    }

    /// The answer, and the SQL statements it took.
    pub async fn counted(&self, actor: &Actor, query: &str, variables: Value) -> (Value, u32) {
        let variables = variables.as_object().cloned().unwrap_or_default();
        let request = Request { query: query.into(), variables, ..Request::default() };
        domain::store::meter::metered(async {
            let response = match self.schema.prepare(request) {
                Ok(prepared) => self.schema.execute(prepared, actor.clone()).await,
                Err(response) => *response,
            };
            (serde_json::to_value(response).expect("json"), domain::store::meter::statements())
        })
        .await
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
