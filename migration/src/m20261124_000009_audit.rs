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
        let mut alert = Table::create()
            .table("alert")
            .col(key())
            .col(version())
            .col(string("kind"))
            .col(string("state"))
            .col(big_integer("division"))
            .col(uuid_null("subject_id"))
            .col(uuid_null("child_id"))
            .col(text("detail"))
            .col(string("request_id"))
            .col(string_null("once"))
            .col(timestamp_with_time_zone("raised_at"))
            .col(timestamp_with_time_zone_null("settled_at"))
            .col(uuid_null("settled_by"))
            .col(string_null("outcome"))
            .col(binary_null("note"))
            .to_owned();
        m.create_table(stamped(&mut alert)).await?;
        index(m, "alert", &["raised_at", "id"]).await?;
        index(m, "alert", &["division", "raised_at"]).await?;
        unique(m, "alert", &["once"]).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(m, &["alert"]).await
    }
}
