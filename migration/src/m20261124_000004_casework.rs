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
        let mut benefit = Table::create()
            .table("benefit")
            .col(key())
            .col(version())
            .col(uuid("child_id"))
            .col(uuid("programme_id"))
            .col(string("care_mode"))
            .col(string("state"))
            .col(date("start_month"))
            .col(date_null("end_month"))
            .col(string_null("exit_reason"))
            .col(big_integer("monthly_amount"))
            .foreign_key(&mut reference("benefit", "child_id", "child", "id"))
            .foreign_key(&mut reference("benefit", "programme_id", "programme", "id"))
            .to_owned();
        m.create_table(stamped(&mut benefit)).await?;
        index(m, "benefit", &["child_id", "start_month", "id"]).await?;
        let mut intervention = Table::create()
            .table("intervention")
            .col(key())
            .col(version())
            .col(uuid("child_id"))
            .col(string("kind"))
            .col(string("state"))
            .col(string("risk_level"))
            .col(date("opened_on"))
            .col(date_null("closed_on"))
            .col(uuid_null("organisation_id"))
            .col(binary("reason"))
            .col(binary_null("outcome"))
            .foreign_key(&mut reference("intervention", "child_id", "child", "id"))
            .foreign_key(&mut reference("intervention", "organisation_id", "organisation", "id"))
            .to_owned();
        m.create_table(stamped(&mut intervention)).await?;
        index(m, "intervention", &["child_id", "opened_on", "id"]).await?;
        let mut visit = Table::create()
            .table("visit")
            .col(key())
            .col(version())
            .col(uuid("child_id"))
            .col(string("kind"))
            .col(string("finding"))
            .col(timestamp_with_time_zone("visited_at"))
            .col(uuid("visitor_id"))
            .col(uuid_null("intervention_id"))
            .col(date_null("next_visit_on"))
            .col(binary_null("notes"))
            .foreign_key(&mut reference("visit", "child_id", "child", "id"))
            .foreign_key(&mut reference("visit", "visitor_id", "account", "id"))
            .foreign_key(&mut reference("visit", "intervention_id", "intervention", "id"))
            .to_owned();
        m.create_table(stamped(&mut visit)).await?;
        index(m, "visit", &["child_id", "visited_at", "id"]).await?;
        index(m, "visit", &["visited_at", "id"]).await?;
        let mut attachment = Table::create()
            .table("attachment")
            .col(key())
            .col(version())
            .col(uuid("child_id"))
            .col(uuid_null("subject_id"))
            .col(binary("file_name"))
            .col(string("media_type"))
            .col(big_integer("byte_size"))
            .col(binary("sha256"))
            .col(string("state"))
            .foreign_key(&mut reference("attachment", "child_id", "child", "id"))
            .to_owned();
        m.create_table(stamped(&mut attachment)).await?;
        index(m, "attachment", &["child_id", "created_at", "id"]).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(m, &["attachment", "visit", "intervention", "benefit"]).await
    }
}
