//! Reads each known key, collects what is wrong, refuses unknown keys.

use super::{
    Budget, Budgets, Config, ConfigError, DocumentsConfig, ExternalConfig, IssuerConfig, LimitsConfig, LoadDivisions, LogFormat, Profile, ProviderConfig,
};
use crate::listen::peer::Network;
use crate::listen::tls::TlsFiles;
use chrono::TimeDelta;
use domain::watch::WatchRules;
use domain::rates::{KINDS, Rule, Rules};
use entity::CodedEnum;
use entity::codes::DocumentMode;
use domain::staff::{self, password::Cost};
use domain::terms::Terms;
use figment::Figment;
use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

const KEYS: &[&str] = &[
    "profile",
    "listen",
    "data",
    "database",
    "migrate_database",
    "max_connections",
    "audience",
    "issuers",
    "public_url",
    "documents.mode",
    "documents.app",
    "keys.signing",
    "keys.issuer",
    "cors.origins",
    "demo.children",
    "divisions.load",
    "log.format",
    "log.filter",
    "metrics.listen",
    "tls.certificate",
    "tls.key",
    "trusted_proxies",
    "forwarded_header",
    "budget.requests",
    "budget.cost",
    "budget.partner_requests",
    "budget.partner_cost",
    "budget.address_requests",
    "budget.streams",
    "limits.body_bytes",
    "limits.upload_bytes",
    "limits.operation_seconds",
    "limits.read_seconds",
    "limits.in_flight",
    "limits.connections",
    "limits.document_bytes",
    "limits.tokens",
    "limits.depth",
    "limits.aliases",
    "limits.root_fields",
    "limits.directives",
    "limits.fragments",
    "limits.operations",
    "limits.cost",
    "keys.sealing",
    "keys.sealing_name",
    "keys.sealing_token_file",
    "sealing.algorithm",
    "rates",
    "keys.checkpoint_folder",
    "audit.checkpoint_file",
    "audit.children_per_hour",
    "audit.look_ups_per_hour",
    "audit.denials_per_hour",
    "audit.night_from",
    "audit.night_to",
    "audit.children_per_night",
    "audit.area_days",
    "audit.learning_days",
    "access.grant_months",
    "access.child_days",
    "access.look_up_hours",
    "access.emergency_minutes",
    "access.review_hours",
    "providers",
    "sign_in.base_url",
    "sign_in.return_to",
    "sign_in.memory_kib",
    "sign_in.passes",
    "sign_in.lanes",
    "sign_in.hashes_at_once",
    "sign_in.idle_minutes",
    "sign_in.longest_hours",
    "sign_in.activation_hours",
];
const PROVIDER_KEYS: &[&str] = &["name", "issuer", "client_id", "client_secret_file", "acr", "amr"];
const ISSUER_KEYS: &[&str] = &["issuer", "jwks_uri", "audience", "name"];

pub(super) struct Check<'a> {
    figment: &'a Figment,
    pub(super) problems: Vec<String>,
}

pub fn check(figment: &Figment) -> Result<Config, ConfigError> {
    let mut c = Check { figment, problems: Vec::new() };
    c.unknown_keys();
    let profile = c.profile();
    let production = profile.is_production();
    let listen = c.address("listen").unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080)));
    let data: PathBuf = c.get("data", "a folder, such as ./data").unwrap_or_else(|| super::DEFAULT_DATA.into());
    let database_url = c.database(&data);
    let migrate_database_url = c.migrate_database(&database_url);
    let max_connections = c.number("max_connections", 10, 1, 1000) as u32;
    let audience = c.text("audience", "the name of this API in access tokens").unwrap_or_else(|| "child-welfare".into());
    let issuers = c.issuers(&audience, production);
    let (signing_key, own_issuer) = c.own_keys(profile, &data);
    let public_url = c.public_url(production);
    let documents = c.documents(production);
    let cors_origins = c.origins();
    let demo_children = c.number("demo.children", 10_000, 0, 10_000_000) as usize;
    let load_divisions = c.get("divisions.load", "all, upper or none").unwrap_or(LoadDivisions::All);
    let log_format = c.get("log.format", "text or json").unwrap_or(if production { LogFormat::Json } else { LogFormat::Text });
    let log_filter = c.text("log.filter", "a filter such as info,child_welfare=debug").unwrap_or_else(|| "info,sqlx=warn,sea_orm_migration=warn".into());
    let metrics_listen = c.address("metrics.listen");
    let limits = LimitsConfig {
        body_bytes: c.number("limits.body_bytes", 256 * 1024, 1024, 16 << 20) as usize,
        upload_bytes: c.number("limits.upload_bytes", 64 << 20, 1024, 1 << 30),
        operation: Duration::from_secs(c.number("limits.operation_seconds", 5, 1, 60)),
        read: Duration::from_secs(c.number("limits.read_seconds", 9, 1, 60)),
        in_flight: c.number("limits.in_flight", 512, 1, 100_000) as usize,
        connections: c.number("limits.connections", 10_000, 1, 1_000_000) as usize,
        document: c.document_limits(),
    };
    let sealing = c.sealing(&data, production);
    let tls = c.tls();
    let trusted_proxies = c.networks();
    let forwarded_by = c.get("forwarded_header", "x-forwarded or forwarded").unwrap_or_default();
    let budgets = c.budgets(production, limits.document.cost);
    let rules = c.rates();
    let (audit, checkpoint_file) = c.audit();
    let sign_in = c.sign_in();
    let terms = c.terms();
    let external = c.external(production);
    if metrics_listen == Some(listen) {
        c.problems.push(format!("metrics.listen: \"{listen}\" is the address of the API itself; give the metrics a port of their own"));
    }
    if !c.problems.is_empty() {
        return Err(ConfigError(c.problems));
    }
    Ok(Config {
        profile,
        listen,
        data,
        database_url,
        migrate_database_url,
        max_connections,
        audience,
        own_issuer,
        public_url,
        documents,
        signing_key,
        issuers,
        cors_origins,
        demo_children,
        load_divisions,
        log_format,
        log_filter,
        metrics_listen,
        tls,
        trusted_proxies,
        forwarded_by,
        limits,
        sealing,
        budgets,
        rules,
        audit,
        checkpoint_file,
        sign_in,
        terms,
        external,
    })
}

impl Check<'_> {
    fn unknown_keys(&mut self) {
        let all = match self.figment.extract::<Dict>() {
            Ok(all) => all,
            // A file that cannot be parsed fails here, and each key after it.
            Err(error) => return self.problems.push(error.to_string().lines().next().unwrap_or("the file cannot be read").to_owned()),
        };
        let mut found = Vec::new();
        flatten("", &all, &mut found);
        for key in found {
            if !KEYS.contains(&key.as_str()) {
                let near = KEYS.iter().find(|k| k.ends_with(key.rsplit('.').next().unwrap_or(&key)));
                let hint = near.map_or_else(|| format!("known are {}", KEYS.join(", ")), |k| format!("did you mean {k}?"));
                self.problems.push(format!("{key}: no such key; {hint}"));
            }
        }
    }

    /// A key's value, or `None` when it is absent or wrong.
    pub(super) fn get<T: DeserializeOwned>(&mut self, key: &str, right: &str) -> Option<T> {
        let value = self.figment.find_value(key).ok()?;
        match value.deserialize::<T>() {
            Ok(read) => Some(read),
            Err(_) => {
                self.wrong(key, &shown(&value), right);
                None
            }
        }
    }

    pub(super) fn wrong(&mut self, key: &str, value: &str, right: &str) {
        let from = self.figment.find_metadata(key).map(|m| format!(" (from {})", m.name)).unwrap_or_default();
        self.problems.push(format!("{key}: \"{value}\"{from} is not right; it should be {right}"));
    }

    pub(super) fn text(&mut self, key: &str, right: &str) -> Option<String> {
        let text: String = self.get(key, right)?;
        if text.trim().is_empty() {
            self.wrong(key, &text, right);
            return None;
        }
        Some(text)
    }

    fn number(&mut self, key: &str, default: u64, least: u64, most: u64) -> u64 {
        let right = format!("a whole number from {least} to {most}");
        match self.get::<u64>(key, &right) {
            Some(n) if (least..=most).contains(&n) => n,
            Some(n) => {
                self.wrong(key, &n.to_string(), &right);
                default
            }
            None => default,
        }
    }

    fn document_limits(&mut self) -> graphql::Limits {
        let usual = graphql::Limits::default();
        let mut read = |key: &str, default: usize, most: u64| self.number(key, default as u64, 1, most) as usize;
        graphql::Limits {
            bytes: read("limits.document_bytes", usual.bytes, 1 << 20),
            tokens: read("limits.tokens", usual.tokens, 100_000),
            // The reader of documents goes as deep as this by recursion.
            depth: read("limits.depth", usual.depth, 50),
            aliases: read("limits.aliases", usual.aliases, 10_000),
            root_fields: read("limits.root_fields", usual.root_fields, 1000),
            directives: read("limits.directives", usual.directives, 10_000),
            fragments: read("limits.fragments", usual.fragments, 10_000),
            operations: read("limits.operations", usual.operations, 1000),
            cost: self.number("limits.cost", usual.cost, 1, 1 << 40),
        }
    }

    /// The least is what OWASP's password storage sheet and ASVS 5 (7.3) ask for.
    fn sign_in(&mut self) -> staff::Settings {
        let usual = staff::Settings::default();
        let count = |n: i64| u64::try_from(n).unwrap_or(1);
        let mut read = |key: &str, default: u64, least: u64, most: u64| self.number(&format!("sign_in.{key}"), default, least, most) as u32;
        staff::Settings {
            cost: Cost {
                memory_kib: read("memory_kib", usual.cost.memory_kib.into(), 19 * 1024, 1 << 20),
                passes: read("passes", usual.cost.passes.into(), 2, 20),
                lanes: read("lanes", usual.cost.lanes.into(), 1, 8),
            },
            hashes_at_once: read("hashes_at_once", usual.hashes_at_once as u64, 1, 256) as usize,
            idle: TimeDelta::minutes(read("idle_minutes", count(usual.idle.num_minutes()), 15, 60).into()),
            longest: TimeDelta::hours(read("longest_hours", count(usual.longest.num_hours()), 1, 12).into()),
            activation: TimeDelta::hours(read("activation_hours", count(usual.activation.num_hours()), 1, 168).into()),
            ..usual
        }
    }

    /// An emergency lasts an hour at most, whatever the settings say.
    fn terms(&mut self) -> Terms {
        let usual = Terms::default();
        let mut read = |key: &str, default: u32, most: u64| self.number(&format!("access.{key}"), default.into(), 1, most) as u32;
        Terms {
            grant_months: read("grant_months", usual.grant_months, 24),
            child_days: read("child_days", usual.child_days, 365),
            look_up_hours: read("look_up_hours", usual.look_up_hours, 168),
            emergency_minutes: read("emergency_minutes", usual.emergency_minutes, 60),
            review_hours: read("review_hours", usual.review_hours, 720),
        }
    }

    fn tls(&mut self) -> Option<TlsFiles> {
        let right = "the path of a PEM file";
        match (self.text("tls.certificate", right), self.text("tls.key", right)) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate: certificate.into(), key: key.into() }),
            (None, None) => None,
            (given, _) => {
                let missing = if given.is_some() { "tls.key" } else { "tls.certificate" };
                self.problems.push(format!("{missing}: missing; a certificate and its key go together"));
                None
            }
        }
    }

    fn networks(&mut self) -> Vec<Network> {
        let right = "a list of networks, such as [\"10.0.0.0/8\", \"fd00::/8\"]";
        let texts: Vec<String> = self.get("trusted_proxies", right).unwrap_or_default();
        let mut networks = Vec::new();
        for text in &texts {
            match text.parse() {
                Ok(network) => networks.push(network),
                Err(()) => self.wrong("trusted_proxies", text, "an address or a network, such as 10.0.0.1 or 10.0.0.0/8"),
            }
        }
        networks
    }

    /// In the demonstration and in development nobody is to meet them unless they are set.
    fn budgets(&mut self, production: bool, most_cost: u64) -> Budgets {
        let wide = if production { 1 } else { 1000 };
        let mut read = |key: &str, default: u64, least: u64| self.number(key, default * wide, least, 1 << 50);
        Budgets {
            person: Budget { requests: read("budget.requests", 1_200, 1), cost: read("budget.cost", 2_000_000, most_cost) },
            partner: Budget { requests: read("budget.partner_requests", 12_000, 1), cost: read("budget.partner_cost", 20_000_000, most_cost) },
            address: read("budget.address_requests", 12_000, 1),
            streams: self.number("budget.streams", 100, 1, 100_000) as usize,
        }
    }

    fn audit(&mut self) -> (domain::AuditOptions, Option<PathBuf>) {
        let usual = WatchRules::default();
        let mut count = |key: &str, default: usize| usize::try_from(self.number(key, default as u64, 1, 1_000_000)).unwrap_or(default);
        let (children_per_hour, look_ups_per_hour) = (count("audit.children_per_hour", usual.children_per_hour), count("audit.look_ups_per_hour", usual.look_ups_per_hour));
        let (denials_per_hour, children_per_night) = (count("audit.denials_per_hour", usual.denials_per_hour), count("audit.children_per_night", usual.children_per_night));
        let mut small = |key: &str, default: u32, most: u64| u32::try_from(self.number(key, u64::from(default), 0, most)).unwrap_or(default);
        let night = (small("audit.night_from", usual.night.0, 23), small("audit.night_to", usual.night.1, 23));
        let mut days = |key: &str, default: i64| i64::try_from(self.number(key, default.unsigned_abs(), 1, 3650)).unwrap_or(default);
        let (area_days, learning_days) = (days("audit.area_days", usual.area_days), days("audit.learning_days", usual.learning_days));
        let watch = WatchRules { children_per_hour, look_ups_per_hour, denials_per_hour, night, children_per_night, area_days, learning_days };
        let folder = self.text("keys.checkpoint_folder", "a folder, such as /etc/child-welfare/checkpoints").map(PathBuf::from);
        let file = self.text("audit.checkpoint_file", "a file, such as /mnt/worm/checkpoints.jsonl").map(PathBuf::from);
        (domain::AuditOptions { checkpoint_keys: folder, watch }, file)
    }

    /// `rates.KIND.limit`, `.window_seconds`, `.lock_seconds`, `.pause_seconds`; kinds are written with underscores.
    fn rates(&mut self) -> Rules {
        let mut rules = Rules::default();
        let given: Dict = self.get("rates", "a table of kinds, each with limit and window_seconds").unwrap_or_default();
        let name = |kind: &str| kind.replace('-', "_");
        for (key, value) in &given {
            let Some((kind, usual)) = KINDS.iter().find(|(kind, _)| name(kind) == *key) else {
                let known: Vec<_> = KINDS.iter().map(|(kind, _)| name(kind)).collect();
                self.problems.push(format!("rates.{key}: no such key; known are {}", known.join(", ")));
                continue;
            };
            let fields = value.as_dict().cloned().unwrap_or_default();
            for field in fields.keys().filter(|f| !["limit", "window_seconds", "lock_seconds", "pause_seconds"].contains(&f.as_str())) {
                self.problems.push(format!("rates.{key}.{field}: no such key; known are limit, window_seconds, lock_seconds, pause_seconds"));
            }
            let at = |field: &str| format!("rates.{key}.{field}");
            let limit = self.number(&at("limit"), u64::from(usual.limit), 1, 1_000_000) as u32;
            let window = self.number(&at("window_seconds"), usual.window.num_seconds().unsigned_abs(), 1, 86_400);
            let lock = self.number(&at("lock_seconds"), usual.lock.map_or(0, |l| l.num_seconds().unsigned_abs()), 0, 86_400);
            let pause = self.number(&at("pause_seconds"), usual.pause.map_or(0, |p| p.num_seconds().unsigned_abs()), 0, 3600);
            let seconds = |n: u64| TimeDelta::seconds(i64::try_from(n).unwrap_or(86_400));
            let some = |n: u64| (n > 0).then(|| seconds(n));
            rules.set(kind, Rule { limit, window: seconds(window), lock: some(lock), pause: some(pause) });
        }
        rules
    }

    fn address(&mut self, key: &str) -> Option<SocketAddr> {
        let right = "an address and a port, such as 127.0.0.1:8080 or [::]:8080";
        let text = self.text(key, right)?;
        // "localhost:8080" is what people type.
        match text.replace("localhost:", "127.0.0.1:").parse() {
            Ok(address) => Some(address),
            Err(_) => {
                self.wrong(key, &text, right);
                None
            }
        }
    }

    fn profile(&mut self) -> Profile {
        let right = "demo, development or production";
        let Some(name) = self.text("profile", right) else { return Profile::Production };
        Profile::from_name(&name).unwrap_or_else(|| {
            self.wrong("profile", &name, right);
            Profile::Development
        })
    }

    fn database(&mut self, data: &std::path::Path) -> String {
        let right = "sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE";
        match self.text("database", right) {
            None => format!("sqlite://{}", data.join("child-welfare.db").display()),
            Some(url) if url.starts_with("sqlite:") || url.starts_with("postgres://") || url.starts_with("postgresql://") => url,
            Some(url) => {
                self.wrong("database", &without_secret(&url), right);
                url
            }
        }
    }

    fn public_url(&mut self, production: bool) -> Option<String> {
        let url = self.text("public_url", "an https:// address without a path, such as https://api.example.org")?;
        let base = url.trim_end_matches('/');
        let right = reqwest::Url::parse(base).is_ok_and(|u| {
            let scheme = u.scheme() == "https" || u.scheme() == "http" && !production;
            scheme && u.path() == "/" && u.query().is_none() && u.fragment().is_none() && u.username().is_empty() && u.has_host()
        });
        if !right {
            let local = if production { "" } else { " or http://" };
            self.wrong("public_url", &url, &format!("an https://{local} address without a path, such as https://api.example.org"));
        }
        Some(base.to_owned())
    }

    fn documents(&mut self, production: bool) -> DocumentsConfig {
        let right = "off, report or enforce";
        let usual = if production { DocumentMode::Enforce } else { DocumentMode::Off };
        let mode = match self.text("documents.mode", right) {
            None => usual,
            Some(name) => DocumentMode::from_name(&name.to_ascii_uppercase()).unwrap_or_else(|| {
                self.wrong("documents.mode", &name, right);
                usual
            }),
        };
        DocumentsConfig { mode, app: self.text("documents.app", "the name of a registered client") }
    }

    fn migrate_database(&mut self, database: &str) -> Option<String> {
        let right = "postgres://OWNER:PASSWORD@HOST/DATABASE, the same database as `database`";
        let url = self.text("migrate_database", right)?;
        let postgres = |url: &str| url.starts_with("postgres://") || url.starts_with("postgresql://");
        if !postgres(&url) || !postgres(database) {
            self.wrong("migrate_database", &without_secret(&url), right);
        }
        Some(url)
    }

    fn origins(&mut self) -> Vec<String> {
        let right = "a list of origins, such as [\"https://front.example.org\"]";
        let origins: Vec<String> = self.get("cors.origins", right).unwrap_or_default();
        for origin in &origins {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if host.is_none_or(|h| h.is_empty() || h.contains(['/', '*', '?', '#'])) {
                self.wrong("cors.origins", origin, "a scheme, a host and perhaps a port, without a path, such as https://front.example.org");
            }
        }
        origins
    }

    /// Where our own signing keys lie, and the `iss` of our own tokens.
    fn own_keys(&mut self, profile: Profile, data: &Path) -> (Option<PathBuf>, Option<String>) {
        let file = self.text("keys.signing", "a file, such as /etc/child-welfare/signing.json").map(PathBuf::from);
        let issuer = self.text("keys.issuer", "the iss of our own access tokens, such as https://api.example.org");
        if let Some(local) = profile.local_issuer() {
            if let Some(issuer) = &issuer {
                self.wrong("keys.issuer", issuer, &format!("left out: the tokens of this profile are those of {local}"));
            }
            return (file, Some(local.to_owned()));
        }
        let Some(file) = file else {
            if let Some(issuer) = &issuer {
                self.wrong("keys.issuer", issuer, "given together with keys.signing");
            }
            return (None, None);
        };
        // Whoever takes the data folder away must not be able to make tokens.
        if really(&file).starts_with(really(data)) {
            self.wrong("keys.signing", &file.display().to_string(), "a file outside the data folder");
        }
        let issuer = issuer.unwrap_or_else(|| "child-welfare".into());
        if Profile::ALL.iter().any(|p| p.local_issuer() == Some(&issuer)) {
            self.wrong("keys.issuer", &issuer, "a name of your own; this one is that of the demonstration");
        }
        (Some(file), Some(issuer))
    }

    fn external(&mut self, production: bool) -> ExternalConfig {
        let right = "a list of tables [[providers]] with name, issuer, client_id, and perhaps client_secret_file, acr, amr";
        let list: Vec<Dict> = self.get("providers", right).unwrap_or_default();
        let return_to: Vec<String> = self.get("sign_in.return_to", "a list of addresses of your front ends").unwrap_or_default();
        for url in return_to.iter().filter(|url| !may_fetch(url, production)) {
            self.wrong("sign_in.return_to", url, "an https:// URL");
        }
        let base_url = self.text("sign_in.base_url", "the https:// URL of this API").unwrap_or_default();
        if !list.is_empty() && (!may_fetch(&base_url, production) || base_url.ends_with('/')) {
            self.wrong("sign_in.base_url", &base_url, "the https:// URL of this API as browsers reach it, without a slash at its end");
        }
        let mut providers = Vec::new();
        for (n, dict) in list.iter().enumerate() {
            let at = |key: &str| format!("providers[{n}].{key}");
            for key in dict.keys().filter(|k| !PROVIDER_KEYS.contains(&k.as_str())) {
                self.problems.push(format!("{}: no such key; known are {}", at(key), PROVIDER_KEYS.join(", ")));
            }
            let text = |key: &str| dict.get(key).and_then(|v| v.as_str()).filter(|t| !t.is_empty()).map(str::to_owned);
            let words = |key: &str| -> Vec<String> { dict.get(key).and_then(|v| v.deserialize().ok()).unwrap_or_default() };
            for key in ["acr", "amr"] {
                if dict.get(key).is_some_and(|v| v.deserialize::<Vec<String>>().is_err()) {
                    self.problems.push(format!("{}: it should be a list of texts", at(key)));
                }
            }
            let (Some(name), Some(issuer), Some(client_id)) = (text("name"), text("issuer"), text("client_id")) else {
                self.problems.push(format!("providers[{n}]: name, issuer and client_id are needed"));
                continue;
            };
            if !may_fetch(&issuer, production) {
                self.problems.push(format!("{}: \"{issuer}\" is not right; it should be an https:// URL", at("issuer")));
            }
            if name == "callback" || name == "redeem" || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
                self.problems.push(format!("{}: \"{name}\" is not right; it should be letters, digits and hyphens, not callback, not redeem", at("name")));
            }
            let client_secret = match text("client_secret_file").map(std::fs::read_to_string) {
                None => None,
                Some(Ok(secret)) => Some(staff::Secret::new(secret.trim())),
                Some(Err(error)) => {
                    self.problems.push(format!("{}: the file cannot be read: {error}", at("client_secret_file")));
                    None
                }
            };
            providers.push(ProviderConfig { name, issuer, client_id, client_secret, acr: words("acr"), amr: words("amr") });
        }
        ExternalConfig { base_url, return_to, providers }
    }

    fn issuers(&mut self, audience: &str, production: bool) -> Vec<IssuerConfig> {
        let right = "a list of tables [[issuers]] with issuer, and perhaps jwks_uri, audience, name";
        let list: Vec<Dict> = self.get("issuers", right).unwrap_or_default();
        let mut out: Vec<IssuerConfig> = Vec::new();
        for (n, dict) in list.iter().enumerate() {
            let at = |key: &str| format!("issuers[{n}].{key}");
            for key in dict.keys().filter(|k| !ISSUER_KEYS.contains(&k.as_str())) {
                self.problems.push(format!("{}: no such key; known are {}", at(key), ISSUER_KEYS.join(", ")));
            }
            let mut text = |key: &str| match dict.get(key) {
                None => None,
                Some(value) => match value.as_str() {
                    Some(text) if !text.is_empty() => Some(text.to_owned()),
                    _ => {
                        self.problems.push(format!("{}: \"{}\" is not right; it should be a text", at(key), shown(value)));
                        None
                    }
                },
            };
            let (issuer, jwks_uri) = (text("issuer"), text("jwks_uri"));
            let (own_audience, name) = (text("audience"), text("name"));
            let Some(issuer) = issuer else {
                if !dict.contains_key("issuer") {
                    self.problems.push(format!("{}: missing; it should be the `iss` of the issuer's tokens", at("issuer")));
                }
                continue;
            };
            if Profile::ALL.iter().any(|p| p.local_issuer() == Some(&issuer)) {
                self.problems.push(format!("{}: \"{issuer}\" is the issuer of the demonstration; name your own", at("issuer")));
            }
            if out.iter().any(|other| other.issuer == issuer) {
                self.problems.push(format!("{}: \"{issuer}\" is there twice", at("issuer")));
            }
            let (fetched, key) = jwks_uri.as_ref().map_or((&issuer, "issuer"), |uri| (uri, "jwks_uri"));
            if !may_fetch(fetched, production) {
                let local = if production { "" } else { " (or http:// of this machine)" };
                let more = if jwks_uri.is_none() { "; an issuer that is no URL needs a jwks_uri" } else { "" };
                self.problems.push(format!("{}: \"{fetched}\" is not right; it should be an https:// URL{local}{more}", at(key)));
            }
            out.push(IssuerConfig {
                name: name.unwrap_or_else(|| issuer.clone()),
                audience: own_audience.unwrap_or_else(|| audience.to_owned()),
                issuer,
                jwks_uri,
            });
        }
        out
    }
}

/// The path without links and dots, as far as it exists.
pub(super) fn really(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    for ancestor in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (ancestor.canonicalize(), path.strip_prefix(ancestor)) {
            return rest.components().fold(real, |mut path, part| {
                match part {
                    Component::ParentDir => drop(path.pop()),
                    part => path.push(part),
                }
                path
            });
        }
    }
    path
}

/// Keys are fetched over TLS; outside production also from this machine.
pub(super) fn may_fetch(url: &str, production: bool) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    match url.scheme() {
        "https" => true,
        "http" => !production && matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")),
        _ => false,
    }
}

fn flatten(prefix: &str, dict: &Dict, out: &mut Vec<String>) {
    for (key, value) in dict {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Dict(_, inner) if !KEYS.contains(&path.as_str()) => flatten(&path, inner, out),
            _ => out.push(path),
        }
    }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(_, text) => text.clone(),
        Value::Dict(..) => "a table".into(),
        Value::Array(..) => "a list".into(),
        other => serde_json::to_string(other).unwrap_or_default(),
    };
    without_secret(&text)
}

/// A URL without the password in it.
pub fn without_secret(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}://…{}", &url[..scheme], &url[at..]),
        _ => url.to_owned(),
    }
}
