use sea_orm_migration::prelude::*;
#[allow(clippy::wildcard_imports)]
use sea_orm_migration::schema::*;

/// Names of survey files become sealed. A migration has no keys: names that are there wait in `open_file_name` for the next start.
#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: [&str; 2] = ["upload", "import_batch"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let waiting = Table::create().table("open_file_name").col(uuid("id").primary_key()).col(string("owner")).col(string("name")).to_owned();
        m.create_table(waiting).await?;
        for table in TABLES {
            let copy = format!("INSERT INTO open_file_name (id, owner, name) SELECT id, '{table}', file_name FROM {table}");
            m.get_connection().execute_unprepared(&copy).await?;
            m.alter_table(Table::alter().table(table).drop_column("file_name").to_owned()).await?;
            let sealed = binary("file_name").default(Expr::cust("''")).to_owned();
            m.alter_table(Table::alter().table(table).add_column(sealed).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            m.alter_table(Table::alter().table(table).drop_column("file_name").to_owned()).await?;
            m.alter_table(Table::alter().table(table).add_column(string("file_name").default("").to_owned()).to_owned()).await?;
        }
        m.drop_table(Table::drop().table("open_file_name").to_owned()).await
    }
}
