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
        let audit = Table::create()
            .table("audit_record")
            .col(key())
            .col(timestamp_with_time_zone("at"))
            .col(uuid_null("account_id"))
            .col(string("username"))
            .col(string("action"))
            .col(string("outcome"))
            .col(string("purpose"))
            .col(text("legal_basis"))
            .col(string("request_id"))
            .col(text("classes"))
            .col(text("objects"))
            .to_owned();
        m.create_table(audit).await?;
        index(m, "audit_record", &["at", "id"]).await?;
        index(m, "audit_record", &["account_id", "at", "id"]).await?;
        let mut audit_child = Table::create()
            .table("audit_child")
            .col(uuid("child_id"))
            .col(uuid("audit_id"))
            .primary_key(Index::create().col("child_id").col("audit_id"))
            .to_owned();
        without_rowid(m, &mut audit_child);
        m.create_table(audit_child).await?;
        let link = Table::create()
            .table("audit_link")
            .col(big_integer("position").primary_key())
            .col(uuid_uniq("audit_id"))
            .col(binary("hash"))
            .to_owned();
        m.create_table(link).await?;
        let change = Table::create()
            .table("change_log")
            .col(big_pk_auto("seq"))
            .col(big_integer("tx"))
            .col(timestamp_with_time_zone("at"))
            .col(uuid_null("child_id"))
            .col(string("object_type"))
            .col(uuid("object_id"))
            .col(big_integer("object_version"))
            .col(string("action"))
            .col(uuid("actor_id"))
            .to_owned();
        m.create_table(change).await?;
        index(m, "change_log", &["tx", "seq"]).await?;
        index(m, "change_log", &["child_id", "seq"]).await?;
        let outbox = Table::create()
            .table("outbox")
            .col(big_pk_auto("seq"))
            .col(uuid_uniq("id"))
            .col(string("topic"))
            .col(text("payload"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone_null("published_at"))
            .to_owned();
        m.create_table(outbox).await?;
        let idempotency = Table::create()
            .table("idempotency")
            .col(uuid("account_id"))
            .col(string("key"))
            .col(string("action"))
            .col(binary("fingerprint"))
            .col(uuid("object_id"))
            .col(uuid_null("child_id"))
            .col(timestamp_with_time_zone("created_at"))
            .primary_key(Index::create().col("account_id").col("key"))
            .to_owned();
        m.create_table(idempotency).await?;
        index(m, "idempotency", &["created_at"]).await?;
        let meta = Table::create().table("meta").col(string("name").primary_key()).col(text("value")).to_owned();
        m.create_table(meta).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(m, &["meta", "idempotency", "outbox", "change_log", "audit_link", "audit_child", "audit_record"]).await
    }
}
