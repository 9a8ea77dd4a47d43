//! Things that are good once and not for long; the database knows their fingerprint alone.

use super::Secret;
use crate::access::mutant;
use crate::app::Domain;
use crate::error::Result;
use crate::sealing::Place;
use crate::store::Tx;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use entity::tables::ticket;
use sea_orm::ActiveValue::Set;
use sea_orm::QueryResult;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use uuid::Uuid;

/// What a ticket is for; one kind never passes for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The password was right, the second factor is to come.
    SecondFactor,
    /// A first or a new password may be set.
    Activation,
    /// The secret of a second factor that is not confirmed yet.
    Enrolment,
    /// Somebody was sent to an external provider.
    ExternalState,
    /// Somebody came back from one, and the front end is to fetch its tokens.
    ExternalCode,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::SecondFactor => "second-factor",
            Kind::Activation => "activation",
            Kind::Enrolment => "enrolment",
            Kind::ExternalState => "external-state",
            Kind::ExternalCode => "external-code",
        }
    }
}

pub struct Ticket {
    pub id: Uuid,
    pub account: Option<Uuid>,
    pub content: Option<Secret>,
}

const COLUMNS: [&str; 3] = ["id", "account_id", "content"];

impl Domain {
    /// 256 random bits, as text.
    pub(crate) fn new_token(&self) -> Secret {
        let mut bytes = [0; 32];
        self.clock.random(&mut bytes);
        Secret::new(URL_SAFE_NO_PAD.encode(bytes))
    }

    pub(crate) async fn issue_ticket(&self, tx: &mut Tx, kind: Kind, account: Option<Uuid>, content: Option<&str>, lives: TimeDelta) -> Result<Secret> {
        let (id, token) = (self.clock.id(), self.new_token());
        let content = content
            .map(|text| self.keys.seal(Place { table: ticket::TABLE.name, column: "content", row: id }, text, self.clock.as_ref()))
            .transpose()?;
        tx.insert(ticket::ActiveModel {
            id: Set(id),
            kind: Set(kind.name().to_owned()),
            hash: Set(self.keys.fingerprint_of(kind.name(), token.expose())),
            account_id: Set(account),
            content: Set(content),
            expires_at: Set(self.clock.now() + lives),
        })
        .await?;
        Ok(token)
    }

    fn ticket_of(&self, row: &QueryResult) -> Result<Ticket> {
        let id = row.try_get_by_index(0)?;
        let content: Option<Vec<u8>> = row.try_get_by_index(2)?;
        let place = Place { table: ticket::TABLE.name, column: "content", row: id };
        let content = content.map(|sealed| self.keys.open(place, &sealed)).transpose()?.map(Secret::new);
        Ok(Ticket { id, account: row.try_get_by_index(1)?, content })
    }

    fn not_expired(&self) -> Expr {
        mutant::unless("ticket.expiry", Expr::col("expires_at").gt(self.clock.now()))
    }

    /// Looks at a ticket and leaves it as it is.
    pub(crate) async fn peek_ticket(&self, kind: Kind, token: &str) -> Result<Option<Ticket>> {
        let select = Query::select()
            .columns(COLUMNS)
            .from("ticket")
            .and_where(Expr::col("hash").eq(self.keys.fingerprint_of(kind.name(), token)))
            .and_where(Expr::col("kind").eq(kind.name()))
            .and_where(self.not_expired())
            .to_owned();
        self.db.as_system(super::WHY).one(&select).await?.map(|row| self.ticket_of(&row)).transpose()
    }

    /// The open ticket of an account.
    pub(super) async fn ticket_of_account(&self, kind: Kind, account: Uuid) -> Result<Option<Ticket>> {
        let select = Query::select()
            .columns(COLUMNS)
            .from("ticket")
            .and_where(Expr::col("account_id").eq(account))
            .and_where(Expr::col("kind").eq(kind.name()))
            .and_where(self.not_expired())
            .to_owned();
        self.db.as_system(super::WHY).one(&select).await?.map(|row| self.ticket_of(&row)).transpose()
    }

    /// Uses a ticket up. None: there is none, or no longer, or somebody was quicker.
    pub(crate) async fn take_ticket(&self, tx: &mut Tx, kind: Kind, token: &str) -> Result<Option<Ticket>> {
        let delete = Query::delete()
            .from_table("ticket")
            .and_where(Expr::col("hash").eq(self.keys.fingerprint_of(kind.name(), token)))
            .and_where(Expr::col("kind").eq(kind.name()))
            .and_where(self.not_expired())
            .returning(Query::returning().columns(COLUMNS))
            .to_owned();
        tx.delete_returning(&delete).await?.first().map(|row| self.ticket_of(row)).transpose()
    }

    /// Voids every open ticket of an account, or those of one kind.
    pub(crate) async fn void_tickets(&self, tx: &mut Tx, account: Uuid, kind: Option<Kind>) -> Result<()> {
        let mut delete = Query::delete();
        delete.from_table("ticket").and_where(Expr::col("account_id").eq(account));
        if let Some(kind) = kind {
            delete.and_where(Expr::col("kind").eq(kind.name()));
        }
        tx.execute_delete(&delete).await?;
        Ok(())
    }
}
