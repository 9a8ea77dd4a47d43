//! Where it happens: a folder, a database with synthetic data, our binary.

use crate::args::{Args, Database};
use crate::cluster::{self, Cluster};
use crate::Result;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

pub struct Stage {
    pub folder: PathBuf,
    pub cluster: Option<Cluster>,
    pub binary: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

/// The binary as it ships: without what tests and benches add to the crates.
fn build() -> Result<PathBuf> {
    let here = env!("CARGO_MANIFEST_DIR");
    eprintln!("building the release binary");
    let built = Command::new(env!("CARGO")).args(["build", "--release", "--bin", "child-welfare"]).current_dir(here).status()?;
    if !built.success() {
        return Err("the release binary does not build".into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| Path::new(here).join("target"), PathBuf::from);
    Ok(target.join("release/child-welfare"))
}

impl Stage {
    pub async fn set(args: &Args) -> Result<Stage> {
        let binary = fs::canonicalize(match &args.against {
            Some(binary) => binary.clone(),
            None => build()?,
        })?;
        let temporary = args.folder.is_none().then(tempfile::tempdir).transpose()?;
        let folder = match (&args.folder, &temporary) {
            (Some(folder), _) => folder.clone(),
            (None, Some(temporary)) => temporary.path().to_owned(),
            (None, None) => return Err("no folder".into()),
        };
        fs::create_dir_all(&folder)?;
        let folder = fs::canonicalize(folder)?;
        let cluster = (args.database == Database::Postgres).then(|| Cluster::start(&folder, args.postgres.as_deref())).transpose()?;
        let stage = Stage { folder, cluster, binary, _temporary: temporary };
        stage.fill(args.children).await?;
        Ok(stage)
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// As the application has it.
    pub fn database(&self) -> String {
        self.cluster.as_ref().map_or_else(|| format!("sqlite://{}", self.data().join("child-welfare.db").display()), Cluster::application_url)
    }

    /// As its owner has it, whom no policy holds.
    pub fn owner(&self) -> String {
        self.cluster.as_ref().map_or_else(|| self.database(), Cluster::owner_url)
    }

    /// A command of the product on this data, with the settings it ships with.
    pub fn command(&self, binary: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(binary);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CHILD_WELFARE_")) {
            command.env_remove(name);
        }
        command.current_dir(&self.folder).stdin(Stdio::null()).args(args).arg("--data").arg(self.data());
        command.args(["--database", &self.database()]);
        if let Some(cluster) = &self.cluster {
            command.env("CHILD_WELFARE_MIGRATE_DATABASE", cluster.owner_url());
        }
        command
    }

    async fn fill(&self, children: usize) -> Result<()> {
        let mark = self.folder.join("children");
        if fs::read_to_string(&mark).is_ok_and(|text| text == children.to_string()) {
            return Ok(());
        }
        let start = Instant::now();
        let mut seed = self.command(&self.binary, &["seed", "--demo", "--children", &children.to_string()]);
        if self.cluster.is_some() {
            seed.arg("--bulk");
        }
        let filled = seed.status()?;
        if !filled.success() {
            return Err("the database could not be filled".into());
        }
        eprintln!("filled in {:.0} s", start.elapsed().as_secs_f64());
        if let Some(cluster) = &self.cluster {
            let (client, connection) = tokio_postgres::connect(&cluster.owner_url(), tokio_postgres::NoTls).await?;
            tokio::spawn(connection);
            // What was loaded is at rest before anything is measured; what the measurement itself adds is little.
            client.batch_execute("VACUUM (ANALYZE)").await?;
            client.batch_execute("CHECKPOINT").await?;
            client.batch_execute("ALTER SYSTEM SET autovacuum = off").await?;
            client.batch_execute("SELECT pg_reload_conf()").await?;
        }
        Ok(fs::write(mark, children.to_string())?)
    }
}

/// A server with its log in the folder; ended with this.
pub struct Running {
    child: std::process::Child,
    pub address: std::net::SocketAddr,
}

impl Running {
    pub async fn start(mut command: Command, address: std::net::SocketAddr, log: &Path) -> Result<Running> {
        let out = fs::File::create(log)?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let child = command.spawn().map_err(|e| format!("{command:?}: {e}"))?;
        let mut running = Running { child, address };
        let until = Instant::now() + std::time::Duration::from_secs(120);
        while !running.ready().await {
            if running.child.try_wait()?.is_some() || Instant::now() > until {
                return Err(format!("a server does not start: {}", fs::read_to_string(log).unwrap_or_default()).into());
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Ok(running)
    }

    async fn ready(&self) -> bool {
        let Ok(mut connection) = crate::client::Connection::open(self.address).await else { return false };
        connection.ask(&crate::client::get("/health/ready")).await.is_ok() && connection.status == 200
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It ends as it would in production, so that a log that is being written is whole.
        let _ = cluster::run(Command::new("kill").args(["-TERM", &self.child.id().to_string()]));
        let _ = self.child.wait();
    }
}

pub fn free_address() -> Result<std::net::SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
