//! Places to put children in, and divisions under the unassigned prefix 99 that were renamed, recoded, merged and split.

use super::{COUNTY, PROVINCE, fixed};
use crate::error::{Error, Result};
use crate::names;
use chrono::NaiveDate;
use entity::DivisionCode;
use entity::codes::{DivisionChangeKind, DivisionLevel};
use entity::tables::{division, division_change};
use migration::divisions::{DivisionRecord, upper, villages_under};
use sea_orm::ActiveValue::Set;
use std::collections::HashMap;

/// A township or a village, with the names down to it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub code: i64,
    pub address: String,
}

pub(super) struct Places {
    /// Villages of the demonstration county.
    pub county: Vec<Place>,
    /// Townships of the rest of its province.
    pub province: Vec<Place>,
    /// Townships of the rest of the country.
    pub country: Vec<Place>,
}

pub(super) fn county_villages() -> Result<Vec<DivisionRecord>> {
    villages_under(COUNTY).map(|record| record.map_err(Error::internal)).collect()
}

impl Places {
    pub fn read() -> Result<Places> {
        let mut names: HashMap<i64, String> = HashMap::new();
        let mut townships = Vec::new();
        for record in upper() {
            let record = record.map_err(Error::internal)?;
            // A city's common part between city and county is no part of an address.
            let above = record.parent.and_then(|p| names.get(&p)).map_or("", String::as_str);
            let full = if matches!(record.name.as_str(), "市辖区" | "县") { above.to_owned() } else { format!("{above}{}", record.name) };
            if record.level == 4 {
                townships.push(Place { code: record.code, address: full.clone() });
            }
            names.insert(record.code, full);
        }
        let mut county = Vec::new();
        for village in county_villages()? {
            let above = village.parent.and_then(|p| names.get(&p)).map_or("", String::as_str);
            let short = ["村民委员会", "居民委员会", "村委会", "居委会"].iter().find_map(|end| village.name.strip_suffix(end)).unwrap_or(&village.name);
            county.push(Place { code: village.code, address: format!("{above}{short}") });
        }
        let in_county = |p: &Place| DivisionCode::new(p.code).is_some_and(|c| c.at(DivisionLevel::County).value() == COUNTY);
        let in_province = |p: &Place| DivisionCode::new(p.code).is_some_and(|c| c.at(DivisionLevel::Province).value() == PROVINCE);
        townships.retain(|p| !in_county(p));
        let (province, country) = townships.into_iter().partition(in_province);
        Ok(Places { county, province, country })
    }

    pub fn village(&self, code: i64) -> Result<&Place> {
        self.county.iter().find(|p| p.code == code).ok_or_else(|| Error::internal("the demonstration village is not in the divisions"))
    }
}

const MERGED: &str = "2021-06-01";
const SPLIT: &str = "2022-03-01";
const RENAMED: &str = "2023-09-01";
const RECODED: &str = "2024-01-01";

/// Code, name, valid from, valid to.
const SYNTHETIC: &[(i64, &str, Option<&str>, Option<&str>)] = &[
    (990_000_000_000, "演示省（虚构）", None, None),
    (990_100_000_000, "演示市（虚构）", None, None),
    (990_101_000_000, "甲县（虚构）", None, Some(MERGED)),
    (990_101_001_000, "甲县东乡", None, Some(MERGED)),
    (990_101_001_201, "甲县东乡一村", None, Some(MERGED)),
    (990_102_000_000, "乙县（虚构）", None, Some(MERGED)),
    (990_102_001_000, "乙县西乡", None, Some(MERGED)),
    (990_103_000_000, "甲乙区（虚构）", Some(MERGED), None),
    (990_103_001_000, "东乡街道", Some(MERGED), None),
    (990_103_001_201, "东乡一村", Some(MERGED), None),
    (990_103_002_000, "西乡街道", Some(MERGED), None),
    (990_104_000_000, "丁县（虚构）", None, Some(SPLIT)),
    (990_104_001_000, "丁县城关镇", None, Some(SPLIT)),
    (990_105_000_000, "丁东县（虚构）", Some(SPLIT), None),
    (990_105_001_000, "城东镇", Some(SPLIT), None),
    (990_106_000_000, "丁西县（虚构）", Some(SPLIT), None),
    (990_106_001_000, "城西镇", Some(SPLIT), None),
    (990_107_000_000, "新戊县（虚构）", None, None),
    (990_107_001_000, "戊城镇", None, None),
    (990_108_000_000, "己县（虚构）", None, Some(RECODED)),
    (990_108_001_000, "己县河口镇", None, Some(RECODED)),
    (990_109_000_000, "己区（虚构）", Some(RECODED), None),
    (990_109_001_000, "河口街道", Some(RECODED), None),
];

const CHANGES: &[(DivisionChangeKind, i64, &str, i64, &str, &str)] = &[
    (DivisionChangeKind::Merged, 990_101_000_000, "甲县（虚构）", 990_103_000_000, "甲乙区（虚构）", MERGED),
    (DivisionChangeKind::Merged, 990_102_000_000, "乙县（虚构）", 990_103_000_000, "甲乙区（虚构）", MERGED),
    (DivisionChangeKind::Recoded, 990_101_001_000, "甲县东乡", 990_103_001_000, "东乡街道", MERGED),
    (DivisionChangeKind::Recoded, 990_101_001_201, "甲县东乡一村", 990_103_001_201, "东乡一村", MERGED),
    (DivisionChangeKind::Recoded, 990_102_001_000, "乙县西乡", 990_103_002_000, "西乡街道", MERGED),
    (DivisionChangeKind::Split, 990_104_000_000, "丁县（虚构）", 990_105_000_000, "丁东县（虚构）", SPLIT),
    (DivisionChangeKind::Split, 990_104_000_000, "丁县（虚构）", 990_106_000_000, "丁西县（虚构）", SPLIT),
    (DivisionChangeKind::Split, 990_104_001_000, "丁县城关镇", 990_105_001_000, "城东镇", SPLIT),
    (DivisionChangeKind::Split, 990_104_001_000, "丁县城关镇", 990_106_001_000, "城西镇", SPLIT),
    (DivisionChangeKind::Renamed, 990_107_000_000, "老戊县（虚构）", 990_107_000_000, "新戊县（虚构）", RENAMED),
    (DivisionChangeKind::Recoded, 990_108_000_000, "己县（虚构）", 990_109_000_000, "己区（虚构）", RECODED),
    (DivisionChangeKind::Recoded, 990_108_001_000, "己县河口镇", 990_109_001_000, "河口街道", RECODED),
];

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap_or_default()
}

pub(super) fn synthetic() -> Vec<division::ActiveModel> {
    SYNTHETIC
        .iter()
        .map(|(code, name, from, to)| division::ActiveModel {
            code: Set(*code),
            parent: Set(migration::divisions::parent_of(*code)),
            level: Set(migration::divisions::level_of(*code).map_or(0, i16::from)),
            name: Set((*name).to_owned()),
            pinyin: Set(names::place_pinyin(name)),
            initials: Set(names::place_initials(name)),
            valid_from: Set(from.map(date)),
            valid_to: Set(to.map(date)),
        })
        .collect()
}

pub(super) fn changes() -> Vec<division_change::ActiveModel> {
    (1_u16..)
        .zip(CHANGES)
        .map(|(n, (kind, from_code, from_name, to_code, to_name, on))| division_change::ActiveModel {
            id: Set(fixed(6, n)),
            kind: Set(*kind),
            from_code: Set(*from_code),
            from_name: Set((*from_name).to_owned()),
            to_code: Set(*to_code),
            to_name: Set((*to_name).to_owned()),
            effective_on: Set(date(on)),
        })
        .collect()
}
