use crate::columns::*;
use sea_orm_migration::prelude::*;
#[allow(clippy::wildcard_imports)]
use sea_orm_migration::schema::*;
use sea_orm_migration::sea_orm::DbBackend;

/// Counts of open files that the database keeps itself: triggers append what a statement changes, and nobody waits for a
/// counter. Files that are there are appended, too. A later migration that makes `child` anew has to make its triggers anew.
#[derive(DeriveMigrationName)]
pub struct Migration;

const PRESENT: &str = "INSERT INTO child_count_delta (division, category, risk_level, n) \
    SELECT household_division, coalesce(main_category, ''), risk_level, COUNT(*) FROM child \
    WHERE household_division IS NOT NULL AND state IN ('ACTIVE', 'REOPENED', 'TRANSFERRING') \
    GROUP BY household_division, coalesce(main_category, ''), risk_level";

/// Nothing runs for an update that sets none of the four columns. One that does is for one file at a time; many come and go at once.
const POSTGRES: &str = "
CREATE FUNCTION cw_count_added() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  INSERT INTO child_count_delta (division, category, risk_level, n)
  SELECT household_division, coalesce(main_category, ''), risk_level, COUNT(*) FROM changed
  WHERE household_division IS NOT NULL AND state IN ('ACTIVE', 'REOPENED', 'TRANSFERRING') GROUP BY 1, 2, 3;
  RETURN NULL;
END $body$;
CREATE FUNCTION cw_count_removed() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  INSERT INTO child_count_delta (division, category, risk_level, n)
  SELECT household_division, coalesce(main_category, ''), risk_level, -COUNT(*) FROM changed
  WHERE household_division IS NOT NULL AND state IN ('ACTIVE', 'REOPENED', 'TRANSFERRING') GROUP BY 1, 2, 3;
  RETURN NULL;
END $body$;
CREATE FUNCTION cw_count_changed() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  INSERT INTO child_count_delta (division, category, risk_level, n)
  SELECT household_division, coalesce(main_category, ''), risk_level, n
  FROM (VALUES (OLD.household_division, OLD.main_category, OLD.risk_level, OLD.state, -1), (NEW.household_division, NEW.main_category, NEW.risk_level, NEW.state, 1))
    AS v(household_division, main_category, risk_level, state, n)
  WHERE household_division IS NOT NULL AND state IN ('ACTIVE', 'REOPENED', 'TRANSFERRING');
  RETURN NULL;
END $body$;
CREATE TRIGGER child_count_added AFTER INSERT ON child REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION cw_count_added();
CREATE TRIGGER child_count_removed AFTER DELETE ON child REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION cw_count_removed();
CREATE TRIGGER child_count_changed AFTER UPDATE OF household_division, main_category, risk_level, state ON child FOR EACH ROW
  WHEN ((OLD.household_division, OLD.main_category, OLD.risk_level, OLD.state) IS DISTINCT FROM (NEW.household_division, NEW.main_category, NEW.risk_level, NEW.state))
  EXECUTE FUNCTION cw_count_changed();
ALTER TABLE child_count SET (fillfactor = 70);
ALTER TABLE child_count_delta SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
";

const POSTGRES_DOWN: &str = "
DROP TRIGGER child_count_added ON child;
DROP TRIGGER child_count_removed ON child;
DROP TRIGGER child_count_changed ON child;
DROP FUNCTION cw_count_added();
DROP FUNCTION cw_count_removed();
DROP FUNCTION cw_count_changed();
";

const SQLITE: &str = "
CREATE TRIGGER child_count_added AFTER INSERT ON child
WHEN NEW.household_division IS NOT NULL AND NEW.state IN ('ACTIVE', 'REOPENED', 'TRANSFERRING') BEGIN
  INSERT INTO child_count_delta (division, category, risk_level, n) VALUES (NEW.household_division, coalesce(NEW.main_category, ''), NEW.risk_level, 1);
END;
CREATE TRIGGER child_count_removed AFTER DELETE ON child
WHEN OLD.household_division IS NOT NULL AND OLD.state IN ('ACTIVE', 'REOPENED', 'TRANSFERRING') BEGIN
  INSERT INTO child_count_delta (division, category, risk_level, n) VALUES (OLD.household_division, coalesce(OLD.main_category, ''), OLD.risk_level, -1);
END;
CREATE TRIGGER child_count_changed AFTER UPDATE OF household_division, main_category, risk_level, state ON child
WHEN OLD.household_division IS NOT NEW.household_division OR OLD.main_category IS NOT NEW.main_category
  OR OLD.risk_level IS NOT NEW.risk_level OR OLD.state IS NOT NEW.state BEGIN
  INSERT INTO child_count_delta (division, category, risk_level, n)
  SELECT OLD.household_division, coalesce(OLD.main_category, ''), OLD.risk_level, -1
  WHERE OLD.household_division IS NOT NULL AND OLD.state IN ('ACTIVE', 'REOPENED', 'TRANSFERRING')
  UNION ALL SELECT NEW.household_division, coalesce(NEW.main_category, ''), NEW.risk_level, 1
  WHERE NEW.household_division IS NOT NULL AND NEW.state IN ('ACTIVE', 'REOPENED', 'TRANSFERRING');
END;
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let mut count = Table::create()
            .table("child_count")
            .col(big_integer("division"))
            .col(ordered_text(m, "category"))
            .col(ordered_text(m, "risk_level"))
            .col(big_integer("n"))
            .primary_key(Index::create().col("division").col("category").col("risk_level"))
            .to_owned();
        without_rowid(m, &mut count);
        m.create_table(count).await?;
        let delta = Table::create()
            .table("child_count_delta")
            .col(big_pk_auto("id"))
            .col(big_integer("division"))
            .col(ordered_text(m, "category"))
            .col(ordered_text(m, "risk_level"))
            .col(big_integer("n"))
            .to_owned();
        m.create_table(delta).await?;
        index(m, "child_count_delta", &["division"]).await?;
        // The triggers come first: on PostgreSQL they keep writers away until what is there has been counted.
        let triggers = if m.get_database_backend() == DbBackend::Postgres { POSTGRES } else { SQLITE };
        m.get_connection().execute_unprepared(triggers).await?;
        m.get_connection().execute_unprepared(PRESENT).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        if m.get_database_backend() == DbBackend::Postgres {
            m.get_connection().execute_unprepared(POSTGRES_DOWN).await?;
        } else {
            for trigger in ["child_count_added", "child_count_removed", "child_count_changed"] {
                m.get_connection().execute_unprepared(&format!("DROP TRIGGER {trigger}")).await?;
            }
        }
        drop_tables(m, &["child_count_delta", "child_count"]).await
    }
}
