use sea_orm_migration::prelude::*;
#[allow(clippy::wildcard_imports)]
use sea_orm_migration::schema::*;

/// Pauses between tries; identities at a provider that a second person puts into force.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.alter_table(Table::alter().table("rate_window").add_column(big_integer("not_before").default(0)).to_owned()).await?;
        for column in [timestamp_with_time_zone_null("confirmed_at"), uuid_null("confirmed_by")] {
            m.alter_table(Table::alter().table("account_identity").add_column(column).to_owned()).await?;
        }
        m.get_connection().execute_unprepared("UPDATE account_identity SET confirmed_at = created_at, confirmed_by = created_by").await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in [("account_identity", "confirmed_by"), ("account_identity", "confirmed_at"), ("rate_window", "not_before")] {
            m.alter_table(Table::alter().table(table).drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
