//! Mutations on accounts, grants, clients and accesses. They hang on who did what before, so each try has targets of its own,
//! put into the state that the mutation needs by somebody else.

use super::check::{Answer, Report, Walker};
use super::document::SDL;
use super::oracle::{Judge, Keys, May, Rules, Told};
use super::world::{Stage, Viewer, Void};
use domain::clock::Clock;
use domain::demo::VILLAGE;
use entity::codes::{AccessKind, AccessState, AccountState, ClientKind, GrantState};
use entity::tables::{access_grant, account, child, child_access, client};
use entity::value::sealed::Sealed;
use entity::{DataClass, Table};
use sea_orm::ActiveModelTrait;
use sea_orm::ActiveValue::Set;
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use serde_json::{Map, Value, json};
use uuid::Uuid;

const REASON: &str = "the office asked for it in writing";
const ISSUER: &str = "https://id.example";
const KEY: &str = r#"{"keys":[{"kid":"a","kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// Every mutation that the matrix tries here, some in more than one way.
const ACTS: &[(&str, &str)] = &[
    ("createAccount", ""),
    ("disableAccount", ""),
    ("enableAccount", ""),
    ("resetSecondFactor", ""),
    ("issueActivationCode", ""),
    ("linkExternalIdentity", ""),
    ("confirmExternalIdentity", ""),
    ("unlinkExternalIdentity", ""),
    ("registerClient", ""),
    ("setClientKeys", ""),
    ("disableClient", ""),
    ("enableClient", ""),
    ("proposeGrant", "below"),
    ("proposeGrant", "above"),
    ("approveGrant", ""),
    ("rejectGrant", ""),
    ("revokeGrant", ""),
    ("handOver", ""),
    ("lookUpIdentity", ""),
    ("requestAccess", ""),
    ("decideAccessRequest", ""),
    ("decideAccessRequest", "second"),
    ("breakGlass", ""),
    ("breakGlass", "money"),
    ("reviewBreakGlass", ""),
    ("endAccess", ""),
    ("endAccess", "own"),
];

/// Those among the mutations of the policy that are tried here.
pub fn is_here(name: &str) -> bool {
    ACTS.iter().any(|(act, _)| *act == name)
}

struct Try<'t> {
    stage: &'t Stage,
    judge: Judge<'t>,
    name: &'static str,
    way: &'static str,
    viewer: Uuid,
    /// The child that accesses are about.
    child: String,
}

impl Try<'_> {
    async fn account(&self, state: AccountState) -> Uuid {
        let (id, now) = (self.stage.world.clock.id(), self.stage.world.clock.now());
        let row = account::ActiveModel {
            id: Set(id),
            version: Set(1),
            username: Set(format!("t{}", id.simple())),
            display_name: Set("target".into()),
            organisation_id: Set(None),
            division: Set(VILLAGE),
            state: Set(state),
            created_at: Set(now),
            created_by: Set(id),
            updated_at: Set(now),
            updated_by: Set(id),
        };
        row.insert(&self.stage.db).await.expect("inserted");
        id
    }

    async fn grant(&self) -> (Uuid, Uuid) {
        let holder = self.account(AccountState::Active).await;
        let (mut row, _) = self.stage.grant("village-director", VILLAGE, None, None, "casework", Void::No);
        row.account_id = Set(holder);
        row.state = Set(GrantState::Proposed);
        let row: access_grant::Model = row.insert(&self.stage.db).await.expect("inserted");
        (holder, row.id)
    }

    async fn client(&self, state: AccountState) -> (Uuid, Uuid) {
        let holder = self.account(AccountState::Active).await;
        let (id, now) = (self.stage.world.clock.id(), self.stage.world.clock.now());
        let row = client::ActiveModel {
            id: Set(id),
            version: Set(1),
            account_id: Set(holder),
            name: Set(format!("c{}", id.simple())),
            kind: Set(ClientKind::Partner),
            state: Set(state),
            jwks: Set(None),
            jwks_uri: Set(None),
            proposed_jwks: Set(Some(KEY.into())),
            proposed_jwks_uri: Set(None),
            proposed_by: Set(Some(holder)),
            purposes: Set("casework".into()),
            scopes: Set("read".into()),
            documents: Set(None),
            token_seconds: Set(900),
            created_at: Set(now),
            created_by: Set(holder),
            updated_at: Set(now),
            updated_by: Set(holder),
        };
        row.insert(&self.stage.db).await.expect("inserted");
        (holder, id)
    }

    /// Linked by its owner, whoever that is: not by the one who tries.
    async fn identity(&self, account: Uuid, subject: &str) {
        let now = self.stage.world.clock.now();
        let insert = Query::insert()
            .into_table("account_identity")
            .columns(["id", "account_id", "issuer", "subject", "created_at", "created_by"])
            .values_panic([self.stage.world.clock.id().into(), account.into(), ISSUER.into(), subject.into(), now.into(), account.into()])
            .to_owned();
        self.stage.db.execute(&insert).await.expect("inserted");
    }

    async fn access(&self, holder: Uuid, kind: AccessKind, state: AccessState) -> Uuid {
        let (id, now) = (self.stage.world.clock.id(), self.stage.world.clock.now());
        let uuid = Uuid::try_parse(&self.child["Child:".len()..]).expect("an id");
        let row = child_access::ActiveModel {
            id: Set(id),
            version: Set(1),
            account_id: Set(holder),
            child_id: Set(uuid),
            division: Set(self.office().parse().expect("a code")),
            kind: Set(kind),
            state: Set(state),
            purpose: Set("casework".into()),
            classes: Set("registry,contact".into()),
            reason: Set(Sealed(Vec::new())),
            valid_from: Set(None),
            valid_to: Set(now + chrono::TimeDelta::days(5)),
            created_at: Set(now),
            created_by: Set(holder),
            updated_at: Set(now),
            updated_by: Set(holder),
            ..Default::default()
        };
        row.insert(&self.stage.db).await.expect("inserted");
        id
    }

    fn child_keys(&self) -> &Keys {
        &self.stage.keys[&self.child]
    }

    fn office(&self) -> String {
        self.child_keys().children[0].accepting.clone().expect("an office")
    }

    fn forbidden(&self) -> String {
        format!("FORBIDDEN {}", self.name)
    }

    /// A row that must be there, with a right to the action and to every class that the input sets.
    fn may(&self, table: &Table, keys: &Keys, input: &Map<String, Value>) -> Result<May, String> {
        let may = self.judge.row(table, keys, &[]).ok_or("NOT_FOUND")?;
        if !may.actions.contains(self.name) {
            return Err(self.forbidden());
        }
        match self.first_closed(&may, input) {
            Some(field) => Err(format!("FORBIDDEN input.{field}")),
            None => Ok(may),
        }
    }

    fn first_closed(&self, may: &May, input: &Map<String, Value>) -> Option<String> {
        let spec = graphql::mutation::inputs().find(|spec| spec.name == input_of(self.name))?;
        let classes = spec.fields.iter().filter_map(|(name, column)| {
            let (table, column) = (*column)?;
            Some((graphql::fields::camel(name), table.columns[table.column(column)?].class))
        });
        let mut set = classes.filter(|(name, _)| input.contains_key(name));
        set.find(|(_, class)| *class != DataClass::Public && !may.write.contains(class.name())).map(|(name, _)| name)
    }

    fn account_keys(id: Uuid) -> Keys {
        Keys { division: format!("{VILLAGE:012}"), account: format!("Account:{id}"), ..Keys::default() }
    }

    fn access_keys(&self, holder: Uuid) -> Keys {
        Keys { division: self.office(), account: format!("Account:{holder}"), ..Keys::default() }
    }

    /// What to send, and what should come of it: `done`, or the first thing in its way.
    async fn made(&self) -> (Map<String, Value>, Result<(), String>) {
        let id = |kind: &str, id: Uuid| json!(format!("{kind}:{id}"));
        let now = self.stage.world.clock.now();
        let later = json!((now + chrono::TimeDelta::days(10)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
        let own = Self::account_keys(self.viewer);
        let own = Keys { division: "nowhere".into(), ..own };
        let object = |value: Value| value.as_object().cloned().unwrap_or_default();
        let access_table = &child_access::TABLE;
        match self.name {
            "createAccount" => {
                let name = format!("n{}", self.stage.world.clock.id().simple());
                let input = object(json!({ "username": name, "displayName": "new", "divisionCode": format!("{VILLAGE:012}") }));
                let expected = self.administered(&Self::account_keys(Uuid::nil()), &input);
                (input, expected)
            }
            "disableAccount" | "enableAccount" | "resetSecondFactor" | "issueActivationCode" => {
                let state = if self.name == "enableAccount" { AccountState::Suspended } else { AccountState::Active };
                let target = self.account(state).await;
                let input = object(json!({ "accountId": id("Account", target), "expectedVersion": 1, "reason": REASON }));
                let expected = self.administered(&Self::account_keys(target), &input);
                (input, expected)
            }
            "linkExternalIdentity" | "confirmExternalIdentity" | "unlinkExternalIdentity" => {
                let target = self.account(AccountState::Active).await;
                let subject = target.simple().to_string();
                if self.name != "linkExternalIdentity" {
                    self.identity(target, &subject).await;
                }
                let input = object(json!({ "accountId": id("Account", target), "expectedVersion": 1, "issuer": ISSUER, "subject": subject, "reason": REASON }));
                let expected = self.administered(&Self::account_keys(target), &input);
                (input, expected)
            }
            "registerClient" => {
                let target = self.account(AccountState::Active).await;
                let name = format!("r{}", target.simple());
                let input = object(json!({ "accountId": id("Account", target), "name": name, "kind": "PARTNER", "jwks": KEY, "purposes": ["casework"], "scopes": ["read"] }));
                let expected = self.may(&account::TABLE, &Self::account_keys(target), &input).map(drop);
                (input, expected)
            }
            "setClientKeys" | "disableClient" | "enableClient" => {
                let state = if self.name == "enableClient" { AccountState::Suspended } else { AccountState::Active };
                let (holder, client) = self.client(state).await;
                let mut input = object(json!({ "clientId": id("Client", client), "expectedVersion": 1 }));
                if self.name == "setClientKeys" {
                    input.insert("jwks".into(), json!(KEY));
                }
                let expected = self.may(&account::TABLE, &Self::account_keys(holder), &input).map(drop);
                (input, expected)
            }
            "proposeGrant" => {
                let target = self.account(AccountState::Active).await;
                let (role, division, purpose) = if self.way == "below" { ("village-director", format!("{VILLAGE:012}"), "casework") } else { ("auditor", "000000000000".to_owned(), "audit") };
                let input = object(json!({ "accountId": id("Account", target), "role": role, "divisionCode": division, "purpose": purpose, "validTo": later, "reason": REASON }));
                let expected = self.may(&account::TABLE, &Self::account_keys(target), &input).and_then(|_| self.grants(role, &division));
                (input, expected)
            }
            "approveGrant" | "rejectGrant" | "revokeGrant" => {
                let (holder, grant) = self.grant().await;
                let mut input = object(json!({ "grantId": id("Grant", grant), "expectedVersion": 1 }));
                input.insert(if self.name == "revokeGrant" { "reason" } else { "note" }.into(), json!(REASON));
                let expected = self.may(&access_grant::TABLE, &Self::account_keys(holder), &input).and_then(|_| self.grants("village-director", &format!("{VILLAGE:012}")));
                (input, expected)
            }
            "handOver" => {
                let (from, to) = (self.account(AccountState::Active).await, self.account(AccountState::Active).await);
                let given = self.stage.ids["Child"][12].clone();
                let uuid = Uuid::try_parse(&given["Child:".len()..]).expect("an id");
                let give = Query::update().table("child").value("director_id", from).and_where(Expr::col("id").eq(uuid)).to_owned();
                self.stage.db.execute(&give).await.expect("given");
                let mut facts = self.stage.keys[&given].children[0].clone();
                facts.director = Some(format!("Account:{from}"));
                let seen = [from, to].iter().all(|id| self.judge.row(&account::TABLE, &Self::account_keys(*id), &[]).is_some());
                let expected = match (seen, self.judge.writes(self.name, "registry", &facts)) {
                    (false, _) => Err("NOT_FOUND".to_owned()),
                    (_, false) => Err("OUT_OF_REACH".to_owned()),
                    _ => Ok(()),
                };
                (object(json!({ "fromAccountId": id("Account", from), "toAccountId": id("Account", to), "reason": REASON })), expected)
            }
            "lookUpIdentity" => {
                let input = object(json!({ "identityNumber": "11010519491231002X", "reason": REASON }));
                let expected = self.of_own(access_table, &own, &input);
                (input, expected)
            }
            "requestAccess" => {
                let input = object(json!({ "childRef": self.child, "purpose": self.judge.purpose, "dataClasses": ["contact"], "reason": REASON, "until": later }));
                let seen = self.judge.row(&child::TABLE, self.child_keys(), &[]).ok_or_else(|| "NOT_FOUND".to_owned());
                let expected = self.of_own(access_table, &own, &input).and_then(|()| seen.map(drop));
                (input, expected)
            }
            "breakGlass" => {
                let class = if self.way == "money" { "money" } else { "contact" };
                let input = object(json!({ "childRef": self.child, "dataClasses": [class], "reason": REASON, "minutes": 5 }));
                let open = self.judge.emergency().contains(class);
                let expected = self.of_own(access_table, &own, &input).and_then(|()| if open { Ok(()) } else { Err("CLASS_NOT_ALLOWED".to_owned()) });
                (input, expected)
            }
            "decideAccessRequest" => {
                let holder = self.account(AccountState::Active).await;
                let second = self.way == "second";
                let access = self.access(holder, AccessKind::Requested, if second { AccessState::AwaitingSecond } else { AccessState::Requested }).await;
                let input = object(json!({ "accessId": id("ChildAccess", access), "expectedVersion": 1, "grant": true, "note": "agreed" }));
                let expected = self.may(access_table, &self.access_keys(holder), &input).and_then(|_| {
                    let file = self.judge.row(&child::TABLE, self.child_keys(), &[]);
                    match file.filter(|may| may.actions.contains(self.name)) {
                        _ if second => if self.judge.separated(self.name) { Ok(()) } else { Err("OUT_OF_REACH".to_owned()) },
                        None => Err("OUT_OF_REACH".to_owned()),
                        Some(may) if [DataClass::Registry, DataClass::Contact].iter().any(|c| may.of(*c) != Told::Shown) => Err("CLASS_NOT_ALLOWED".to_owned()),
                        Some(_) => Ok(()),
                    }
                });
                (input, expected)
            }
            "reviewBreakGlass" => {
                let holder = self.account(AccountState::Active).await;
                let access = self.access(holder, AccessKind::BreakGlass, AccessState::InForce).await;
                let input = object(json!({ "accessId": id("ChildAccess", access), "expectedVersion": 1, "outcome": "JUSTIFIED", "note": "the police confirm it" }));
                let expected = self.may(access_table, &self.access_keys(holder), &input).map(drop);
                (input, expected)
            }
            _ => {
                let holder = if self.way == "own" { self.viewer } else { self.account(AccountState::Active).await };
                let access = self.access(holder, AccessKind::Requested, AccessState::Requested).await;
                let input = object(json!({ "accessId": id("ChildAccess", access), "expectedVersion": 1 }));
                let expected = self.may(access_table, &self.access_keys(holder), &input).map(drop);
                (input, expected)
            }
        }
    }

    /// Accounts are administered by a role that has both the right and the accounts there.
    fn administered(&self, keys: &Keys, input: &Map<String, Value>) -> Result<(), String> {
        let may = self.judge.administers(self.name, &keys.division).ok_or("NOT_FOUND")?;
        match self.first_closed(&may, input) {
            Some(field) => Err(format!("FORBIDDEN input.{field}")),
            None => Ok(()),
        }
    }

    fn grants(&self, role: &str, division: &str) -> Result<(), String> {
        if self.judge.may_grant(self.name, role, division) { Ok(()) } else { Err(self.forbidden()) }
    }

    /// What one does for oneself needs a right to one's own accesses.
    fn of_own(&self, table: &Table, own: &Keys, input: &Map<String, Value>) -> Result<(), String> {
        match self.may(table, own, input) {
            Err(none) if none == "NOT_FOUND" => Err(self.forbidden()),
            other => other.map(drop),
        }
    }
}

fn input_of(name: &str) -> String {
    let mutation = SDL.objects["Mutation"].iter().find(|f| f.name == name).expect("a mutation");
    super::document::base(&mutation.arguments[0].1).to_owned()
}

/// Every act as one viewer, really carried out where it may be. It changes the world.
pub async fn check(stage: &Stage, role: &str, viewer: &Viewer, rules: &Rules, report: &mut Report) {
    let account = viewer.account();
    // What is counted by the hour is counted for each viewer.
    stage.world.clock.advance(chrono::TimeDelta::minutes(61));
    for (name, way) in ACTS {
        let this = Try { stage, judge: viewer.judge(rules, &account), name, way, viewer: viewer.actor.account, child: stage.ids["Child"][7].clone() };
        let (input, expected) = this.made().await;
        let expected = if this.judge.actions().contains(*name) { expected.err().unwrap_or_else(|| "done".into()) } else { this.forbidden() };
        let text = format!("mutation($input: {}!) {{ {name}(input: $input) {{ userErrors {{ code field }} }} }}", input_of(name));
        let answer = Answer::of(stage.world.ask(&viewer.actor, &text, json!({ "input": input })).await);
        let mut walker = Walker { stage, viewer, judge: viewer.judge(rules, &account), role, channel: "mutation input", answer, report: &mut *report };
        for field in input.keys() {
            walker.cell(&format!("{}.{field}", input_of(name)));
        }
        let found = match walker.answer.error(name) {
            Some(error) => format!("{} {}", error["extensions"]["code"].as_str().unwrap_or_default(), error["extensions"]["subject"].as_str().unwrap_or_default()),
            None => match walker.answer.data[*name]["userErrors"][0]["code"].as_str() {
                Some(code) => code.to_owned(),
                None if walker.answer.data[*name]["userErrors"] == json!([]) => "done".into(),
                None => walker.answer.data.to_string(),
            },
        };
        walker.report.acts.entry((role.to_owned(), name)).or_default().insert(found.clone());
        if found != expected {
            walker.wrong(name, format!("{way} should be {expected}, is {found}"));
        }
        walker.end();
    }
}
