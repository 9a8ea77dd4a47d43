//! What the use cases of the domain are called through until each has its own home there.

use domain::access::Actor;
use domain::{Domain, Error};
use entity::CodedEnum;
use entity::codes::AccountState;
use sea_orm::sea_query::{OnConflict, Query};
use sea_orm::{ConnectionTrait, Database};
use std::path::Path;
use uuid::Uuid;

pub struct Persona {
    pub name: &'static str,
    pub title_zh: &'static str,
    pub title_en: &'static str,
    pub about_zh: &'static str,
    pub about_en: &'static str,
    pub account: Uuid,
}

macro_rules! personas {
    ($($n:literal $name:literal $zh:literal $en:literal;)*) => {
        pub const PERSONAS: &[Persona] = &[$(Persona {
            name: $name, title_zh: $zh, title_en: $en, about_zh: "", about_en: "",
            account: Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0000 + $n),
        }),*];
    };
}

personas! {
    1 "village-director" "儿童主任" "Village child director";
    2 "township-supervisor" "儿童督导员" "Township child supervisor";
    3 "county-officer" "县级民政干部" "County civil-affairs officer";
    4 "province-officer" "省级民政干部" "Province civil-affairs officer";
    5 "national-statistician" "全国统计人员" "National statistician";
    6 "school-partner" "学校" "School partner";
    7 "police-officer" "公安民警" "Police officer";
    8 "health-partner" "卫生健康部门" "Health partner";
    9 "institution-worker" "儿童福利机构工作人员" "Institution worker";
    10 "auditor" "安全审计员" "Auditor";
    11 "system-administrator" "系统管理员" "System administrator";
    12 "stranger" "无授权人员" "Stranger without a grant";
}

/// Accounts and grants of the personas.
pub async fn prepare_demo(domain: &Domain, database_url: &str) -> Result<(), Error> {
    let db = Database::connect(database_url).await?;
    let now = domain.clock.now();
    let division = 429_004_000_000_i64;
    for persona in PERSONAS {
        let nothing = || OnConflict::new().do_nothing().to_owned();
        let insert = Query::insert()
            .into_table("account")
            .columns(["id", "version", "username", "display_name", "division", "state", "created_at", "created_by", "updated_at", "updated_by"])
            .values_panic([
                persona.account.into(),
                1i64.into(),
                persona.name.into(),
                persona.title_zh.into(),
                division.into(),
                AccountState::Active.name().into(),
                now.into(),
                persona.account.into(),
                now.into(),
                persona.account.into(),
            ])
            .on_conflict(nothing())
            .to_owned();
        db.execute(&insert).await?;
        let Some(role) = domain.policy.role(persona.name) else { continue };
        let purposes: std::collections::BTreeSet<&String> = role.see.iter().flat_map(|s| &s.purposes).collect();
        for (n, purpose) in purposes.into_iter().enumerate() {
            let id = Uuid::from_u128(persona.account.as_u128() + ((n as u128 + 1) << 16));
            let insert = Query::insert()
                .into_table("access_grant")
                .columns([
                    "id", "version", "account_id", "role", "division", "purpose", "valid_from", "created_at", "created_by", "updated_at", "updated_by",
                ])
                .values_panic([
                    id.into(),
                    1i64.into(),
                    persona.account.into(),
                    persona.name.into(),
                    division.into(),
                    purpose.as_str().into(),
                    now.into(),
                    now.into(),
                    persona.account.into(),
                    now.into(),
                    persona.account.into(),
                ])
                .on_conflict(nothing())
                .to_owned();
            db.execute(&insert).await?;
        }
    }
    db.close().await?;
    Ok(())
}

/// What goes on loading behind a running server; `progress` hears what, how much of it, and of how much.
pub async fn load_behind(domain: &Domain, progress: impl Fn(&'static str, u64, u64) + Send + Sync) -> Result<(), Error> {
    domain.load_upper_divisions().await?;
    domain.load_villages(None, &|done, total| progress("divisions", done, total)).await
}

/// Whether this viewer may hand in files at all.
pub fn may_upload(domain: &Domain, actor: &Actor) -> bool {
    actor.grants.iter().any(|g| domain.policy.role(&g.role).is_some_and(|r| r.actions.contains("importSurvey")))
}

/// A file that has arrived whole.
pub struct Upload<'a> {
    pub id: Uuid,
    pub file_name: &'a str,
    pub media_type: &'a str,
    pub bytes: u64,
    pub sha256: [u8; 32],
    pub path: &'a Path,
}

pub async fn announce_upload(_domain: &Domain, _actor: &Actor, upload: &Upload<'_>) -> Result<(), Error> {
    tracing::info!(upload = %upload.id, bytes = upload.bytes, media_type = upload.media_type, "upload arrived");
    Ok(())
}
