//! The data keys of a database, unwrapped: one seals, all of them open.

use super::algorithm::{Algorithm, Cipher, NONCE, TAG};
use super::kms::{Kms, KmsError, Secret, Wrapped};
use super::{Bound, FileKms, Place};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::store::{Db, Tx, is_double};
use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};
use compact_str::CompactString;
use entity::Sealed;
use entity::tables::data_key;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};
use sea_orm::{DbErr, QueryResult};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use tokio::sync::Notify;
use zeroize::Zeroizing;

/// Why this passes the second wall.
pub(super) const WHY: &str = "keys are for the sealed values of everybody";

/// Format and key id, before the nonce.
pub(super) const HEADER: usize = 5;

/// Where the wrapping key is, and how new data keys seal.
#[derive(Clone, Default)]
pub struct SealingOptions {
    /// Absent: the file `keys/sealing.key` in the data folder.
    pub kms: Option<Arc<dyn Kms>>,
    pub algorithm: Algorithm,
}

impl SealingOptions {
    pub(crate) fn kms_of(&self, data: &Path, clock: &Arc<dyn Clock>) -> Arc<dyn Kms> {
        self.kms.clone().unwrap_or_else(|| Arc::new(FileKms::new(data.join("keys/sealing.key"), clock.clone())))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error(transparent)]
    Kms(#[from] KmsError),
    #[error("this database was made when a key file sealed by itself; start it once with that file (keys.sealing), then `sealing rewrap` brings it to another key")]
    NeedsFile,
    #[error("this database was written with another sealing key; put back the key file it was made with (keys/sealing.key in the data folder, or what keys.sealing names)")]
    OtherKey,
    #[error("the table data_key is empty although there are files in the database: restore it from a backup; a new key would open nothing, so none is made")]
    Lost,
    #[error("the table data_key is damaged: {0}; restore it from a backup")]
    Damaged(String),
    #[error("an index key is on its way out: `sealing reindex` first")]
    Unfinished,
    #[error("the data keys cannot be read: {0}")]
    Other(#[from] Error),
}

pub(super) const SEAL: &str = "SEAL";
pub(super) const INDEX: &str = "INDEX";
const CHAIN: &str = "CHAIN";
pub(super) const HMAC: &str = "HMAC_SHA256";
/// Held by a key that every server knows before it seals.
pub(super) const NEXT: &str = "NEXT";
pub(super) const CURRENT: &str = "CURRENT";
pub(super) const OLD: &str = "OLD";
pub(super) const RETIRED: &str = "RETIRED";

/// A row of `data_key`.
pub(super) struct KeyRow {
    pub id: u32,
    pub purpose: String,
    pub algorithm: String,
    pub state: String,
    pub wrapped: Wrapped,
    pub created_at: DateTime<Utc>,
}

impl KeyRow {
    fn read(row: &QueryResult) -> std::result::Result<KeyRow, DbErr> {
        Ok(KeyRow {
            id: u32::try_from(row.try_get_by_index::<i64>(0)?).map_err(|_| DbErr::Custom("the id of a data key".into()))?,
            purpose: row.try_get_by_index(1)?,
            algorithm: row.try_get_by_index(2)?,
            state: row.try_get_by_index(3)?,
            wrapped: Wrapped { by: row.try_get_by_index(4)?, bytes: row.try_get_by_index(5)? },
            created_at: row.try_get_by_index(6)?,
        })
    }

    /// What is bound to the wrapped bytes.
    pub fn context(&self) -> String {
        context(self.id, &self.purpose, &self.algorithm)
    }
}

pub(super) fn context(id: u32, purpose: &str, algorithm: &str) -> String {
    format!("child-welfare|data_key|{id}|{purpose}|{algorithm}")
}

fn key_rows() -> SelectStatement {
    Query::select()
        .columns(["id", "purpose", "algorithm", "state", "wrapping_key", "wrapped", "created_at"])
        .from("data_key")
        .order_by("id", Order::Asc)
        .to_owned()
}

pub(super) async fn rows_of(db: &Db) -> Result<Vec<KeyRow>> {
    Ok(db.as_system(WHY).all(&key_rows()).await?.iter().map(KeyRow::read).collect::<std::result::Result<_, _>>()?)
}

pub(super) async fn rows_in(tx: &Tx) -> Result<Vec<KeyRow>> {
    Ok(tx.rows(&key_rows()).await?.iter().map(KeyRow::read).collect::<std::result::Result<_, _>>()?)
}

pub(super) fn new_row(id: u32, purpose: &str, algorithm: &str, state: &str, wrapped: Wrapped, now: DateTime<Utc>) -> data_key::ActiveModel {
    data_key::ActiveModel {
        id: Set(id.into()),
        purpose: Set(purpose.into()),
        algorithm: Set(algorithm.into()),
        state: Set(state.into()),
        wrapping_key: Set(wrapped.by),
        wrapped: Set(wrapped.bytes),
        created_at: Set(now),
        changed_at: Set(now),
    }
}

struct DataKey {
    id: u32,
    algorithm: Algorithm,
    current: bool,
    cipher: Cipher,
}

/// A key of fingerprints and grams that is not retired.
#[derive(Clone)]
pub(super) struct IndexKey {
    pub id: u32,
    pub current: bool,
    pub key: hmac::Key,
}

pub struct Keyring {
    seals: RwLock<Vec<DataKey>>,
    index: RwLock<Vec<IndexKey>>,
    /// The first index key: tags of secrets and of what is soon forgotten stay under it.
    tags: hmac::Key,
    chain: hmac::Key,
    pub(super) kms: Arc<dyn Kms>,
    /// Somebody met a key that is not here yet.
    pub(crate) missed: Notify,
}

fn random(clock: &dyn Clock, bytes: usize) -> Secret {
    let mut secret = Zeroizing::new(vec![0; bytes]);
    clock.random(&mut secret);
    secret
}

async fn cipher_of(kms: &dyn Kms, row: &KeyRow) -> std::result::Result<(Algorithm, Cipher), KeysError> {
    let damaged = || KeysError::Damaged(format!("key {} is for {}, which is not used here", row.id, row.algorithm));
    let algorithm = Algorithm::from_name(&row.algorithm).ok_or_else(damaged)?;
    let secret = kms.unwrap(&row.context(), &row.wrapped).await?;
    let cipher = Cipher::new(algorithm, &secret).ok_or_else(|| KeysError::Damaged(format!("key {} is no key of {}", row.id, row.algorithm)))?;
    Ok((algorithm, cipher))
}

impl Keyring {
    /// Unwraps the keys of a database; makes them for an empty one.
    pub(crate) async fn load(db: &Db, kms: Arc<dyn Kms>, algorithm: Algorithm, clock: &dyn Clock) -> std::result::Result<Keyring, KeysError> {
        let mut rows = rows_of(db).await?;
        if rows.is_empty() {
            make_first(db, kms.as_ref(), algorithm, clock).await?;
            rows = rows_of(db).await?;
        }
        Keyring::of_rows(&rows, kms).await
    }

    /// Unwraps the keys that are there.
    pub(super) async fn of_rows(rows: &[KeyRow], kms: Arc<dyn Kms>) -> std::result::Result<Keyring, KeysError> {
        let mut seals = Vec::new();
        let (mut index, mut tags, mut chain) = (Vec::new(), None, None);
        for row in rows {
            if row.purpose == SEAL {
                let (algorithm, cipher) = cipher_of(kms.as_ref(), row).await?;
                seals.push(DataKey { id: row.id, algorithm, current: row.state == CURRENT, cipher });
                continue;
            }
            let secret = kms.unwrap(&row.context(), &row.wrapped).await?;
            let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
            match row.purpose.as_str() {
                INDEX => {
                    tags.get_or_insert_with(|| key.clone());
                    if row.state != RETIRED {
                        index.push(IndexKey { id: row.id, current: row.state == CURRENT, key });
                    }
                }
                CHAIN if row.state == CURRENT => chain = Some(key),
                _ => {}
            }
        }
        let damaged = |what: &str| KeysError::Damaged(format!("there is no current key for {what}"));
        if !seals.iter().any(|key| key.current) {
            return Err(damaged("sealing"));
        }
        Ok(Keyring {
            seals: RwLock::new(seals),
            tags: tags.filter(|_| index.iter().any(|key| key.current)).ok_or_else(|| damaged("searching"))?,
            index: RwLock::new(index),
            chain: chain.ok_or_else(|| damaged("the audit chain"))?,
            kms,
            missed: Notify::new(),
        })
    }

    /// Takes in keys and states that another process has changed.
    pub(crate) async fn refresh(&self, db: &Db) -> std::result::Result<(), KeysError> {
        let rows = rows_of(db).await?;
        let seals = || rows.iter().filter(|row| row.purpose == SEAL);
        let mut new = Vec::new();
        for row in seals() {
            if !self.seals().iter().any(|key| key.id == row.id) {
                let (algorithm, cipher) = cipher_of(self.kms.as_ref(), row).await?;
                new.push(DataKey { id: row.id, algorithm, current: false, cipher });
            }
        }
        let Some(current) = seals().find(|row| row.state == CURRENT).map(|row| row.id) else {
            return Err(KeysError::Damaged("there is no current key for sealing".into()));
        };
        self.refresh_index(&rows).await?;
        if new.is_empty() && self.current() == current {
            return Ok(());
        }
        let mut ring = self.seals.write().unwrap_or_else(PoisonError::into_inner);
        ring.append(&mut new);
        for key in ring.iter_mut() {
            key.current = key.id == current;
        }
        tracing::info!(key = current, keys = ring.len(), "sealing keys as the database has them");
        Ok(())
    }

    async fn refresh_index(&self, rows: &[KeyRow]) -> std::result::Result<(), KeysError> {
        let live = || rows.iter().filter(|row| row.purpose == INDEX && row.state != RETIRED);
        let known: Vec<(u32, bool)> = self.index().iter().map(|key| (key.id, key.current)).collect();
        if live().map(|row| (row.id, row.state == CURRENT)).eq(known.iter().copied()) {
            return Ok(());
        }
        let mut new = Vec::new();
        for row in live() {
            let have = self.index().iter().find(|key| key.id == row.id).map(|key| key.key.clone());
            let key = match have {
                Some(key) => key,
                None => hmac::Key::new(hmac::HMAC_SHA256, &self.kms.unwrap(&row.context(), &row.wrapped).await?),
            };
            new.push(IndexKey { id: row.id, current: row.state == CURRENT, key });
        }
        if !new.iter().any(|key| key.current) {
            return Err(KeysError::Damaged("there is no current key for searching".into()));
        }
        tracing::info!(keys = new.len(), "index keys as the database has them");
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    pub(super) fn index(&self) -> RwLockReadGuard<'_, Vec<IndexKey>> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id of the key that makes new grams.
    pub fn index_current(&self) -> u32 {
        self.index().iter().find(|key| key.current).map_or(0, |key| key.id)
    }

    fn seals(&self) -> RwLockReadGuard<'_, Vec<DataKey>> {
        self.seals.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id of the key that seals.
    pub fn current(&self) -> u32 {
        self.seals().iter().find(|key| key.current).map_or(0, |key| key.id)
    }

    /// What a value begins with that the current key sealed.
    pub(super) fn current_header(&self) -> Result<[u8; HEADER]> {
        let ring = self.seals();
        let key = ring.iter().find(|key| key.current).ok_or_else(|| Error::internal("no sealing key"))?;
        Ok(header(key))
    }

    pub(super) fn tag_key(&self) -> &hmac::Key {
        &self.tags
    }

    /// The key of the audit chain, which no other use gives away.
    pub(crate) fn chain_key(&self) -> hmac::Key {
        self.chain.clone()
    }

    pub fn seal(&self, place: Place<'_>, text: &str, clock: &dyn Clock) -> Result<Sealed> {
        let failed = || Error::internal("sealing failed");
        let mut nonce = [0; NONCE];
        clock.random(&mut nonce);
        let ring = self.seals();
        let key = ring.iter().find(|key| key.current).ok_or_else(failed)?;
        let bound = Bound::new(place, key.id).ok_or_else(failed)?;
        let mut out = Vec::with_capacity(HEADER + NONCE + text.len() + TAG);
        out.extend_from_slice(&header(key));
        out.extend_from_slice(&nonce);
        out.extend_from_slice(text.as_bytes());
        key.cipher.seal(nonce, bound.as_slice(), &mut out, HEADER + NONCE).ok_or_else(failed)?;
        Ok(Sealed(out))
    }

    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<String> {
        self.open_short(place, sealed).map(CompactString::into_string)
    }

    /// The same, without memory of its own for a short one.
    pub fn open_short(&self, place: Place<'_>, sealed: &[u8]) -> Result<CompactString> {
        let broken = || Error::internal(format!("a sealed value of {}.{} does not open", place.table, place.column));
        let (head, rest) = sealed.split_first_chunk::<HEADER>().ok_or_else(broken)?;
        let id = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let ring = self.seals();
        let Some(key) = ring.iter().find(|key| key.id == id) else {
            // Made a moment ago by another process, or nobody's: the watcher looks.
            self.missed.notify_one();
            return Err(Error::Unavailable(DbErr::Custom(format!("the sealing key {id} of a value of {}.{} is not loaded", place.table, place.column))));
        };
        if head[0] != key.algorithm.format() {
            return Err(broken());
        }
        let bound = Bound::new(place, id).ok_or_else(broken)?;
        let (nonce, body) = rest.split_at_checked(NONCE).ok_or_else(broken)?;
        let opened = key.cipher.open(nonce, bound.as_slice(), body, |text| std::str::from_utf8(text).map(CompactString::from));
        opened.ok_or_else(broken)?.map_err(|_| broken())
    }

    /// Runs with the cipher of a key: the current one, or one by its id.
    pub(super) fn with_cipher<T>(&self, id: Option<u32>, run: impl FnOnce(u32, Algorithm, &Cipher) -> Option<T>) -> Option<T> {
        let ring = self.seals();
        let key = ring.iter().find(|key| id.map_or(key.current, |id| key.id == id))?;
        run(key.id, key.algorithm, &key.cipher)
    }

    #[cfg(test)]
    pub(crate) fn for_test(secret: &[u8; 32]) -> Keyring {
        let key = || hmac::Key::new(hmac::HMAC_SHA256, secret);
        let seal = |id, algorithm: Algorithm, current| DataKey {
            id,
            algorithm,
            current,
            cipher: Cipher::new(algorithm, &secret[..algorithm.key_bytes()]).expect("a key"),
        };
        Keyring {
            seals: RwLock::new(vec![seal(1, Algorithm::Aes256Gcm, true), seal(4, Algorithm::Sm4Gcm, false)]),
            index: RwLock::new(vec![IndexKey { id: 2, current: true, key: key() }]),
            tags: key(),
            chain: key(),
            kms: Arc::new(FileKms::new("/nowhere", Arc::new(crate::clock::SystemClock))),
            missed: Notify::new(),
        }
    }
}

fn header(key: &DataKey) -> [u8; HEADER] {
    let id = key.id.to_be_bytes();
    [key.algorithm.format(), id[0], id[1], id[2], id[3]]
}

/// The keys of an empty database; those of one whose key file sealed by itself, as they are.
async fn make_first(db: &Db, kms: &dyn Kms, algorithm: Algorithm, clock: &dyn Clock) -> std::result::Result<(), KeysError> {
    let mark = Query::select().column("value").from("meta").and_where(Expr::col("name").eq("key_check")).to_owned();
    let mark: Option<String> = db.one(&mark).await?.map(|row| row.try_get_by_index(0)).transpose().map_err(Error::from)?;
    let mut secrets = match mark {
        Some(check) => former(kms, &check).await?,
        None => {
            for table in ["child", "person"] {
                if db.as_system(WHY).one(&Query::select().expr(Expr::val(1)).from(table).limit(1).to_owned()).await?.is_some() {
                    return Err(KeysError::Lost);
                }
            }
            vec![
                (SEAL, algorithm.name(), random(clock, algorithm.key_bytes())),
                (INDEX, HMAC, random(clock, 32)),
                (CHAIN, HMAC, random(clock, 32)),
            ]
        }
    };
    let now = clock.now();
    let mut rows = Vec::new();
    for (id, (purpose, algorithm, secret)) in (1..).zip(secrets.drain(..)) {
        let wrapped = kms.wrap(&context(id, purpose, algorithm), &secret).await?;
        rows.push(new_row(id, purpose, algorithm, CURRENT, wrapped, now));
    }
    let mut tx = db.begin().await?;
    match tx.insert_many(rows).await {
        Ok(()) => tx.commit_bare().await?,
        // Another server was quicker: its keys count.
        Err(error) if is_double(&error) => tx.rollback().await?,
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Format 1 of old: the first half of the file sealed, the second made indexes and, derived, the audit chain.
async fn former(kms: &dyn Kms, check: &str) -> std::result::Result<Vec<(&'static str, &'static str, Secret)>, KeysError> {
    let secret = kms.former().await?.ok_or(KeysError::NeedsFile)?;
    let (seal, index) = secret.split_at_checked(32).ok_or(KeysError::NeedsFile)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, index);
    if super::hex(&hmac::sign(&key, b"key check").as_ref()[..8]) != check {
        return Err(KeysError::OtherKey);
    }
    let chain = hmac::sign(&key, b"key|audit chain");
    Ok(vec![
        (SEAL, Algorithm::Aes256Gcm.name(), Zeroizing::new(seal.to_vec())),
        (INDEX, HMAC, Zeroizing::new(index.to_vec())),
        (CHAIN, HMAC, Zeroizing::new(chain.as_ref().to_vec())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use uuid::Uuid;

    #[test]
    fn a_sealed_value_opens_only_where_it_was_sealed() {
        let (keys, row) = (Keyring::for_test(&[7; 32]), Uuid::from_u128(1));
        let place = Place { table: "child", column: "name", row };
        for key in [1, 4] {
            for one in keys.seals.write().expect("a lock").iter_mut() {
                one.current = one.id == key;
            }
            let sealed = keys.seal(place, "张伟𠮷", &SystemClock).expect("sealed");
            assert_eq!(keys.open(place, &sealed.0).expect("opens"), "张伟𠮷");
            assert_eq!(sealed.0[..HEADER], [if key == 1 { 1 } else { 2 }, 0, 0, 0, key as u8]);
            assert!(!sealed.0.windows(3).any(|w| w == "张".as_bytes()));
            for other in [
                Place { column: "phone", ..place },
                Place { table: "person", ..place },
                Place { row: Uuid::from_u128(2), ..place },
            ] {
                assert!(keys.open(other, &sealed.0).is_err());
            }
            for at in 0..sealed.0.len() {
                let mut broken = sealed.0.clone();
                broken[at] ^= 1;
                assert!(keys.open(place, &broken).is_err(), "byte {at}");
                assert!(keys.open(place, &sealed.0[..at]).is_err(), "cut at {at}");
            }
        }
    }

    #[test]
    fn a_key_that_is_not_loaded_is_no_defect_but_a_moment_to_wait() {
        let keys = Keyring::for_test(&[7; 32]);
        let place = Place { table: "child", column: "name", row: Uuid::from_u128(1) };
        let mut sealed = keys.seal(place, "张", &SystemClock).expect("sealed");
        sealed.0[4] = 9;
        assert!(matches!(keys.open(place, &sealed.0), Err(Error::Unavailable(_))));
    }
}
