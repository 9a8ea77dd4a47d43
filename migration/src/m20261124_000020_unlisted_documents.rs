use crate::columns::*;
use sea_orm_migration::prelude::*;
#[allow(clippy::wildcard_imports)]
use sea_orm_migration::schema::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let mut unlisted = Table::create()
            .table("unlisted_document")
            .col(string("client"))
            .col(binary("hash"))
            .col(string("operation"))
            .col(timestamp_with_time_zone("first_at"))
            .col(timestamp_with_time_zone("last_at"))
            .primary_key(Index::create().col("client").col("hash"))
            .to_owned();
        without_rowid(m, &mut unlisted);
        m.create_table(unlisted).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(m, &["unlisted_document"]).await
    }
}
