//! Names as they occur, rare characters, compound surnames and names with a middle dot among them.

use entity::codes::{EthnicGroup, Sex};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

const SURNAMES: &[&str] = &[
    "王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周", "徐", "孙", "马", "朱", "胡", "郭", "何", "林", "罗", "高", "郑", "梁", "谢", "宋", "唐", "许",
    "韩", "邓", "冯", "曹", "彭", "曾", "肖", "田", "董", "潘", "袁", "蔡", "蒋", "余", "于", "杜", "叶", "程", "魏", "苏", "吕", "丁", "任", "卢", "姚", "沈",
    "钟", "姜", "崔", "谭", "陆", "范", "汪", "廖", "石", "金", "韦", "贾", "夏", "付", "方", "邹", "熊", "白", "孟", "秦", "邱", "侯", "江", "尹", "薛", "闫",
    "雷", "龙", "黎", "史", "陶", "贺", "毛", "郝", "顾", "龚", "邵", "万", "覃", "武", "钱", "戴", "严", "莫", "孔", "向", "常", "单", "解", "查", "仇", "区",
];
const COMPOUND: &[&str] = &["欧阳", "令狐", "上官", "司马", "诸葛", "皇甫", "尉迟", "夏侯", "东方", "慕容"];
const BOYS: &[&str] = &[
    "伟", "强", "磊", "军", "勇", "杰", "涛", "明", "超", "浩", "宇", "轩", "博", "文", "子轩", "浩然", "宇航", "俊杰", "天佑", "家豪", "梓豪", "志强", "建国", "小龙",
    "永安", "思远", "承志", "明远", "铭泽", "晨阳", "国庆", "春生", "水生", "石头", "长江", "重阳",
];
const GIRLS: &[&str] = &[
    "芳", "娜", "敏", "静", "丽", "艳", "娟", "霞", "婷", "雪", "梅", "玲", "欣怡", "梓涵", "诗涵", "雨桐", "思雨", "佳怡", "小满", "春燕", "秋菊", "桂花", "晓月",
    "念慈", "若兰", "依依", "语嫣", "可馨", "美玲", "巧云", "冬梅", "清明", "谷雨", "彩霞",
];
const ELDERS: &[&str] = &["德明", "国华", "秀英", "桂兰", "玉珍", "福贵", "永昌", "素芬", "正英", "世荣", "光明", "淑珍", "长福", "金花", "文忠", "凤英"];
/// Beyond the common set: extension B and later, and characters that fonts often lack.
const RARE: &[&str] = &["𠮷", "𬍛", "䶮", "㛃", "堃", "犇", "𣲘", "𬭎", "喆", "祎", "翀", "赟", "昇", "𬀩"];
const TURKIC_MALE: &[&str] = &["艾力", "买买提", "吐尔逊", "阿不都拉", "玉素甫", "热合曼", "叶尔江", "阿迪力", "库尔班", "艾尼瓦尔"];
const TURKIC_FEMALE: &[&str] = &["阿依古丽", "帕提古丽", "阿依努尔", "热依汗", "古丽娜尔", "阿孜古丽", "米热班", "努尔曼古丽"];
const TIBETAN_MALE: &[&str] = &["扎西顿珠", "洛桑", "次仁", "多吉", "丹增", "格桑平措"];
const TIBETAN_FEMALE: &[&str] = &["卓玛", "央金", "德吉", "白玛拉姆", "次仁卓嘎", "梅朵"];

/// How a family is named.
#[derive(Clone)]
pub(super) enum Clan {
    Surname(&'static str),
    /// Own name · father's own name.
    Dotted,
    OneName,
}

pub(super) fn clan(rng: &mut StdRng, group: EthnicGroup) -> Clan {
    use EthnicGroup::{Kazak, Kirgiz, Tajik, Tibetan, Uygur, Uzbek};
    match group {
        Uygur | Kazak | Kirgiz | Uzbek | Tajik => Clan::Dotted,
        Tibetan => Clan::OneName,
        _ => {
            let list = if rng.random_bool(0.02) { COMPOUND } else { SURNAMES };
            Clan::Surname(one(rng, list))
        }
    }
}

fn one<'a>(rng: &mut StdRng, list: &[&'a str]) -> &'a str {
    list.choose(rng).copied().unwrap_or("某")
}

impl Clan {
    pub fn child(&self, rng: &mut StdRng, sex: Sex, father: &str) -> String {
        let boy = sex == Sex::Male;
        match self {
            Clan::Surname(surname) if rng.random_bool(0.02) => format!("{surname}{}", one(rng, RARE)),
            Clan::Surname(surname) => format!("{surname}{}", one(rng, if boy { BOYS } else { GIRLS })),
            Clan::Dotted => {
                let own = one(rng, if boy { TURKIC_MALE } else { TURKIC_FEMALE });
                format!("{own}·{}", father.split('·').next().unwrap_or(father))
            }
            Clan::OneName => one(rng, if boy { TIBETAN_MALE } else { TIBETAN_FEMALE }).to_owned(),
        }
    }

    /// A grown-up's name; those who marry in bring their own surname.
    pub fn adult(&self, rng: &mut StdRng, sex: Sex, elder: bool, married_in: bool) -> String {
        match self {
            Clan::Surname(surname) => {
                let surname = if married_in { one(rng, SURNAMES) } else { surname };
                let given = if elder { ELDERS } else if sex == Sex::Male { BOYS } else { GIRLS };
                format!("{surname}{}", one(rng, given))
            }
            _ => {
                let father = one(rng, TURKIC_MALE);
                self.child(rng, sex, father)
            }
        }
    }
}

/// Ethnic groups of a province with their weights.
pub(super) fn groups(province: i64, county: bool) -> &'static [(EthnicGroup, u32)] {
    use EthnicGroup::*;
    match province {
        52 if county => &[(Han, 45), (Gelao, 22), (Miao, 20), (Tujia, 8), (Bouyei, 3), (Dong, 2)],
        52 => &[(Han, 55), (Miao, 15), (Bouyei, 10), (Dong, 8), (Tujia, 5), (Gelao, 4), (Sui, 3)],
        65 => &[(Uygur, 45), (Han, 42), (Kazak, 7), (Hui, 5), (Kirgiz, 1)],
        54 => &[(Tibetan, 90), (Han, 10)],
        63 => &[(Han, 50), (Tibetan, 25), (Hui, 16), (Tu, 4), (Salar, 3), (Mongol, 2)],
        15 => &[(Han, 79), (Mongol, 18), (Manchu, 2), (Daur, 1)],
        45 => &[(Han, 63), (Zhuang, 31), (Yao, 4), (Miao, 1), (Dong, 1)],
        64 => &[(Han, 64), (Hui, 36)],
        53 => &[(Han, 67), (Yi, 11), (Bai, 4), (Hani, 4), (Dai, 3), (Zhuang, 3), (Miao, 3), (Lisu, 2), (Hui, 2), (Naxi, 1)],
        _ => &[(Han, 95), (Manchu, 1), (Hui, 1), (Tujia, 1), (Miao, 1), (Zhuang, 1)],
    }
}
