//! The commands, and how each fails in plain words.

mod admin;
mod audit;
mod doctor;
mod documents;
mod import;
mod sealing;
mod keys;
mod seed;
mod verify;

use crate::cli::{Admin, Cli, Command, Settings};
use crate::config::{Config, ConfigError, Flags, Profile};
use crate::keys::{self as signing, KeyError, LocalKeys};
use domain::administrators::FirstAdministrator;
use domain::demo::PERSONAS;
use crate::{serve, telemetry, token};
use domain::clock::{Clock, SystemClock};
use domain::{Domain, DomainOptions, StartError};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error("{}", start_error(.0))]
    Start(#[from] StartError),
    #[error("{address} is in use by another program; choose another address with --listen")]
    PortInUse { address: SocketAddr },
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("the data folder {} cannot be used: {}", .path.display(), io_words(.source))]
    Data { path: PathBuf, source: std::io::Error },
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// 2 is for what the caller has to write differently.
    pub fn code(&self) -> u8 {
        if matches!(self, Failure::Config(_) | Failure::Usage(_)) { 2 } else { 1 }
    }
}

fn io_words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => "the disk is full; nothing was changed".into(),
        std::io::ErrorKind::PermissionDenied => "it may not be written".into(),
        _ => error.to_string(),
    }
}

fn start_error(error: &StartError) -> String {
    plainly(error.to_string())
}

/// A disk that is full is called so, whoever met it.
pub fn plainly(text: String) -> String {
    if text.contains("disk is full") || text.contains("No space left") {
        return "the disk is full; nothing was changed. Make room and start again".into();
    }
    text
}

pub async fn run(cli: Cli) -> Result<(), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let command = cli.command.unwrap_or(Command::Serve { settings: Settings { demo: true, ..Settings::default() }, listen: None });
    match command {
        Command::Serve { settings, listen } => {
            let config = Config::load(&Flags { listen, ..settings.flags() })?.for_serving()?;
            telemetry::start_logs(config.log_format, &config.log_filter);
            serve::serve(config, clock).await
        }
        Command::Migrate { settings } => {
            let config = Config::load(&settings.flags())?;
            telemetry::start_logs(config.log_format, &config.log_filter);
            let domain = open(&config, true, clock).await?;
            say(&format!("The schema of {} is up to date.", crate::config::without_secret(&config.database_url)))?;
            domain.db.clone().close().await;
            Ok(())
        }
        Command::Schema => say(graphql::Schema::sdl().trim_end()),
        Command::Token { settings, persona, hours } => print_token(&settings, &persona, hours, clock.as_ref()),
        Command::Seed { settings, children, bulk } => seed::seed(&settings, children, bulk, clock).await,
        Command::Import { settings, file, account, division, survey_date, mapping, propose_mapping, dry_run, problems } => {
            let job = import::Job { file, account, division, survey_date, mapping, propose_mapping, dry_run, problems };
            import::import(&settings, job, clock).await
        }
        Command::Verify { settings, checkpoints, keys } => verify::verify(&settings, checkpoints.as_deref(), &keys, clock).await,
        Command::Recount { settings } => verify::recount(&settings, clock).await,
        Command::Audit(command) => audit::audit(command, clock).await,
        Command::Report { settings, year, out } => audit::report(&settings, year, out, clock).await,
        Command::Sealing(command) => sealing::sealing(command, clock).await,
        Command::Keys(command) => keys::keys(command, clock.as_ref()),
        Command::Documents(command) => documents::documents(command, clock).await,
        Command::Admin(Admin::Create { settings, username, name, role, id, external_issuer, external_subject }) => {
            let external = external_issuer.as_deref().zip(external_subject.as_deref());
            admin::create(&settings, FirstAdministrator { role: &role, id, username: username.trim(), display_name: name.trim(), external }, clock).await
        }
        Command::Doctor { settings, listen } => doctor::doctor(&settings, listen, clock).await,
    }
}

/// To standard output; a closed pipe is no failure.
pub fn say(text: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::Other(format!("cannot write to standard output: {e}"))),
        _ => Ok(()),
    }
}

pub async fn open(config: &Config, migrate: bool, clock: Arc<dyn Clock>) -> Result<Domain, Failure> {
    config.keys_apart()?;
    create_data_folder(config)?;
    let options = DomainOptions {
        sealing: config.sealing_options(&clock).map_err(Failure::Other)?,
        database_url: config.database_url.clone(),
        migrate_database_url: config.migrate_database_url.clone(),
        data: config.data.clone(),
        profile: config.profile.name(),
        max_connections: config.max_connections,
        migrate,
        clock,
        rules: config.rules.clone(),
        audit: config.audit.clone(),
        sign_in: config.sign_in.clone(),
        terms: config.terms,
    };
    Ok(Domain::open(options).await?)
}

/// Only its owner may look into it.
fn create_data_folder(config: &Config) -> Result<(), Failure> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&config.data).map_err(|source| Failure::Data { path: config.data.clone(), source })
}

pub fn local_keys(config: &Config, clock: &dyn Clock) -> Result<Option<LocalKeys>, Failure> {
    create_data_folder(config)?;
    Ok(signing::open(signing::Home::of(config), clock)?)
}

fn print_token(settings: &Settings, persona: &str, hours: i64, clock: &dyn Clock) -> Result<(), Failure> {
    let Some(persona) = PERSONAS.iter().find(|p| p.name == persona) else {
        let names: Vec<_> = PERSONAS.iter().map(|p| format!("  {:22} {}", p.name, p.title_en)).collect();
        return Err(Failure::Usage(format!("there is no persona {persona:?}; the personas are\n{}", names.join("\n"))));
    };
    let mut flags = settings.flags();
    let data = flags.data.clone().unwrap_or_else(|| crate::config::DEFAULT_DATA.into());
    if flags.profile.is_none() {
        // A folder without keys belongs to no demonstration, unless the caller says that it shall.
        flags.profile = Some(signing::folder_profile(&data).ok_or_else(|| KeyError::None(data.display().to_string()))?);
    }
    if flags.profile == Some(Profile::Production) {
        return Err(Failure::Usage("tokens of personas exist in the demo and development profiles only".into()));
    }
    let config = Config::load(&flags)?;
    let keys = local_keys(&config, clock)?.ok_or_else(|| KeyError::None(data.display().to_string()))?;
    say(&token::mint(&keys, &config.audience, persona.account, hours, clock)?)
}
