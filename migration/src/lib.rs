//! Schema changes, one file each, the same on SQLite and PostgreSQL; reference data.

pub use sea_orm_migration::{MigratorTrait, SchemaManager, prelude::MigrationTrait};

pub mod divisions;
pub mod rls;
mod m20261124_000001_reference;
mod m20261124_000002_accounts;
mod m20261124_000003_children;
mod m20261124_000004_casework;
mod m20261124_000005_imports;
mod m20261124_000006_indexes_of_sealed;
mod m20261124_000007_records;
mod m20261124_000008_sign_in;
mod m20261124_000009_audit;
mod m20261124_000010_access;
mod m20261124_000011_clients;
mod m20261124_000012_data_keys;
mod m20261124_000012_sealed_names;
mod m20261124_000015_child_counts;
mod m20261124_000013_county_pages;
mod m20261124_000014_pauses_and_identities;
mod m20261124_000020_unlisted_documents;
mod m20261124_000021_trail_storage;
mod columns;

pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261124_000001_reference::Migration),
            Box::new(m20261124_000002_accounts::Migration),
            Box::new(m20261124_000003_children::Migration),
            Box::new(m20261124_000004_casework::Migration),
            Box::new(m20261124_000005_imports::Migration),
            Box::new(m20261124_000006_indexes_of_sealed::Migration),
            Box::new(m20261124_000007_records::Migration),
            Box::new(m20261124_000008_sign_in::Migration),
            Box::new(m20261124_000009_audit::Migration),
            Box::new(m20261124_000010_access::Migration),
            Box::new(m20261124_000011_clients::Migration),
            Box::new(m20261124_000012_data_keys::Migration),
            Box::new(m20261124_000012_sealed_names::Migration),
            Box::new(m20261124_000015_child_counts::Migration),
            Box::new(m20261124_000013_county_pages::Migration),
            Box::new(m20261124_000014_pauses_and_identities::Migration),
            Box::new(m20261124_000020_unlisted_documents::Migration),
            Box::new(m20261124_000021_trail_storage::Migration),
        ]
    }
}
