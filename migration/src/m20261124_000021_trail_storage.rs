//! How PostgreSQL keeps the trail: keys and hashes do not compress, and to try costs more than to write them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        // A record of up to a page stays in its row: that of 20 children with what hangs on them has 6 kB.
        set(m, "SET STORAGE EXTERNAL", "SET (toast_tuple_target = 8160)").await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        set(m, "SET STORAGE EXTENDED", "RESET (toast_tuple_target)").await
    }
}

async fn set(m: &SchemaManager<'_>, storage: &str, target: &str) -> Result<(), DbErr> {
    if m.get_database_backend() == DbBackend::Postgres {
        let sql = format!(
            "ALTER TABLE audit_record ALTER COLUMN objects {storage}, {target}; \
             ALTER TABLE audit_block ALTER COLUMN ids {storage}, ALTER COLUMN hashes {storage}"
        );
        m.get_connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}
