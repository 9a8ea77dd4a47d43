//! A domain on a fresh database, for tests; gone when dropped.

use crate::app::{Domain, DomainOptions};
use crate::clock::TestClock;
use sea_orm::{ConnectionTrait, Database};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Names a superuser's URL on a PostgreSQL server; without it tests run on SQLite alone.
const POSTGRES: &str = "CHILD_WELFARE_TEST_POSTGRES";
/// The role the application signs in with: like that of production it owns nothing and cannot pass row-level security.
const APPLICATION: &str = "cw_test_application";
const MAKE_APPLICATION: &str = "DO $$ BEGIN CREATE ROLE cw_test_application LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD 'cw_test_application'; \
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$";
const NOW: &str = "2026-11-24T02:00:00Z";
const LATER: &str = "2026-11-24T03:00:00Z";

pub struct TestDomain {
    pub domain: Domain,
    pub clock: Arc<TestClock>,
    pub(crate) url: String,
    pub(crate) owner_url: Option<String>,
    postgres: Option<(String, String)>,
    /// Removed with the domain.
    folder: tempfile::TempDir,
}

impl std::ops::Deref for TestDomain {
    type Target = Domain;
    fn deref(&self) -> &Domain {
        &self.domain
    }
}

impl TestDomain {
    /// Another server on the same database, keys and clock.
    pub async fn beside(&self) -> Domain {
        open(self.url.clone(), self.owner_url.clone(), &self.folder, self.clock.clone()).await
    }

    /// The same with other options.
    pub async fn beside_with(&self, change: impl FnOnce(&mut DomainOptions)) -> Domain {
        let mut options = options(self.url.clone(), self.owner_url.clone(), &self.folder, self.clock.clone());
        change(&mut options);
        Domain::open(options).await.expect("opens")
    }
}

async fn open(url: String, owner_url: Option<String>, folder: &tempfile::TempDir, clock: Arc<TestClock>) -> Domain {
    Domain::open(options(url, owner_url, folder, clock)).await.expect("a fresh domain opens")
}

fn options(url: String, owner_url: Option<String>, folder: &tempfile::TempDir, clock: Arc<TestClock>) -> DomainOptions {
    DomainOptions {
        database_url: url,
        migrate_database_url: owner_url,
        data: folder.path().to_path_buf(),
        profile: "demo",
        max_connections: 4,
        migrate: true,
        clock,
        sealing: Default::default(),
        rules: Default::default(),
        audit: Default::default(),
        sign_in: Default::default(),
        terms: Default::default(),
    }
}

pub async fn sqlite() -> TestDomain {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(TestClock::at(NOW.parse().expect("a time")));
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    TestDomain { domain: open(url.clone(), None, &folder, clock.clone()).await, clock, url, owner_url: None, postgres: None, folder }
}

/// With the demonstration in it: made once for all tests of a process, then copied, an hour later so that no id is made twice.
pub async fn sqlite_prepared() -> TestDomain {
    static MADE: tokio::sync::OnceCell<Vec<(PathBuf, Vec<u8>)>> = tokio::sync::OnceCell::const_new();
    let made = MADE.get_or_init(async || {
        let world = sqlite().await;
        crate::demo::prepare(&world).await.expect("prepared");
        world.domain.db.clone().close().await;
        files_below(world.folder.path(), Path::new(""))
    });
    let folder = tempfile::tempdir().expect("a folder");
    for (path, bytes) in made.await {
        let there = folder.path().join(path);
        std::fs::create_dir_all(there.parent().expect("a folder")).expect("made");
        std::fs::write(there, bytes).expect("written");
    }
    let clock = Arc::new(TestClock::at(LATER.parse().expect("a time")));
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    TestDomain { domain: open(url.clone(), None, &folder, clock.clone()).await, clock, url, owner_url: None, postgres: None, folder }
}

fn files_below(root: &Path, below: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(root.join(below)).expect("readable").flatten() {
        let path = below.join(entry.file_name());
        match entry.path().is_dir() {
            true => all.extend(files_below(root, &path)),
            false => all.push((path, std::fs::read(entry.path()).expect("readable"))),
        }
    }
    all
}

/// None where no server is named.
pub async fn postgres() -> Option<TestDomain> {
    let server = std::env::var(POSTGRES).ok()?;
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(TestClock::at(NOW.parse().expect("a time")));
    let suffix: String = folder.path().file_name()?.to_str()?.chars().filter(char::is_ascii_alphanumeric).collect();
    let name = format!("cw_{}_{}", std::process::id(), suffix.to_lowercase());
    let admin = Database::connect(&server).await.expect("the server answers");
    admin.execute_unprepared(MAKE_APPLICATION).await.expect("a role");
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a fresh database");
    admin.close().await.expect("closed");
    let base = server.trim_end_matches('/');
    let base = if base.matches('/').count() > 2 { base.rsplit_once('/').map_or(base, |(head, _)| head) } else { base };
    let host = base.rsplit_once('@').map_or_else(|| base.split_once("://").map_or(base, |(_, host)| host), |(_, host)| host);
    let (url, owner_url) = (format!("postgres://{APPLICATION}:{APPLICATION}@{host}/{name}"), Some(format!("{base}/{name}")));
    let domain = open(url.clone(), owner_url.clone(), &folder, clock.clone()).await;
    Some(TestDomain { domain, clock, url, owner_url, postgres: Some((server, name)), folder })
}

/// Every database there is to test on; a check that is switched off is tried on SQLite alone.
pub async fn each() -> Vec<TestDomain> {
    let mut all = vec![sqlite().await];
    if !crate::access::trial::under_way() {
        all.extend(postgres().await);
    }
    all
}

/// The same with the demonstration in each.
pub async fn each_prepared() -> Vec<TestDomain> {
    let mut all = vec![sqlite_prepared().await];
    if !crate::access::trial::under_way()
        && let Some(world) = postgres().await
    {
        crate::demo::prepare(&world).await.expect("prepared");
        all.push(world);
    }
    all
}

impl Drop for TestDomain {
    fn drop(&mut self) {
        let Some((server, name)) = self.postgres.take() else { return };
        // Drop cannot wait, and the test's own runtime may be ending: another thread does it.
        let _ = std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
            runtime.block_on(async {
                if let Ok(admin) = Database::connect(&server).await {
                    let _ = admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
                }
            });
        })
        .join();
    }
}
