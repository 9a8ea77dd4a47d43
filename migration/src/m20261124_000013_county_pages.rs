use crate::columns::*;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// The county of each division of a child, worked out by the database: a page of a county, newest change first, comes off an
/// index and costs the same however many children there are. An index on the expression would not do: behind row-level
/// security PostgreSQL uses none whose operator may tell of a row, and a division may (by zero).
#[derive(DeriveMigrationName)]
pub struct Migration;

const KINDS: [(&str, &str); 3] =
    [("household_division", "household_county"), ("residence_division", "residence_county"), ("accepting_division", "accepting_county")];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let db = m.get_connection();
        if m.get_database_backend() == DbBackend::Postgres {
            // One command, one pass over the table.
            let added = KINDS.map(|(division, county)| format!("ADD COLUMN {county} bigint GENERATED ALWAYS AS ({division} / 1000000) STORED"));
            db.execute_unprepared(&format!("ALTER TABLE child {}", added.join(", "))).await?;
        } else {
            for (division, county) in KINDS {
                db.execute_unprepared(&format!("ALTER TABLE child ADD COLUMN {county} bigint GENERATED ALWAYS AS ({division} / 1000000) VIRTUAL")).await?;
            }
        }
        for (division, county) in KINDS {
            index(m, "child", &[county, "changed_at", "id"]).await?;
            // Villages and townships have few children: they need no order, and equal divisions are stored once.
            index(m, "child", &[division]).await?;
            m.drop_index(Index::drop().name(format!("child_{division}_changed_at_id")).table("child").to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for (division, county) in KINDS {
            index(m, "child", &[division, "changed_at", "id"]).await?;
            m.drop_index(Index::drop().name(format!("child_{division}")).table("child").to_owned()).await?;
            m.drop_index(Index::drop().name(format!("child_{county}_changed_at_id")).table("child").to_owned()).await?;
            m.alter_table(Table::alter().table("child").drop_column(county).to_owned()).await?;
        }
        Ok(())
    }
}
