//! The national survey form as townships fill it in: synthetic children, real disorder.
//!
//! Identity numbers begin with 99, which no division has, and pass their check character.

use std::collections::BTreeMap;
use std::path::Path;

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

pub struct Options<'a> {
    pub rows: u32,
    pub seed: u64,
    /// One sheet each.
    pub villages: &'a [&'a str],
    /// What stands before the village in addresses, such as a county and a town.
    pub place: &'a str,
    pub survey_year: u16,
    /// One row in this many is wrong; 0 for none.
    pub wrong_one_in: u32,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            rows: 100,
            seed: 1,
            villages: &["杨柳村", "桃源村", "石桥村"],
            place: "示例省示例县清溪镇",
            survey_year: 2016,
            wrong_one_in: 20,
        }
    }
}

/// What a reader should find.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sample {
    pub good: u64,
    /// Wrong rows by the code of the rule they break.
    pub bad: BTreeMap<&'static str, u64>,
}

pub fn sample_workbook(path: &Path, rows: u32, seed: u64) -> Result<Sample, XlsxError> {
    write_workbook(
        path,
        &Options {
            rows,
            seed,
            ..Options::default()
        },
    )
}

pub fn write_workbook(path: &Path, options: &Options<'_>) -> Result<Sample, XlsxError> {
    let mut workbook = Workbook::new();
    let mut sample = Sample::default();
    let mut random = Random(options.seed);
    let sheets = options.villages.len().max(1) as u32;
    let mut done = 0;
    for (at, village) in options.villages.iter().enumerate() {
        let until = options.rows * (at as u32 + 1) / sheets;
        let sheet = workbook.add_worksheet().set_name(*village)?;
        let mut form = Form {
            sheet,
            options,
            village,
            random: &mut random,
            sample: &mut sample,
            date: Format::new().set_num_format("yyyy/m/d"),
        };
        let mut row = form.head()?;
        for index in done..until {
            row = form.child(row, index, index - done + 1)?;
        }
        form.foot(row)?;
        done = until;
    }
    workbook.save(path)?;
    Ok(sample)
}

const COLUMNS: [[&str; 3]; 44] = [
    ["序号", "", ""],
    ["儿童基本情况", "姓名", ""],
    ["儿童基本情况", "性别", ""],
    ["儿童基本情况", "民族", ""],
    ["儿童基本情况", "出生\n日期", ""],
    ["儿童基本情况", "公民身份号码", ""],
    ["儿童基本情况", "是否登记户口", ""],
    ["儿童基本情况", "户籍所在地", ""],
    ["儿童基本情况", "现居住地", ""],
    ["儿童基本情况", "身体情况（健康、残疾、患病）", ""],
    ["儿童基本情况", "残疾类别及等级", ""],
    ["儿童基本情况", "患病类型", ""],
    ["儿童基本情况", "是否学校寄宿", ""],
    ["儿童基本情况", "就学情况", ""],
    ["家庭成员情况", "祖父", "姓名"],
    ["家庭成员情况", "祖父", "出生日期"],
    ["家庭成员情况", "祖母", "姓名"],
    ["家庭成员情况", "祖母", "出生日期"],
    ["家庭成员情况", "外祖父", "姓名"],
    ["家庭成员情况", "外祖父", "出生日期"],
    ["家庭成员情况", "外祖母", "姓名"],
    ["家庭成员情况", "外祖母", "出生日期"],
    ["家庭成员情况", "父亲", "姓名"],
    ["家庭成员情况", "父亲", "出生日期"],
    ["家庭成员情况", "父亲", "公民身份号码"],
    ["家庭成员情况", "父亲", "当前务工地点"],
    ["家庭成员情况", "父亲", "联系电话"],
    ["家庭成员情况", "母亲", "姓名"],
    ["家庭成员情况", "母亲", "出生日期"],
    ["家庭成员情况", "母亲", "公民身份号码"],
    ["家庭成员情况", "母亲", "当前务工地点"],
    ["家庭成员情况", "母亲", "联系电话"],
    ["实际监护情况", "父母双方同时外出", ""],
    ["实际监护情况", "一方外出另一方无监护能力", ""],
    ["实际监护情况", "有无委托其他监护人", ""],
    ["实际监护情况", "受委托监护人", "姓名"],
    ["实际监护情况", "受委托监护人", "联系电话"],
    ["实际监护情况", "受委托监护人", "公民身份号码"],
    ["实际监护情况", "受委托监护人", "与儿童关系"],
    ["实际监护情况", "受委托监护人", "住址"],
    ["实际监护情况", "监护类型", ""],
    ["经济来源", "收入来源（可多选）", ""],
    ["经济来源", "享受救助情况（可多选）", ""],
    ["备注", "", ""],
];

struct Form<'a> {
    sheet: &'a mut Worksheet,
    options: &'a Options<'a>,
    village: &'a str,
    random: &'a mut Random,
    sample: &'a mut Sample,
    date: Format,
}

struct Born {
    year: u16,
    month: u8,
    day: u8,
}

impl Form<'_> {
    fn head(&mut self) -> Result<u32, XlsxError> {
        let plain = Format::new();
        let last = COLUMNS.len() as u16 - 1;
        self.sheet
            .merge_range(0, 0, 0, last, "农村留守儿童基本情况摸底排查登记表", &plain)?;
        self.sheet.write_string(
            1,
            0,
            format!("填报单位（盖章）：{}{}", self.options.place, self.village),
        )?;
        self.sheet.write_string(
            1,
            20,
            format!("填报日期：{}年3月31日", self.options.survey_year),
        )?;
        for level in 0..3 {
            let mut column = 0;
            while column < COLUMNS.len() {
                let text = COLUMNS[column][level];
                let same = |other: usize| COLUMNS[other][..=level] == COLUMNS[column][..=level];
                let end = (column..COLUMNS.len())
                    .take_while(|other| same(*other))
                    .last()
                    .unwrap_or(column);
                let bottom = (level..3)
                    .take_while(|below| *below == level || COLUMNS[column][*below].is_empty())
                    .last()
                    .unwrap_or(level);
                if !text.is_empty() {
                    let (top, bottom) = (2 + level as u32, 2 + bottom as u32);
                    if end > column || bottom > top {
                        self.sheet.merge_range(
                            top,
                            column as u16,
                            bottom,
                            end as u16,
                            text,
                            &plain,
                        )?;
                    } else {
                        self.sheet.write_string(top, column as u16, text)?;
                    }
                }
                column = end + 1;
            }
        }
        Ok(5)
    }

    fn foot(&mut self, row: u32) -> Result<(), XlsxError> {
        self.sheet.write_string(
            row + 1,
            0,
            "注：1.“患病”指患重大疾病或重性精神病。2.表中选项可打√。",
        )?;
        self.sheet.write_string(row + 2, 0, "单位负责人：")?;
        self.sheet.write_string(row + 2, 9, "审核人：")?;
        self.sheet.write_string(row + 2, 20, "填表人：")?;
        Ok(())
    }

    /// Writes one child and returns the next free row.
    fn child(&mut self, row: u32, index: u32, number: u32) -> Result<u32, XlsxError> {
        let family = index / 2;
        let mut home = Random(self.options.seed ^ u64::from(family).wrapping_mul(0x9e37_79b9));
        let surname = home.pick(SURNAMES);
        let born = Born {
            year: self.options.survey_year - 1 - self.random.below(14) as u16,
            month: 1 + self.random.below(12) as u8,
            day: 1 + self.random.below(28) as u8,
        };
        let male = self.random.below(2) == 0;
        let identity = identity(index / 400, &born, (index % 400) * 2 + u32::from(male));
        let wrong = (self.options.wrong_one_in > 0
            && self.random.below(self.options.wrong_one_in) == 0)
            .then(|| self.random.below(7));

        self.sheet.write_number(row, 0, number)?;
        let mut name = format!(
            "{surname}{}{}",
            self.random.pick(GIVEN),
            self.random.pick(GIVEN)
        );
        match self.random.below(200) {
            0 => name = "阿依古丽·买买提".into(),
            1 => name = format!("{surname}𠮷"),
            2..6 => name = format!("{surname} {}", self.random.pick(GIVEN)),
            _ => {}
        }
        if wrong == Some(0) {
            name.clear();
        }
        self.text(row, 1, &name)?;
        let shown_male = if wrong == Some(1) { !male } else { male };
        self.text(row, 2, if shown_male { "男" } else { "女" })?;
        let group = self
            .random
            .pick(&["汉", "汉族", "汉", "土家族", "苗族", "回"]);
        self.text(row, 3, group)?;
        let year = if wrong == Some(2) {
            born.year - 1
        } else {
            born.year
        };
        self.date(row, 4, &Born { year, ..born })?;
        self.identity(row, 5, &identity, wrong)?;
        let registered = self.random.pick(&["是", "√", "是"]);
        self.text(row, 6, registered)?;
        let address = format!(
            "{}{}{}组{}号",
            self.options.place,
            self.village,
            1 + home.below(12),
            1 + family
        );
        self.text(row, 7, &address)?;
        self.text(row, 8, &address)?;
        self.body(row)?;
        let boarding = if wrong == Some(6) {
            "不一定"
        } else {
            self.random.pick(&["是", "否", "√", "", "住校", "走读"])
        };
        self.text(row, 12, boarding)?;
        self.schooling(row, self.options.survey_year - born.year)?;
        for (column, sex) in [(14, 0), (16, 1), (18, 0), (20, 1)] {
            let grandparent = format!(
                "{}{}{}",
                home.pick(SURNAMES),
                home.pick(GIVEN),
                home.pick(if sex == 0 {
                    &["福", "贵", "山"]
                } else {
                    &["英", "兰", "秀"]
                })
            );
            let grandparent_born = Born {
                year: 1935 + home.below(15) as u16,
                month: 1 + home.below(12) as u8,
                day: 1,
            };
            match home.below(12) {
                0 => self.text(row, column, "—")?,
                1 => self.text(row, column, "已故")?,
                _ => {
                    self.text(row, column, &grandparent)?;
                    self.text(
                        row,
                        column + 1,
                        &format!("{}.{}", grandparent_born.year, grandparent_born.month),
                    )?;
                }
            }
        }
        self.parents(row, family, surname, &mut home)?;
        self.guardianship(row, family, &address, &mut home)?;
        let income = self.random.pick(&[
            "外出务工",
            "外出务工、务农",
            "务工，亲友资助",
            "□务农 ☑外出务工",
            "务农;政府救助",
        ]);
        self.text(row, 41, income)?;
        let help = self.random.pick(&[
            "",
            "无",
            "低保",
            "低保、医疗救助",
            "低保（√） 临时救助（ ）",
            "/",
        ]);
        self.text(row, 42, help)?;
        match wrong {
            Some(code) => *self.sample.bad.entry(RULES[code as usize]).or_default() += 1,
            None => self.sample.good += 1,
        }
        // Somebody left a line free.
        Ok(row + if self.random.below(100) == 0 { 2 } else { 1 })
    }

    fn identity(
        &mut self,
        row: u32,
        column: u16,
        identity: &str,
        wrong: Option<u32>,
    ) -> Result<(), XlsxError> {
        match wrong {
            Some(3) => {
                let mut digits = identity.to_owned();
                let last = digits.pop();
                digits.push(if last == Some('0') { '1' } else { '0' });
                return self.text(row, column, &digits);
            }
            Some(4) => {
                return self
                    .sheet
                    .write_number(
                        row,
                        column,
                        identity[..17].parse::<f64>().unwrap_or(1e17) * 10.0,
                    )
                    .map(|_| ());
            }
            Some(5) => {
                return self
                    .sheet
                    .write_formula(row, column, format!("=\"{identity}\"").as_str())
                    .map(|_| ());
            }
            _ => {}
        }
        let text = match self.random.below(20) {
            0 => format!("'{identity}"),
            1 => identity
                .chars()
                .map(|c| {
                    if c.is_ascii_digit() {
                        char::from_u32(c as u32 + 0xfee0).unwrap_or(c)
                    } else {
                        c
                    }
                })
                .collect(),
            2 => identity.to_lowercase(),
            3 => format!(
                " {} {} {}",
                &identity[..6],
                &identity[6..14],
                &identity[14..]
            ),
            _ => identity.to_owned(),
        };
        self.text(row, column, &text)
    }

    fn date(&mut self, row: u32, column: u16, born: &Born) -> Result<(), XlsxError> {
        let Born { year, month, day } = born;
        match self.random.below(7) {
            0 => self.text(row, column, &format!("{year}.{month}")),
            1 => self.text(row, column, &format!("{year}{month:02}{day:02}")),
            2 => self.text(row, column, &format!("{year}年{month}月{day}日")),
            3 => self.text(row, column, &format!("{year}-{month}-{day}")),
            4 => self.text(row, column, &format!("{year}/{month}/{day}")),
            5 => self
                .sheet
                .write_number(
                    row,
                    column,
                    u32::from(*year) * 10_000 + u32::from(*month) * 100 + u32::from(*day),
                )
                .map(|_| ()),
            _ => {
                let date = ExcelDateTime::from_ymd(*year, *month, *day)?;
                self.sheet
                    .write_datetime_with_format(row, column, &date, &self.date)
                    .map(|_| ())
            }
        }
    }

    fn body(&mut self, row: u32) -> Result<(), XlsxError> {
        match self.random.below(40) {
            0 => {
                let (body, class) = self.random.pick(&[
                    ("残疾", "肢体二级"),
                    ("□健康 ☑残疾 □患病", "智力残疾，三级"),
                    ("健康( ) 残疾(√) 患病( )", "视力一级"),
                ]);
                self.text(row, 9, body)?;
                self.text(row, 10, class)
            }
            1 => {
                self.text(row, 9, "患病")?;
                self.text(row, 11, "先天性心脏病")
            }
            _ => {
                let body = self.random.pick(&[
                    "健康",
                    "健康（√） 残疾（ ） 患病（ ）",
                    "☑健康 □残疾 □患病",
                    "健康",
                ]);
                self.text(row, 9, body)?;
                let nothing = self.random.pick(&["", "/", "无", "—"]);
                self.text(row, 10, nothing)
            }
        }
    }

    fn schooling(&mut self, row: u32, age: u16) -> Result<(), XlsxError> {
        let schooling = match age {
            0..3 => "未入园",
            3..7 => self.random.pick(&["幼儿园", "在园"]),
            7..13 => "小学",
            13..16 => self.random.pick(&["初中", "√初中", "初中", "辍学"]),
            _ => "高中",
        };
        self.text(row, 13, schooling)
    }

    fn parents(
        &mut self,
        row: u32,
        family: u32,
        surname: &str,
        home: &mut Random,
    ) -> Result<(), XlsxError> {
        for (column, male) in [(22, true), (27, false)] {
            let born = Born {
                year: self.options.survey_year - 42 + home.below(6) as u16,
                month: 1 + home.below(12) as u8,
                day: 1 + home.below(28) as u8,
            };
            let name = if male {
                format!("{surname}{}{}", home.pick(GIVEN), home.pick(GIVEN))
            } else {
                format!(
                    "{}{}{}",
                    home.pick(SURNAMES),
                    home.pick(GIVEN),
                    home.pick(GIVEN)
                )
            };
            let identity = identity(
                5000 + family / 400,
                &born,
                (family % 400) * 2 + u32::from(male),
            );
            if home.below(60) == 0 {
                let dead = home.pick(&["—", "已故", "亡"]);
                self.text(row, column, dead)?;
                continue;
            }
            self.text(row, column, &name)?;
            self.text(row, column + 1, &format!("{}.{:02}", born.year, born.month))?;
            self.text(row, column + 2, &identity)?;
            let place = home.pick(&[
                "广东省深圳市",
                "浙江省宁波市",
                "江苏省苏州市",
                "福建省泉州市",
            ]);
            self.text(row, column + 3, place)?;
            let phone =
                13_000_000_000_u64 + u64::from(family) * 7919 % 999_999_999 + u64::from(male);
            if home.below(2) == 0 {
                self.sheet.write_number(row, column + 4, phone as f64)?;
            } else {
                self.text(row, column + 4, &phone.to_string())?;
            }
        }
        Ok(())
    }

    fn guardianship(
        &mut self,
        row: u32,
        family: u32,
        address: &str,
        home: &mut Random,
    ) -> Result<(), XlsxError> {
        match home.below(10) {
            0 => self.text(row, 33, "父")?,
            1 => self.text(row, 33, "√")?,
            _ => self.text(row, 32, "√")?,
        }
        if home.below(8) == 0 {
            self.text(row, 34, "无")?;
            return self.text(row, 40, "无人监护");
        }
        self.text(row, 34, "有")?;
        let born = Born {
            year: 1950 + home.below(10) as u16,
            month: 1 + home.below(12) as u8,
            day: 1 + home.below(28) as u8,
        };
        let guardian = format!(
            "{}{}{}",
            home.pick(SURNAMES),
            home.pick(GIVEN),
            home.pick(GIVEN)
        );
        self.text(row, 35, &guardian)?;
        self.text(
            row,
            36,
            &format!("{}", 15_000_000_000_u64 + u64::from(family)),
        )?;
        self.text(
            row,
            37,
            &identity(8000 + family / 400, &born, family % 400 * 2),
        )?;
        let relation = home.pick(&["祖父", "祖母", "外祖父", "外祖母", "伯父"]);
        self.text(row, 38, relation)?;
        self.text(row, 39, address)?;
        let kind = home.pick(&["较好", "一般", "一般", "委托监护人监护能力不足"]);
        self.text(row, 40, kind)
    }

    fn text(&mut self, row: u32, column: u16, text: &str) -> Result<(), XlsxError> {
        if text.is_empty() {
            return Ok(());
        }
        self.sheet.write_string(row, column, text).map(|_| ())
    }
}

/// What the seven kinds of wrong rows break, in the order of their numbers.
const RULES: [&str; 7] = [
    "REQUIRED",
    "SEX_MISMATCH",
    "BIRTH_DATE_MISMATCH",
    "IDENTITY_CHECK",
    "NUMBER_LOST_DIGITS",
    "FORMULA",
    "YES_NO_UNKNOWN",
];

const SURNAMES: &[&str] = &[
    "王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "胡", "朱", "高", "林",
    "何", "郭", "马", "欧阳",
];
const GIVEN: &[&str] = &[
    "伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "军", "洋", "勇", "艳", "杰", "娟", "涛", "明",
    "超", "霞", "平", "刚", "桂", "文", "玉", "志", "华", "子", "雨", "欣", "浩", "宇", "梓", "涵",
    "思", "嘉", "俊", "晨",
];

/// An identity number under the prefix 99, which is nobody's.
fn identity(region: u32, born: &Born, sequence: u32) -> String {
    let body = format!(
        "99{:04}{:04}{:02}{:02}{:03}",
        region % 10_000,
        born.year,
        born.month,
        born.day,
        sequence % 1000
    );
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = body
        .bytes()
        .zip(weights)
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    let check = ["1", "0", "X", "9", "8", "7", "6", "5", "4", "3", "2"][(sum % 11) as usize];
    body + check
}

/// SplitMix64: the same seed gives the same sheet on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u32) -> u32 {
        (self.next() % u64::from(limit.max(1))) as u32
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u32) as usize]
    }
}
