//! The second wall, on PostgreSQL: row-level security on every table that holds what not everybody may see. The database
//! itself leaves out the rows that the scope of the statement does not reach; without a scope there are none.
//!
//! A statement tells its scope in the setting `cw.scope`, for itself or its transaction alone. Its parts stand between bars:
//!
//! | part | what |
//! |---|---|
//! | 1 | tables that are open to this statement: `+guardianship+person+`. See [`Rule::may_be_opened`] |
//! | 2, 3 | lowest and highest household division |
//! | 4 | further divisions as an `int8multirange`: household as they are, residence at [`RESIDENCE`], accepting at [`ACCEPTING`] |
//! | 5 | `uuid[]`: organisations, case workers and children reached by name |
//! | 6 | the roads that are good for one category only, as JSON |
//! | 7, 8 | divisions whose accounts are reached (`int8multirange`); the account whose own row is |
//! | 9, 10 | the same for imports |
//! | 11 | the account that asks |
//! | 12 | `a`: the audit trail |
//! | 13 | divisions whose alerts are reached (`int8multirange`) |
//! | 14 | the same for accesses to single children |
//! | 15 | divisions whose statistics are open (`int8multirange`) |
//!
//! What a policy looks at for every statement is worked out once in it (`SELECT` in brackets), and there is as little of it as
//! can be: each costs two microseconds before the first row. The rarer roads lie in functions, which cost nothing until called.

use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use std::fmt::Write;

/// What is added to a residence division in part 3, and to an accepting one.
pub const RESIDENCE: i64 = 10_000_000_000_000;
pub const ACCEPTING: i64 = 20_000_000_000_000;

/// Which rows of a table a scope reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// All of them, with or without a scope: why that is no disclosure.
    Open(&'static str),
    /// The files in reach.
    Child,
    /// Rows of files in reach, by `child_id`.
    OfChild,
    /// Persons of files in reach.
    Person,
    Account,
    /// Rows of accounts in reach, by `account_id`.
    OfAccount,
    Import,
    /// Rows of imports in reach, by `batch_id`.
    OfImport,
    /// The audit trail, and what the one who asks has done.
    Audit,
    /// The index of the trail by child: where the record is reached.
    Trail,
    /// Alerts of divisions in reach, never one about the one who asks.
    Alert,
    /// Accesses to single children: those of the account that asks, and those for divisions in reach.
    Access,
    /// Counts of divisions whose statistics are open.
    Counts,
    /// Rows under the account that asks, by `account_id`.
    Own,
    /// All of them to any scope: keyed indexes, which tell nothing without the key and the row they lead to.
    Keyed,
    /// None but to the system's own work.
    System,
}

use Rule::{Access, Account, Alert, Audit, Child, Counts, Import, Keyed, OfAccount, OfChild, OfImport, Open, Own, Person, System, Trail};

/// Every table. One that is missing here fails a test, and so does one that is no table.
pub const RULES: &[(&str, Rule)] = &[
    ("division", Open("reference data")),
    ("division_change", Open("reference data")),
    ("organisation", Open("reference data")),
    ("programme", Open("reference data")),
    ("programme_rate", Open("reference data")),
    ("account", Account),
    ("access_grant", OfAccount),
    ("child", Child),
    ("classification", OfChild),
    ("person", Person),
    ("relation", OfChild),
    ("guardianship", OfChild),
    ("fact", OfChild),
    ("benefit", OfChild),
    ("intervention", OfChild),
    ("visit", OfChild),
    ("attachment", OfChild),
    ("upload", Own),
    ("import_batch", Import),
    ("import_row", OfImport),
    ("child_count", Counts),
    ("child_count_delta", Counts),
    ("identity_registry", Keyed),
    ("name_gram", Keyed),
    ("audit_record", Audit),
    ("alert", Alert),
    ("audit_child", Trail),
    ("audit_writer", System),
    ("audit_block", System),
    ("audit_checkpoint", System),
    ("audit_anchor", System),
    ("watch_area", System),
    ("open_file_name", System),
    ("hand_over", System),
    ("child_access", Access),
    ("identity_lookup", Access),
    ("sealed_record", OfChild),
    ("client", OfAccount),
    ("client_document", System),
    ("unlisted_document", System),
    ("used_proof", Open("fingerprints of proofs that were used; read before anybody is signed in")),
    ("change_log", System),
    ("outbox", System),
    ("idempotency", Own),
    ("rate_window", Open("counts under keyed fingerprints; read before anybody is signed in")),
    ("credential", System),
    ("recovery_code", System),
    ("ticket", System),
    ("session", System),
    ("data_key", System),
    ("refresh_token", System),
    ("account_identity", System),
    ("account_event", System),
    ("meta", Open("what this database is; no row of anybody's")),
];

pub fn rule(table: &str) -> Option<Rule> {
    RULES.iter().find(|(name, _)| *name == table).map(|(_, rule)| *rule)
}

fn part(n: u8) -> String {
    format!("split_part(current_setting('cw.scope', true), '|', {n})")
}

/// A part as a value that is worked out once a statement: null where it is empty or there is no scope.
fn once(n: u8, kind: &str) -> String {
    format!("(SELECT nullif({}, '')::{kind})", part(n))
}

/// Whether the scope opens a table. No other part has a plus sign in it.
fn opened(table: &str) -> String {
    format!("(SELECT current_setting('cw.scope', true) LIKE '%+{}+%')", table.replace('_', "\\_"))
}

impl Rule {
    /// Whether a viewer's statement may open the table: when each of its rows is reached there by the key of a row that passed
    /// a policy of its own in the same request. To lead it back once more would cost more than the row. The system opens all.
    pub fn may_be_opened(self) -> bool {
        matches!(self, OfChild | Person | Account | OfAccount | OfImport)
    }

    /// The condition on a row, or None where there is none. The CASE keeps the planner from taking it for a rare one: its
    /// guess of a page's length would be far off, and with it the choice of an index.
    fn condition(self, table: &str) -> Option<String> {
        let open = opened(table);
        let audit = format!("(SELECT {} = 'a')", part(12));
        let roads = match self {
            Open(_) => return None,
            Child => format!(
                "household_division BETWEEN {} AND {} OR cw_beyond(main_category, household_division, residence_division, accepting_division, \
                 ARRAY[school_id, institution_id, director_id, id])",
                once(2, "bigint"),
                once(3, "bigint"),
            ),
            OfChild => format!("{open} OR cw_of_child(child_id)"),
            Person => format!("{open} OR cw_person(id)"),
            Account => format!("{open} OR id = {} OR division <@ {}", once(8, "uuid"), once(7, "int8multirange")),
            OfAccount => format!("{open} OR EXISTS (SELECT 1 FROM account a WHERE a.id = {table}.account_id)"),
            Import => format!("{open} OR account_id = {} OR division <@ {}", once(10, "uuid"), once(9, "int8multirange")),
            OfImport => format!("{open} OR EXISTS (SELECT 1 FROM import_batch b WHERE b.id = {table}.batch_id)"),
            Audit => format!("{open} OR {audit} OR account_id = {}", once(11, "uuid")),
            Trail => format!("{open} OR {audit} OR EXISTS (SELECT 1 FROM audit_record r WHERE r.id = {table}.audit_id)"),
            Alert => format!(
                "{open} OR ((division <@ {} OR {audit}) AND subject_id IS DISTINCT FROM {})",
                once(13, "int8multirange"),
                once(11, "uuid")
            ),
            Access => format!("{open} OR account_id = {} OR division <@ {}", once(11, "uuid"), once(14, "int8multirange")),
            Counts => format!("{open} OR division <@ {}", once(15, "int8multirange")),
            Own => format!("{open} OR account_id = {}", once(11, "uuid")),
            Keyed => "(SELECT current_setting('cw.scope', true) <> '')".to_owned(),
            System => open,
        };
        Some(format!("CASE WHEN {roads} THEN true ELSE false END"))
    }
}

/// For rows that no single range of household divisions reaches; for rows of tables that the statement does not open.
const FUNCTIONS: &str = "\
CREATE OR REPLACE FUNCTION cw_beyond(category text, household bigint, residence bigint, accepting bigint, ids uuid[]) \
RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE COST 2 AS $body$
DECLARE
  places bigint[] := ARRAY[household, residence + 10000000000000, accepting + 20000000000000];
BEGIN
  IF nullif(split_part(current_setting('cw.scope', true), '|', 4), '')::int8multirange @> ANY(places)
    OR ids && nullif(split_part(current_setting('cw.scope', true), '|', 5), '')::uuid[] THEN
    RETURN true;
  END IF;
  IF category IS NULL OR coalesce(split_part(current_setting('cw.scope', true), '|', 6), '') = '' THEN
    RETURN false;
  END IF;
  RETURN EXISTS (
    SELECT 1 FROM jsonb_to_recordset(split_part(current_setting('cw.scope', true), '|', 6)::jsonb) AS road(c text, m int8multirange, i uuid[])
    WHERE road.c = category AND (road.m @> ANY(places) OR road.i && ids));
END $body$;
CREATE OR REPLACE FUNCTION cw_of_child(child_id uuid) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10 AS $body$
BEGIN
  RETURN EXISTS (SELECT 1 FROM child c WHERE c.id = $1);
END $body$;
CREATE OR REPLACE FUNCTION cw_person(person_id uuid) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE COST 20 AS $body$
BEGIN
  RETURN EXISTS (SELECT 1 FROM relation r JOIN child c ON c.id = r.child_id WHERE r.person_id = $1)
    OR EXISTS (SELECT 1 FROM guardianship g JOIN child c ON c.id = g.child_id WHERE g.person_id = $1);
END $body$";

/// Everything there is to install, in order. Done again it changes nothing.
fn statements() -> String {
    let mut sql = format!("{FUNCTIONS};\n");
    for (table, rule) in RULES {
        let _ = match rule.condition(table) {
            None => writeln!(sql, "DROP POLICY IF EXISTS cw_rows ON \"{table}\"; DROP POLICY IF EXISTS cw_insert ON \"{table}\"; \
                ALTER TABLE \"{table}\" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;"),
            // What may be written was decided before; the wall is there for what may be seen.
            Some(condition) => writeln!(sql, "DROP POLICY IF EXISTS cw_rows ON \"{table}\"; DROP POLICY IF EXISTS cw_insert ON \"{table}\"; \
                CREATE POLICY cw_rows ON \"{table}\" USING ({condition}); CREATE POLICY cw_insert ON \"{table}\" FOR INSERT WITH CHECK (true); \
                ALTER TABLE \"{table}\" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"),
        };
    }
    sql
}

/// The mark under which what was installed is remembered.
const MARK: &str = "row_security";

/// Told apart by length and a sum over the text: it says what was shipped, it proves nothing.
fn digest(sql: &str) -> String {
    let sum = sql.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{}-{sum:016x}", sql.len())
}

/// Puts the policies in place, unless they are; gives the role of the application what it needs and no more. On SQLite there is nothing to do.
pub async fn install(db: &(impl ConnectionTrait + sea_orm_migration::sea_orm::TransactionTrait), application: Option<&str>) -> Result<(), DbErr> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let sql = statements();
    let shipped = digest(&sql);
    let found = db.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, "SELECT value FROM meta WHERE name = $1", [MARK.into()])).await?;
    let found: Option<String> = found.map(|row| row.try_get_by_index(0)).transpose()?;
    if found.as_deref() != Some(shipped.as_str()) || !missing(db).await?.is_empty() {
        let mark = format!("INSERT INTO meta (name, value) VALUES ('{MARK}', '{shipped}') ON CONFLICT (name) DO UPDATE SET value = excluded.value");
        // One message of several statements is one transaction.
        db.execute_unprepared(&format!("{sql}{mark}")).await?;
    }
    if let Some(role) = application {
        let role = role.replace('"', "\"\"");
        db.execute_unprepared(&format!(
            "DO $do$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO \"{role}\"', current_schema()); \
             EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO \"{role}\"', current_schema()); \
             EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO \"{role}\"', current_schema()); \
             REVOKE INSERT, UPDATE, DELETE ON seaql_migrations FROM \"{role}\"; END $do$"
        ))
        .await?;
    }
    Ok(())
}

/// Tables whose rows are not behind the wall though they should be.
pub async fn missing(db: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let sql = "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') \
        AND NOT (c.relrowsecurity AND c.relforcerowsecurity \
        AND (SELECT array_agg(polname::text ORDER BY polname) FROM pg_policy p WHERE p.polrelid = c.oid) = ARRAY['cw_insert', 'cw_rows']) ORDER BY 1";
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    let mut bare = Vec::new();
    for row in rows {
        let table: String = row.try_get_by_index(0)?;
        if rule(&table).is_some_and(|rule| !matches!(rule, Open(_))) {
            bare.push(table);
        }
    }
    Ok(bare)
}

/// Why the role that is connected could pass the wall, or None.
pub async fn weakness(db: &impl ConnectionTrait) -> Result<Option<&'static str>, DbErr> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(None);
    }
    let sql = "SELECT r.rolsuper, r.rolbypassrls, EXISTS (SELECT 1 FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace \
        AND c.relkind IN ('r', 'p') AND pg_has_role(c.relowner, 'MEMBER')), EXISTS (SELECT 1 FROM pg_roles o WHERE (o.rolsuper OR o.rolbypassrls) \
        AND pg_has_role(o.oid, 'MEMBER')) FROM pg_roles r WHERE r.rolname = current_user";
    let Some(row) = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await? else { return Ok(Some("it is not known")) };
    Ok(match (row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?, row.try_get_by_index(3)?) {
        (true, ..) => Some("it is a superuser"),
        (_, true, ..) => Some("it has BYPASSRLS"),
        (_, _, true, _) => Some("it owns the tables, or is a member of the role that does"),
        // It would only have to say SET ROLE.
        (.., true) => Some("it is a member of a role that is a superuser or has BYPASSRLS"),
        _ => None,
    })
}
