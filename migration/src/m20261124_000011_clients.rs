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
        let mut client = Table::create()
            .table("client")
            .col(key())
            .col(version())
            .col(uuid("account_id"))
            .col(string_uniq("name"))
            .col(string("kind"))
            .col(string("state"))
            .col(text_null("jwks"))
            .col(text_null("jwks_uri"))
            .col(text_null("proposed_jwks"))
            .col(text_null("proposed_jwks_uri"))
            .col(uuid_null("proposed_by"))
            .col(string("purposes"))
            .col(string("scopes"))
            .col(string_null("documents"))
            .col(big_integer("token_seconds"))
            .foreign_key(&mut reference("client", "account_id", "account", "id"))
            .to_owned();
        m.create_table(stamped(&mut client)).await?;
        index(m, "client", &["account_id"]).await?;
        let mut document = Table::create()
            .table("client_document")
            .col(uuid("client_id"))
            .col(binary("hash"))
            .col(string("name"))
            .col(text("text"))
            .col(timestamp_with_time_zone("created_at"))
            .primary_key(Index::create().col("client_id").col("hash"))
            .foreign_key(&mut reference("client_document", "client_id", "client", "id"))
            .to_owned();
        without_rowid(m, &mut document);
        m.create_table(document).await?;
        let mut proof = Table::create()
            .table("used_proof")
            .col(binary("fingerprint"))
            .col(timestamp_with_time_zone("expires_at"))
            .primary_key(Index::create().col("fingerprint"))
            .to_owned();
        without_rowid(m, &mut proof);
        m.create_table(proof).await?;
        index(m, "used_proof", &["expires_at"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(m, &["used_proof", "client_document", "client"]).await
    }
}
