pub struct Reading { pub syllables: Vec<String> }
pub fn fold(s: &str) -> String { s.trim().to_owned() }
pub fn pinyin(_s: &str) -> String { String::new() }
pub fn initials(_s: &str) -> String { String::new() }
pub fn place_pinyin(s: &str) -> String { pinyin(s) }
pub fn readings(_name: &str, _max: usize) -> Vec<Reading> { vec![] }
