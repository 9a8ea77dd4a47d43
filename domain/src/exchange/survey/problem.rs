use super::values::clip;
use super::{Field, ReadRow};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The row cannot be taken.
    Error,
    /// The row can be taken; somebody should look.
    Warning,
}

/// A text for people, in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    pub zh: String,
    pub en: String,
}

/// What is wrong with one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellProblem {
    pub sheet: String,
    /// Counted from 1, as the spreadsheet shows it.
    pub row: u32,
    /// The letters and the header, such as `F 父亲/姓名`; the header alone would not find the cell.
    pub column: String,
    /// Cut to 60 characters.
    pub value: String,
    pub rule: Rule,
    pub severity: Severity,
    pub message: Words,
    pub suggestion: Words,
}

/// A finding before it knows its cell: the rule and what the rule's words leave open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub rule: Rule,
    pub detail: String,
}

impl From<Rule> for Fault {
    fn from(rule: Rule) -> Self {
        Self {
            rule,
            detail: String::new(),
        }
    }
}

impl Rule {
    pub(super) fn with(self, detail: impl Into<String>) -> Fault {
        Fault {
            rule: self,
            detail: detail.into(),
        }
    }
}

impl Fault {
    pub fn at(&self, sheet: &str, row: u32, column: String, value: &str) -> CellProblem {
        let (_, severity, message, suggestion) = self.rule.entry();
        let words = |(zh, en): (&str, &str)| Words {
            zh: zh.replace("{}", &self.detail),
            en: en.replace("{}", &self.detail),
        };
        CellProblem {
            sheet: sheet.to_owned(),
            row,
            column,
            value: clip(value, 60),
            rule: self.rule,
            severity,
            message: words(message),
            suggestion: words(suggestion),
        }
    }
}

impl Rule {
    /// A finding about a whole row, at the column of a field where the sheet has one.
    pub(crate) fn on_row(self, at: &ReadRow, field: Field, detail: impl Into<String>) -> CellProblem {
        let column = at.layout.field(field);
        let title = column.map_or_else(|| field.label().to_owned(), |column| column.title());
        let cell = at.layout.columns.iter().position(|c| column.is_some_and(|column| c.index == column.index));
        let value = cell.and_then(|cell| at.cells.get(cell)).map_or("", String::as_str);
        self.with(detail).at(&at.place.sheet, at.place.row, title, value)
    }
}

type Pair = (&'static str, &'static str);

macro_rules! rules {
    ($($name:ident $code:literal $severity:ident [$zh:literal, $en:literal] [$do_zh:literal, $do_en:literal];)+) => {
        /// The rules a cell can break, each with a stable code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Rule { $($name,)+ }

        impl Rule {
            pub const ALL: &[Rule] = &[$(Rule::$name,)+];

            fn entry(self) -> (&'static str, Severity, Pair, Pair) {
                match self {
                    $(Rule::$name => ($code, Severity::$severity, ($zh, $en), ($do_zh, $do_en)),)+
                }
            }
        }
    };
}

impl Rule {
    pub fn code(self) -> &'static str {
        self.entry().0
    }

    pub fn severity(self) -> Severity {
        self.entry().1
    }
}

rules! {
    Formula "FORMULA" Error
        ["单元格是公式，不是数值", "the cell is a formula, not a value"]
        ["复制后用“选择性粘贴—数值”粘贴", "copy it and paste it as a value"];
    CellError "CELL_ERROR" Error
        ["单元格是错误值", "the cell holds a spreadsheet error"]
        ["填写正确的内容", "enter the right value"];
    Required "REQUIRED" Error
        ["必填项为空", "a required value is missing"]
        ["补填此项", "fill it in"];
    NumberLostDigits "NUMBER_LOST_DIGITS" Error
        ["号码按数字保存，末几位已丢失", "the number was stored as a figure and its last digits are lost"]
        ["先把单元格格式设为“文本”，再照证件重新录入", "format the cell as text, then type the number again from the document"];
    IdentityLength "IDENTITY_LENGTH" Error
        ["公民身份号码应为18位，现为{}位", "an identity number has 18 characters, this has {}"]
        ["照户口簿或身份证重新录入", "type it again from the household register or the card"];
    IdentityCharacter "IDENTITY_CHARACTER" Error
        ["公民身份号码只能有数字，末位可为X", "an identity number holds digits only, the last may be X"]
        ["照户口簿或身份证重新录入", "type it again from the household register or the card"];
    IdentityDate "IDENTITY_DATE" Error
        ["公民身份号码第7至14位不是有效的出生日期", "digits 7 to 14 of the identity number are no birth date"]
        ["照户口簿或身份证重新录入", "type it again from the household register or the card"];
    IdentityCheck "IDENTITY_CHECK" Error
        ["公民身份号码校验位不符，至少一位有误", "the check character of the identity number does not match: at least one digit is wrong"]
        ["照户口簿或身份证逐位核对", "compare it digit by digit with the household register or the card"];
    IdentityOld "IDENTITY_OLD" Error
        ["是15位旧号码", "this is an old number of 15 digits"]
        ["核对后改填18位号码：{}", "if it is right, enter the 18 characters {}"];
    IdentityRepeated "IDENTITY_REPEATED" Error
        ["与本行“{}”的公民身份号码相同", "the same identity number as {} in this row"]
        ["两人各填各的号码", "give each person their own number"];
    DateFormat "DATE_FORMAT" Error
        ["无法识别的日期", "this date cannot be read"]
        ["按 2008-03-15 或 2008.3 填写", "write it as 2008-03-15 or 2008.3"];
    DateAmbiguous "DATE_AMBIGUOUS" Error
        ["按数字保存，分不清是{}年1月还是10月", "stored as a figure, it may be January or October of {}"]
        ["按 {}-01 或 {}-10 以文本填写", "write {}-01 or {}-10 as text"];
    DateFuture "DATE_FUTURE" Error
        ["日期晚于今天", "the date lies in the future"]
        ["核对日期", "check the date"];
    DateTooOld "DATE_TOO_OLD" Error
        ["日期早于1900年", "the date lies before 1900"]
        ["核对日期", "check the date"];
    NameTooLong "NAME_TOO_LONG" Error
        ["姓名过长，共{}字", "the name is too long: {} characters"]
        ["只填姓名，其他内容填到备注", "enter the name alone"];
    NameCharacter "NAME_CHARACTER" Error
        ["姓名中有不应有的字符", "the name holds characters that no name has"]
        ["只填姓名，去掉符号和数字", "enter the name alone, without signs and digits"];
    TextTooLong "TEXT_TOO_LONG" Error
        ["内容过长，共{}字", "the text is too long: {} characters"]
        ["缩短内容", "shorten it"];
    ControlCharacter "CONTROL_CHARACTER" Error
        ["含有不可见的控制字符", "the text holds control characters"]
        ["清除后重新录入", "clear the cell and type it again"];
    PhoneFormat "PHONE_FORMAT" Error
        ["不是电话号码", "this is no telephone number"]
        ["填11位手机号或带区号的座机号，多个号码用顿号分开", "enter a mobile number of 11 digits or a landline with area code; separate several with 、"];
    SexUnknown "SEX_UNKNOWN" Error
        ["性别应为男或女", "sex is 男 or 女"]
        ["填“男”或“女”", "enter 男 or 女"];
    EthnicGroupUnknown "ETHNIC_GROUP_UNKNOWN" Error
        ["不在民族名称表（GB/T 3304）中", "not in the list of ethnic groups (GB/T 3304)"]
        ["填民族全称，如“汉族”“土家族”", "enter the full name, such as 汉族 or 土家族"];
    YesNoUnknown "YES_NO_UNKNOWN" Error
        ["应为是或否", "this is a yes or no"]
        ["填“是”或“否”，或打√", "enter 是 or 否, or tick √"];
    ChoiceUnknown "CHOICE_UNKNOWN" Error
        ["不是此项的选项", "not one of the choices"]
        ["从中选填：{}", "choose from: {}"];
    ChoiceSeveral "CHOICE_SEVERAL" Error
        ["此项只能选一个，选了：{}", "only one may be chosen, these are: {}"]
        ["只保留一个选项", "keep one of them"];
    DisabilityGrade "DISABILITY_GRADE" Error
        ["残疾等级应为一级至四级", "a disability grade runs from 1 to 4"]
        ["照残疾证填写类别和等级，如“肢体二级”", "enter class and grade from the certificate, such as 肢体二级"];
    DisabilityGradeClass "DISABILITY_GRADE_CLASS" Error
        ["等级与类别不符：盲为一级、二级，低视力为三级、四级", "the grade does not fit the class: blind is 1 or 2, low vision 3 or 4"]
        ["照残疾证核对", "compare it with the certificate"];
    Contradiction "CONTRADICTION" Error
        ["与“{}”矛盾", "contradicts {}"]
        ["核对后改正其中一项", "check both and correct one"];
    BirthDateMismatch "BIRTH_DATE_MISMATCH" Error
        ["出生日期与公民身份号码中的 {} 不符", "the birth date is not the {} of the identity number"]
        ["核对出生日期和号码", "check the date and the number"];
    SexMismatch "SEX_MISMATCH" Error
        ["性别与公民身份号码第17位不符", "the sex is not that of the identity number's 17th digit"]
        ["核对性别和号码", "check the sex and the number"];
    AgeOver "AGE_OVER" Error
        ["调查时已满18周岁，不是儿童", "already 18 at the survey: not a child"]
        ["核对出生日期；确已成年的删除本行", "check the birth date; remove the row if it is right"];
    BornAfterSurvey "BORN_AFTER_SURVEY" Error
        ["出生日期晚于调查日期 {}", "born after the survey of {}"]
        ["核对出生日期", "check the birth date"];
    NotOlder "NOT_OLDER" Error
        ["年龄不大于“{}”", "not older than {}"]
        ["核对两人的出生日期和号码", "check both birth dates and numbers"];
    LeftBehindAge "LEFT_BEHIND_AGE" Warning
        ["调查时已满16周岁，不计为农村留守儿童", "already 16 at the survey: not counted as left-behind"]
        ["核对出生日期", "check the birth date"];
    ParentYoung "PARENT_YOUNG" Warning
        ["与子女的年龄差不足14岁", "less than 14 years older than the child"]
        ["核对两人的出生日期", "check both birth dates"];
    GuardianMinor "GUARDIAN_MINOR" Warning
        ["受委托人调查时未满18周岁", "the entrusted guardian is under 18 at the survey"]
        ["核对受委托人的身份", "check who the guardian is"];
    ParentSex "PARENT_SEX" Warning
        ["号码第17位的性别与“{}”不符", "the 17th digit's sex is not that of {}"]
        ["核对号码", "check the number"];
    DeadByDash "DEAD_BY_DASH" Warning
        ["以“—”表示，按已故登记", "a dash, read as dead"]
        ["已故的请写“已故”，不详的请留空", "write 已故 for the dead, leave it blank when unknown"];
    DeadAway "DEAD_AWAY" Warning
        ["登记为已故，又登记为外出", "recorded as dead and as away"]
        ["核对父母情况", "check the parents' situation"];
    DisabilityMissing "DISABILITY_MISSING" Warning
        ["填为残疾，但未填类别和等级", "disabled, but no class and grade"]
        ["照残疾证补填", "add them from the certificate"];
    IdentityMissing "IDENTITY_MISSING" Warning
        ["已登记户口，但未填公民身份号码", "registered in a household, but no identity number"]
        ["照户口簿补填", "add it from the household register"];
    UnknownPlace "UNKNOWN_PLACE" Error
        ["没有找到这个村（居），或同名的不止一个", "there is no village of this name, or more than one"]
        ["填写行政区划中的全称{}", "enter the full name as the divisions have it{}"];
    NotAChild "NOT_A_CHILD" Error
        ["今天已满18周岁，不能新建儿童档案", "18 or older today: a file is opened for a child only"]
        ["核对出生日期；确已成年的删除本行", "check the birth date; remove the row if it is right"];
    BirthDay "BIRTH_DATE_DAY" Error
        ["没有公民身份号码的，出生日期须到日", "without an identity number the birth date must name the day"]
        ["补填公民身份号码，或把出生日期写到日", "add the identity number, or write the date to the day"];
    MaskedValue "MASKED_VALUE" Error
        ["是脱敏后的内容，不能入库", "a masked value cannot be taken"]
        ["填写完整内容", "enter the full value"];
    OutOfScope "OUT_OF_SCOPE" Error
        ["不在您的权限范围内：{}", "outside what your account may write: {}"]
        ["由有权限的单位导入，或在对应文件中忽略这些列", "have an office with that right import it, or ignore these columns in the mapping file"];
    OnFileElsewhere "ALREADY_ON_FILE_ELSEWHERE" Error
        ["该儿童已建档，档案在：{}", "this child is on file already, with the office of {}"]
        ["与该地民政部门联系", "ask that office"];
    DiffersFromFile "DIFFERS_FROM_FILE" Error
        ["与已有档案不一致：{}", "differs from the child's file in: {}"]
        ["由工作人员核对后更正档案", "have it compared and the file corrected by a person"];
    LikelyDouble "LIKELY_DOUBLE" Error
        ["本县已有姓名、出生日期相同的儿童，疑似重复", "a child of this name and birth date is on file in this county: a likely double"]
        ["由工作人员核对是否同一儿童", "have a person compare the two"];
    TwiceInFile "TWICE_IN_FILE" Error
        ["与本次导入的另一行是同一儿童", "the same child as another row of this import"]
        ["删除重复的行", "remove one of the rows"];
}
