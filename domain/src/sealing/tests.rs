use super::keyring::{CURRENT, OLD, RETIRED};
use super::*;
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::testing::{TestDomain, each, sqlite};
use aws_lc_rs::{aead, hmac};
use entity::Kind;
use std::sync::Arc;
use std::time::Duration;

async fn number(domain: &TestDomain, sql: &str) -> i64 {
    domain.db.as_system("test").raw(sql).await.expect("read")[0].try_get_by_index(0).expect("a number")
}

async fn sound(domain: &TestDomain) {
    let wrong: Vec<_> = crate::verify::verify(domain).await.expect("verified").into_iter().filter(|f| f.wrong > 0).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

fn file(domain: &TestDomain) -> FileKms {
    FileKms::new(domain.data.join("keys/sealing.key"), Arc::new(SystemClock))
}

/// Reseal finds a row by its first column, and everything that is sealed stands in a column that says so.
#[tokio::test]
async fn every_sealed_value_is_in_a_column_that_reseal_covers() {
    for domain in each().await {
        crate::demo::prepare(&domain).await.expect("prepared");
        let tables = sealed_tables();
        assert!(tables.len() >= 7 && tables.iter().map(|t| t.columns.len()).sum::<usize>() >= 20);
        for table in &tables {
            assert_eq!(table.table.columns[0].kind, Kind::Uuid, "{}: a sealed row is known by a UUID in its first column", table.table.name);
            let name = table.table.name;
            let keys = if domain.db.is_postgres() {
                format!(
                    "SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) \
                     WHERE i.indrelid = '\"{name}\"'::regclass AND i.indisprimary"
                )
            } else {
                format!("SELECT name FROM pragma_table_info('{name}') WHERE pk > 0")
            };
            let keys: Vec<String> = domain.db.as_system("test").raw(&keys).await.expect("read").iter().map(|r| r.try_get_by_index(0).expect("a name")).collect();
            assert_eq!(keys, [table.key], "{name}: its first column alone is the primary key");
        }
        let header = hex(&domain.keys.current_header().expect("a key"));
        let literal = if domain.db.is_postgres() { format!("'\\x{header}'::bytea") } else { format!("x'{header}'") };
        let under = |table: &str, column: &str| format!("SELECT COUNT(*) FROM \"{table}\" WHERE substr(\"{column}\", 1, 5) = {literal}");
        let mut seen = 0;
        for table in entity::tables::TABLES {
            for column in table.columns {
                match column.kind {
                    Kind::Bytes => {
                        let hidden = number(&domain, &under(table.name, column.name)).await;
                        assert_eq!(hidden, 0, "{}.{} holds sealed values, but is no sealed column", table.name, column.name);
                    }
                    Kind::Sealed | Kind::SealedCode => seen += number(&domain, &under(table.name, column.name)).await,
                    _ => {}
                }
            }
        }
        assert!(seen > 50, "the search above finds sealed values where they are");
    }
}

#[tokio::test]
async fn a_new_key_takes_over_and_the_old_one_is_emptied() {
    const WHOLE: &str = "SELECT CAST(SUM(version) AS BIGINT) FROM child";
    for domain in each().await {
        crate::demo::prepare(&domain).await.expect("prepared");
        let versions = number(&domain, WHOLE).await;
        let changed = number(&domain, "SELECT COUNT(DISTINCT changed_at) FROM child").await;
        let logged = number(&domain, "SELECT COUNT(*) FROM change_log").await;
        let other = Keyring::load(&domain.db, Arc::new(file(&domain)), Algorithm::Aes256Gcm, &SystemClock).await.expect("loaded");
        let before = domain.sealing_status().await.expect("told");
        assert_eq!((before.len(), before[0].state.as_str()), (1, CURRENT));
        assert!(before[0].values > 50);

        let new = domain.rotate_sealing(Algorithm::Sm4Gcm, Duration::ZERO).await.expect("rotated");
        let place = Place { table: "person", column: "name", row: domain.clock.id() };
        let sealed = domain.keys.seal(place, "新钥", domain.clock.as_ref()).expect("sealed");
        assert_eq!((sealed.0[0], u32::from(sealed.0[4])), (2, new), "SM4 under the new key");
        // Another server meets the value before it has looked.
        assert!(matches!(other.open(place, &sealed.0), Err(Error::Unavailable(_))));
        other.refresh(&domain.db).await.expect("looked");
        assert_eq!((other.open(place, &sealed.0).expect("opens").as_str(), other.current()), ("新钥", new));
        sound(&domain).await;

        let seen = std::sync::Mutex::new(Vec::new());
        let report = domain.reseal(Duration::ZERO, &|done, total| seen.lock().expect("a lock").push((done, total))).await.expect("resealed");
        assert_eq!(report.retired, [before[0].id]);
        assert!(report.broken.is_empty());
        let seen = seen.into_inner().expect("a lock");
        assert_eq!(seen.last(), Some(&(report.resealed_rows, report.resealed_rows)), "{seen:?}");
        let after = domain.sealing_status().await.expect("told");
        assert_eq!((after[0].state.as_str(), after[0].values), (RETIRED, 0));
        assert_eq!((after[1].state.as_str(), after[1].values), (CURRENT, before[0].values));
        sound(&domain).await;
        assert_eq!(number(&domain, WHOLE).await, versions, "no row has a new version");
        assert_eq!(number(&domain, "SELECT COUNT(DISTINCT changed_at) FROM child").await, changed);
        assert_eq!(number(&domain, "SELECT COUNT(*) FROM change_log").await, logged);
        assert_eq!(domain.reseal(Duration::ZERO, &|_, _| {}).await.expect("again"), RotationReport::default(), "nothing is left to do");
        let records = "SELECT COUNT(*) FROM audit_record WHERE action LIKE 'rotateSealing%' OR action LIKE 'retireSealing%'";
        assert_eq!(number(&domain, records).await, 2);
    }
}

/// A value that does not open is named, and the key it may need is kept.
#[tokio::test]
async fn a_broken_value_keeps_its_key() {
    let domain = sqlite().await;
    crate::demo::prepare(&domain).await.expect("prepared");
    let tx = domain.db.begin().await.expect("begun");
    tx.run("UPDATE child SET name = name || x'00' WHERE id = (SELECT MIN(id) FROM child)", []).await.expect("broken");
    tx.commit_bare().await.expect("committed");
    domain.rotate_sealing(Algorithm::Aes256Gcm, Duration::ZERO).await.expect("rotated");
    let report = domain.reseal(Duration::ZERO, &|_, _| {}).await.expect("ran");
    assert!(report.broken.len() == 1 && report.broken[0].starts_with("child.name ") && report.retired.is_empty(), "{report:?}");
    let keys = domain.sealing_status().await.expect("told");
    assert_eq!((keys[0].state.as_str(), keys[0].values), (OLD, 1));
}

/// A database of the time when the key file sealed by itself goes on as it is, under the same file.
#[tokio::test]
async fn a_former_key_file_keeps_opening() {
    for domain in each().await {
        let secret = std::fs::read(domain.data.join("keys/sealing.key")).expect("a key file");
        let index = hmac::Key::new(hmac::HMAC_SHA256, &secret[32..]);
        let check = hex(&hmac::sign(&index, b"key check").as_ref()[..8]);
        let tx = domain.db.begin().await.expect("begun");
        tx.run("DELETE FROM data_key", []).await.expect("deleted");
        tx.run(&format!("INSERT INTO meta (name, value) VALUES ('key_check', '{check}')"), []).await.expect("marked");
        tx.commit_bare().await.expect("committed");

        let place = Place { table: "child", column: "name", row: uuid::Uuid::from_u128(7) };
        let mut former = vec![1, 0, 0, 0, 1];
        former.extend_from_slice(&[5; 12]);
        let mut body = "旧名".as_bytes().to_vec();
        let key = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_256_GCM, &secret[..32]).expect("a key"));
        let bound = [b"child|name|".as_slice(), place.row.as_bytes(), &[0, 0, 0, 1]].concat();
        key.seal_in_place_append_tag(aead::Nonce::assume_unique_for_key([5; 12]), aead::Aad::from(bound), &mut body).expect("sealed");
        former.append(&mut body);

        let load = || Keyring::load(&domain.db, Arc::new(file(&domain)), Algorithm::Sm4Gcm, &SystemClock);
        let keys = load().await.expect("loaded");
        assert_eq!(keys.open(place, &former).expect("opens"), "旧名");
        let expected = hmac::sign(&index, "identity|99".as_bytes());
        assert_eq!(keys.fingerprint("99"), expected.as_ref()[..16]);
        let chain = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&index, b"key|audit chain").as_ref());
        assert_eq!(hmac::sign(&keys.chain_key(), b"x").as_ref(), hmac::sign(&chain, b"x").as_ref());
        assert_eq!(load().await.expect("again").open(place, &former).expect("opens"), "旧名");

        // With another file it does not start, and says why.
        let tx = domain.db.begin().await.expect("begun");
        tx.run("DELETE FROM data_key", []).await.expect("deleted");
        tx.commit_bare().await.expect("committed");
        std::fs::write(domain.data.join("keys/sealing.key"), [9; 64]).expect("written");
        assert!(matches!(load().await, Err(KeysError::OtherKey)));
    }
}

#[tokio::test]
async fn a_lost_table_of_keys_is_told_and_never_made_anew() {
    for domain in each().await {
        crate::demo::prepare(&domain).await.expect("prepared");
        let tx = domain.db.begin().await.expect("begun");
        tx.run("DELETE FROM data_key", []).await.expect("deleted");
        tx.commit_bare().await.expect("committed");
        let loaded = Keyring::load(&domain.db, Arc::new(file(&domain)), Algorithm::Aes256Gcm, &SystemClock).await;
        assert!(matches!(loaded, Err(KeysError::Lost)));
        assert_eq!(number(&domain, "SELECT COUNT(*) FROM data_key").await, 0);
    }
}

#[tokio::test]
async fn keys_move_to_another_wrapping_key_all_or_none() {
    for domain in each().await {
        let place = Place { table: "person", column: "name", row: domain.clock.id() };
        let sealed = domain.keys.seal(place, "张", domain.clock.as_ref()).expect("sealed");
        let new = || Arc::new(FileKms::new(domain.data.join("other.key"), Arc::new(SystemClock)));
        assert!(matches!(Keyring::load(&domain.db, new(), Algorithm::Aes256Gcm, &SystemClock).await, Err(KeysError::Kms(KmsError::Missing { .. }))));
        assert_eq!(crate::Domain::rewrap_keys(&domain.db, Arc::new(file(&domain)), new()).await.expect("rewrapped"), 3);
        let keys = Keyring::load(&domain.db, new(), Algorithm::Aes256Gcm, &SystemClock).await.expect("loaded");
        assert_eq!(keys.open(place, &sealed.0).expect("opens"), "张");
        assert_eq!(keys.fingerprint("99"), domain.keys.fingerprint("99"));
        let former = Keyring::load(&domain.db, Arc::new(file(&domain)), Algorithm::Aes256Gcm, &SystemClock).await;
        assert!(matches!(former, Err(KeysError::Kms(KmsError::OtherKey { .. }))));
    }
}

/// Names of files that were kept in the clear are sealed by the next start, and gone from where they lay.
#[tokio::test]
async fn open_names_of_files_are_sealed_at_the_next_start() {
    for domain in each().await {
        crate::demo::prepare(&domain).await.expect("prepared");
        let officer = domain.act_as("county-officer", Default::default()).await.expect("a persona");
        let id = domain.clock.id();
        domain.announce_upload(&officer, "旧名.xlsx", &[0; 32], 1, id).await.expect("announced");
        let literal = if domain.db.is_postgres() { format!("'{id}'") } else { format!("x'{}'", id.simple()) };
        let tx = domain.db.begin().await.expect("begun");
        let empty = if domain.db.is_postgres() { "''::bytea" } else { "x''" };
        tx.run(&format!("UPDATE upload SET file_name = {empty}"), []).await.expect("emptied");
        tx.run(&format!("INSERT INTO open_file_name (id, owner, name) VALUES ({literal}, 'upload', '旧名.xlsx')"), []).await.expect("put");
        tx.commit_bare().await.expect("committed");
        let next = domain.beside().await;
        assert_eq!(number(&domain, "SELECT COUNT(*) FROM open_file_name").await, 0);
        let sealed: Vec<u8> = next.db.as_system("test").raw("SELECT file_name FROM upload").await.expect("read")[0].try_get_by_index(0).expect("bytes");
        assert_eq!(next.keys.open(Place { table: "upload", column: "file_name", row: id }, &sealed).expect("opens"), "旧名.xlsx");
    }
}

/// A number of somebody born on 2015-01-01, with its check character (GB 11643).
fn number_of(n: u32) -> String {
    let digits = format!("99010120150101{n:03}");
    let sum: u32 = digits.chars().zip([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]).map(|(c, w)| c.to_digit(10).expect("a digit") * w).sum();
    format!("{digits}{}", ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'][(sum % 11) as usize])
}

/// Two servers, of which each hears of the new key at another time: everybody is found, nobody is registered twice.
#[tokio::test]
async fn an_index_key_changes_while_everybody_is_found_and_nobody_registered_twice() {
    use crate::command::{Meta, Outcome};
    use crate::read::{PageArgs, Want};
    use crate::registry::{ChildFilter, ChildOrder, RegisterChild};
    for domain in each().await {
        crate::demo::prepare(&domain).await.expect("prepared");
        let late = domain.beside().await;
        let officer = domain.act_as("county-officer", Default::default()).await.expect("a persona");
        let register = async |server: &crate::Domain, n: u32| {
            let input = RegisterChild { name: format!("钥测{n}"), identity_number: Some(number_of(n)), household_division: Some("520324202201".into()), ..RegisterChild::default() };
            match server.register_child(&officer, &input, &Meta::default()).await.expect("answered") {
                Outcome::Done { .. } => true,
                Outcome::Refused(errors) => {
                    assert_eq!(errors[0].code, crate::problems::UserErrorCode::AlreadyOnFile, "{errors:?}");
                    false
                }
            }
        };
        let finds = async |server: &crate::Domain, n: u32| {
            for filter in [
                ChildFilter { identity_number: Some(number_of(n)), ..ChildFilter::default() },
                ChildFilter { name: Some(format!("钥测{n}")), ..ChildFilter::default() },
                ChildFilter { name: Some("yaoce".into()), born_from: chrono::NaiveDate::from_ymd_opt(2015, 1, 1), ..ChildFilter::default() },
            ] {
                let want = Want::of(&entity::tables::child::TABLE).with(&["name"]);
                let page = server.children(&officer, &want, &filter, (ChildOrder::ChangedAt, true), PageArgs::default()).await.expect("listed");
                assert!(!page.rows.is_empty(), "{n} is not found: {filter:?}");
            }
        };
        let former = domain.keys.whole_names("钥测1")[0];
        assert!(register(&domain, 1).await);
        let running = tokio::spawn({
            let domain = domain.domain.clone();
            async move { domain.rotate_index(Duration::from_millis(2500)).await.expect("rotated") }
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        late.keys.refresh(&late.db).await.expect("looked");
        // The other server hears of it when it looks by itself.
        assert_eq!(late.keys.fingerprints("1").len(), 2);
        assert!(!register(&domain, 1).await && !register(&late, 1).await);
        assert!(register(&late, 2).await && !register(&domain, 2).await);
        assert!(register(&domain, 3).await && !register(&late, 3).await);
        let new = running.await.expect("ended");
        assert_eq!(domain.keys.index_current(), new);
        assert!(register(&late, 4).await && !register(&domain, 4).await);
        assert!(register(&domain, 5).await && !register(&late, 5).await);
        for n in 1..=5 {
            finds(&domain, n).await;
            finds(&late, n).await;
        }
        sound(&domain).await;
        assert!(matches!(domain.rotate_index(Duration::ZERO).await, Err(KeysError::Unfinished)));

        late.keys.refresh(&late.db).await.expect("looked");
        let report = domain.reindex(Duration::ZERO, &|done, total| assert!(done <= total)).await.expect("reindexed");
        assert!(report.changed > 10 && report.broken.is_empty() && report.retired.len() == 1, "{report:?}");
        // The other server has not heard that the old key is retired.
        for n in 1..=5 {
            finds(&late, n).await;
            assert!(!register(&late, n).await);
        }
        late.keys.refresh(&late.db).await.expect("looked");
        let next = domain.beside().await;
        for n in 1..=5 {
            for server in [&domain.domain, &late, &next] {
                finds(server, n).await;
                assert!(!register(server, n).await);
            }
        }
        assert_eq!(next.keys.fingerprints("1").len(), 1);
        assert_eq!(number(&domain, &format!("SELECT COUNT(*) FROM name_gram WHERE gram = {former}")).await, 0, "nothing is left under the old key");
        let twice = "SELECT COUNT(*) FROM (SELECT subject_id FROM identity_registry GROUP BY subject, subject_id HAVING COUNT(*) > 1) AS t";
        assert_eq!(number(&domain, twice).await, 0);
        sound(&domain).await;
        // Secrets that were given out before stay good: their tags do not change.
        assert_eq!(next.keys.fingerprint_of("refresh", "x"), domain.keys.fingerprint_of("refresh", "x"));
        let again = domain.reindex(Duration::ZERO, &|_, _| {}).await.expect("nothing to do");
        assert_eq!(again, ReindexReport::default());
        domain.rotate_index(Duration::ZERO).await.expect("once more");
        assert!(domain.reindex(Duration::ZERO, &|_, _| {}).await.expect("reindexed").changed > 10);
        finds(&domain, 1).await;
        sound(&domain).await;
    }
}
