use entity::CodedEnum;
use entity::codes::EthnicGroup;

/// An ethnic group by its name, with or without 族, or by its code in GB/T 3304.
pub(super) fn group(text: &str) -> Option<EthnicGroup> {
    let name: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let stem = name.strip_suffix('族').unwrap_or(&name);
    // The list's older spellings, and its words for the rest.
    let stem = match stem {
        "毛难" => "毛南",
        "仡老" => "仡佬",
        "佧佤" => "佤",
        "崩龙" => "德昂",
        "其它" | "未识别" | "未识别民族" => "其他",
        stem => stem,
    };
    let code = name.parse::<u8>().ok().map(|code| format!("{code:02}"));
    let found = EthnicGroup::VALUES.iter().find(|(_, coded)| {
        coded.label_zh.strip_suffix('族').unwrap_or(coded.label_zh) == stem
            || code.is_some() && coded.national_code == code.as_deref()
    });
    found.map(|(group, _)| *group)
}
