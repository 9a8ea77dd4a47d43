//! The accounts everyone may try in a demonstration, and the bodies they work for.

use super::{COUNTY, PROVINCE, TOWNSHIP, VILLAGE, fixed};
use entity::codes::OrganisationKind;
use uuid::Uuid;

pub struct Persona {
    pub name: &'static str,
    pub title_zh: &'static str,
    pub title_en: &'static str,
    pub about_zh: &'static str,
    pub about_en: &'static str,
    pub account: Uuid,
}

/// The grant of a persona; the role has the persona's name.
pub(super) struct Granted {
    pub purpose: &'static str,
    pub division: i64,
    pub organisation: Option<Uuid>,
}

macro_rules! personas {
    ($($n:literal $name:literal: $title_zh:literal, $title_en:literal; $about_zh:literal, $about_en:literal;)+) => {
        pub const PERSONAS: &[Persona] = &[$(Persona {
            name: $name, title_zh: $title_zh, title_en: $title_en, about_zh: $about_zh, about_en: $about_en, account: fixed(1, $n),
        },)+];
    };
}

personas! {
    1 "village-director": "儿童主任", "village child director"; "正安县谢坝乡谢坝村的儿童主任，走访本村和自己负责的儿童", "Visits the children of one village and those assigned to this account.";
    2 "township-supervisor": "儿童督导员", "township child supervisor"; "谢坝仡佬族苗族乡的儿童督导员，核查、分派", "Checks the files of one township and assigns directors.";
    3 "county-officer": "县级民政干部", "county civil-affairs officer"; "正安县民政局干部，认定、审批、监督", "Classifies, approves and supervises in one county.";
    4 "province-officer": "省级民政干部", "province civil-affairs officer"; "贵州省民政厅干部，监督检查，姓名和证件号码部分遮盖", "Supervises a province; names and numbers are shown in part.";
    5 "national-statistician": "国家统计员", "national statistician"; "只看统计数字，小数字不显示", "Sees counts alone, small ones withheld.";
    6 "school-partner": "学校联系人", "school"; "正安县谢坝中心学校，只看本校学生的学籍信息", "Sees the schooling of the children of one school.";
    7 "police-officer": "公安民警", "police officer"; "正安县公安局民警，看身份、联系方式和家庭情况", "Sees identity, contacts and family in one county.";
    8 "health-partner": "卫健部门联系人", "health department"; "正安县卫生健康局，看健康信息", "Sees the health data of children living in one county.";
    9 "institution-worker": "儿童福利机构工作人员", "institution worker"; "正安县儿童福利院，看本院儿童", "Sees the children living in one welfare institution.";
    10 "auditor": "审计管理员", "audit administrator"; "看审计日志，不看儿童档案", "Reads the audit trail and no child's file.";
    11 "system-administrator": "系统管理员", "system administrator"; "管理账号，不看儿童档案", "Sees accounts and no child's file.";
    13 "security-administrator": "安全管理员", "security administrator"; "批准授权，不看儿童档案", "Decides on grants and sees no child's file.";
    12 "stranger": "无授权用户", "no grant at all"; "没有任何授权", "Is signed in and may see nothing.";
}

pub const VILLAGE_DIRECTOR: Uuid = PERSONAS[0].account;
pub(super) const TOWNSHIP_SUPERVISOR: Uuid = PERSONAS[1].account;
pub(super) const COUNTY_OFFICER: Uuid = PERSONAS[2].account;

pub const BUREAU: Uuid = fixed(3, 1);
pub const TOWNSHIP_OFFICE: Uuid = fixed(3, 2);
pub const VILLAGE_COMMITTEE: Uuid = fixed(3, 3);
pub const SCHOOL: Uuid = fixed(3, 4);
pub const SECOND_SCHOOL: Uuid = fixed(3, 5);
pub const INSTITUTION: Uuid = fixed(3, 6);
pub const HOSPITAL: Uuid = fixed(3, 7);
pub const POLICE: Uuid = fixed(3, 8);
pub const HEALTH: Uuid = fixed(3, 9);

pub(super) struct Body {
    pub id: Uuid,
    pub name: &'static str,
    pub kind: OrganisationKind,
    pub division: i64,
    pub parent: Option<Uuid>,
}

pub(super) const BODIES: &[Body] = &[
    Body { id: BUREAU, name: "正安县民政局", kind: OrganisationKind::CivilAffairs, division: COUNTY, parent: None },
    Body { id: TOWNSHIP_OFFICE, name: "谢坝仡佬族苗族乡人民政府", kind: OrganisationKind::TownshipOffice, division: TOWNSHIP, parent: Some(BUREAU) },
    Body { id: VILLAGE_COMMITTEE, name: "谢坝村村民委员会", kind: OrganisationKind::VillageCommittee, division: VILLAGE, parent: Some(TOWNSHIP_OFFICE) },
    Body { id: SCHOOL, name: "谢坝中心学校（演示）", kind: OrganisationKind::School, division: TOWNSHIP, parent: None },
    Body { id: SECOND_SCHOOL, name: "正安县第九十九中学（演示）", kind: OrganisationKind::School, division: COUNTY, parent: None },
    Body { id: INSTITUTION, name: "正安县儿童福利院（演示）", kind: OrganisationKind::WelfareInstitution, division: COUNTY, parent: Some(BUREAU) },
    Body { id: HOSPITAL, name: "正安县人民医院", kind: OrganisationKind::Hospital, division: COUNTY, parent: Some(HEALTH) },
    Body { id: POLICE, name: "正安县公安局", kind: OrganisationKind::PublicSecurity, division: COUNTY, parent: None },
    Body { id: HEALTH, name: "正安县卫生健康局", kind: OrganisationKind::HealthCommission, division: COUNTY, parent: None },
    Body { id: fixed(3, 10), name: "正安县未成年人救助保护中心（演示）", kind: OrganisationKind::ProtectionCentre, division: COUNTY, parent: Some(BUREAU) },
    Body { id: fixed(3, 11), name: "谢坝村儿童之家（演示）", kind: OrganisationKind::ChildrensHome, division: VILLAGE, parent: Some(VILLAGE_COMMITTEE) },
    Body { id: fixed(3, 12), name: "正安县残疾人联合会", kind: OrganisationKind::DisabledPersons, division: COUNTY, parent: None },
    Body { id: fixed(3, 13), name: "正安县教育局", kind: OrganisationKind::Education, division: COUNTY, parent: None },
    Body { id: fixed(3, 14), name: "正安县妇女联合会", kind: OrganisationKind::WomensFederation, division: COUNTY, parent: None },
];

/// The body an account belongs to.
pub(super) fn body_of(persona: &str) -> Option<Uuid> {
    Some(match persona {
        "village-director" => VILLAGE_COMMITTEE,
        "township-supervisor" => TOWNSHIP_OFFICE,
        "county-officer" => BUREAU,
        "school-partner" => SCHOOL,
        "police-officer" => POLICE,
        "health-partner" => HEALTH,
        "institution-worker" => INSTITUTION,
        _ => return None,
    })
}

pub(super) fn granted(persona: &str) -> Option<Granted> {
    let grant = |purpose, division| Some(Granted { purpose, division, organisation: None });
    match persona {
        "village-director" => grant("casework", VILLAGE),
        "township-supervisor" => grant("casework", TOWNSHIP),
        "county-officer" => grant("casework", COUNTY),
        "province-officer" => grant("supervision", PROVINCE),
        "national-statistician" => grant("statistics", 0),
        "school-partner" => Some(Granted { purpose: "education", division: COUNTY, organisation: Some(SCHOOL) }),
        "police-officer" => grant("public-security", COUNTY),
        "health-partner" => grant("health-care", COUNTY),
        "institution-worker" => Some(Granted { purpose: "care", division: COUNTY, organisation: Some(INSTITUTION) }),
        "auditor" => grant("audit", 0),
        "system-administrator" | "security-administrator" => grant("administration", 0),
        _ => None,
    }
}
