use entity::IdentityNumber;
use entity::codes::Sex;
use entity::value::identity_number::{IdentityNumberError, check_character};

use super::problem::Fault;
use super::{Cell, PartialDate, Rule};

const LONGEST_NAME: usize = 50;
const LONGEST_TEXT: usize = 500;

pub(super) fn clip(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Full-width ASCII to ASCII.
pub(super) fn narrow(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            '\u{3000}' | '\u{a0}' => ' ',
            c => c,
        })
        .collect()
}

/// The characters people type to say that there is nothing to say.
pub(super) fn is_dash(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| matches!(c, '-' | '—' | '－' | '–' | '―' | '─' | '﹣') || c.is_whitespace())
}

pub(super) fn is_nothing(text: &str) -> bool {
    let text = text.trim();
    text.is_empty()
        || is_dash(text)
        || matches!(
            narrow(text).as_str(),
            "/" | "\\"
                | "//"
                | "无"
                | "空"
                | "不详"
                | "未知"
                | "N/A"
                | "n/a"
                | "NA"
                | "暂无"
                | "没有"
                | "、"
                | "."
        )
}

/// The text of a cell with its spaces in order; `None` when blank.
pub(super) fn text(cell: &Cell) -> Result<Option<String>, Fault> {
    let raw = match cell {
        Cell::Formula(_) => return Err(Rule::Formula.into()),
        Cell::Error(_) => return Err(Rule::CellError.into()),
        Cell::Empty => return Ok(None),
        Cell::Text(text) => text.as_str(),
        other => return Ok(Some(other.display())),
    };
    // The replacement character stands for bytes that were no text.
    if raw
        .chars()
        .any(|c| c.is_control() && !c.is_whitespace() || c == '\u{fffd}')
    {
        return Err(Rule::ControlCharacter.into());
    }
    let raw = raw
        .trim()
        .trim_start_matches(['\'', '’', '‘', '\u{feff}', '\u{200b}']);
    let mut tidy = String::with_capacity(raw.len());
    for word in raw.split_whitespace() {
        if !tidy.is_empty() {
            tidy.push(' ');
        }
        tidy.push_str(word);
    }
    Ok((!tidy.is_empty()).then_some(tidy))
}

/// Free text such as an address.
pub(super) fn free(cell: &Cell) -> Result<Option<String>, Fault> {
    let Some(text) = text(cell)?.filter(|text| !is_nothing(text)) else {
        return Ok(None);
    };
    match text.chars().count() {
        length if length > LONGEST_TEXT => Err(Rule::TextTooLong.with(length.to_string())),
        _ => Ok(Some(text)),
    }
}

pub(super) fn name(text: &str) -> Result<String, Fault> {
    let length = text.chars().count();
    if length > LONGEST_NAME {
        return Err(Rule::NameTooLong.with(length.to_string()));
    }
    let han = !text.is_ascii();
    let name: String = text
        .chars()
        .filter(|c| !(han && c.is_whitespace()))
        .map(|c| {
            if matches!(c, '•' | '・' | '‧' | '∙' | '．' | '●') {
                '·'
            } else {
                c
            }
        })
        .collect();
    let good = |c: char| {
        c.is_alphabetic()
            || is_private_han(c)
            || matches!(
                c,
                '·' | ' ' | '-' | '.' | '\'' | '(' | ')' | '（' | '）' | '〇' | '○'
            )
    };
    if name.chars().any(|c| !good(c)) || !name.chars().any(char::is_alphabetic) {
        return Err(Rule::NameCharacter.into());
    }
    Ok(name)
}

/// Rare characters of household registers that fonts of the time put into the private use areas.
fn is_private_han(c: char) -> bool {
    matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10fffd}')
}

/// Digits as typed; refuses a figure that a spreadsheet rounded.
fn digits(cell: &Cell) -> Result<Option<String>, Fault> {
    if let Cell::Number(number) = cell {
        if number.abs() >= 1e15 {
            return Err(Rule::NumberLostDigits.into());
        }
        return Ok(Some(number.to_string()));
    }
    let Some(text) = text(cell)?.filter(|text| !is_nothing(text)) else {
        return Ok(None);
    };
    let text: String = narrow(&text)
        .chars()
        .filter(|c| {
            !c.is_whitespace()
                && !matches!(
                    c,
                    '\'' | '\u{200b}' | '\u{feff}' | '\u{202c}' | '\u{202d}' | '\u{200e}'
                )
        })
        .collect();
    if scientific(&text) {
        return Err(Rule::NumberLostDigits.into());
    }
    Ok((!text.is_empty()).then_some(text))
}

/// `4.30102E+17`, what a spreadsheet shows of a long number.
fn scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else {
        return false;
    };
    let figure = |text: &str| {
        text.chars().any(|c| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_digit() || c == '.')
    };
    figure(mantissa) && figure(exponent.trim_start_matches('+'))
}

pub(super) fn identity(cell: &Cell) -> Result<Option<IdentityNumber>, Fault> {
    let Some(text) = digits(cell)? else {
        return Ok(None);
    };
    if matches!(
        text.as_str(),
        "未办理" | "未办" | "未上户" | "未登记" | "无身份证" | "无户口" | "黑户"
    ) {
        return Ok(None);
    }
    let text = text.replace(['x', '×', 'χ', 'Х'], "X");
    let length = text.chars().count();
    if !text
        .chars()
        .enumerate()
        .all(|(at, c)| c.is_ascii_digit() || (c == 'X' && at == 17))
    {
        return Err(Rule::IdentityCharacter.into());
    }
    if length == 15 {
        let seventeen = format!("{}19{}", &text[..6], &text[6..]);
        let full = format!("{seventeen}{}", check_character(&seventeen));
        return Err(Rule::IdentityOld.with(full));
    }
    if length != 18 {
        return Err(Rule::IdentityLength.with(length.to_string()));
    }
    IdentityNumber::parse(&text)
        .map(Some)
        .map_err(|error| match error {
            IdentityNumberError::Shape => Rule::IdentityCharacter.into(),
            IdentityNumberError::BirthDate => Rule::IdentityDate.into(),
            IdentityNumberError::CheckCharacter(_) => Rule::IdentityCheck.into(),
        })
}

pub(super) fn phones(cell: &Cell) -> Result<Vec<String>, Fault> {
    let text = match cell {
        Cell::Number(number) if number.abs() < 1e15 => number.to_string(),
        Cell::Number(_) => return Err(Rule::NumberLostDigits.into()),
        _ => match text(cell)?.filter(|text| !is_nothing(text)) {
            Some(text) => narrow(&text),
            None => return Ok(Vec::new()),
        },
    };
    if scientific(&text) {
        return Err(Rule::NumberLostDigits.into());
    }
    let mut phones = Vec::new();
    for part in text.split(['、', ',', ';', '/', '\\', '。', '|']) {
        // A space parts two mobile numbers, or the groups of one.
        let joined: String = part.chars().filter(|c| !c.is_whitespace()).collect();
        let words: Vec<&str> = part.split_whitespace().collect();
        if words.len() > 1 && words.iter().all(|word| phone(word).is_some()) {
            phones.extend(words.into_iter().filter_map(phone));
        } else if let Some(phone) = phone(&joined) {
            phones.push(phone);
        } else if !is_nothing(&joined) {
            return Err(Rule::PhoneFormat.into());
        }
    }
    phones.dedup();
    Ok(phones)
}

fn phone(text: &str) -> Option<String> {
    let text = text
        .strip_prefix("+86")
        .or_else(|| text.strip_prefix("0086"))
        .unwrap_or(text)
        .trim_start_matches('-');
    if !text
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '-' | '(' | ')' | '—' | '－'))
    {
        return None;
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let digits = match digits.strip_prefix("86") {
        Some(rest) if digits.len() == 13 => rest.to_owned(),
        _ => digits,
    };
    let mobile = digits.len() == 11 && digits.starts_with('1') && digits.as_bytes()[1] >= b'3';
    let landline = (7..=8).contains(&digits.len()) && !digits.starts_with('0')
        || (10..=12).contains(&digits.len()) && digits.starts_with('0');
    (mobile || landline).then_some(digits)
}

pub(super) fn sex(text: &str) -> Result<Sex, Fault> {
    match narrow(text).trim() {
        "男" | "男性" | "男孩" | "男童" | "M" | "1" => Ok(Sex::Male),
        "女" | "女性" | "女孩" | "女童" | "F" | "2" => Ok(Sex::Female),
        _ => Err(Rule::SexUnknown.into()),
    }
}

pub(super) fn is_tick(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.chars().all(is_tick_mark)
        || matches!(
            narrow(text).as_str(),
            "是" | "有" | "1" | "Y" | "y" | "yes" | "YES" | "Yes" | "对" | "TRUE" | "真"
        )
}

pub(super) fn is_tick_mark(c: char) -> bool {
    matches!(
        c,
        '√' | '✓' | '✔' | '☑' | '☒' | '■' | '●' | '▲' | '∨' | '✅' | '🗸'
    )
}

pub(super) fn yes_no(text: &str) -> Result<bool, Fault> {
    if is_tick(text) {
        return Ok(true);
    }
    match narrow(text).trim() {
        "否" | "无" | "不" | "没有" | "×" | "X" | "x" | "✗" | "✘" | "0" | "N" | "n" | "no"
        | "NO" | "No" | "FALSE" | "假" | "□" => Ok(false),
        _ => Err(Rule::YesNoUnknown.into()),
    }
}

/// The name of a parent, and whether the cell says that the parent is dead.
pub(super) fn parent_name(cell: &Cell) -> Result<(Option<String>, Death), Fault> {
    let Some(text) = text(cell)? else {
        return Ok((None, Death::Unsaid));
    };
    if is_dash(&text) {
        return Ok((None, Death::Dash));
    }
    if is_nothing(&text) {
        return Ok((None, Death::Unsaid));
    }
    let mut rest = text;
    let mut death = Death::Unsaid;
    for word in [
        "已死亡",
        "已去世",
        "已病故",
        "已亡故",
        "已故",
        "已亡",
        "死亡",
        "去世",
        "病故",
        "亡故",
        "过世",
        "亡",
        "故",
    ] {
        let bracketed = [
            format!("（{word}）"),
            format!("({word})"),
            format!("[{word}]"),
            format!("【{word}】"),
        ];
        if rest == word {
            return Ok((None, Death::Said));
        }
        if let Some(bracket) = bracketed
            .iter()
            .find(|bracket| rest.contains(bracket.as_str()))
        {
            rest = rest.replace(bracket.as_str(), "");
            death = Death::Said;
        } else if word.chars().count() > 1 && rest.ends_with(word) {
            rest.truncate(rest.len() - word.len());
            death = Death::Said;
        }
    }
    let rest = rest.trim();
    if rest.is_empty() || is_nothing(rest) {
        return Ok((None, death));
    }
    Ok((Some(name(rest)?), death))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    Unsaid,
    Said,
    Dash,
}

/// Whether what a sheet says of a birth date and what the number says can both be true.
pub(super) fn agrees(date: PartialDate, full: chrono::NaiveDate) -> bool {
    date.first_day() <= full && full <= date.last_day()
}
