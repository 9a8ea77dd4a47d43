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
        let mut child = Table::create()
            .table("child")
            .col(key())
            .col(version())
            .col(ordered_text(m, "file_number"))
            .col(string("state"))
            .col(uuid_null("merged_into"))
            .col(binary("name"))
            .col(binary_null("identity_number"))
            .col(string("sex"))
            .col(date("birth_date"))
            .col(string_null("ethnic_group"))
            .col(boolean("registered"))
            .col(big_integer_null("household_division"))
            .col(big_integer_null("residence_division"))
            .col(big_integer("accepting_division"))
            .col(binary_null("household_address"))
            .col(binary_null("residence_address"))
            .col(binary_null("phone"))
            .col(string_null("main_category"))
            .col(string("risk_level"))
            .col(binary_null("body_state"))
            .col(binary_null("disability_class"))
            .col(binary_null("disability_grade"))
            .col(binary_null("illness"))
            .col(string_null("schooling"))
            .col(boolean_null("boarding"))
            .col(uuid_null("school_id"))
            .col(uuid_null("institution_id"))
            .col(uuid_null("director_id"))
            .col(string_null("guardianship_quality"))
            .col(string_null("income_sources"))
            .col(string_null("help_received"))
            .col(date("opened_on"))
            .col(date_null("closed_on"))
            .col(string_null("closure_reason"))
            .col(timestamp_with_time_zone("changed_at"))
            .foreign_key(&mut reference("child", "school_id", "organisation", "id"))
            .foreign_key(&mut reference("child", "institution_id", "organisation", "id"))
            .foreign_key(&mut reference("child", "director_id", "account", "id"))
            .to_owned();
        m.create_table(stamped(&mut child)).await?;
        unique(m, "child", &["file_number"]).await?;
        index(m, "child", &["changed_at", "id"]).await?;
        index(m, "child", &["birth_date", "id"]).await?;
        for column in ["household_division", "residence_division", "accepting_division"] {
            index(m, "child", &[column, "changed_at", "id"]).await?;
        }
        for column in ["school_id", "institution_id", "director_id"] {
            index(m, "child", &[column]).await?;
        }
        let mut classification = Table::create()
            .table("classification")
            .col(key())
            .col(version())
            .col(uuid("child_id"))
            .col(string("category"))
            .col(string("risk_level"))
            .col(date("valid_from"))
            .col(date_null("valid_to"))
            .col(string("rule_version"))
            .col(binary_null("reason"))
            .foreign_key(&mut reference("classification", "child_id", "child", "id"))
            .to_owned();
        m.create_table(stamped(&mut classification)).await?;
        index(m, "classification", &["child_id", "valid_from", "id"]).await?;
        let mut person = Table::create()
            .table("person")
            .col(key())
            .col(version())
            .col(binary("name"))
            .col(binary_null("identity_number"))
            .col(string_null("sex"))
            .col(date_null("birth_date"))
            .col(binary_null("phone"))
            .col(binary_null("address"))
            .col(binary_null("workplace"))
            .to_owned();
        m.create_table(stamped(&mut person)).await?;
        let mut relation = Table::create()
            .table("relation")
            .col(key())
            .col(version())
            .col(uuid("child_id"))
            .col(uuid("person_id"))
            .col(string("kind"))
            .foreign_key(&mut reference("relation", "child_id", "child", "id"))
            .foreign_key(&mut reference("relation", "person_id", "person", "id"))
            .to_owned();
        m.create_table(stamped(&mut relation)).await?;
        unique(m, "relation", &["child_id", "person_id", "kind"]).await?;
        index(m, "relation", &["person_id", "child_id"]).await?;
        let mut guardianship = Table::create()
            .table("guardianship")
            .col(key())
            .col(version())
            .col(uuid("child_id"))
            .col(uuid_null("person_id"))
            .col(uuid_null("organisation_id"))
            .col(string("kind"))
            .col(boolean("actual"))
            .col(date("started_on"))
            .col(date_null("ended_on"))
            .col(string_null("end_reason"))
            .col(binary_null("note"))
            .foreign_key(&mut reference("guardianship", "child_id", "child", "id"))
            .foreign_key(&mut reference("guardianship", "person_id", "person", "id"))
            .foreign_key(&mut reference("guardianship", "organisation_id", "organisation", "id"))
            .to_owned();
        m.create_table(stamped(&mut guardianship)).await?;
        index(m, "guardianship", &["child_id", "started_on", "id"]).await?;
        index(m, "guardianship", &["person_id", "child_id"]).await?;
        let mut fact = Table::create()
            .table("fact")
            .col(key())
            .col(version())
            .col(uuid("child_id"))
            .col(uuid_null("person_id"))
            .col(string("kind"))
            .col(date("true_from"))
            .col(date_null("true_to"))
            .col(timestamp_with_time_zone("known_from"))
            .col(timestamp_with_time_zone_null("withdrawn_at"))
            .col(binary_null("evidence"))
            .foreign_key(&mut reference("fact", "child_id", "child", "id"))
            .foreign_key(&mut reference("fact", "person_id", "person", "id"))
            .to_owned();
        m.create_table(stamped(&mut fact)).await?;
        index(m, "fact", &["child_id", "true_from", "id"]).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(m, &["fact", "guardianship", "relation", "person", "classification", "child"]).await
    }
}
