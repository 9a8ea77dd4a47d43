use super::problem::Fault;
use super::row::{AwayParents, Help, Income, ParentSide};
use super::values::{is_nothing, is_tick, is_tick_mark, narrow};
use super::{Disability, Rule};
use entity::codes::{BodyState, DisabilityClass, GuardianshipQuality, Schooling};

/// A choice of the form: what it means, its key in a mapping file, its label, other words for it.
pub(super) struct Choice<T: 'static> {
    pub value: T,
    pub key: &'static str,
    pub label: &'static str,
    pub words: &'static [&'static str],
}

macro_rules! choices {
    ($name:ident: $type:ty { $($value:expr, $key:literal, $label:literal $(, $word:literal)*;)+ }) => {
        pub(super) const $name: &[Choice<$type>] = &[
            $(Choice { value: $value, key: $key, label: $label, words: &[$($word),*] },)+
        ];
    };
}

choices!(BODY: BodyState {
    BodyState::Healthy, "healthy", "健康", "良好", "正常", "一般";
    BodyState::Disabled, "disabled", "残疾", "残", "残障", "伤残";
    BodyState::Ill, "ill", "患病", "疾病", "重病", "大病", "重大疾病", "生病", "重残重病";
});
choices!(SCHOOLING: Schooling {
    Schooling::TooYoung, "not_in_kindergarten", "未入园", "未上幼儿园", "未入幼儿园", "学龄前未入园", "散居", "学龄前";
    Schooling::Kindergarten, "kindergarten", "幼儿园", "在园", "入园", "学前", "学前教育", "学前班";
    Schooling::Primary, "primary", "小学", "小学在读", "在读小学";
    Schooling::Junior, "junior_secondary", "初中", "中学", "初级中学", "初中在读";
    Schooling::Vocational, "vocational", "中职", "职高", "中专", "技校", "职业高中", "中等职业学校", "中职学校", "职业学校";
    Schooling::Senior, "senior_secondary", "高中", "普通高中", "高级中学", "普高";
    Schooling::DroppedOut, "dropped_out", "辍学", "失学", "失学辍学", "义务教育阶段辍学";
    Schooling::NotInSchool, "not_in_school", "不在学", "未就学", "未在学", "未上学", "不上学";
});
choices!(KIND: GuardianshipQuality {
    GuardianshipQuality::Nobody, "nobody", "无人监护", "无监护", "无";
    GuardianshipQuality::ParentUnable, "parent_unable", "父母一方无监护能力", "父亲或母亲无监护能力", "父母无监护能力", "父或母无监护能力", "一方外出另一方无监护能力", "父母监护能力不足";
    GuardianshipQuality::EntrustedInsufficient, "entrusted_insufficient", "委托监护人监护能力不足", "受委托监护人监护能力不足", "被委托监护人监护能力不足", "受委托人监护能力不足", "监护能力不足", "监护较差", "较差", "差";
    GuardianshipQuality::Fair, "fair", "一般", "监护一般", "监护情况一般", "监护能力一般";
    GuardianshipQuality::Good, "good", "较好", "监护较好", "监护情况较好", "监护能力较好", "好", "良好";
});
choices!(INCOME: Income {
    Income::WorkAway, "work_away", "外出务工", "务工", "打工", "务工收入", "外出务工收入", "父母务工";
    Income::Farming, "farming", "务农", "种植", "种地", "农业", "养殖", "种养殖", "种植养殖", "务农收入", "在家务农";
    Income::GovernmentRelief, "government_relief", "政府救助", "政府救济", "政府补助", "低保金", "救助";
    Income::RelativesAndFriends, "relatives_and_friends", "亲友资助", "亲友接济", "亲友帮助", "亲友", "亲戚资助", "亲友救助";
    Income::Other, "other", "其他", "其它", "其他收入";
});
choices!(HELP: Help {
    Help::Dibao, "dibao", "低保", "最低生活保障", "农村低保", "城市低保", "享受低保";
    Help::TemporaryRelief, "temporary_relief", "临时救助", "临时救济";
    Help::MedicalAssistance, "medical_assistance", "医疗救助", "医疗";
    Help::HousingRelief, "housing_relief", "住房救助", "住房", "危房改造";
    Help::Other, "other", "其他", "其它", "其他救助", "特困", "孤儿基本生活费";
});
choices!(AWAY: AwayParents {
    AwayParents::Both, "both", "父母双方同时外出", "双方外出", "父母双方外出", "父母均外出", "父母外出", "双方同时外出", "父母双方外出务工", "双方";
    AwayParents::OneOtherUnable(None), "one_other_unable", "一方外出另一方无监护能力", "父母一方外出另一方无监护能力", "一方外出", "单方外出", "一方", "一方外出务工另一方无监护能力";
});
choices!(SIDE: ParentSide {
    ParentSide::Father, "father", "父亲", "父", "父亲外出", "父外出", "爸爸", "父方";
    ParentSide::Mother, "mother", "母亲", "母", "母亲外出", "母外出", "妈妈", "母方";
});

pub(super) fn labels<T>(choices: &[Choice<T>]) -> String {
    choices
        .iter()
        .map(|choice| choice.label)
        .collect::<Vec<_>>()
        .join("、")
}

/// A word without brackets, signs and spaces.
fn bare(text: &str) -> String {
    narrow(text)
        .chars()
        .filter(|c| c.is_alphanumeric())
        .collect()
}

pub(super) fn find<T: Copy>(choices: &[Choice<T>], word: &str) -> Option<(T, &'static str)> {
    let word = bare(word);
    if word.is_empty() {
        return None;
    }
    let exact = choices
        .iter()
        .find(|choice| bare(choice.label) == word || choice.words.contains(&word.as_str()));
    // "其他(养殖)" and "其他:打零工" say what the other is.
    let other = || {
        choices.iter().find(|choice| {
            choice.key == "other" && (word.starts_with("其他") || word.starts_with("其它"))
        })
    };
    exact
        .or_else(other)
        .map(|choice| (choice.value, choice.label))
}

/// Everything chosen in a cell, however the choice was marked.
pub(super) fn several<T: Copy + PartialEq>(
    choices: &[Choice<T>],
    text: &str,
) -> Result<Vec<T>, Fault> {
    let mut chosen = Vec::new();
    for word in chosen_words(text) {
        if is_nothing(&word) && find(choices, &word).is_none() {
            continue;
        }
        let (value, _) =
            find(choices, &word).ok_or_else(|| Rule::ChoiceUnknown.with(labels(choices)))?;
        if !chosen.contains(&value) {
            chosen.push(value);
        }
    }
    Ok(chosen)
}

pub(super) fn single<T: Copy + PartialEq>(
    choices: &[Choice<T>],
    text: &str,
) -> Result<Option<T>, Fault> {
    if find(choices, text).is_none() && is_nothing(text) {
        return Ok(None);
    }
    if let Some((value, _)) = find(choices, text).filter(|_| !marked(text)) {
        return Ok(Some(value));
    }
    let chosen = several(choices, text)?;
    match chosen[..] {
        [] => Ok(None),
        [value] => Ok(Some(value)),
        _ => {
            let named = choices
                .iter()
                .filter(|choice| chosen.contains(&choice.value))
                .map(|choice| choice.label);
            Err(Rule::ChoiceSeveral.with(named.collect::<Vec<_>>().join("、")))
        }
    }
}

fn is_box(c: char) -> bool {
    matches!(c, '□' | '☐' | '○' | '◯' | '▢')
}

/// The marks that stand for a whole box, ticked.
fn is_ticked_box(c: char) -> bool {
    matches!(c, '☑' | '☒' | '■' | '●' | '✅')
}

fn marked(text: &str) -> bool {
    text.chars().any(|c| is_box(c) || is_tick_mark(c)) || bracket_ticks(text)
}

/// Whether brackets stand for boxes: one of them is empty or holds a tick alone.
fn bracket_ticks(text: &str) -> bool {
    brackets(text)
        .iter()
        .any(|(_, inside)| inside.trim().is_empty() || inside.chars().all(is_tick_mark))
}

/// Each bracket with the text before it.
fn brackets(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut label = String::new();
    let mut inside: Option<String> = None;
    for c in narrow(text).chars() {
        match (c, &mut inside) {
            ('(' | '[' | '【', None) => inside = Some(String::new()),
            (')' | ']' | '】', Some(_)) => found.push((
                std::mem::take(&mut label),
                inside.take().unwrap_or_default(),
            )),
            (c, Some(inside)) => inside.push(c),
            (c, None) => label.push(c),
        }
    }
    found
}

fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '、' | ',' | ';' | '/' | '|' | '+' | '。' | '\\' | '和' | '及' | '&'
        )
}

fn chosen_words(text: &str) -> Vec<String> {
    let text = narrow(text);
    if bracket_ticks(&text) {
        let (leading, pairs) = (text.trim_start().starts_with('('), brackets(&text));
        if !leading {
            return pairs
                .into_iter()
                .filter(|(_, inside)| is_tick(inside))
                .map(|(label, _)| label)
                .collect();
        }
        // "(√)健康 ( )残疾": the bracket stands before its label.
        let tail = text.rsplit(')').next().unwrap_or_default().to_owned();
        let labels = pairs
            .iter()
            .skip(1)
            .map(|(label, _)| label.clone())
            .chain([tail]);
        return pairs
            .iter()
            .zip(labels)
            .filter(|((_, inside), _)| is_tick(inside))
            .map(|(_, label)| label)
            .collect();
    }
    if text.chars().any(|c| is_box(c) || is_ticked_box(c)) {
        return boxed(&text);
    }
    let words: Vec<&str> = text
        .split(is_separator)
        .filter(|word| !word.is_empty())
        .collect();
    if !text.chars().any(is_tick_mark) {
        return words.into_iter().map(str::to_owned).collect();
    }
    // Ticks before or after their words; a tick set off by a space belongs to the word before it.
    let mut chosen: Vec<String> = Vec::new();
    let mut before: Option<&str> = None;
    for word in words {
        if word.chars().all(is_tick_mark) {
            chosen.extend(before.take().map(str::to_owned));
        } else if word.chars().any(is_tick_mark) {
            chosen.push(word.chars().filter(|c| !is_tick_mark(*c)).collect());
            before = None;
        } else {
            before = Some(word);
        }
    }
    chosen
}

/// Boxes before their labels, or after them when the text begins with a label.
fn boxed(text: &str) -> Vec<String> {
    let mark = |c: char| is_box(c) || is_tick_mark(c);
    let before = text.trim_start().starts_with(mark);
    let mut chosen = Vec::new();
    let mut label = String::new();
    let mut ticked = false;
    let keep = |label: &mut String, ticked: bool, chosen: &mut Vec<String>| {
        let word = std::mem::take(label);
        if ticked && word.chars().any(char::is_alphanumeric) {
            chosen.push(word);
        }
    };
    for c in text.chars() {
        if !mark(c) {
            label.push(c);
        } else if before {
            if label.chars().any(char::is_alphanumeric) {
                keep(&mut label, ticked, &mut chosen);
                ticked = false;
            }
            // "□√健康" is a ticked box.
            ticked |= is_tick_mark(c);
        } else if label.chars().any(char::is_alphanumeric) {
            keep(&mut label, is_tick_mark(c), &mut chosen);
        }
    }
    if before {
        keep(&mut label, ticked, &mut chosen);
    }
    chosen
}

const CLASSES: &[(DisabilityClass, &[&str])] = &[
    (DisabilityClass::Multiple, &["多重"]),
    (DisabilityClass::Visual, &["视力", "盲", "低视", "视障"]),
    (DisabilityClass::Hearing, &["听力", "聋", "听障"]),
    (DisabilityClass::Speech, &["言语", "语言", "哑"]),
    (DisabilityClass::Physical, &["肢体", "肢残", "脑瘫"]),
    (DisabilityClass::Intellectual, &["智力", "智障"]),
    (DisabilityClass::Mental, &["精神"]),
];

/// `肢体二级`, `智力残疾，3级`, `低视力`: class and grade in one cell or two.
pub(super) fn disability(
    text: &str,
    grade_text: Option<&str>,
) -> Result<Option<Disability>, Fault> {
    let text = narrow(text);
    if is_nothing(&text) && grade_text.is_none_or(is_nothing) {
        return Ok(None);
    }
    let named = || {
        CLASSES
            .iter()
            .map(|(_, words)| words[0])
            .collect::<Vec<_>>()
            .join("、")
    };
    let found: Vec<DisabilityClass> = CLASSES
        .iter()
        .filter(|(_, words)| words.iter().any(|word| text.contains(word)))
        .map(|(class, _)| *class)
        .collect();
    let class = match found[..] {
        [] => return Err(Rule::ChoiceUnknown.with(named())),
        [class] => class,
        // More than one kind is the class of its own.
        _ => DisabilityClass::Multiple,
    };
    let grade = match grade_text.filter(|grade| !is_nothing(grade)) {
        Some(grade) => Some(grade_of(grade).ok_or(Rule::DisabilityGrade)?),
        None if text.chars().any(|c| c.is_numeric() || is_numeral(c)) || text.contains('级') => {
            Some(grade_of(&text).ok_or(Rule::DisabilityGrade)?)
        }
        None => None,
    };
    let low_vision = text.contains("低视");
    let blind = text.contains('盲');
    if found.len() == 1 && grade.is_some_and(|grade| low_vision && grade < 3 || blind && grade > 2)
    {
        return Err(Rule::DisabilityGradeClass.into());
    }
    Ok(Some(Disability { class, grade }))
}

fn is_numeral(c: char) -> bool {
    matches!(
        c,
        '一' | '二'
            | '三'
            | '四'
            | '壹'
            | '贰'
            | '叁'
            | '肆'
            | '五'
            | '六'
            | 'Ⅰ'
            | 'Ⅱ'
            | 'Ⅲ'
            | 'Ⅳ'
    )
}

/// The one numeral of the text, when it is a grade.
fn grade_of(text: &str) -> Option<u8> {
    let text = narrow(text);
    let mut numerals = text.chars().filter(|c| c.is_numeric() || is_numeral(*c));
    let grade = match numerals.next()? {
        '1' | '一' | '壹' | 'Ⅰ' => 1,
        '2' | '二' | '贰' | 'Ⅱ' => 2,
        '3' | '三' | '叁' | 'Ⅲ' => 3,
        '4' | '四' | '肆' | 'Ⅳ' => 4,
        _ => return None,
    };
    numerals.next().is_none().then_some(grade)
}
