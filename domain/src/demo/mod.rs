//! Demonstration data: plainly synthetic, the same for the same day and number of children.
//!
//! Places are real, nobody in them is: identity numbers begin with 99, which no place has, telephones with 199 0000.

mod base;
mod batch;
mod bulk;
mod casework;
mod clients;
mod divisions;
mod family;
mod hand;
mod maker;
mod names;
mod personas;
mod programmes;
#[cfg(test)]
mod tests;

pub use bulk::{BulkReport, Progress, fill_in_bulk};
pub use hand::{DEMO_CHILD, DEMO_ELDER_SISTER, DEMO_MIGRANT, DEMO_ORPHAN, DEMO_YOUNGER_BROTHER};
pub use clients::{CLIENTS, DemoClient, register_clients};
pub use personas::{BUREAU, HOSPITAL, INSTITUTION, PERSONAS, Persona, SCHOOL, VILLAGE_DIRECTOR};
pub use programmes::{
    DE_FACTO_ALLOWANCE, DIBAO, DISABILITY_LIVING, DISABILITY_NURSING, MEDICAL_ASSISTANCE, ORPHAN_ALLOWANCE, TEKUN, TEMPORARY_RELIEF,
};

use crate::access::{Actor, Language, Lens};
use crate::app::Domain;
use crate::divisions::mark;
use crate::error::{Error, Result};
use divisions::{Place, Places};
use entity::codes::Category;
use family::Setting;
use maker::{MOST_CHILDREN, Maker};
use rand::Rng;
use rand::seq::IndexedRandom;
use std::sync::Arc;
use uuid::Uuid;

/// 贵州省遵义市正安县谢坝仡佬族苗族乡谢坝村, and what lies above it.
pub const VILLAGE: i64 = 520_324_202_201;
pub const TOWNSHIP: i64 = 520_324_202_000;
pub const COUNTY: i64 = 520_324_000_000;
pub const PROVINCE: i64 = 520_000_000_000;

const SEED: u64 = 20_160_708;
/// Files there are before the first query.
const FIRST: u64 = 60;
/// Files in one transaction, which takes a tenth of a second: a writer that waits gets its turn between.
const BATCH: u64 = 200;
/// Mark that holds the number of files made.
const CHILDREN: &str = "demo:children";
const BASE: &str = "demo:base";
const SYSTEM: Uuid = fixed(1, 99);

/// A UUIDv7 that stays the same in every demonstration.
const fn fixed(group: u16, n: u16) -> Uuid {
    Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0000 | (group as u128) << 32 | n as u128)
}

/// The director account of a place.
fn director(place: i64) -> Uuid {
    if place == VILLAGE {
        VILLAGE_DIRECTOR
    } else if place / 1_000_000 == COUNTY / 1_000_000 {
        base::township_director(place)
    } else {
        base::province_director(place)
    }
}

/// What the county officer of a demonstration signs in with; in the documentation.
pub const PASSWORD: &str = "county officer of the demo";
pub const SECOND_FACTOR: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/// Stands for the program itself in the records of what was done.
fn system(domain: &Domain) -> Actor {
    let purpose = "administration";
    Actor {
        account: SYSTEM,
        username: "demo-data".to_owned(),
        display_name: "演示数据".to_owned(),
        division: 0,
        organisation: None,
        language: Language::default(),
        request_id: "demo".to_owned(),
        purpose: purpose.to_owned(),
        legal_basis: domain.policy.legal_basis(purpose).to_owned(),
        grants: Arc::new(Vec::new()),
        lens: Arc::new(Lens::default()),
        bound: crate::access::Bound::default(),
        session: None,
    }
}

/// What the first query needs: divisions down to townships, one county to its villages, bodies, accounts, programmes,
/// some sixty files. Does nothing that was done before.
pub async fn prepare(domain: &Domain) -> Result<()> {
    if domain.profile == "production" {
        return Err(Error::forbidden("demo", "demonstration data never go into a production database"));
    }
    domain.load_upper_divisions().await?;
    if domain.progress(BASE).await?.is_none() {
        base::write(domain, &system(domain)).await?;
        domain.accounts.forget();
    }
    if domain.profile == "demo" {
        domain.set_known_credential(personas::COUNTY_OFFICER, PASSWORD, SECOND_FACTOR).await?;
    }
    if domain.progress(CHILDREN).await?.is_none() {
        let places = read_places().await?;
        let mut maker = Maker::new(domain, SEED, 0);
        let mut index = hand::write(&mut maker, &places)?;
        while index < FIRST {
            index += first_family(&mut maker, &places, index)?;
        }
        write(domain, maker, 0, FIRST).await?;
    }
    Ok(())
}

/// Makes files until there are `children`, batch by batch; goes on where it was interrupted.
pub async fn fill(domain: &Domain, children: usize, progress: &(dyn Fn(u64, u64) + Send + Sync)) -> Result<()> {
    let total = children as u64;
    if total > MOST_CHILDREN {
        return Err(Error::bad("TOO_MANY", "children", format!("at most {MOST_CHILDREN} synthetic children can be made")));
    }
    prepare(domain).await?;
    let mut made = made(domain).await?;
    progress(made.min(total), total);
    if made >= total {
        return Ok(());
    }
    let places = read_places().await?;
    while made < total {
        let end = total.min(made + BATCH);
        let mut maker = Maker::new(domain, SEED, made);
        let mut index = made;
        while index < end {
            index += any_family(&mut maker, &places, index, (end - index) as usize)?;
        }
        made = write(domain, maker, made, end).await?;
        progress(made.min(total), total);
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn read_places() -> Result<Places> {
    tokio::task::spawn_blocking(Places::read).await.map_err(Error::internal)?
}

async fn made(domain: &Domain) -> Result<u64> {
    Ok(domain.progress(CHILDREN).await?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// Writes a batch unless another process was quicker; the number of files there are then.
async fn write(domain: &Domain, maker: Maker<'_>, from: u64, to: u64) -> Result<u64> {
    // Inside, because its `min` hides that of numbers.
    use sea_orm::sea_query::{Expr, ExprTrait, Query};
    let mut tx = domain.db.begin().await?;
    let mut select = Query::select();
    select.column("value").from("meta").and_where(Expr::col("name").eq(CHILDREN));
    if domain.db.is_postgres() {
        select.lock_exclusive();
    }
    let now = match tx.rows(&select).await?.first() {
        Some(row) => row.try_get_by_index::<String>(0)?.parse().unwrap_or(0),
        None => 0,
    };
    if now != from {
        tx.rollback().await?;
        return Ok(now);
    }
    maker.batch.write(&mut tx).await?;
    tx.execute_insert(&mark(CHILDREN, &to.to_string())).await?;
    domain.commit(tx, &system(domain), "demoData").await?;
    Ok(to)
}

fn choose<'p>(maker: &mut Maker<'_>, places: &'p [Place]) -> Result<&'p Place> {
    places.choose(&mut maker.rng).ok_or_else(|| Error::internal("there are no places to put children in"))
}

/// A family of the county: in the village, the township, or anywhere.
fn first_family(maker: &mut Maker<'_>, places: &Places, index: u64) -> Result<u64> {
    let home = match maker.rng.random_range(0..10) {
        0..4 => places.village(VILLAGE)?,
        4..7 => {
            let near: Vec<&Place> = places.county.iter().filter(|p| p.code / 1000 == TOWNSHIP / 1000).collect();
            near.choose(&mut maker.rng).copied().ok_or_else(|| Error::internal("the township has no villages"))?
        }
        _ => choose(maker, &places.county)?,
    };
    let category = family::category(maker);
    let category = if category == Category::Migrant { Category::LeftBehind } else { category };
    let setting = Setting { home, lives: home, director: director(home.code), county: true };
    Ok(maker.family(&setting, category, index, (FIRST - index) as usize)? as u64)
}

fn any_family(maker: &mut Maker<'_>, places: &Places, index: u64, most: usize) -> Result<u64> {
    // The demonstration county has as many files as a county has; what comes after is spread over the country.
    let (home, county) = match maker.rng.random_range(if index < bulk::ORDINARY { 0..100 } else { 65..100 }) {
        0..30 => (choose(maker, &places.county)?, true),
        30..65 => (choose(maker, &places.province)?, false),
        _ => (choose(maker, &places.country)?, false),
    };
    let category = family::category(maker);
    let setting = if category == Category::Migrant {
        let from = choose(maker, &places.country)?;
        Setting { home: from, lives: home, director: director(home.code), county }
    } else {
        Setting { home, lives: home, director: director(home.code), county }
    };
    Ok(maker.family(&setting, category, index, most)? as u64)
}
