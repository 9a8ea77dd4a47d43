use proptest::prelude::*;

use super::*;

fn survives(bytes: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("survey");
    std::fs::write(&path, bytes).unwrap();
    let _ = read_all(&path);
    if let Ok(mut source) = open(&path, &Limits::default()) {
        let _ = propose(&mut *source, None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000), kind in 0..4) {
        let start: &[u8] = [b"".as_slice(), b"PK\x03\x04", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "姓名,出生日期\n".as_bytes()][kind as usize];
        survives(&[start, &bytes].concat());
    }

    #[test]
    fn damaged_workbooks_never_panic(cut in 0.0..1.0_f64, flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8)) {
        for valid in [super::hostile::valid(), include_bytes!("fixtures/survey.xls").to_vec()] {
            let mut flipped = valid.clone();
            for (at, byte) in &flips {
                let at = at.index(flipped.len());
                flipped[at] = *byte;
            }
            survives(&flipped);
            survives(&valid[..(valid.len() as f64 * cut) as usize]);
        }
    }

    /// Damage inside the parts, past the container's check sums.
    #[test]
    fn damaged_parts_never_panic(part in 0_usize..20, cut in 0.0..1.0_f64, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        survives(&super::hostile::damage(part, cut, at, byte));
    }

    #[test]
    fn any_table_of_text_reads_without_panic(rows in proptest::collection::vec(proptest::collection::vec("\\PC{0,12}", 0..8), 0..12)) {
        let mut text = String::from("姓名,性别,出生日期,公民身份号码,父亲,身体情况\n");
        for row in rows {
            text.push_str(&row.join(",").replace('"', ""));
            text.push('\n');
        }
        survives(text.as_bytes());
    }
}
