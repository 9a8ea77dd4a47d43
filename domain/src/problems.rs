//! Business refusals: each code has its message in both languages, and one home, `userErrors`.

use crate::access::{Actor, mask};
use crate::names;

entity::coded! {
    /// Why a mutation was refused.
    UserErrorCode {
        NotFound = "NOT_FOUND", "没有找到，或不在您的权限范围内", "not found, or not within your reach";
        StaleVersion = "STALE_VERSION", "数据已被他人修改，请刷新后重试", "somebody changed it meanwhile: read it again and repeat";
        Required = "REQUIRED", "必填", "a value is required";
        TooLong = "TOO_LONG", "内容过长", "the text is too long";
        BadCharacters = "BAD_CHARACTERS", "含有不允许的字符", "the text holds characters that are not allowed";
        MaskedValue = "MASKED_VALUE", "不能写回脱敏值，请填写完整内容或不填此项", "a masked value cannot be written back: send the full value or leave the field out";
        IdentityNumberShape = "IDENTITY_NUMBER_SHAPE", "公民身份号码应为18位：17位数字和1位校验码（GB 11643）", "an identity number has 17 digits and a check character (GB 11643)";
        IdentityNumberCheck = "IDENTITY_NUMBER_CHECK", "公民身份号码校验码不正确（GB 11643）", "the check character of the identity number is wrong (GB 11643)";
        IdentityNumberDate = "IDENTITY_NUMBER_DATE", "公民身份号码第7至14位不是有效日期", "digits 7 to 14 of the identity number are no date";
        BirthDateMismatch = "BIRTH_DATE_MISMATCH", "出生日期与公民身份号码不一致", "the birth date does not match the identity number";
        SexMismatch = "SEX_MISMATCH", "性别与公民身份号码不一致", "the sex does not match the identity number";
        DateInFuture = "DATE_IN_FUTURE", "日期不能晚于今天", "the date lies in the future";
        DateOrder = "DATE_ORDER", "结束日期早于开始日期", "the end lies before the beginning";
        DateTooEarly = "DATE_TOO_EARLY", "日期早于儿童出生", "the date lies before the child's birth";
        NotAChild = "NOT_A_CHILD", "已满18周岁，不能新建儿童档案", "18 or older: a file is opened for a child only";
        AlreadyOnFile = "ALREADY_ON_FILE", "该儿童已建档", "this child is already on file";
        IdTaken = "ID_TAKEN", "该标识已被使用", "this id is in use";
        IdShape = "ID_SHAPE", "标识应为 UUIDv7", "an id made by the client is a UUIDv7";
        UnknownDivision = "UNKNOWN_DIVISION", "没有这个行政区划代码", "there is no division of this code";
        DivisionEnded = "DIVISION_ENDED", "该行政区划代码已停用", "this division has ended";
        DivisionTooHigh = "DIVISION_TOO_HIGH", "行政区划须到乡级或村级", "the division must be a township or a village";
        GuardianTooYoung = "GUARDIAN_TOO_YOUNG", "监护人年龄小于儿童", "the guardian is younger than the child";
        GuardianMissing = "GUARDIAN_MISSING", "须指明监护人或监护机构其中之一", "name a person or an organisation, one of them";
        WrongState = "WRONG_STATE", "当前状态不允许此操作", "not possible in the present state";
        AlreadyEnded = "ALREADY_ENDED", "已经结束", "it has ended already";
        NothingToChange = "NOTHING_TO_CHANGE", "没有需要修改的内容", "nothing to change was sent";
        PhoneShape = "PHONE_SHAPE", "电话号码格式不正确", "this is no telephone number";
        DisabilityGrade = "DISABILITY_GRADE", "残疾等级应为1至4级，并注明残疾类别", "a grade of disability is 1 to 4 and goes with a class";
        NoRate = "NO_RATE", "该地区该项目没有生效的标准", "no rate of this programme is in force here";
        AlreadyEnrolled = "ALREADY_ENROLLED", "已在享受该项目", "already enrolled in this programme";
        BadMonth = "BAD_MONTH", "月份应为当月第一天", "a month is given by its first day";
        SamePerson = "SAME_PERSON", "须由另一人办理", "another person has to do this";
        SeparationOfDuties = "SEPARATION_OF_DUTIES", "与该账号已有的角色不相容", "this role does not go together with a role the account holds";
        UnknownRole = "UNKNOWN_ROLE", "没有这个角色", "there is no such role";
        PurposeNotOfRole = "PURPOSE_NOT_OF_ROLE", "该角色没有这个用途", "this purpose is none of the role's, or none of yours";
        OrganisationRequired = "ORGANISATION_REQUIRED", "该角色须指明机构", "this role is bound to an organisation: name it";
        PeriodTooLong = "PERIOD_TOO_LONG", "期限过长", "the time is too long";
        DateInPast = "DATE_IN_PAST", "日期已过", "the time lies in the past";
        ReasonTooShort = "REASON_TOO_SHORT", "理由过短，最少字数", "say more: characters at least";
        OutOfReach = "OUT_OF_REACH", "有一部分不在您的权限范围内，请由上级办理", "part of it is beyond your reach: a higher office has to do this";
        ClassNotAllowed = "CLASS_NOT_ALLOWED", "超出可给予的数据类别", "more classes of data than can be given";
        BadValue = "BAD_VALUE", "取值不正确", "the value is not possible";
        OwnProposal = "OWN_PROPOSAL", "不能批准自己提出的申请，请由他人批准", "nobody approves what he proposed himself: another person has to";
        UploadNotFound = "UPLOAD_NOT_FOUND", "没有找到上传的文件", "the uploaded file was not found";
        PasswordShort = "PASSWORD_SHORT", "密码过短，至少字符数", "the password is too short; least number of characters";
        PasswordGuessable = "PASSWORD_GUESSABLE", "密码过于常见、有规律或与本人、本单位有关，请换一个", "the password is a common or regular one, or made of your own name: choose another";
        WrongSecret = "WRONG_SECRET", "当前密码或验证码不正确，或尝试次数过多", "the present password or code is not right, or was tried too often";
        UsernameTaken = "USERNAME_TAKEN", "该用户名已被使用", "this username is in use";
        AccountOfPerson = "ACCOUNT_OF_PERSON", "该账号由人员登录使用，程序须有自己的账号", "a person signs in with this account: a program needs one of its own";
        AccountOfMachine = "ACCOUNT_OF_MACHINE", "该账号由程序使用，人员不能以其登录", "a program acts with this account: nobody signs in with it";
        OwnAccount = "OWN_ACCOUNT", "不能对自己的账号进行此操作", "not on an account of one's own";
        FileUnreadable = "FILE_UNREADABLE", "文件无法读取", "the file cannot be read";
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct UserError {
    pub code: UserErrorCode,
    /// Path below `input`.
    pub field: Vec<String>,
    /// What is known beyond the code, in the actor's language.
    pub detail: Option<String>,
}

impl UserError {
    pub fn new(code: UserErrorCode, field: &str) -> UserError {
        UserError { code, field: field.split('.').filter(|f| !f.is_empty()).map(str::to_owned).collect(), detail: None }
    }
    pub fn message(&self, actor: &Actor) -> String {
        use entity::CodedEnum;
        let coded = self.code.coded();
        let text = actor.language.choose(coded.label_zh, coded.label_en);
        match &self.detail {
            Some(detail) => format!("{text}{}{detail}", actor.language.choose("：", ": ")),
            None => text.to_owned(),
        }
    }
}

/// Turns the direction of the text around it.
fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}')
}

/// Shows as nothing, so that two names look alike; variation selectors, which rare characters need, are none.
fn invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffd}' | '\u{e0000}'..='\u{e007f}')
}

/// Refusals gathered while an input is checked.
#[derive(Debug, Default)]
pub struct Problems(pub Vec<UserError>);

impl Problems {
    pub fn add(&mut self, code: UserErrorCode, field: &str) {
        self.0.push(UserError::new(code, field));
    }
    pub fn add_with(&mut self, code: UserErrorCode, field: &str, detail: impl Into<String>) {
        self.0.push(UserError { detail: Some(detail.into()), ..UserError::new(code, field) });
    }
    pub fn none(&self) -> bool {
        self.0.is_empty()
    }

    /// A text of one line, folded; empty counts as absent.
    pub fn line(&mut self, field: &str, text: &str, most: usize) -> Option<String> {
        let folded = names::fold(text);
        if folded.is_empty() {
            return None;
        }
        if folded.chars().count() > most {
            self.add_with(UserErrorCode::TooLong, field, most.to_string());
            return None;
        }
        if folded.chars().any(|c| c.is_control() || turns(c) || invisible(c)) {
            self.add(UserErrorCode::BadCharacters, field);
            return None;
        }
        if mask::is_masked(&folded) {
            self.add(UserErrorCode::MaskedValue, field);
            return None;
        }
        Some(folded)
    }

    /// A text of several lines.
    pub fn note(&mut self, field: &str, text: &str) -> Option<String> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return None;
        }
        if trimmed.chars().count() > 4000 {
            self.add_with(UserErrorCode::TooLong, field, "4000");
            return None;
        }
        if trimmed.chars().any(|c| turns(c) || c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            self.add(UserErrorCode::BadCharacters, field);
            return None;
        }
        if trimmed == "****" {
            self.add(UserErrorCode::MaskedValue, field);
            return None;
        }
        Some(trimmed.to_owned())
    }

    pub fn phone(&mut self, field: &str, text: &str) -> Option<String> {
        let line = self.line(field, text, 30)?;
        let digits = line.chars().filter(char::is_ascii_digit).count();
        if !(7..=20).contains(&digits) || !line.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | ' ' | '(' | ')')) {
            self.add(UserErrorCode::PhoneShape, field);
            return None;
        }
        Some(line)
    }

    pub fn identity_number(&mut self, field: &str, text: &str) -> Option<entity::IdentityNumber> {
        use entity::value::identity_number::IdentityNumberError;
        let line = self.line(field, text, 40)?;
        match entity::IdentityNumber::parse(&line) {
            Ok(number) => Some(number),
            Err(error) => {
                self.add(
                    match error {
                        IdentityNumberError::Shape => UserErrorCode::IdentityNumberShape,
                        IdentityNumberError::BirthDate => UserErrorCode::IdentityNumberDate,
                        IdentityNumberError::CheckCharacter(_) => UserErrorCode::IdentityNumberCheck,
                    },
                    field,
                );
                None
            }
        }
    }
}
