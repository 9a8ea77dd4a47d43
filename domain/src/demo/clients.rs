//! Two machines of the demonstration, with a key that lies in the data folder for everyone who tries them.

use super::{PERSONAS, SYSTEM, fixed, system};
use crate::app::Domain;
use crate::error::Result;
use crate::store::Change;
use entity::codes::{AccountState, ClientKind};
use entity::tables::client;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use uuid::Uuid;

pub struct DemoClient {
    pub id: Uuid,
    pub name: &'static str,
    /// Whose grants it acts with.
    persona: &'static str,
    purposes: &'static str,
    scopes: &'static str,
}

pub const CLIENTS: &[DemoClient] = &[
    DemoClient { id: fixed(20, 1), name: "demo-partner", persona: "health-partner", purposes: "health-care", scopes: "read write" },
    DemoClient { id: fixed(20, 2), name: "demo-importer", persona: "township-supervisor", purposes: "casework", scopes: "bulk:import read" },
];

/// Registers them with this public key set, or gives them the new one.
pub async fn register_clients(domain: &Domain, jwks: &str) -> Result<()> {
    let now = domain.clock.now();
    let mut tx = domain.db.begin().await?;
    let mut changed = false;
    for demo in CLIENTS {
        let Some(persona) = PERSONAS.iter().find(|p| p.name == demo.persona) else { continue };
        let select = Query::select().columns(["jwks", "version"]).from("client").and_where(Expr::col("id").eq(demo.id)).to_owned();
        let version = match tx.rows(&select).await?.first() {
            Some(row) if row.try_get_by_index::<Option<String>>(0)?.as_deref() == Some(jwks) => continue,
            Some(row) => row.try_get_by_index::<i64>(1)? + 1,
            None => 1,
        };
        if version == 1 {
            tx.insert(client::ActiveModel {
                id: Set(demo.id),
                version: Set(1),
                account_id: Set(persona.account),
                name: Set(demo.name.to_owned()),
                kind: Set(ClientKind::Partner),
                state: Set(AccountState::Active),
                jwks: Set(Some(jwks.to_owned())),
                jwks_uri: Set(None),
                proposed_jwks: Set(None),
                proposed_jwks_uri: Set(None),
                proposed_by: Set(None),
                purposes: Set(demo.purposes.to_owned()),
                scopes: Set(demo.scopes.to_owned()),
                documents: Set(None),
                token_seconds: Set(900),
                created_at: Set(now),
                created_by: Set(SYSTEM),
                updated_at: Set(now),
                updated_by: Set(SYSTEM),
            })
            .await?;
        } else {
            let update = Query::update().table("client").value("jwks", jwks).value("version", version).value("updated_at", now).and_where(Expr::col("id").eq(demo.id)).to_owned();
            tx.execute_update(&update).await?;
        }
        tx.changed(Change { table: &client::TABLE, id: demo.id, child: None, version });
        changed = true;
    }
    if !changed {
        return tx.rollback().await;
    }
    domain.commit(tx, &system(domain), "registerDemoClients").await?;
    domain.clients.forget();
    Ok(())
}
