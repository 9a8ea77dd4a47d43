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
        let division = Table::create()
            .table("division")
            .col(big_integer("code").primary_key())
            .col(big_integer_null("parent"))
            .col(small_integer("level"))
            .col(ordered_text(m, "name"))
            .col(ordered_text(m, "pinyin"))
            .col(ordered_text(m, "initials"))
            .col(date_null("valid_from"))
            .col(date_null("valid_to"))
            .to_owned();
        m.create_table(division).await?;
        index(m, "division", &["parent", "code"]).await?;
        for column in ["name", "pinyin", "initials"] {
            index(m, "division", &["level", column, "code"]).await?;
        }
        let division_change = Table::create()
            .table("division_change")
            .col(key())
            .col(string("kind"))
            .col(big_integer("from_code"))
            .col(string("from_name"))
            .col(big_integer("to_code"))
            .col(string("to_name"))
            .col(date("effective_on"))
            .to_owned();
        m.create_table(division_change).await?;
        index(m, "division_change", &["from_code"]).await?;
        index(m, "division_change", &["to_code"]).await?;
        let organisation = Table::create()
            .table("organisation")
            .col(key())
            .col(version())
            .col(string("name"))
            .col(string("kind"))
            .col(big_integer("division"))
            .col(uuid_null("parent_id"))
            .col(string("state"))
            .to_owned();
        m.create_table(stamped(&mut organisation.clone())).await?;
        index(m, "organisation", &["division", "id"]).await?;
        let programme = Table::create()
            .table("programme")
            .col(key())
            .col(string_uniq("code"))
            .col(string("name"))
            .col(string("name_en"))
            .col(text("basis"))
            .to_owned();
        m.create_table(programme).await?;
        let rate = Table::create()
            .table("programme_rate")
            .col(key())
            .col(uuid("programme_id"))
            .col(big_integer("division"))
            .col(string_null("care_mode"))
            .col(date("valid_from"))
            .col(date_null("valid_to"))
            .col(big_integer("monthly_amount"))
            .foreign_key(&mut reference("programme_rate", "programme_id", "programme", "id"))
            .to_owned();
        m.create_table(rate).await?;
        index(m, "programme_rate", &["programme_id", "division", "valid_from"]).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(m, &["programme_rate", "programme", "organisation", "division_change", "division"]).await
    }
}
