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
        let mut rates = Table::create()
            .table("rate_window")
            .col(string("kind"))
            .col(binary("subject"))
            .col(big_integer("ends"))
            .col(big_integer("spent"))
            .primary_key(Index::create().col("kind").col("subject"))
            .to_owned();
        without_rowid(m, &mut rates);
        m.create_table(rates).await?;
        index(m, "rate_window", &["ends"]).await?;
        let credential = Table::create()
            .table("credential")
            .col(key())
            .col(version())
            .col(binary_null("password"))
            .col(timestamp_with_time_zone_null("password_changed_at"))
            .col(binary_null("totp_secret"))
            .col(timestamp_with_time_zone_null("totp_confirmed_at"))
            .col(big_integer("totp_step").default(0))
            .foreign_key(&mut reference("credential", "id", "account", "id"))
            .to_owned();
        m.create_table(credential).await?;
        let recovery = Table::create()
            .table("recovery_code")
            .col(key())
            .col(uuid("account_id"))
            .col(binary("hash"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone_null("used_at"))
            .foreign_key(&mut reference("recovery_code", "account_id", "account", "id"))
            .to_owned();
        m.create_table(recovery).await?;
        index(m, "recovery_code", &["account_id"]).await?;
        let ticket = Table::create()
            .table("ticket")
            .col(key())
            .col(string("kind"))
            .col(binary_uniq("hash"))
            .col(uuid_null("account_id"))
            .col(binary_null("content"))
            .col(timestamp_with_time_zone("expires_at"))
            .foreign_key(&mut reference("ticket", "account_id", "account", "id"))
            .to_owned();
        m.create_table(ticket).await?;
        index(m, "ticket", &["expires_at"]).await?;
        index(m, "ticket", &["account_id", "kind"]).await?;
        let session = Table::create()
            .table("session")
            .col(key())
            .col(uuid("account_id"))
            .col(string("client"))
            .col(string("methods"))
            .col(boolean("strong"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("used_at"))
            .col(timestamp_with_time_zone("ends_at"))
            .col(timestamp_with_time_zone_null("revoked_at"))
            .col(string_null("revoked_because"))
            .foreign_key(&mut reference("session", "account_id", "account", "id"))
            .to_owned();
        m.create_table(session).await?;
        index(m, "session", &["account_id", "ends_at"]).await?;
        index(m, "session", &["ends_at"]).await?;
        let refresh = Table::create()
            .table("refresh_token")
            .col(key())
            .col(uuid("session_id"))
            .col(binary_uniq("hash"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone_null("spent_at"))
            .foreign_key(reference("refresh_token", "session_id", "session", "id").on_delete(ForeignKeyAction::Cascade))
            .to_owned();
        m.create_table(refresh).await?;
        index(m, "refresh_token", &["session_id"]).await?;
        let identity = Table::create()
            .table("account_identity")
            .col(key())
            .col(uuid("account_id"))
            .col(string("issuer"))
            .col(string("subject"))
            .col(timestamp_with_time_zone("created_at"))
            .col(uuid("created_by"))
            .foreign_key(&mut reference("account_identity", "account_id", "account", "id"))
            .to_owned();
        m.create_table(identity).await?;
        unique(m, "account_identity", &["issuer", "subject"]).await?;
        index(m, "account_identity", &["account_id"]).await?;
        let event = Table::create()
            .table("account_event")
            .col(key())
            .col(uuid("account_id"))
            .col(string("action"))
            .col(binary("reason"))
            .col(timestamp_with_time_zone("created_at"))
            .col(uuid("created_by"))
            .foreign_key(&mut reference("account_event", "account_id", "account", "id"))
            .to_owned();
        m.create_table(event).await?;
        index(m, "account_event", &["account_id", "id"]).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(m, &["account_event", "account_identity", "refresh_token", "session", "ticket", "recovery_code", "credential", "rate_window"]).await
    }
}
