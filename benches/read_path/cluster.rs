//! A PostgreSQL cluster of our own: own folder, own port, own socket.

use crate::Result;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The role of the application: owns nothing, passes no row-level security.
pub const APPLICATION: &str = "cw_application";
const DATABASE: &str = "child_welfare";
const SUPERUSER: &str = "postgres";

pub struct Cluster {
    bin: PathBuf,
    folder: PathBuf,
    port: u16,
    pub postmaster: u32,
    /// The database was there before.
    pub used: bool,
}

/// What a production server would have set, and what the measurement needs.
fn settings(port: u16, folder: &Path) -> String {
    format!(
        "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\n\
         shared_buffers = 1GB\nmaintenance_work_mem = 1GB\nmax_wal_size = 2GB\nmax_connections = 100\n\
         shared_preload_libraries = 'pg_stat_statements'\npg_stat_statements.track = 'none'\n\
         logging_collector = off\nlog_checkpoints = off\n",
        folder.display()
    )
}

impl Cluster {
    pub fn start(folder: &Path, bin: Option<&Path>) -> Result<Cluster> {
        let bin = match bin {
            Some(bin) => bin.to_owned(),
            None => newest()?,
        };
        let home = folder.join("postgres");
        let data = home.join("data");
        fs::create_dir_all(&home)?;
        // The server may be another user than we are.
        for above in [folder, home.as_path()] {
            fs::set_permissions(above, fs::Permissions::from_mode(0o755))?;
        }
        let mut cluster = Cluster { bin, folder: home.clone(), port: free_port()?, postmaster: 0, used: data.join("PG_VERSION").exists() };
        if cluster.root() {
            run(Command::new("chown").arg(SUPERUSER).arg(&home))?;
        }
        if !cluster.used {
            run(cluster.tool("initdb").args(["-A", "trust", "-U", SUPERUSER, "--locale=C", "-E", "UTF8", "--no-sync", "-D"]).arg(&data))?;
        }
        fs::write(data.join("postgresql.auto.conf"), settings(cluster.port, &home))?;
        let log = home.join("log");
        // Its output to no pipe of ours, which would stay open as long as the server runs.
        let started = cluster.tool("pg_ctl").args(["-w", "-t", "300", "-D"]).arg(&data).arg("-l").arg(&log).arg("start").stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        if !started.success() {
            return Err(format!("PostgreSQL does not start: {}", fs::read_to_string(&log).unwrap_or_default()).into());
        }
        let pid = fs::read_to_string(data.join("postmaster.pid"))?;
        cluster.postmaster = pid.lines().next().unwrap_or_default().parse()?;
        if !cluster.used {
            cluster.sql("postgres", &format!("CREATE ROLE {APPLICATION} LOGIN NOSUPERUSER NOBYPASSRLS"))?;
            cluster.sql("postgres", &format!("CREATE DATABASE {DATABASE}"))?;
            // Apart from the tables of the product.
            cluster.sql(DATABASE, "CREATE SCHEMA measure")?;
            cluster.sql(DATABASE, "CREATE EXTENSION pg_stat_statements SCHEMA measure")?;
        }
        Ok(cluster)
    }

    fn root(&self) -> bool {
        fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0)
    }

    /// PostgreSQL does not run as root.
    fn tool(&self, name: &str) -> Command {
        let path = self.bin.join(name);
        let mut command = if self.root() {
            let mut command = Command::new("runuser");
            command.args(["-u", SUPERUSER, "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    fn sql(&self, database: &str, text: &str) -> Result<()> {
        run(self.tool("psql").args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", SUPERUSER, "-d", database, "-c", text]))
    }

    pub fn application_url(&self) -> String {
        format!("postgres://{APPLICATION}@127.0.0.1:{}/{DATABASE}", self.port)
    }

    /// Of the owner of the tables, whom no policy holds.
    pub fn owner_url(&self) -> String {
        format!("postgres://{SUPERUSER}@127.0.0.1:{}/{DATABASE}", self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.folder.join("data");
        let _ = self.tool("pg_ctl").args(["-m", "fast", "-w", "-D"]).arg(data).arg("stop").stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

fn newest() -> Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().map(|(_, bin)| bin).ok_or_else(|| "no PostgreSQL in /usr/lib/postgresql; say where with --postgres".into())
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

pub fn run(command: &mut Command) -> Result<()> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)).into())
}
