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
        let client = Table::alter().table("audit_record").add_column(string("client").default("")).to_owned();
        m.alter_table(client).await?;
        let empty: Vec<u8> = Vec::new();
        let children = Table::alter().table("audit_record").add_column(binary("children").default(empty)).to_owned();
        m.alter_table(children).await?;
        drop_tables(m, &["audit_link"]).await?;
        let writer = Table::create()
            .table("audit_writer")
            .col(key())
            .col(timestamp_with_time_zone("started_at"))
            .col(big_integer("signed_to").default(0))
            .col(big_integer("watched_to").default(0))
            .to_owned();
        m.create_table(writer).await?;
        let block = Table::create()
            .table("audit_block")
            .col(uuid("writer"))
            .col(big_integer("number"))
            .col(big_integer("first"))
            .col(big_integer("count"))
            .col(timestamp_with_time_zone("at"))
            .col(binary("ids"))
            .col(binary("hashes"))
            .primary_key(Index::create().col("writer").col("number"))
            .to_owned();
        m.create_table(block).await?;
        index(m, "audit_block", &["at"]).await?;
        let checkpoint = Table::create()
            .table("audit_checkpoint")
            .col(big_integer("number").primary_key())
            .col(timestamp_with_time_zone("at"))
            .col(text("body"))
            .col(string("key"))
            .col(binary("signature"))
            .col(binary("digests"))
            .to_owned();
        m.create_table(checkpoint).await?;
        index(m, "audit_checkpoint", &["at"]).await?;
        let anchor = Table::create()
            .table("audit_anchor")
            .col(big_integer("number").primary_key())
            .col(timestamp_with_time_zone("at"))
            .col(text("body"))
            .col(string("key"))
            .col(binary("signature"))
            .to_owned();
        m.create_table(anchor).await?;
        let area = Table::create()
            .table("watch_area")
            .col(uuid("account_id"))
            .col(big_integer("county"))
            .col(timestamp_with_time_zone("first_at"))
            .col(timestamp_with_time_zone("last_at"))
            .primary_key(Index::create().col("account_id").col("county"))
            .to_owned();
        m.create_table(area).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(m, &["watch_area", "audit_anchor", "audit_checkpoint", "audit_block", "audit_writer", "alert"]).await?;
        for column in ["children", "client"] {
            m.alter_table(Table::alter().table("audit_record").drop_column(column).to_owned()).await?;
        }
        let link = Table::create()
            .table("audit_link")
            .col(big_integer("position").primary_key())
            .col(uuid_uniq("audit_id"))
            .col(binary("hash"))
            .to_owned();
        m.create_table(link).await
    }
}
