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
        let registry = Table::create()
            .table("identity_registry")
            .col(binary("fingerprint"))
            .col(string("subject"))
            .col(uuid("subject_id"))
            .col(big_integer("office"))
            .primary_key(Index::create().col("fingerprint").col("subject"))
            .to_owned();
        m.create_table(registry).await?;
        index(m, "identity_registry", &["subject_id"]).await?;
        let mut gram = Table::create()
            .table("name_gram")
            .col(big_integer("gram"))
            .col(big_integer("division"))
            .col(uuid("child_id"))
            .col(uuid("subject_id"))
            .primary_key(Index::create().col("gram").col("division").col("child_id").col("subject_id"))
            .to_owned();
        without_rowid(m, &mut gram);
        m.create_table(gram).await?;
        index(m, "name_gram", &["child_id"]).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(m, &["name_gram", "identity_registry"]).await
    }
}
