//! What users do with the running app, on both databases.

/// Each function is a test on SQLite and one on PostgreSQL.
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test] async fn $name() { super::$name($crate::harness::Backend::Sqlite).await; })+
        }
        mod postgres {
            $(#[tokio::test] async fn $name() { super::$name($crate::harness::Backend::Postgres).await; })+
        }
    };
}

mod audit;
mod bad_input;
mod disk;
mod divisions;
mod granting;
mod external;
mod explorer;
mod kill;
mod mutations;
mod partner;
mod personas;
mod plaintext;
mod production;
mod sealing;
mod sheets;
mod support;
mod third_party;
mod writes;
