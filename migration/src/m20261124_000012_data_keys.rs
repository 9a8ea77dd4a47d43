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
        let keys = Table::create()
            .table("data_key")
            .col(big_integer("id").primary_key())
            .col(string("purpose"))
            .col(string("algorithm"))
            .col(string("state"))
            .col(string("wrapping_key"))
            .col(binary("wrapped"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("changed_at"))
            .to_owned();
        m.create_table(keys).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(m, &["data_key"]).await
    }
}
