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
        let upload = Table::create()
            .table("upload")
            .col(key())
            .col(uuid("account_id"))
            .col(string("file_name"))
            .col(big_integer("byte_size"))
            .col(binary("sha256"))
            .col(timestamp_with_time_zone("created_at"))
            .foreign_key(&mut reference("upload", "account_id", "account", "id"))
            .to_owned();
        m.create_table(upload).await?;
        let mut batch = Table::create()
            .table("import_batch")
            .col(key())
            .col(version())
            .col(uuid("account_id"))
            .col(big_integer("division"))
            .col(string("file_name"))
            .col(binary("sha256"))
            .col(string("state"))
            .col(big_integer("rows"))
            .col(big_integer("landed"))
            .col(big_integer("unchanged"))
            .col(big_integer("rejected"))
            .col(big_integer("review"))
            .foreign_key(&mut reference("import_batch", "account_id", "account", "id"))
            .to_owned();
        m.create_table(stamped(&mut batch)).await?;
        index(m, "import_batch", &["division", "id"]).await?;
        let row = Table::create()
            .table("import_row")
            .col(key())
            .col(uuid("batch_id"))
            .col(string("sheet"))
            .col(big_integer("row_number"))
            .col(string("state"))
            .col(string_null("rule"))
            .col(string_null("column_name"))
            .col(binary_null("problem"))
            .col(uuid_null("candidate_id"))
            .col(timestamp_with_time_zone("created_at"))
            .foreign_key(&mut reference("import_row", "batch_id", "import_batch", "id"))
            .to_owned();
        m.create_table(row).await?;
        index(m, "import_row", &["batch_id", "id"]).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(m, &["import_row", "import_batch", "upload"]).await
    }
}
