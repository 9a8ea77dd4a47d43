//! What PostgreSQL is told of the one who reads, for its own look at every row. Made from the same grants as the scope, by
//! another road: a mistake in the one is caught by the other.

use super::lens::{Lens, View};
use super::policy::Basis;
use entity::CodedEnum;
use migration::rls::{ACCEPTING, RESIDENCE, RULES};
use std::borrow::Cow;
use std::fmt::{Display, Write};
use std::sync::{Arc, LazyLock};
use uuid::Uuid;

/// The text of `cw.scope`; `migration::rls` says what its parts are.
#[derive(Clone, Debug)]
pub(crate) struct Wall {
    /// The first part: the tables that are open to one statement.
    open: Cow<'static, str>,
    /// All other parts, with the bar before them; None for nobody.
    rest: Option<Arc<str>>,
}

#[derive(Clone, Debug, Default)]
struct Parts {
    household: Option<(i64, i64)>,
    divisions: Vec<(i64, i64)>,
    ids: Vec<Uuid>,
    categories: String,
    accounts: Vec<(i64, i64)>,
    own_account: Option<Uuid>,
    imports: Vec<(i64, i64)>,
    own_imports: Option<Uuid>,
    asks: Option<Uuid>,
    audit: bool,
    alerts: Vec<(i64, i64)>,
    accesses: Vec<(i64, i64)>,
    statistics: Vec<(i64, i64)>,
}

fn list<T>(items: &[T], open: char, close: char, mut one: impl FnMut(&mut String, &T)) -> String {
    if items.is_empty() {
        return String::new();
    }
    let mut out = String::from(open);
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        one(&mut out, item);
    }
    out.push(close);
    out
}

fn multirange(ranges: &[(i64, i64)]) -> String {
    list(ranges, '{', '}', |out, (low, high)| {
        // PostgreSQL writes the end as the first beyond it.
        let _ = write!(out, "[{low},{}]", (*high).min(i64::MAX - 1));
    })
}

fn uuids(ids: &[Uuid]) -> String {
    list(ids, '{', '}', |out, id| {
        let _ = write!(out, "{id}");
    })
}

fn some(value: Option<impl Display>) -> String {
    value.map(|v| v.to_string()).unwrap_or_default()
}

impl Parts {
    /// From the bar after the first part on.
    fn text(&self) -> Arc<str> {
        format!(
            "|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}",
            some(self.household.map(|h| h.0)),
            some(self.household.map(|h| h.1)),
            multirange(&self.divisions),
            uuids(&self.ids),
            self.categories,
            multirange(&self.accounts),
            some(self.own_account),
            multirange(&self.imports),
            some(self.own_imports),
            some(self.asks),
            if self.audit { "a" } else { "" },
            multirange(&self.alerts),
            multirange(&self.accesses),
            multirange(&self.statistics),
        )
        .into()
    }

    fn divisions_of(view: &View) -> Vec<(i64, i64)> {
        let mut divisions = Vec::new();
        for basis in &view.rows {
            let shift = match basis {
                Basis::Household => 0,
                Basis::Residence => RESIDENCE,
                Basis::Accepting => ACCEPTING,
                _ => continue,
            };
            // No code has more than twelve digits: what lies beyond would meet the next kind of division.
            let within = |code: &i64| code.clamp(&0, &999_999_999_999) + shift;
            divisions.extend(view.ranges.iter().map(|(low, high)| (within(low), within(high))));
        }
        divisions
    }

    fn ids_of(view: &View) -> Vec<Uuid> {
        let mut ids = Vec::new();
        for basis in &view.rows {
            match basis {
                Basis::Organisation => ids.extend(view.organisation),
                Basis::Caseload => ids.push(view.account),
                Basis::Household | Basis::Residence | Basis::Accepting => {}
                Basis::Named => ids.extend(view.child.map(|named| named.child)),
                Basis::Accounts | Basis::OwnAccount | Basis::Imports | Basis::OwnImports | Basis::Audit | Basis::OwnAudit | Basis::Alerts => {}
                Basis::Accesses | Basis::OwnAccesses => {}
            }
        }
        ids
    }

    fn add(&mut self, view: &View, categories: &mut Vec<serde_json::Value>) {
        let (mut divisions, ids) = (Parts::divisions_of(view), Parts::ids_of(view));
        match view.category {
            Some(_) if divisions.is_empty() && ids.is_empty() => {}
            Some(category) => categories.push(serde_json::json!({ "c": category.name(), "m": if divisions.is_empty() { "{}".to_owned() } else { multirange(&divisions) }, "i": ids })),
            None => {
                if self.household.is_none() && view.rows.contains(&Basis::Household) && !view.ranges.is_empty() {
                    self.household = Some(divisions.remove(0));
                }
                self.divisions.extend(divisions);
                self.ids.extend(ids);
            }
        }
        for basis in &view.rows {
            match basis {
                Basis::Accounts => self.accounts.extend(&view.ranges),
                Basis::OwnAccount => self.own_account = Some(view.account),
                Basis::Imports => self.imports.extend(&view.ranges),
                Basis::OwnImports => self.own_imports = Some(view.account),
                Basis::Audit => self.audit = true,
                Basis::Alerts => self.alerts.extend(&view.ranges),
                Basis::Accesses => self.accesses.extend(&view.ranges),
                _ => {}
            }
        }
        self.asks = Some(view.account);
    }
}

/// All there is: every table open, and every file, those without a household too.
static SYSTEM: LazyLock<(String, Arc<str>)> =
    LazyLock::new(|| (open_text(RULES.iter().map(|(table, _)| *table)), format!("|{}|{}|{{(,)}}|||||||||||", i64::MIN, i64::MAX).into()));

fn open_text<'t>(tables: impl IntoIterator<Item = &'t str>) -> String {
    tables.into_iter().fold("+".to_owned(), |text, table| text + table + "+")
}

impl Wall {
    /// Of nobody: open tables alone.
    pub fn nobody() -> Wall {
        Wall { open: Cow::Borrowed(""), rest: None }
    }

    fn told(parts: &Parts) -> Wall {
        Wall { open: Cow::Borrowed(""), rest: Some(parts.text()) }
    }

    /// The system's own work. `_why` stands in the code for whoever reads it: each use passes the second wall.
    pub fn system(_why: &'static str) -> Wall {
        Wall { open: Cow::Borrowed(&SYSTEM.0), rest: Some(SYSTEM.1.clone()) }
    }

    pub fn of(lens: &Lens) -> Wall {
        lens.wall.get_or_init(|| Wall::made(lens)).clone()
    }

    fn made(lens: &Lens) -> Wall {
        let mut parts = Parts::default();
        let mut categories = Vec::new();
        for view in &lens.views {
            parts.add(view, &mut categories);
        }
        if !categories.is_empty() {
            parts.categories = serde_json::Value::Array(categories).to_string();
        }
        Wall::told(&parts)
    }

    /// The counts of divisions whose statistics a viewer may read, and no file.
    pub fn statistics(lens: &Lens) -> Wall {
        let statistics = lens.statistics.iter().map(|(range, _)| *range).collect();
        Wall::told(&Parts { statistics, ..Parts::default() })
    }

    /// For one statement that reaches every row of these tables by the key of a row that passes the wall itself, there or
    /// earlier in the request. What is opened is not looked at again; tables whose rows have a policy of their own stay shut.
    pub fn opening(mut self, tables: &[&str]) -> Wall {
        let open = tables.iter().copied().filter(|table| migration::rls::rule(table).is_some_and(migration::rls::Rule::may_be_opened));
        if self.open.is_empty() {
            self.open = Cow::Owned(open_text(open));
        }
        self
    }

    pub fn text(&self) -> Option<String> {
        self.rest.as_ref().map(|rest| format!("{}{rest}", self.open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use migration::rls::Rule;
    use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};

    /// A connection of the application's own role, past everything the application does.
    async fn bare(world: &testing::TestDomain) -> DatabaseConnection {
        let mut options = sea_orm::ConnectOptions::new(&world.url);
        options.max_connections(1).sqlx_logging(false);
        Database::connect(options).await.expect("connects")
    }

    async fn number(db: &DatabaseConnection, sql: &str) -> i64 {
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.expect(sql).expect("a row");
        row.try_get_by_index(0).expect("a number")
    }

    #[test]
    fn every_table_has_its_rule_and_every_rule_its_table() {
        let tables: Vec<&str> = entity::tables::TABLES.iter().map(|t| t.name).collect();
        let ruled: Vec<&str> = RULES.iter().map(|(name, _)| *name).collect();
        let without: Vec<_> = tables.iter().filter(|t| !ruled.contains(t)).collect();
        assert!(without.is_empty(), "say in migration::rls::RULES who reads {without:?}");
        let gone: Vec<_> = ruled.iter().filter(|t| !tables.contains(t)).collect();
        assert!(gone.is_empty(), "{gone:?} are no tables");
        for table in entity::tables::TABLES {
            let rule = migration::rls::rule(table.name).expect("just found");
            let fits = match table.family {
                entity::Family::Child => rule == Rule::Child,
                entity::Family::OfChild => rule == Rule::OfChild,
                entity::Family::Person => rule == Rule::Person,
                _ => true,
            };
            assert!(fits, "{} is {:?} and {rule:?}", table.name, table.family);
            if let Rule::Open(why) = rule {
                assert!(why.len() > 10, "{} needs a reason", table.name);
            }
        }
    }

    #[tokio::test]
    async fn without_a_scope_the_application_s_role_sees_no_row() {
        let Some(world) = testing::postgres().await else { return };
        crate::demo::prepare(&world).await.expect("prepared");
        let owner = Database::connect(world.owner_url.as_deref().expect("an owner")).await.expect("connects");
        let db = bare(&world).await;
        let standing = world.db.standing().await.expect("known");
        assert_eq!((standing.weakness, standing.bare), (None, Vec::new()));
        let system = Wall::system("test").text().expect("a scope");
        let mut with_rows = 0;
        for (table, rule) in RULES {
            let count = format!("SELECT COUNT(*) FROM \"{table}\"");
            let all = number(&owner, &count).await;
            if matches!(rule, Rule::Open(_)) {
                assert_eq!(number(&db, &count).await, all, "{table}");
                continue;
            }
            with_rows += i32::from(all > 0);
            assert_eq!(number(&db, &count).await, 0, "{table} without a scope");
            let scoped = format!("SELECT COUNT(*) FROM \"{table}\" WHERE (SELECT set_config('cw.scope', '{system}', true)) IS NOT NULL");
            assert_eq!(number(&db, &scoped).await, all, "{table} by the system");
            assert_eq!(number(&db, &count).await, 0, "{table} with the scope of the statement before");
            for other in ["", "|||||||||||||||", "nonsense"] {
                let scoped = format!("SELECT COUNT(*) FROM \"{table}\" WHERE (SELECT set_config('cw.scope', '{other}', true)) IS NOT NULL");
                // A keyed index is open to any scope.
                if *rule != Rule::Keyed {
                    let seen = db.query_one_raw(Statement::from_string(db.get_database_backend(), scoped)).await;
                    assert_eq!(seen.map_or(0, |row| row.and_then(|r| r.try_get_by_index::<i64>(0).ok()).unwrap_or(0)), 0, "{table} with {other:?}");
                }
            }
        }
        assert!(with_rows >= 15, "{with_rows} tables hold rows: too few to prove anything");
        for sql in ["ALTER TABLE child DISABLE ROW LEVEL SECURITY", "DROP POLICY cw_rows ON child", "SET ROLE postgres", "CREATE TABLE mine (a int)"] {
            assert!(db.execute_unprepared(sql).await.is_err(), "{sql}");
        }
    }

    #[tokio::test]
    async fn nothing_of_a_scope_is_left_on_a_connection() {
        let Some(world) = testing::postgres().await else { return };
        crate::demo::prepare(&world).await.expect("prepared");
        let db = bare(&world).await;
        let count = "SELECT COUNT(*) FROM child";
        let system = Wall::system("test").text().expect("a scope");
        let scoped = |rest: &str| format!("SELECT COUNT(*){rest} FROM child WHERE (SELECT set_config('cw.scope', '{system}', true)) IS NOT NULL");
        assert!(number(&db, &scoped("")).await > 0);
        assert_eq!(number(&db, count).await, 0, "after a statement");
        assert!(db.query_one_raw(Statement::from_string(db.get_database_backend(), scoped(", COUNT(*) / 0"))).await.is_err());
        assert_eq!(number(&db, count).await, 0, "after a statement that failed");
        // The only connection of the pool is given up in the middle of its work, as by a request that is cancelled.
        let slow = scoped(", pg_sleep(3)");
        let cancelled = tokio::time::timeout(std::time::Duration::from_millis(100), db.query_one_raw(Statement::from_string(db.get_database_backend(), slow))).await;
        assert!(cancelled.is_err(), "it was to be cancelled");
        assert_eq!(number(&db, count).await, 0, "after a statement that was cancelled");
        let panicked = tokio::spawn({
            let db = db.clone();
            let sql = scoped("");
            async move {
                use sea_orm::TransactionTrait;
                let tx = db.begin().await.expect("begun");
                let rows = tx.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.expect("read");
                panic!("in a transaction with a scope: {}", rows.is_some());
            }
        });
        assert!(panicked.await.is_err());
        assert_eq!(number(&db, count).await, 0, "after a panic");
    }

    #[test]
    fn a_viewer_s_statement_opens_only_what_hangs_on_other_rows() {
        let wall = || Wall::told(&Parts { household: Some((1, 2)), ..Parts::default() });
        let text = wall().opening(&["visit", "child", "session", "audit_record", "name_gram", "person"]).text();
        assert_eq!(text.as_deref(), Some("+visit+person+|1|2||||||||||||"));
        assert_eq!(wall().text().as_deref(), Some("|1|2||||||||||||"));
        assert_eq!(Wall::nobody().opening(&["visit"]).text(), None);
    }

    #[tokio::test]
    async fn nested_rows_come_with_the_children_in_reach_and_no_others() {
        let Some(world) = testing::postgres().await else { return };
        crate::demo::prepare(&world).await.expect("prepared");
        let owner = Database::connect(world.owner_url.as_deref().expect("an owner")).await.expect("connects");
        let db = bare(&world).await;
        let low = number(&owner, "SELECT household_division / 1000000 * 1000000 FROM child WHERE household_division IS NOT NULL ORDER BY id LIMIT 1").await;
        let high = low + 999_999;
        let wall = || Wall::told(&Parts { household: Some((low, high)), ..Parts::default() });
        let here = format!("c.household_division BETWEEN {low} AND {high}");
        let set = |wall: Wall| format!("(SELECT set_config('cw.scope', '{}', true)) IS NOT NULL", wall.text().expect("a scope"));
        // Each table by itself is led back to its children.
        for (table, road) in [
            ("guardianship", "SELECT COUNT(*) FROM guardianship t JOIN child c ON c.id = t.child_id WHERE"),
            ("visit", "SELECT COUNT(*) FROM visit t JOIN child c ON c.id = t.child_id WHERE"),
            ("person", "SELECT COUNT(DISTINCT g.person_id) FROM (SELECT child_id, person_id FROM guardianship UNION SELECT child_id, person_id FROM relation) g JOIN child c ON c.id = g.child_id WHERE"),
        ] {
            let (some, all) = (number(&owner, &format!("{road} {here}")).await, number(&owner, &format!("SELECT COUNT(*) FROM {table}")).await);
            assert!(0 < some && some < all, "{table}: {some} of {all} prove nothing");
            assert_eq!(number(&db, &format!("SELECT COUNT(*) FROM {table} WHERE {}", set(wall()))).await, some, "{table}");
        }
        // One statement with everything beneath the child, and no condition of its own on children.
        let nested = "SELECT COALESCE(SUM(CARDINALITY(ARRAY(SELECT ROW(g.id, (SELECT p.id FROM person p WHERE p.id = g.person_id)) FROM guardianship g \
            WHERE g.child_id = t.id AND EXISTS (SELECT 1 FROM person p WHERE p.id = g.person_id)))), 0)::bigint FROM child t WHERE ";
        let expected = number(&owner, &format!("{nested} {}", here.replace("c.", "t."))).await;
        assert!(expected > 0);
        let opened = wall().opening(&["guardianship", "person"]);
        for wall in [wall(), opened.clone()] {
            assert_eq!(number(&db, &format!("{nested} {}", set(wall.clone()))).await, expected, "{wall:?}");
        }
        assert_eq!(number(&db, &format!("{nested} true")).await, 0, "nothing stays open");
        // One child by its id: told where the number of rows is worked out.
        let (inside, outside) = ("SELECT id FROM child c WHERE", "SELECT id FROM child c WHERE NOT COALESCE");
        for (one, seen) in [(format!("{inside} {here} ORDER BY id LIMIT 1"), true), (format!("{outside}({here}, false) ORDER BY id LIMIT 1"), false)] {
            let id: Uuid = owner.query_one_raw(Statement::from_string(owner.get_database_backend(), one)).await.expect("read").expect("a child").try_get_by_index(0).expect("an id");
            let text = opened.text().expect("a scope");
            let sql = format!("SELECT t.version FROM child t WHERE t.id = '{id}' LIMIT CASE WHEN set_config('cw.scope', '{text}', true) IS NULL THEN 0 ELSE 1 END");
            let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.expect("read");
            assert_eq!(row.is_some(), seen, "{id}");
        }
    }
}
