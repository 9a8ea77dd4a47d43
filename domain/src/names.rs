//! Names as people search for them: folded, and in pinyin.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use pinyin::{ToPinyin, ToPinyinMulti};

/// One way to read a name aloud.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reading {
    pub syllables: Vec<String>,
}

impl Reading {
    pub fn joined(&self) -> String {
        self.syllables.concat()
    }

    pub fn initials(&self) -> String {
        self.syllables
            .iter()
            .filter_map(|syllable| syllable.chars().next())
            .collect()
    }
}

type Table = [(&'static str, &'static [&'static str])];
type Lookup = HashMap<char, Vec<(&'static str, &'static [&'static str])>>;

static SURNAME_LOOKUP: LazyLock<Lookup> = LazyLock::new(|| by_first(SURNAMES));
static PLACE_LOOKUP: LazyLock<Lookup> = LazyLock::new(|| by_first(PLACES));

/// Surnames read unlike the common reading of their characters.
const SURNAMES: &Table = &[
    ("万俟", &["mo", "qi"]),
    ("尉迟", &["yu", "chi"]),
    ("单于", &["chan", "yu"]),
    ("澹台", &["tan", "tai"]),
    ("单", &["shan"]),
    ("解", &["xie"]),
    ("曾", &["zeng"]),
    ("仇", &["qiu"]),
    ("区", &["ou"]),
    ("查", &["zha"]),
    ("朴", &["piao"]),
    ("盖", &["ge"]),
    ("缪", &["miao"]),
    ("翟", &["zhai"]),
    ("乐", &["yue"]),
    ("覃", &["qin"]),
    ("种", &["chong"]),
    ("召", &["shao"]),
    ("洗", &["xian"]),
    ("员", &["yun"]),
    ("黑", &["he"]),
    ("折", &["she"]),
    ("繁", &["po"]),
    ("长", &["chang"]),
    ("牟", &["mu"]),
];

/// Place names, and parts of them, read unlike the common reading of their characters.
const PLACES: &Table = &[
    ("重庆", &["chong", "qing"]),
    ("长", &["chang"]),
    ("厦门", &["xia", "men"]),
    ("六安", &["lu", "an"]),
    ("六合", &["lu", "he"]),
    ("蚌埠", &["beng", "bu"]),
    ("成都", &["cheng", "du"]),
    ("都", &["du"]),
    ("乐清", &["yue", "qing"]),
    ("西藏", &["xi", "zang"]),
    ("藏族", &["zang", "zu"]),
    ("什邡", &["shi", "fang"]),
    ("荥经", &["ying", "jing"]),
    ("铅山", &["yan", "shan"]),
    ("番禺", &["pan", "yu"]),
    ("东阿", &["dong", "e"]),
    ("浚县", &["xun", "xian"]),
    ("单县", &["shan", "xian"]),
    ("蔚县", &["yu", "xian"]),
    ("尉犁", &["yu", "li"]),
    ("大城县", &["dai", "cheng", "xian"]),
    ("洪洞", &["hong", "tong"]),
    ("黄陂", &["huang", "pi"]),
    ("枞阳", &["zong", "yang"]),
    ("会稽", &["kuai", "ji"]),
    ("涡阳", &["guo", "yang"]),
    ("银行", &["yin", "hang"]),
    ("曾都", &["zeng", "du"]),
];

/// Full width to half width, no spaces at the ends, one inside; `·` and rare characters stay.
pub fn fold(s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    for c in s.chars() {
        match c {
            '\u{ff01}'..='\u{ff5e}' => {
                out.extend(char::from_u32(u32::from(c) - 0xfee0));
            }
            c if c.is_whitespace() => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c => out.push(c),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// The common reading, joined: lower case, no tones, `ü` as `v`; other characters stay, folded.
pub fn pinyin(s: &str) -> String {
    common(s, None).concat()
}

/// The first letter of each syllable of [`pinyin`].
pub fn initials(s: &str) -> String {
    first_letters(&common(s, None))
}

/// [`pinyin`] with the readings that places have.
pub fn place_pinyin(s: &str) -> String {
    common(s, Some(&PLACE_LOOKUP)).concat()
}

/// The first letter of each syllable of [`place_pinyin`].
pub fn place_initials(s: &str) -> String {
    first_letters(&common(s, Some(&PLACE_LOOKUP)))
}

/// Up to `max` readings of a person's name, the likeliest first: the surname's own, then the others.
pub fn readings(name: &str, max: usize) -> Vec<Reading> {
    let name = fold(name).to_lowercase();
    let surname = entry(&name, &SURNAME_LOOKUP);
    let given = surname.map_or(name.as_str(), |(written, _)| &name[written.len()..]);
    let mut all = Vec::new();
    if let Some((_, syllables)) = surname {
        let mut options: Vec<_> = syllables.iter().map(|s| vec![(*s).to_owned()]).collect();
        options.extend(given.chars().map(options_of));
        all = combine(&options, max);
    }
    if all.len() < max {
        let options: Vec<_> = name.chars().map(options_of).collect();
        all.extend(combine(&options, max));
    }
    let mut seen = HashSet::new();
    all.retain(|syllables| seen.insert(syllables.clone()));
    all.truncate(max);
    all.into_iter()
        .map(|syllables| Reading { syllables })
        .collect()
}

fn options_of(c: char) -> Vec<String> {
    let mut options: Vec<String> = match c.to_pinyin_multi() {
        Some(multi) => multi.into_iter().map(|p| plain(p.plain())).collect(),
        None => vec![c.to_string()],
    };
    let mut seen = HashSet::new();
    options.retain(|option| seen.insert(option.clone()));
    options
}

/// The first `max` combinations of one option a place, the first place changing fastest.
fn combine(options: &[Vec<String>], max: usize) -> Vec<Vec<String>> {
    let total = options
        .iter()
        .fold(1_usize, |total, o| total.saturating_mul(o.len()));
    (0..total.min(max))
        .map(|mut number| {
            options
                .iter()
                .map(|o| {
                    let chosen = o[number % o.len()].clone();
                    number /= o.len();
                    chosen
                })
                .collect()
        })
        .collect()
}

fn common(s: &str, exceptions: Option<&Lookup>) -> Vec<String> {
    let folded = fold(s).to_lowercase();
    let mut rest = folded.as_str();
    let mut out = Vec::new();
    while let Some(c) = rest.chars().next() {
        if let Some((written, syllables)) = exceptions.and_then(|lookup| entry(rest, lookup)) {
            out.extend(syllables.iter().map(|s| (*s).to_owned()));
            rest = &rest[written.len()..];
        } else {
            out.push(
                c.to_pinyin()
                    .map_or_else(|| c.to_string(), |p| plain(p.plain())),
            );
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// The longest entry that `s` starts with.
fn entry(s: &str, lookup: &Lookup) -> Option<(&'static str, &'static [&'static str])> {
    let candidates = lookup.get(&s.chars().next()?)?;
    candidates
        .iter()
        .filter(|(w, _)| s.starts_with(w))
        .max_by_key(|(w, _)| w.len())
        .copied()
}

fn by_first(table: &'static Table) -> Lookup {
    let mut lookup = Lookup::new();
    for entry in table {
        if let Some(first) = entry.0.chars().next() {
            lookup.entry(first).or_default().push(*entry);
        }
    }
    lookup
}

fn plain(syllable: &str) -> String {
    syllable.replace('ü', "v").replace('ê', "e")
}

fn first_letters(syllables: &[String]) -> String {
    syllables.iter().filter_map(|s| s.chars().next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fold_keeps_what_names_need() {
        assert_eq!(fold(" \u{3000}张　 三 "), "张 三");
        assert_eq!(fold("ＡＢ１２（甲）"), "AB12(甲)");
        assert_eq!(fold("阿依古丽·买买提"), "阿依古丽·买买提");
        assert_eq!(fold("\u{20bb7}野"), "\u{20bb7}野");
        assert_eq!(fold(" \u{3000}"), "");
    }

    #[test]
    fn common_readings() {
        assert_eq!(pinyin("王小明"), "wangxiaoming");
        assert_eq!(initials("王小明"), "wxm");
        assert_eq!(pinyin("吕ＡＢ1"), "lvab1");
        assert_eq!(pinyin(""), "");
    }

    #[test]
    fn the_surname_s_reading_comes_first() {
        for (name, expected) in [
            ("单", "shan"),
            ("解", "xie"),
            ("曾", "zeng"),
            ("仇", "qiu"),
            ("区", "ou"),
            ("查", "zha"),
            ("尉迟", "yuchi"),
            ("万俟", "moqi"),
        ] {
            let all = readings(&format!("{name}明"), 8);
            assert_eq!(all[0].joined(), format!("{expected}ming"));
        }
        let all = readings("单乐", 16);
        let joined: Vec<_> = all.iter().map(Reading::joined).collect();
        for expected in ["shanle", "shanyue", "danle", "danyue"] {
            assert!(
                joined.iter().any(|reading| reading == expected),
                "{joined:?}"
            );
        }
        assert_eq!(all[0].initials(), "sl");
    }

    #[test]
    fn readings_are_distinct_and_capped() {
        let long = "单乐".repeat(5_000);
        assert_eq!(readings(&long, 6).len(), 6);
        assert_eq!(readings("单", 0), []);
        let all = readings("单解查", 100);
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }

    #[test]
    fn places_are_read_as_people_there_do() {
        for (place, expected) in [
            ("重庆市", "chongqingshi"),
            ("长沙市", "changshashi"),
            ("厦门市", "xiamenshi"),
            ("六安市", "luanshi"),
            ("蚌埠市", "bengbushi"),
            ("台州市", "taizhoushi"),
            ("朝阳区", "chaoyangqu"),
            ("金融大厦", "jinrongdasha"),
            ("成都市", "chengdushi"),
        ] {
            assert_eq!(place_pinyin(place), expected);
        }
        assert_eq!(place_initials("重庆市"), "cqs");
    }

    #[test]
    fn no_exception_repeats_the_common_reading() {
        let idle: Vec<_> = SURNAMES
            .iter()
            .chain(PLACES)
            .filter(|(written, syllables)| pinyin(written) == syllables.concat())
            .map(|(written, _)| written)
            .collect();
        assert!(idle.is_empty(), "{idle:?}");
    }

    #[test]
    fn every_division_has_a_pinyin() {
        let all: Vec<_> = migration::divisions::upper()
            .chain(migration::divisions::villages(None))
            .collect();
        let begin = std::time::Instant::now();
        for row in &all {
            let name = &row.as_ref().unwrap().name;
            assert!(!place_pinyin(name).is_empty(), "{name}");
        }
        eprintln!("pinyin of {} divisions in {:?}", all.len(), begin.elapsed());
    }
}
