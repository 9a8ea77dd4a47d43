//! Does a backup open with the key that was put away? Looks, and changes nothing.

use super::keyring::{Keyring, rows_of};
use super::{Kms, Place, sealed_tables};
use crate::app::StartError;
use crate::error::{Error, Result};
use crate::store::Db;
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use std::sync::Arc;
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnDrill {
    /// `table.column`.
    pub column: String,
    pub opened: u64,
    pub broken: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrillReport {
    pub keys: usize,
    pub columns: Vec<ColumnDrill>,
    /// Identity numbers whose fingerprint the registry knows, and those it does not: whether the key for searches fits.
    pub found: u64,
    pub lost: u64,
}

impl DrillReport {
    /// Everything opened, and something did.
    pub fn passed(&self) -> bool {
        self.lost == 0 && self.columns.iter().all(|c| c.broken == 0) && self.columns.iter().any(|c| c.opened > 0)
    }
}

/// Opens up to `sample` values of each sealed column of the database at this address: half of the oldest, half of the newest.
pub async fn drill(url: &str, kms: Arc<dyn Kms>, sample: u64) -> std::result::Result<DrillReport, StartError> {
    let db = Db::open_to_look(url).await?;
    let report = look(&db, kms, sample).await;
    db.close().await;
    report
}

/// The keys of the database at this address, for who only looks.
pub async fn keys_of(url: &str, kms: Arc<dyn Kms>) -> std::result::Result<Keyring, StartError> {
    let db = Db::open_to_look(url).await?;
    let keys = async { Ok(Keyring::of_rows(&rows_of(&db).await?, kms).await?) }.await;
    db.close().await;
    keys
}

async fn look(db: &Db, kms: Arc<dyn Kms>, sample: u64) -> std::result::Result<DrillReport, StartError> {
    let rows = rows_of(db).await?;
    let keys = Keyring::of_rows(&rows, kms).await?;
    let mut report = DrillReport { keys: rows.len(), ..DrillReport::default() };
    for table in sealed_tables() {
        for column in table.columns {
            let mut seen = ColumnDrill { column: format!("{}.{column}", table.table.name), opened: 0, broken: 0 };
            for order in [Order::Asc, Order::Desc] {
                let select = Query::select()
                    .columns([table.key, column])
                    .from(table.table.name)
                    .and_where(Expr::col(column).is_not_null())
                    .order_by(table.key, order)
                    .limit(sample.div_ceil(2))
                    .to_owned();
                for row in db.as_system(super::keyring::WHY).all(&select).await? {
                    let (id, sealed): (Uuid, Vec<u8>) = (row.try_get_by_index(0).map_err(Error::from)?, row.try_get_by_index(1).map_err(Error::from)?);
                    match keys.open(Place { table: table.table.name, column, row: id }, &sealed) {
                        Err(_) => seen.broken += 1,
                        Ok(text) => {
                            seen.opened += 1;
                            if column == "identity_number" {
                                if known(db, &keys, &text).await? { report.found += 1 } else { report.lost += 1 }
                            }
                        }
                    }
                }
            }
            report.columns.push(seen);
        }
    }
    Ok(report)
}

async fn known(db: &Db, keys: &Keyring, number: &str) -> Result<bool> {
    let select = Query::select().expr(Expr::val(1)).from("identity_registry").and_where(Expr::col("fingerprint").is_in(keys.fingerprints(number))).limit(1).to_owned();
    Ok(db.as_system(super::keyring::WHY).one(&select).await?.is_some())
}
