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
        let mut account = Table::create()
            .table("account")
            .col(key())
            .col(version())
            .col(string_uniq("username"))
            .col(string("display_name"))
            .col(uuid_null("organisation_id"))
            .col(big_integer("division"))
            .col(string("state"))
            .foreign_key(&mut reference("account", "organisation_id", "organisation", "id"))
            .to_owned();
        m.create_table(stamped(&mut account)).await?;
        index(m, "account", &["division", "id"]).await?;
        let mut grant = Table::create()
            .table("access_grant")
            .col(key())
            .col(version())
            .col(uuid("account_id"))
            .col(string("role"))
            .col(big_integer("division"))
            .col(uuid_null("organisation_id"))
            .col(string_null("category"))
            .col(string("purpose"))
            .col(timestamp_with_time_zone("valid_from"))
            .col(timestamp_with_time_zone_null("valid_to"))
            .foreign_key(&mut reference("access_grant", "account_id", "account", "id"))
            .foreign_key(&mut reference("access_grant", "organisation_id", "organisation", "id"))
            .to_owned();
        m.create_table(stamped(&mut grant)).await?;
        index(m, "access_grant", &["account_id"]).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(m, &["access_grant", "account"]).await
    }
}
