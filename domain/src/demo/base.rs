//! Reference data of the demonstration: divisions, bodies, accounts, grants, programmes.

use super::personas::{BODIES, BUREAU, PERSONAS, TOWNSHIP_OFFICE, body_of, granted};
use super::{BASE, COUNTY, PROVINCE, SYSTEM, TOWNSHIP, VILLAGE, divisions, fixed, programmes};
use crate::access::Actor;
use crate::app::Domain;
use crate::divisions::mark;
use crate::error::{Error, Result};
use crate::store::Change;
use chrono::{DateTime, TimeDelta, Utc};
use entity::Table;
use entity::codes::{AccountState, GrantState, OrganisationKind};
use entity::tables::{access_grant, account, organisation, programme, programme_rate};
use migration::divisions::upper;
use sea_orm::ActiveValue::Set;
use uuid::Uuid;

pub(super) fn province_director(place: i64) -> Uuid {
    fixed(8, u16::try_from(place / 10_000_000_000).unwrap_or_default())
}

pub(super) fn township_director(place: i64) -> Uuid {
    fixed(9, u16::try_from(place / 1000 % 1000).unwrap_or_default())
}

struct NewAccount {
    id: Uuid,
    username: String,
    display_name: String,
    organisation: Option<Uuid>,
    division: i64,
    state: AccountState,
}

impl NewAccount {
    fn row(self, now: DateTime<Utc>) -> account::ActiveModel {
        account::ActiveModel {
            id: Set(self.id),
            version: Set(1),
            username: Set(self.username),
            display_name: Set(self.display_name),
            organisation_id: Set(self.organisation),
            division: Set(self.division),
            state: Set(self.state),
            created_at: Set(now),
            created_by: Set(SYSTEM),
            updated_at: Set(now),
            updated_by: Set(SYSTEM),
        }
    }
}

/// Personas, a director for each province and for each township of the county, and the program itself.
fn accounts() -> Result<Vec<NewAccount>> {
    let mut all = vec![NewAccount {
        id: SYSTEM,
        username: "demo-data".to_owned(),
        display_name: "演示数据".to_owned(),
        organisation: None,
        division: 0,
        // Nobody signs in as the program.
        state: AccountState::Suspended,
    }];
    for persona in PERSONAS {
        all.push(NewAccount {
            id: persona.account,
            username: persona.name.to_owned(),
            display_name: persona.title_zh.to_owned(),
            organisation: body_of(persona.name),
            division: granted(persona.name).map_or(0, |grant| grant.division),
            state: AccountState::Active,
        });
    }
    for record in upper() {
        let record = record.map_err(Error::internal)?;
        let (id, username) = match record.level {
            1 => (province_director(record.code), format!("director-{}", record.code / 10_000_000_000)),
            4 if record.parent == Some(COUNTY) => (township_director(record.code), format!("director-{}", record.code / 1000)),
            _ => continue,
        };
        all.push(NewAccount {
            id,
            username,
            display_name: format!("{}儿童主任（演示）", record.name),
            organisation: None,
            division: record.code,
            state: AccountState::Active,
        });
    }
    Ok(all)
}

fn grants(now: DateTime<Utc>) -> Vec<access_grant::ActiveModel> {
    (1_u16..)
        .zip(PERSONAS)
        .filter_map(|(n, persona)| {
            let grant = granted(persona.name)?;
            Some(access_grant::ActiveModel {
                id: Set(fixed(2, n)),
                version: Set(1),
                account_id: Set(persona.account),
                role: Set(persona.name.to_owned()),
                division: Set(grant.division),
                organisation_id: Set(grant.organisation),
                category: Set(None),
                purpose: Set(grant.purpose.to_owned()),
                valid_from: Set(now - TimeDelta::days(1)),
                valid_to: Set(now + TimeDelta::days(365)),
            state: Set(GrantState::InForce),
                created_at: Set(now),
                created_by: Set(SYSTEM),
                updated_at: Set(now),
                updated_by: Set(SYSTEM),
                ..Default::default()
            })
        })
        .collect()
}

fn organisations(now: DateTime<Utc>) -> Result<Vec<organisation::ActiveModel>> {
    let row = |id: Uuid, name: String, kind: OrganisationKind, division: i64, parent: Option<Uuid>| organisation::ActiveModel {
        id: Set(id),
        version: Set(1),
        name: Set(name),
        kind: Set(kind),
        division: Set(division),
        parent_id: Set(parent),
        state: Set(AccountState::Active),
        created_at: Set(now),
        created_by: Set(SYSTEM),
        updated_at: Set(now),
        updated_by: Set(SYSTEM),
    };
    let mut all: Vec<_> = BODIES.iter().map(|b| row(b.id, b.name.to_owned(), b.kind, b.division, b.parent)).collect();
    all.push(row(fixed(3, 20), "贵州省民政厅".to_owned(), OrganisationKind::CivilAffairs, PROVINCE, None));
    for record in upper() {
        let record = record.map_err(Error::internal)?;
        if record.parent == Some(COUNTY) && record.code != TOWNSHIP {
            let office = if record.name.ends_with("街道") { "办事处" } else { "人民政府" };
            let id = fixed(10, u16::try_from(record.code / 1000 % 1000).unwrap_or_default());
            all.push(row(id, format!("{}{office}", record.name), OrganisationKind::TownshipOffice, record.code, Some(BUREAU)));
        }
    }
    for (n, village) in (1_u16..).zip(divisions::county_villages()?.into_iter().filter(|v| v.parent == Some(TOWNSHIP) && v.code != VILLAGE)) {
        all.push(row(fixed(11, n), village.name, OrganisationKind::VillageCommittee, village.code, Some(TOWNSHIP_OFFICE)));
    }
    Ok(all)
}

pub(super) async fn write(domain: &Domain, actor: &Actor) -> Result<()> {
    domain.insert_divisions(&divisions::county_villages()?).await?;
    let now = domain.clock.now();
    let organisations = organisations(now)?;
    let accounts: Vec<account::ActiveModel> = accounts()?.into_iter().map(|a| a.row(now)).collect();
    let (grants, programmes, rates) = (grants(now), programmes::programmes(), programmes::rates());
    let mut changes: Vec<(&'static Table, Uuid)> = Vec::new();
    let mut note = |table: &'static Table, id: sea_orm::ActiveValue<Uuid>| {
        if let Some(id) = id.try_as_ref() {
            changes.push((table, *id));
        }
    };
    organisations.iter().for_each(|row| note(&organisation::TABLE, row.id.clone()));
    accounts.iter().for_each(|row| note(&account::TABLE, row.id.clone()));
    grants.iter().for_each(|row| note(&access_grant::TABLE, row.id.clone()));
    programmes.iter().for_each(|row| note(&programme::TABLE, row.id.clone()));
    rates.iter().for_each(|row| note(&programme_rate::TABLE, row.id.clone()));
    let mut tx = domain.db.begin().await?;
    tx.insert_many(divisions::synthetic()).await?;
    tx.insert_many(divisions::changes()).await?;
    tx.insert_many(organisations).await?;
    tx.insert_many(accounts).await?;
    tx.insert_many(grants).await?;
    tx.insert_many(programmes).await?;
    tx.insert_many(rates).await?;
    for (table, id) in changes {
        tx.changed(Change { table, id, child: None, version: 1 });
    }
    tx.execute_insert(&mark(BASE, "complete")).await?;
    domain.commit(tx, actor, "demoData").await
}
