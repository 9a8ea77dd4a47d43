//! Everything a use case needs, opened once.

use crate::access::{Actor, Policy, RowAccess};
use crate::audit::AuditWriter;
use crate::chain::{CheckpointKey, Linker};
use crate::clients::Clients;
use crate::clock::Clock;
use crate::command::overtaken;
use crate::error::Result;
use crate::rates::Rules;
use crate::read::Reader;
use crate::sealing::{Keyring, KeysError, LOOK_EVERY, SealingOptions};
use crate::signin::Accounts;
use crate::watch::{WatchRules, Watcher};
use crate::staff::password::Hasher;
use crate::staff::{self, Sessions};
use crate::store::{Change, Db, Ended, OpenError, OpenOptions, Tx};
use crate::terms::Terms;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use tokio::sync::broadcast;
use uuid::Uuid;

pub struct DomainOptions {
    /// `sqlite://PATH` or `postgres://…`.
    pub database_url: String,
    /// On PostgreSQL, the owner of the tables, for migrations alone.
    pub migrate_database_url: Option<String>,
    /// Holds `keys/` and `uploads/`.
    pub data: PathBuf,
    /// `demo`, `development` or `production`.
    pub profile: &'static str,
    pub max_connections: u32,
    pub migrate: bool,
    pub clock: Arc<dyn Clock>,
    pub sealing: SealingOptions,
    pub rules: Rules,
    pub audit: AuditOptions,
    pub sign_in: staff::Settings,
    pub terms: Terms,
}

/// How the audit trail is watched over.
#[derive(Clone, Debug, Default)]
pub struct AuditOptions {
    /// Folder of the key that signs checkpoints; by default `keys/` of the data folder.
    pub checkpoint_keys: Option<PathBuf>,
    /// Which patterns make alerts.
    pub watch: WatchRules,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the data folder cannot be used: {0}")]
    Data(#[from] std::io::Error),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Policy(#[from] crate::access::policy::PolicyError),
    #[error("{0}")]
    Other(#[from] crate::error::Error),
}

#[derive(Clone)]
pub struct Domain(Arc<Inner>);

pub struct Inner {
    pub db: Db,
    pub keys: Keyring,
    pub policy: Policy,
    pub clock: Arc<dyn Clock>,
    pub audit: AuditWriter,
    pub checkpoint_key: CheckpointKey,
    pub(crate) linker: tokio::sync::Mutex<Linker>,
    pub(crate) linked: crate::watch::Linked,
    pub(crate) watcher: tokio::sync::Mutex<Watcher>,
    pub watch_rules: WatchRules,
    pub rules: Rules,
    pub sign_in: staff::Settings,
    pub terms: Terms,
    pub(crate) hasher: Hasher,
    pub(crate) sessions: Sessions,
    pub accounts: Accounts,
    pub clients: Clients,
    pub data: PathBuf,
    pub profile: &'static str,
    public: Arc<RowAccess>,
    changes: broadcast::Sender<Change>,
}

impl std::ops::Deref for Domain {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Domain {
    pub async fn open(options: DomainOptions) -> std::result::Result<Domain, StartError> {
        let mut policy = Policy::shipped()?;
        if options.profile != "production" {
            policy = policy.outside_production();
        }
        let mut private = std::fs::DirBuilder::new();
        private.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut private, 0o700);
        private.create(options.data.join("keys"))?;
        private.create(options.data.join("uploads"))?;
        let db = Db::open(&OpenOptions {
            url: options.database_url,
            owner_url: options.migrate_database_url,
            max_connections: options.max_connections,
            migrate: options.migrate,
            profile: options.profile,
        })
        .await?;
        let kms = options.sealing.kms_of(&options.data, &options.clock);
        let keys = Keyring::load(&db, kms, options.sealing.algorithm, options.clock.as_ref()).await?;
        let audit = AuditWriter::start(db.clone());
        let key_folder = options.audit.checkpoint_keys.unwrap_or_else(|| options.data.join("keys"));
        let checkpoint_key = CheckpointKey::open_or_create(&key_folder, options.clock.as_ref())?;
        let linker = tokio::sync::Mutex::new(Linker::new(options.clock.id()));
        let (changes, _) = broadcast::channel(1024);
        let accounts = Accounts::default();
        let domain = Domain(Arc::new(Inner {
            db,
            keys,
            policy,
            clock: options.clock,
            audit,
            checkpoint_key,
            linker,
            linked: crate::watch::Linked::default(),
            watcher: tokio::sync::Mutex::default(),
            watch_rules: options.audit.watch,
            rules: options.rules,
            hasher: Hasher::new(options.sign_in.cost, options.sign_in.hashes_at_once),
            sign_in: options.sign_in,
            terms: options.terms,
            sessions: Sessions::default(),
            accounts,
            clients: Clients::default(),
            data: options.data,
            profile: options.profile,
            public: Arc::new(RowAccess::public()),
            changes,
        }));
        domain.seal_open_names().await?;
        tokio::spawn(watch_keys(Arc::downgrade(&domain.0)));
        Ok(domain)
    }

    /// Reads as this viewer.
    pub fn reader<'a>(&'a self, actor: &'a Actor) -> Reader<'a> {
        Reader { db: &self.db, keys: &self.keys, actor, clock: self.clock.as_ref(), public: self.public.clone() }
    }

    /// Commits a write and tells those who listen.
    pub(crate) async fn commit(&self, tx: Tx, actor: &Actor, action: &str) -> Result<()> {
        let mut new_id = || -> Uuid { self.clock.id() };
        let Ended::Committed(changes, entry) = tx.commit(actor, action, self.clock.now(), &mut new_id).await? else { return Err(overtaken()) };
        if let Some(entry) = entry {
            self.audit.committed(entry);
        }
        // A batch tells of its files alone: listeners would fall behind on all that lies in them.
        let few = changes.len() <= 256;
        for change in changes.into_iter().filter(|change| few || change.child == Some(change.id)) {
            // Nobody listening is no error.
            let _ = self.changes.send(change);
        }
        Ok(())
    }

    /// Changes as they are committed by this process.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }
}

impl crate::sealing::Opens for Domain {
    fn keyring(&self) -> &Keyring {
        &self.keys
    }
}

/// Keeps the keys as the database has them, as long as the domain lives.
async fn watch_keys(domain: Weak<Inner>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(domain) = domain.upgrade() else { return };
        if let Err(error) = domain.keys.refresh(&domain.db).await {
            tracing::warn!(%error, "the sealing keys could not be looked at; tried again");
        }
    }
}
