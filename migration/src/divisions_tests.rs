use std::collections::{HashMap, HashSet};
use std::time::Instant;

use super::*;

fn all() -> Vec<DivisionRecord> {
    upper()
        .chain(villages(None))
        .collect::<Result<_, _>>()
        .unwrap()
}

#[test]
fn every_division_has_its_parent_and_the_counts_are_the_source_s() {
    let begin = Instant::now();
    let all = all();
    eprintln!("{} divisions decoded in {:?}", all.len(), begin.elapsed());
    let mut counts = [0; 6];
    let mut levels = HashMap::new();
    for row in &all {
        counts[usize::from(row.level)] += 1;
        assert!(!row.name.is_empty(), "{}", row.code);
        match row.parent {
            None => assert_eq!(row.level, 1, "{}", row.code),
            Some(parent) => {
                // Parents come first; the subtree is a range of codes.
                let above = *levels.get(&parent).unwrap_or_else(|| panic!("{row:?}"));
                assert!(above < row.level);
                assert!((parent..parent + span_of(parent).unwrap()).contains(&row.code));
            }
        }
        assert_eq!(
            levels.insert(row.code, row.level),
            None,
            "{} twice",
            row.code
        );
    }
    assert_eq!(counts, [0, 31, 342, 2_975, 41_351, 620_572]);
    assert_eq!(all.len(), TOTAL);
    assert_eq!(TOTAL + 5, SOURCE_ROWS);
}

#[test]
fn rows_come_in_code_order() {
    for rows in [upper().collect::<Vec<_>>(), villages(None).collect()] {
        let codes: Vec<_> = rows.into_iter().map(|row| row.unwrap().code).collect();
        assert!(codes.is_sorted_by(|a, b| a < b));
    }
}

#[test]
fn townships_without_a_county_hang_under_their_city() {
    let upper: HashMap<_, _> = upper()
        .map(|row| row.unwrap())
        .map(|row| (row.code, row))
        .collect();
    for (city, name) in [(4419, "东莞市"), (4420, "中山市"), (4604, "儋州市")] {
        let city = &upper[&(city * 100_000_000)];
        assert_eq!((city.name.as_str(), city.level), (name, 2));
        let below: Vec<_> = upper
            .values()
            .filter(|row| row.parent == Some(city.code))
            .collect();
        assert!(
            below.len() > 10 && below.iter().all(|row| row.level == 4),
            "{name}"
        );
    }
    // Jiayuguan has one district with a code of its own, Kinmen no townships.
    assert_eq!(upper[&620_201_000_000].parent, Some(620_200_000_000));
    assert_eq!(upper[&350_527_000_000].level, 3);
    assert!(
        !upper
            .values()
            .any(|row| row.parent == Some(350_527_000_000))
    );
    // Counties directly under a province keep the intermediate row.
    assert_eq!(upper[&429_004_000_000].name, "仙桃市");
    assert_eq!(upper[&429_000_000_000].name, "省直辖县级行政区划");
    assert_eq!(upper[&110_100_000_000].name, "市辖区");
}

#[test]
fn known_places() {
    let names: HashMap<_, _> = all().into_iter().map(|row| (row.code, row.name)).collect();
    for (code, name) in [
        (110_000_000_000, "北京市"),
        (110_101_000_000, "东城区"),
        (110_101_001_000, "东华门街道"),
        (110_101_001_001, "多福巷社区居委会"),
        (500_200_000_000, "县"),
        (152_527_201_206, "敦达乌苏嘎查"),
    ] {
        assert_eq!(names[&code], name);
    }
}

#[test]
fn one_county_can_come_first() {
    let county = 450_305_000_000;
    let ahead: Vec<_> = villages_under(county)
        .map(|row| row.unwrap().code)
        .collect();
    assert!(ahead.len() > 10 && ahead.iter().all(|code| code / 1_000_000 == 450_305));
    let codes: Vec<_> = villages(Some(county))
        .map(|row| row.unwrap().code)
        .collect();
    assert_eq!(codes[..ahead.len()], ahead);
    assert_eq!(codes.len(), 620_572);
    assert_eq!(codes.iter().collect::<HashSet<_>>().len(), codes.len());
    assert_eq!(
        villages(Some(7)).next().unwrap().unwrap().code,
        110_101_001_001
    );
}

#[test]
fn a_damaged_file_is_an_error_and_ends() {
    let tail = |bytes: &[u8]| {
        let mut count = 0;
        let last = rows(bytes, |prefix| prefix == 0)
            .inspect(|_| count += 1)
            .last();
        (last.unwrap().is_err(), count)
    };
    assert_eq!(tail(&[]), (true, 1));
    assert_eq!(tail(b"DIV1\xff\xff\xff\xff"), (true, 1));
    assert_eq!(tail(&PACKED[..PACKED.len() - 1]), (true, 1));
    let mut flipped = PACKED.to_vec();
    let blocks = u32::from_le_bytes(*PACKED[4..].first_chunk().unwrap()) as usize;
    flipped[8 + blocks * ENTRY + 1000] ^= 1;
    assert_eq!(tail(&flipped), (true, 1));
    let mut more_rows = PACKED.to_vec();
    more_rows[14] += 1;
    assert!(tail(&more_rows).0);
}
