//! Programmes with their national basis, and rates to try them with.

use super::fixed;
use chrono::NaiveDate;
use entity::codes::{CareMode, DivisionLevel};
use entity::tables::{programme, programme_rate};
use entity::{DivisionCode, Fen};
use sea_orm::ActiveValue::Set;
use uuid::Uuid;

pub const ORPHAN_ALLOWANCE: Uuid = fixed(4, 1);
pub const DE_FACTO_ALLOWANCE: Uuid = fixed(4, 2);
pub const DIBAO: Uuid = fixed(4, 3);
pub const TEKUN: Uuid = fixed(4, 4);
pub const DISABILITY_LIVING: Uuid = fixed(4, 5);
pub const DISABILITY_NURSING: Uuid = fixed(4, 6);
pub const MEDICAL_ASSISTANCE: Uuid = fixed(4, 7);
pub const TEMPORARY_RELIEF: Uuid = fixed(4, 8);

const PROGRAMMES: [(Uuid, &str, &str, &str, &str); 8] = [
    (ORPHAN_ALLOWANCE, "ORPHAN_LIVING_ALLOWANCE", "孤儿基本生活费", "orphan living allowance", "国办发〔2010〕54号《国务院办公厅关于加强孤儿保障工作的意见》"),
    (DE_FACTO_ALLOWANCE, "DE_FACTO_UNATTENDED_ALLOWANCE", "事实无人抚养儿童基本生活补贴", "de facto unattended children's living allowance", "民发〔2019〕62号《关于进一步加强事实无人抚养儿童保障工作的意见》"),
    (DIBAO, "DIBAO", "最低生活保障", "minimum living allowance (dibao)", "《社会救助暂行办法》（国务院令第649号）第二章"),
    (TEKUN, "TEKUN", "特困人员救助供养", "support of persons in extreme difficulty (tekun)", "国发〔2016〕14号《国务院关于进一步健全特困人员救助供养制度的意见》"),
    (DISABILITY_LIVING, "DISABILITY_LIVING_SUBSIDY", "困难残疾人生活补贴", "living subsidy of disabled persons in difficulty", "国发〔2015〕52号《国务院关于全面建立困难残疾人生活补贴和重度残疾人护理补贴制度的意见》"),
    (DISABILITY_NURSING, "DISABILITY_NURSING_SUBSIDY", "重度残疾人护理补贴", "nursing subsidy of severely disabled persons", "国发〔2015〕52号《国务院关于全面建立困难残疾人生活补贴和重度残疾人护理补贴制度的意见》"),
    (MEDICAL_ASSISTANCE, "MEDICAL_ASSISTANCE", "医疗救助（资助参保）", "medical assistance: insurance premium", "国办发〔2021〕42号《国务院办公厅关于健全重特大疾病医疗保险和救助制度的意见》"),
    (TEMPORARY_RELIEF, "TEMPORARY_RELIEF", "临时救助", "temporary relief", "国发〔2014〕47号《国务院关于全面建立临时救助制度的通知》"),
];

pub(super) fn programmes() -> Vec<programme::ActiveModel> {
    PROGRAMMES
        .iter()
        .map(|(id, code, name, name_en, basis)| programme::ActiveModel {
            id: Set(*id),
            code: Set((*code).to_owned()),
            name: Set((*name).to_owned()),
            name_en: Set((*name_en).to_owned()),
            basis: Set((*basis).to_owned()),
        })
        .collect()
}

struct Rate {
    programme: Uuid,
    division: i64,
    mode: Option<CareMode>,
    from: (i32, u32),
    until: Option<(i32, u32)>,
    fen: i64,
}

const fn rate(programme: Uuid, division: i64, mode: Option<CareMode>, from: (i32, u32), until: Option<(i32, u32)>, fen: i64) -> Rate {
    Rate { programme, division, mode, from, until, fen }
}

const IN_FAMILY: Option<CareMode> = Some(CareMode::Scattered);
const IN_INSTITUTION: Option<CareMode> = Some(CareMode::Centralised);
const GUIZHOU: i64 = super::PROVINCE;
const CHONGQING: i64 = 500_000_000_000;
const GUANGDONG: i64 = 440_000_000_000;
const PUYANG: i64 = 410_900_000_000;

/// Published: Chongqing 2025, Guangdong 2023, Puyang 2025. The others are figures for demonstration.
const RATES: &[Rate] = &[
    rate(ORPHAN_ALLOWANCE, 0, IN_FAMILY, (2010, 1), Some((2022, 1)), 60_000),
    rate(ORPHAN_ALLOWANCE, 0, IN_INSTITUTION, (2010, 1), Some((2022, 1)), 100_000),
    rate(ORPHAN_ALLOWANCE, 0, IN_FAMILY, (2022, 1), None, 105_000),
    rate(ORPHAN_ALLOWANCE, 0, IN_INSTITUTION, (2022, 1), None, 150_000),
    rate(ORPHAN_ALLOWANCE, GUIZHOU, IN_FAMILY, (2022, 1), Some((2025, 1)), 112_000),
    rate(ORPHAN_ALLOWANCE, GUIZHOU, IN_FAMILY, (2025, 1), None, 120_000),
    rate(ORPHAN_ALLOWANCE, GUIZHOU, IN_INSTITUTION, (2022, 1), Some((2025, 1)), 160_000),
    rate(ORPHAN_ALLOWANCE, GUIZHOU, IN_INSTITUTION, (2025, 1), None, 170_000),
    rate(ORPHAN_ALLOWANCE, CHONGQING, IN_FAMILY, (2025, 1), None, 165_100),
    rate(ORPHAN_ALLOWANCE, CHONGQING, IN_INSTITUTION, (2025, 1), None, 185_100),
    rate(ORPHAN_ALLOWANCE, GUANGDONG, IN_FAMILY, (2023, 1), None, 135_900),
    rate(ORPHAN_ALLOWANCE, GUANGDONG, IN_INSTITUTION, (2023, 1), None, 201_700),
    rate(ORPHAN_ALLOWANCE, PUYANG, IN_FAMILY, (2025, 1), None, 117_400),
    // Follows the scattered rate of orphans (民发〔2019〕62号).
    rate(DE_FACTO_ALLOWANCE, 0, None, (2020, 1), Some((2022, 1)), 60_000),
    rate(DE_FACTO_ALLOWANCE, 0, None, (2022, 1), None, 105_000),
    rate(DE_FACTO_ALLOWANCE, GUIZHOU, None, (2022, 1), Some((2025, 1)), 112_000),
    rate(DE_FACTO_ALLOWANCE, GUIZHOU, None, (2025, 1), None, 120_000),
    rate(DE_FACTO_ALLOWANCE, CHONGQING, None, (2025, 1), None, 165_100),
    rate(DE_FACTO_ALLOWANCE, GUANGDONG, None, (2023, 1), None, 135_900),
    rate(DE_FACTO_ALLOWANCE, PUYANG, None, (2025, 1), None, 117_400),
    rate(DIBAO, 0, None, (2014, 5), Some((2023, 1)), 32_000),
    rate(DIBAO, 0, None, (2023, 1), None, 43_000),
    rate(DIBAO, GUIZHOU, None, (2024, 1), None, 46_500),
    rate(TEKUN, 0, IN_FAMILY, (2016, 2), None, 62_000),
    rate(TEKUN, 0, IN_INSTITUTION, (2016, 2), None, 80_000),
    rate(DISABILITY_LIVING, 0, None, (2016, 1), None, 8_000),
    rate(DISABILITY_LIVING, GUIZHOU, None, (2023, 1), None, 10_000),
    rate(DISABILITY_NURSING, 0, None, (2016, 1), None, 8_000),
    rate(DISABILITY_NURSING, GUIZHOU, None, (2023, 1), None, 9_000),
    rate(MEDICAL_ASSISTANCE, 0, None, (2014, 5), None, 3_200),
    rate(TEMPORARY_RELIEF, 0, None, (2014, 10), None, 50_000),
];

fn first_of(month: (i32, u32)) -> NaiveDate {
    NaiveDate::from_ymd_opt(month.0, month.1, 1).unwrap_or_default()
}

pub(super) fn rates() -> Vec<programme_rate::ActiveModel> {
    (1_u16..)
        .zip(RATES)
        .map(|(n, rate)| programme_rate::ActiveModel {
            id: Set(fixed(5, n)),
            programme_id: Set(rate.programme),
            division: Set(rate.division),
            care_mode: Set(rate.mode),
            valid_from: Set(first_of(rate.from)),
            valid_to: Set(rate.until.map(first_of)),
            monthly_amount: Set(Fen(rate.fen)),
        })
        .collect()
}

/// The rate a child at home there has from a month on: the nearest division's.
pub(super) fn monthly(programme: Uuid, home: i64, mode: CareMode, month: NaiveDate) -> Option<Fen> {
    let home = DivisionCode::new(home)?;
    [DivisionLevel::County, DivisionLevel::Prefecture, DivisionLevel::Province, DivisionLevel::Nation].into_iter().find_map(|level| {
        RATES
            .iter()
            .filter(|r| r.programme == programme && r.division == home.at(level).value() && r.mode.is_none_or(|m| m == mode))
            .find(|r| first_of(r.from) <= month && r.until.is_none_or(|end| month < first_of(end)))
            .map(|r| Fen(r.fen))
    })
}
