use crate::columns::*;
use sea_orm_migration::prelude::*;
#[allow(clippy::wildcard_imports)]
use sea_orm_migration::schema::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Columns that grants did not have.
fn added() -> Vec<ColumnDef> {
    vec![
        string("state").default("IN_FORCE").take(),
        binary_null("reason"),
        uuid_null("decided_by"),
        timestamp_with_time_zone_null("decided_at"),
        binary_null("decision_note"),
        uuid_null("ended_by"),
        timestamp_with_time_zone_null("ended_at"),
        binary_null("end_reason"),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for column in added() {
            m.alter_table(Table::alter().table("access_grant").add_column(column).to_owned()).await?;
        }
        // A grant without an end ends a year from now.
        let postgres = m.get_database_backend() == DbBackend::Postgres;
        let in_a_year = if postgres { "now() + interval '12 months'" } else { "strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', '+12 months')" };
        m.get_connection().execute_unprepared(&format!("UPDATE access_grant SET valid_to = {in_a_year} WHERE valid_to IS NULL")).await?;
        if postgres {
            m.get_connection().execute_unprepared("ALTER TABLE access_grant ALTER COLUMN valid_to SET NOT NULL").await?;
        }
        index(m, "access_grant", &["state", "created_at", "id"]).await?;
        let hand_over = Table::create()
            .table("hand_over")
            .col(key())
            .col(uuid("from_account"))
            .col(uuid("to_account"))
            .col(big_integer("children"))
            .col(boolean("ended_grants"))
            .col(binary("reason"))
            .col(timestamp_with_time_zone("created_at"))
            .col(uuid("created_by"))
            .to_owned();
        m.create_table(hand_over).await?;
        let mut access = Table::create()
            .table("child_access")
            .col(key())
            .col(version())
            .col(uuid("account_id"))
            .col(uuid("child_id"))
            .col(big_integer("division"))
            .col(string("kind"))
            .col(string("state"))
            .col(string("purpose"))
            .col(string("classes"))
            .col(binary("reason"))
            .col(timestamp_with_time_zone_null("valid_from"))
            .col(timestamp_with_time_zone("valid_to"))
            .col(uuid_null("decided_by"))
            .col(timestamp_with_time_zone_null("decided_at"))
            .col(binary_null("decision_note"))
            .col(uuid_null("seconded_by"))
            .col(timestamp_with_time_zone_null("seconded_at"))
            .col(uuid_null("ended_by"))
            .col(timestamp_with_time_zone_null("ended_at"))
            .col(string_null("review_outcome"))
            .col(uuid_null("reviewed_by"))
            .col(timestamp_with_time_zone_null("reviewed_at"))
            .col(binary_null("review_note"))
            .col(timestamp_with_time_zone_null("overdue_at"))
            .foreign_key(&mut reference("child_access", "account_id", "account", "id"))
            .foreign_key(&mut reference("child_access", "child_id", "child", "id"))
            .to_owned();
        m.create_table(stamped(&mut access)).await?;
        index(m, "child_access", &["account_id", "state"]).await?;
        index(m, "child_access", &["state", "valid_to"]).await?;
        index(m, "child_access", &["division", "created_at", "id"]).await?;
        index(m, "child_access", &["child_id"]).await?;
        let mut lookup = Table::create()
            .table("identity_lookup")
            .col(key())
            .col(version())
            .col(uuid("account_id"))
            .col(big_integer_null("division"))
            .col(string("status"))
            .col(uuid_null("child_id"))
            .col(uuid_null("organisation_id"))
            .col(string("purpose"))
            .col(binary("reason"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("valid_to"))
            .col(timestamp_with_time_zone_null("used_at"))
            .foreign_key(&mut reference("identity_lookup", "account_id", "account", "id"))
            .foreign_key(&mut reference("identity_lookup", "child_id", "child", "id"))
            .to_owned();
        m.create_table(lookup.take()).await?;
        index(m, "identity_lookup", &["account_id", "created_at"]).await?;
        let sealed = Table::create()
            .table("sealed_record")
            .col(key())
            .col(version())
            .col(uuid("child_id"))
            .col(string("kind"))
            .col(binary("content"))
            .col(timestamp_with_time_zone("created_at"))
            .col(uuid("created_by"))
            .foreign_key(&mut reference("sealed_record", "child_id", "child", "id"))
            .to_owned();
        m.create_table(sealed).await?;
        index(m, "sealed_record", &["child_id", "created_at", "id"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(m, &["sealed_record", "identity_lookup", "child_access", "hand_over"]).await?;
        m.drop_index(Index::drop().name("access_grant_state_created_at_id").table("access_grant").to_owned()).await?;
        for column in added() {
            m.alter_table(Table::alter().table("access_grant").drop_column(column.get_column_name()).to_owned()).await?;
        }
        Ok(())
    }
}
