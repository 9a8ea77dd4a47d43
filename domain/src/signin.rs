//! From the subject of a verified token to an actor: the account, its grants in force, the purpose stated.

use crate::access::bound::overlap;
use crate::access::{Actor, Bound, Grant, Language, Lens, NamedAccess, SessionRef, mutant};
use crate::app::Domain;
use crate::check;
use crate::error::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use entity::codes::{AccessKind, AccessState, AccountState, Category, DivisionChangeKind, GrantState};
use entity::{CodedEnum, DivisionCode};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query, UnionType};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// What the request says beside the token.
#[derive(Clone, Debug, Default)]
pub struct Asking {
    pub language: Language,
    pub request_id: String,
    /// The purpose stated in `X-Purpose`; otherwise that of the first grant.
    pub purpose: Option<String>,
    /// What the token was made for.
    pub bound: Bound,
    /// The `sid` of the token.
    pub session: Option<Uuid>,
}

#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// No such account, or one that is not active.
    #[error("the token names no active account")]
    Unknown,
    #[error("no grant of yours is for that purpose")]
    Purpose { granted: Vec<String> },
    #[error(transparent)]
    Other(#[from] Error),
}

/// Why this passes the second wall.
const WHY: &str = "who asks is found out before there is a scope";
/// How long an account and its grants are remembered.
const REMEMBERED: TimeDelta = TimeDelta::seconds(2);
const DIVISIONS_REMEMBERED: TimeDelta = TimeDelta::seconds(60);
const MOST_REMEMBERED: usize = 10_000;
/// What a row held by an account is.
const GRANT: i64 = 1;
const NAMED: i64 = 2;

/// Accounts lately seen.
#[derive(Default)]
pub struct Accounts {
    accounts: Mutex<HashMap<Uuid, (DateTime<Utc>, Arc<Account>)>>,
    /// What the divisions named in tokens stand for.
    ranges: Mutex<Remembered<i64, Vec<(i64, i64)>>>,
}

type Remembered<K, V> = HashMap<K, (DateTime<Utc>, V)>;

#[derive(Clone, Debug)]
struct Account {
    id: Uuid,
    username: String,
    display_name: String,
    division: i64,
    organisation: Option<Uuid>,
    grants: Arc<Vec<Grant>>,
    named: Vec<NamedAccess>,
    /// What the grants let through, by purpose.
    lenses: Lenses,
}

type Lenses = Arc<Mutex<HashMap<String, Arc<Lens>>>>;

impl Accounts {
    fn get(&self, id: Uuid, now: DateTime<Utc>) -> Option<Arc<Account>> {
        let map = self.accounts.lock().ok()?;
        map.get(&id).filter(|(at, _)| now - at < REMEMBERED).map(|(_, account)| account.clone())
    }
    fn put(&self, account: Arc<Account>, now: DateTime<Utc>) {
        if let Ok(mut map) = self.accounts.lock() {
            if map.len() >= MOST_REMEMBERED {
                map.clear();
            }
            map.insert(account.id, (now, account));
        }
    }
    /// Forgets everything, after accounts or grants were changed here.
    pub fn forget(&self) {
        if let Ok(mut map) = self.accounts.lock() {
            map.clear();
        }
    }
}

impl Domain {
    /// The actor a token's subject stands for.
    pub async fn sign_in(&self, subject: &str, asking: Asking) -> std::result::Result<Actor, SignInError> {
        let id = Uuid::try_parse(subject).map_err(|_| SignInError::Unknown)?;
        let now = self.clock.now();
        let session = match asking.session {
            Some(sid) => Some(SessionRef { id: sid, strong: self.session_strength(sid, id).await?.ok_or(SignInError::Unknown)? }),
            None => None,
        };
        let account = match self.accounts.get(id, now) {
            Some(account) => account,
            None => {
                let account = Arc::new(self.account(id, now).await?.ok_or(SignInError::Unknown)?);
                self.accounts.put(account.clone(), now);
                account
            }
        };
        if let Some(client) = asking.bound.client() {
            self.check_client(client, id, &asking.bound).await?;
        }
        let divisions = match asking.bound.divisions().filter(|_| !mutant::off("bound.divisions")) {
            Some(codes) => Some(self.divisions_of_token(codes, now).await?),
            None => None,
        };
        if let Some(session) = session.filter(|s| !check!("session.strong", s.strong)) {
            // Nothing that was granted holds before there is a second factor.
            let bare = Account { grants: Arc::default(), lenses: Lenses::default(), ..Account::clone(&account) };
            return Ok(Actor { session: Some(session), ..self.actor(&bare, Asking { purpose: None, ..asking }, divisions.as_deref())? });
        }
        Ok(Actor { session, ..self.actor(&account, asking, divisions.as_deref())? })
    }

    async fn divisions_of_token(&self, codes: &[i64], now: DateTime<Utc>) -> Result<Vec<(i64, i64)>> {
        let mut all = Vec::new();
        for code in codes {
            let known = self.accounts.ranges.lock().ok().and_then(|map| map.get(code).filter(|(at, _)| now - at < DIVISIONS_REMEMBERED).map(|(_, r)| r.clone()));
            let ranges = match known {
                Some(ranges) => ranges,
                None => {
                    let ranges = ranges(*code, &self.division_changes().await?);
                    if let Ok(mut map) = self.accounts.ranges.lock() {
                        if map.len() >= MOST_REMEMBERED {
                            map.clear();
                        }
                        map.insert(*code, (now, ranges.clone()));
                    }
                    ranges
                }
            };
            all.extend(ranges);
        }
        Ok(all)
    }

    /// The actor of an account named on the command line.
    pub async fn act_as(&self, username: &str, asking: Asking) -> std::result::Result<Actor, SignInError> {
        let select = Query::select().column("id").from("account").and_where(Expr::col("username").eq(username)).to_owned();
        let row = self.db.as_system(WHY).one(&select).await?.ok_or(SignInError::Unknown)?;
        let id: Uuid = row.try_get_by_index(0).map_err(Error::from)?;
        self.sign_in(&id.to_string(), asking).await
    }

    fn actor(&self, account: &Account, asking: Asking, divisions: Option<&[(i64, i64)]>) -> std::result::Result<Actor, SignInError> {
        let mut granted: BTreeSet<&str> = account.grants.iter().map(|g| g.purpose.as_str()).collect();
        if let Some(bound) = asking.bound.purpose() {
            granted.retain(|purpose| check!("bound.stated", *purpose == bound));
        }
        let purpose = match asking.purpose.as_deref().or(asking.bound.purpose()).map(str::to_owned) {
            Some(purpose) if check!("purpose.granted", granted.contains(purpose.as_str())) => purpose,
            Some(_) => return Err(SignInError::Purpose { granted: granted.into_iter().map(str::to_owned).collect() }),
            None => account.grants.first().map(|g| g.purpose.clone()).unwrap_or_default(),
        };
        let plain = divisions.is_none() && asking.bound.scopes().is_none() && account.named.is_empty() && !cfg!(feature = "mutants");
        let remembered = || account.lenses.lock().ok().and_then(|known| known.get(&purpose).cloned());
        let lens = match plain.then(remembered).flatten() {
            Some(lens) => lens,
            None => {
                let lens = Arc::new(self.lens(account, &asking, divisions, &purpose));
                if plain && let Ok(mut known) = account.lenses.lock() {
                    known.insert(purpose.clone(), lens.clone());
                }
                lens
            }
        };
        let mut grants = account.grants.clone();
        if let Some(divisions) = divisions {
            let narrowed = grants.iter().map(|g| Grant { ranges: overlap(&g.ranges, divisions), ..g.clone() });
            grants = Arc::new(narrowed.filter(|g| !g.ranges.is_empty()).collect());
        }
        if let Some(bound) = asking.bound.purpose().filter(|_| !mutant::off("bound.purpose")) {
            grants = Arc::new(grants.iter().filter(|g| g.purpose == bound).cloned().collect());
        }
        Ok(Actor {
            account: account.id,
            username: account.username.clone(),
            display_name: account.display_name.clone(),
            division: account.division,
            organisation: account.organisation,
            language: asking.language,
            request_id: asking.request_id,
            legal_basis: self.policy.legal_basis(&purpose).to_owned(),
            purpose,
            grants,
            lens,
            bound: asking.bound,
            session: None,
        })
    }

    fn lens(&self, account: &Account, asking: &Asking, divisions: Option<&[(i64, i64)]>, purpose: &str) -> Lens {
        let now = self.clock.now();
        let mut lens = Lens::new(&self.policy, account.id, &account.grants, purpose);
        match divisions {
            // A token bound to divisions reaches no child beside them by name.
            Some(divisions) => lens = lens.within(divisions),
            None => {
                let named: Vec<NamedAccess> = account.named.iter().filter(|access| check!("named.expiry", now < access.valid_to)).cloned().collect();
                lens = lens.with_named(account.id, &named, purpose);
            }
        }
        match asking.bound.scopes().filter(|_| !mutant::off("bound.scopes")) {
            Some(scopes) => lens.scoped_to(scopes),
            None => lens,
        }
    }

    /// The account with its grants and what it reaches by name, in one statement, and the changes of divisions in another.
    async fn account(&self, id: Uuid, now: DateTime<Utc>) -> Result<Option<Account>> {
        let a = |name: &'static str| (Alias::new("a"), Alias::new(name));
        let mut held = Query::select();
        held.expr_as(Expr::cust(format!("CAST({GRANT} AS BIGINT)")), Alias::new("what")).columns(["id", "account_id", "role", "division", "organisation_id", "category", "purpose", "valid_to"]).from("access_grant").and_where(Expr::col("account_id").eq(id));
        held.and_where(Expr::col("valid_from").lte(if mutant::off("grant.from") { now + TimeDelta::days(3650) } else { now }));
        held.and_where(Expr::col("valid_to").gt(if mutant::off("grant.to") { now - TimeDelta::days(3650) } else { now }));
        if !mutant::off("grant.state") {
            held.and_where(Expr::col("state").eq(GrantState::InForce.name()));
        }
        let mut named = Query::select();
        named.expr(Expr::cust(format!("CAST({NAMED} AS BIGINT)"))).columns(["id", "account_id", "kind"]).expr(Expr::cust("CAST(NULL AS BIGINT)")).columns(["child_id", "classes", "purpose", "valid_to"]).from("child_access").and_where(Expr::col("account_id").eq(id));
        named.and_where(Expr::col("state").eq(AccessState::InForce.name())).and_where(Expr::col("valid_from").lte(now)).and_where(Expr::col("valid_to").gt(now));
        let mut select = Query::select();
        for name in ["username", "display_name", "division", "organisation_id", "state"] {
            select.column(a(name));
        }
        let h = |name: &'static str| (Alias::new("h"), Alias::new(name));
        for name in ["what", "id", "role", "division", "organisation_id", "category", "purpose", "valid_to"] {
            select.column(h(name));
        }
        select
            .from_as(Alias::new("account"), Alias::new("a"))
            .join_subquery(sea_orm::JoinType::LeftJoin, held.union(UnionType::All, named).to_owned(), Alias::new("h"), Expr::col(h("account_id")).equals(a("id")))
            .and_where(Expr::col(a("id")).eq(id))
            .order_by(h("id"), sea_orm::Order::Asc);
        let rows = self.db.as_system(WHY).all(&select).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        if !check!("account.active", first.try_get_by_index::<String>(4)? == AccountState::Active.name()) {
            return Ok(None);
        }
        let (mut grants, mut named, mut changes) = (Vec::new(), Vec::new(), None);
        for row in &rows {
            let Some(what) = row.try_get_by_index::<Option<i64>>(5)? else { continue };
            let id: Uuid = row.try_get_by_index(6)?;
            if what == NAMED {
                let classes: String = row.try_get_by_index(10)?;
                named.push(NamedAccess {
                    id,
                    child: row.try_get_by_index(9)?,
                    purpose: row.try_get_by_index(11)?,
                    classes: classes.split(',').filter_map(entity::DataClass::parse).collect(),
                    break_glass: row.try_get_by_index::<String>(7)? == AccessKind::BreakGlass.name(),
                    valid_to: row.try_get_by_index(12)?,
                });
                continue;
            }
            let changes = match &mut changes {
                Some(known) => known,
                None => changes.insert(self.division_changes().await?),
            };
            let division: i64 = row.try_get_by_index(8)?;
            grants.push(Grant {
                id,
                role: row.try_get_by_index(7)?,
                division,
                ranges: ranges(division, changes),
                organisation: row.try_get_by_index(9)?,
                category: row.try_get_by_index::<Option<String>>(10)?.and_then(|c| Category::from_name(&c)),
                purpose: row.try_get_by_index(11)?,
            });
        }
        Ok(Some(Account {
            id,
            username: first.try_get_by_index(0)?,
            display_name: first.try_get_by_index(1)?,
            division: first.try_get_by_index(2)?,
            organisation: first.try_get_by_index(3)?,
            grants: Arc::new(grants),
            named,
            lenses: Lenses::default(),
        }))
    }

    async fn division_changes(&self) -> Result<Vec<DivisionChange>> {
        let select = Query::select().columns(["from_code", "to_code", "kind"]).from("division_change").to_owned();
        let mut changes = Vec::new();
        for row in self.db.all(&select).await? {
            let kind: String = row.try_get_by_index(2)?;
            changes.push((row.try_get_by_index::<i64>(0)?, row.try_get_by_index::<i64>(1)?, DivisionChangeKind::from_name(&kind)));
        }
        Ok(changes)
    }
}

/// From, to and how.
type DivisionChange = (i64, i64, Option<DivisionChangeKind>);

/// The codes a division stands for: its subtree, what was renamed, recoded or merged into it, and, where it ended
/// itself by a new code for the same place, that successor. A merge never widens the grant of what was merged.
fn ranges(code: i64, changes: &[DivisionChange]) -> Vec<(i64, i64)> {
    let range = |code: i64| DivisionCode::new(code).map(DivisionCode::range);
    let mut ranges: Vec<(i64, i64)> = range(code).into_iter().collect();
    let mut at = 0;
    while at < ranges.len() {
        let (low, high) = ranges[at];
        for (from, to, kind) in changes {
            let mut add = |code: i64| {
                if let Some(more) = range(code)
                    && !ranges.iter().any(|(l, h)| *l <= more.0 && more.1 <= *h)
                {
                    ranges.push(more);
                }
            };
            if (low..=high).contains(to) {
                add(*from);
            }
            if (low..=high).contains(from) && *kind == Some(DivisionChangeKind::Recoded) {
                add(*to);
            }
        }
        at += 1;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use crate::clock::Clock;
    use entity::tables::{access_grant, account, division_change};
    use sea_orm::ActiveValue::Set;

    const ACCOUNT: Uuid = Uuid::from_u128(0x0193_0000_0000_7000_8000_0009_0000_0001);

    /// What a grant on a division reaches after the changes, as 12-digit codes of the first of each range.
    async fn reached(world: &testing::TestDomain, grant_on: i64, changes: &[(i64, i64, DivisionChangeKind)]) -> BTreeSet<i64> {
        let now = world.clock.now();
        let by = ACCOUNT;
        let mut tx = world.db.begin().await.expect("begun");
        tx.insert(account::ActiveModel {
            id: Set(ACCOUNT),
            version: Set(1),
            username: Set("somebody".into()),
            display_name: Set("somebody".into()),
            organisation_id: Set(None),
            division: Set(grant_on),
            state: Set(AccountState::Active),
            created_at: Set(now),
            created_by: Set(by),
            updated_at: Set(now),
            updated_by: Set(by),
        })
        .await
        .expect("inserted");
        tx.insert(access_grant::ActiveModel {
            id: Set(world.clock.id()),
            version: Set(1),
            account_id: Set(ACCOUNT),
            role: Set("county-officer".into()),
            division: Set(grant_on),
            organisation_id: Set(None),
            category: Set(None),
            purpose: Set("casework".into()),
            valid_from: Set(now),
            valid_to: Set(now + TimeDelta::days(365)),
            state: Set(GrantState::InForce),
            created_at: Set(now),
            created_by: Set(by),
            updated_at: Set(now),
            updated_by: Set(by),
            ..Default::default()
        })
        .await
        .expect("inserted");
        for (from, to, kind) in changes {
            tx.insert(division_change::ActiveModel {
                id: Set(world.clock.id()),
                kind: Set(*kind),
                from_code: Set(*from),
                from_name: Set("before".into()),
                to_code: Set(*to),
                to_name: Set("after".into()),
                effective_on: Set(now.date_naive()),
            })
            .await
            .expect("inserted");
        }
        tx.commit_bare().await.expect("committed");
        let actor = world.sign_in(&ACCOUNT.to_string(), Asking::default()).await.expect("signs in");
        actor.grants[0].ranges.iter().map(|(low, _)| *low).collect()
    }

    #[tokio::test]
    async fn a_grant_reaches_what_was_merged_into_its_division_but_never_more() {
        use DivisionChangeKind::{Merged, Recoded, Split};
        const A: i64 = 130_101_000_000;
        const B: i64 = 130_102_000_000;
        const WHOLE: i64 = 130_103_000_000;
        for (grant_on, changes, expected) in [
            (WHOLE, vec![(A, WHOLE, Merged), (B, WHOLE, Merged)], vec![A, B, WHOLE]),
            // A merge never widens the grant of what was merged.
            (A, vec![(A, WHOLE, Merged), (B, WHOLE, Merged)], vec![A]),
            // The same place under a new code stays the same place, whichever way the grant was given.
            (A, vec![(A, B, Recoded)], vec![A, B]),
            (B, vec![(A, B, Recoded)], vec![A, B]),
            // Files from before a split are read by all that came of it, those of the others are not.
            (A, vec![(WHOLE, A, Split), (WHOLE, B, Split)], vec![A, WHOLE]),
            // Through several changes.
            (WHOLE, vec![(A, B, Recoded), (B, WHOLE, Merged)], vec![A, B, WHOLE]),
        ] {
            for world in testing::each().await {
                assert_eq!(reached(&world, grant_on, &changes).await, expected.iter().copied().collect(), "{changes:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_purpose_that_was_not_granted_is_refused_and_an_ended_grant_counts_for_nothing() {
        let world = testing::sqlite().await;
        reached(&world, 130_101_000_000, &[]).await;
        let asking = Asking { purpose: Some("audit".into()), ..Asking::default() };
        assert!(matches!(world.sign_in(&ACCOUNT.to_string(), asking).await, Err(SignInError::Purpose { granted }) if granted == ["casework"]));
        let mut tx = world.db.begin().await.expect("begun");
        let end = Query::update().table("access_grant").value("valid_to", world.clock.now()).to_owned();
        tx.execute_update(&end).await.expect("ended");
        tx.commit_bare().await.expect("committed");
        world.clock.advance(TimeDelta::seconds(3));
        let actor = world.sign_in(&ACCOUNT.to_string(), Asking::default()).await.expect("signs in");
        assert!(actor.lens.views.is_empty() && actor.lens.actions.is_empty());
        assert!(matches!(world.sign_in("nobody", Asking::default()).await, Err(SignInError::Unknown)));
    }
}
