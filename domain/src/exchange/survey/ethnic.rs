/// GB/T 3304: code 01 is the first.
const GROUPS: [&str; 56] = [
    "汉",
    "蒙古",
    "回",
    "藏",
    "维吾尔",
    "苗",
    "彝",
    "壮",
    "布依",
    "朝鲜",
    "满",
    "侗",
    "瑶",
    "白",
    "土家",
    "哈尼",
    "哈萨克",
    "傣",
    "黎",
    "傈僳",
    "佤",
    "畲",
    "高山",
    "拉祜",
    "水",
    "东乡",
    "纳西",
    "景颇",
    "柯尔克孜",
    "土",
    "达斡尔",
    "仫佬",
    "羌",
    "布朗",
    "撒拉",
    "毛南",
    "仡佬",
    "锡伯",
    "阿昌",
    "普米",
    "塔吉克",
    "怒",
    "乌孜别克",
    "俄罗斯",
    "鄂温克",
    "德昂",
    "保安",
    "裕固",
    "京",
    "塔塔尔",
    "独龙",
    "鄂伦春",
    "赫哲",
    "门巴",
    "珞巴",
    "基诺",
];

/// The code of an ethnic group by its name, with or without 族, or by the code itself.
pub(super) fn code(text: &str) -> Option<String> {
    let name: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if matches!(
        name.as_str(),
        "其他" | "其它" | "其他族" | "未识别民族" | "未识别" | "97"
    ) {
        return Some("97".into());
    }
    if let Ok(code @ 1..=56) = name.parse::<usize>() {
        return Some(format!("{code:02}"));
    }
    let stem = name.strip_suffix('族').unwrap_or(&name);
    // The list's older spellings.
    let stem = match stem {
        "毛难" => "毛南",
        "仡老" => "仡佬",
        "佧佤" => "佤",
        "崩龙" => "德昂",
        stem => stem,
    };
    GROUPS
        .iter()
        .position(|group| *group == stem)
        .map(|at| format!("{:02}", at + 1))
}
