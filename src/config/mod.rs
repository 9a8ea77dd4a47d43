//! Settings: defaults < file < environment < command line, checked as a whole before anything starts.

mod check;
mod sealing;
#[cfg(test)]
mod tests;

pub use check::without_secret;
pub use sealing::{SealingConfig, WrappingKey};
use crate::listen::peer::{ForwardedBy, Network};
use crate::listen::tls::TlsFiles;
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::Dict;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const ENV_PREFIX: &str = "CHILD_WELFARE_";
pub const DEFAULT_DATA: &str = "./data";
pub const DEFAULT_FILE: &str = "child-welfare.toml";

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    Demo,
    Development,
    Production,
}

impl Profile {
    pub const ALL: [Profile; 3] = [Profile::Demo, Profile::Development, Profile::Production];

    pub fn name(self) -> &'static str {
        match self {
            Profile::Demo => "demo",
            Profile::Development => "development",
            Profile::Production => "production",
        }
    }
    pub fn from_name(name: &str) -> Option<Profile> {
        Profile::ALL.into_iter().find(|p| p.name() == name)
    }
    pub fn is_production(self) -> bool {
        self == Profile::Production
    }
    /// The issuer of the tokens this profile signs itself; that of production is in the settings.
    pub fn local_issuer(self) -> Option<&'static str> {
        match self {
            Profile::Demo => Some("child-welfare-demo"),
            Profile::Development => Some("child-welfare-development"),
            Profile::Production => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerConfig {
    pub issuer: String,
    /// Found by discovery when absent.
    pub jwks_uri: Option<String>,
    pub audience: String,
    /// For logs.
    pub name: String,
}

#[derive(Clone, Debug)]
pub struct DocumentsConfig {
    pub mode: entity::codes::DocumentMode,
    /// Name of the client that people's tokens are taken to come from.
    pub app: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// How much of the divisions a server loads behind its first start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoadDivisions {
    All,
    /// Down to the township.
    Upper,
    None,
}

/// An external provider by whose sign-in staff may come in.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// In our address, and in logs.
    pub name: String,
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<domain::staff::Secret>,
    /// One of these must be the `acr`; none asked for where the list is empty.
    pub acr: Vec<String>,
    /// All of these must be in `amr`.
    pub amr: Vec<String>,
}

impl ProviderConfig {
    pub fn issuer(&self) -> IssuerConfig {
        IssuerConfig { issuer: self.issuer.clone(), jwks_uri: None, audience: self.client_id.clone(), name: self.name.clone() }
    }
}

#[derive(Clone, Debug, Default)]
pub struct ExternalConfig {
    /// Of this API, as browsers and providers reach it.
    pub base_url: String,
    /// Where a front end may have the browser sent back to.
    pub return_to: Vec<String>,
    pub providers: Vec<ProviderConfig>,
}

#[derive(Clone, Debug)]
pub struct LimitsConfig {
    pub body_bytes: usize,
    pub upload_bytes: u64,
    pub operation: Duration,
    /// For the headers, and again for the body.
    pub read: Duration,
    pub in_flight: usize,
    pub connections: usize,
    pub document: graphql::Limits,
}

/// How much one account or address may ask for in a minute, and at once.
#[derive(Clone, Debug)]
pub struct Budgets {
    /// Of a person's account.
    pub person: Budget,
    /// Of an account that a machine of a partner acts as.
    pub partner: Budget,
    /// Requests of one address, signed in or not.
    pub address: u64,
    /// Open sockets and event streams of one account.
    pub streams: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub requests: u64,
    pub cost: u64,
}

#[derive(Clone, Debug)]
pub struct Config {
    pub profile: Profile,
    pub listen: SocketAddr,
    pub data: PathBuf,
    pub database_url: String,
    /// The owner of the tables on PostgreSQL.
    pub migrate_database_url: Option<String>,
    pub max_connections: u32,
    pub audience: String,
    /// The `iss` of our own tokens; none where we sign none.
    pub own_issuer: Option<String>,
    /// Where clients reach us, without a path: for what names our address in signed objects.
    pub public_url: Option<String>,
    /// For clients that have no mode of their own, by kind.
    pub documents: DocumentsConfig,
    /// File of our own signing keys, where it is not the one of the data folder.
    pub signing_key: Option<PathBuf>,
    pub issuers: Vec<IssuerConfig>,
    pub cors_origins: Vec<String>,
    pub demo_children: usize,
    pub load_divisions: LoadDivisions,
    pub log_format: LogFormat,
    pub log_filter: String,
    pub metrics_listen: Option<SocketAddr>,
    pub tls: Option<TlsFiles>,
    /// Proxies whose word on the client is taken.
    pub trusted_proxies: Vec<Network>,
    pub forwarded_by: ForwardedBy,
    pub limits: LimitsConfig,
    pub sealing: SealingConfig,
    pub budgets: Budgets,
    pub rules: domain::rates::Rules,
    pub audit: domain::AuditOptions,
    /// Every signed checkpoint is appended to it.
    pub checkpoint_file: Option<PathBuf>,
    pub sign_in: domain::staff::Settings,
    pub terms: domain::terms::Terms,
    pub external: ExternalConfig,
}

/// What the command line says about settings.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub file: Option<PathBuf>,
    pub profile: Option<Profile>,
    pub listen: Option<String>,
    pub data: Option<PathBuf>,
    pub database: Option<String>,
}

/// Everything that is wrong, each with its key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the settings are not right:\n{}", .0.iter().map(|p| format!("  - {p}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(pub Vec<String>);

impl Config {
    /// A profile that no layer names is that of the data folder, and production where the folder has none.
    pub fn load(flags: &Flags) -> Result<Config, ConfigError> {
        let mut figment = Figment::new();
        if let Some(file) = &flags.file {
            if !file.is_file() {
                return Err(ConfigError(vec![format!("--config: there is no file {}", file.display())]));
            }
            figment = figment.merge(Toml::file_exact(file));
        } else if Path::new(DEFAULT_FILE).is_file() {
            figment = figment.merge(Toml::file_exact(DEFAULT_FILE));
        }
        // Names that begin with TEST_ belong to the test suite.
        let env = Env::prefixed(ENV_PREFIX).filter(|key| !key.starts_with("test_")).split("__");
        figment = figment.merge(env).merge(Serialized::defaults(flags.dict()));
        if figment.find_value("profile").is_err() {
            let data = figment.extract_inner::<PathBuf>("data").unwrap_or_else(|_| DEFAULT_DATA.into());
            if let Some(profile) = crate::keys::folder_profile(&data) {
                figment = figment.merge(("profile", profile.name()));
            }
        }
        Config::from_figment(figment)
    }

    /// What a server needs beyond what every command needs.
    pub fn for_serving(self) -> Result<Config, ConfigError> {
        if self.profile.is_production() && self.tls.is_none() && self.trusted_proxies.is_empty() && !self.listen.ip().is_loopback() {
            let problem = format!(
                "listen: \"{}\" can be reached from other machines, and tokens and personal data would travel in the clear; set tls.certificate and tls.key, \
                 or put a proxy that terminates TLS in front and name it in trusted_proxies, or listen on 127.0.0.1",
                self.listen
            );
            return Err(ConfigError(vec![problem]));
        }
        if self.profile.is_production() && self.issuers.is_empty() && self.own_issuer.is_none() {
            let problem = "issuers: production needs keys.signing, a file of keys to sign access tokens with, or at least one [[issuers]] \
                with the issuer of its access tokens; to try the system out, start it with --demo";
            return Err(ConfigError(vec![problem.into()]));
        }
        self.keys_apart()?;
        Ok(self)
    }

    pub fn from_figment(figment: Figment) -> Result<Config, ConfigError> {
        check::check(&figment)
    }
}

impl Flags {
    fn dict(&self) -> Dict {
        let mut dict = Dict::new();
        let mut put = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                dict.insert(key.to_owned(), value.into());
            }
        };
        put("profile", self.profile.map(|p| p.name().to_owned()));
        put("listen", self.listen.clone());
        put("data", self.data.as_ref().map(|d| d.to_string_lossy().into_owned()));
        put("database", self.database.clone());
        dict
    }
}
