//! The code lists. Names are the field's standard English terms; labels are the official Chinese ones.

crate::coded! {
    /// Sex, GB/T 2261.1.
    Sex {
        Unknown = "UNKNOWN", "未知的性别", "not known", "0";
        Male = "MALE", "男性", "male", "1";
        Female = "FEMALE", "女性", "female", "2";
        Unspecified = "UNSPECIFIED", "未说明的性别", "not stated", "9";
    }
    /// State of a child's file.
    FileState {
        Draft = "DRAFT", "草稿", "draft: registered, not yet checked";
        Active = "ACTIVE", "在册", "active";
        Transferring = "TRANSFERRING", "转移中", "being transferred to another office";
        Closed = "CLOSED", "已销档", "closed";
        Reopened = "REOPENED", "重新建档", "reopened after closure";
        Merged = "MERGED", "已合并", "merged into another file";
    }
    /// Category of the child, as the Opinions of 2016 (国发〔2016〕13号, 36号) and 民发〔2019〕62号 name them.
    Category {
        Orphan = "ORPHAN", "孤儿", "orphan";
        DeFactoUnattended = "DE_FACTO_UNATTENDED", "事实无人抚养儿童", "de facto unattended child";
        LeftBehind = "LEFT_BEHIND", "农村留守儿童", "left-behind child";
        PovertyDifficulty = "POVERTY_DIFFICULTY", "家庭贫困困境儿童", "child in difficulty: poverty of the family";
        DisabilityDifficulty = "DISABILITY_DIFFICULTY", "自身残疾或患病困境儿童", "child in difficulty: own disability or illness";
        GuardianshipDifficulty = "GUARDIANSHIP_DIFFICULTY", "监护缺失或不当困境儿童", "child in difficulty: guardianship missing or improper";
        Migrant = "MIGRANT", "流动儿童", "migrant child";
        Other = "OTHER", "其他", "other, under observation";
    }
    /// Level of risk after the last assessment.
    RiskLevel {
        Unassessed = "UNASSESSED", "未评估", "not yet assessed";
        Low = "LOW", "低风险", "low";
        Medium = "MEDIUM", "中风险", "medium";
        High = "HIGH", "高风险", "high: key attention";
        Urgent = "URGENT", "紧急", "urgent: in danger now";
    }
    /// Why a file is closed; the national list of exits.
    ClosureReason {
        AdoptedInProvince = "ADOPTED_IN_PROVINCE", "省内收养", "adopted within the province";
        AdoptedAcrossProvinces = "ADOPTED_ACROSS_PROVINCES", "跨省收养", "adopted across provinces";
        AdoptedAbroad = "ADOPTED_ABROAD", "涉外收养", "adopted abroad";
        BirthParentsFound = "BIRTH_PARENTS_FOUND", "查找到生父母", "birth parents found";
        IndependentLife = "INDEPENDENT_LIFE", "独立生活", "lives independently";
        Death = "DEATH", "死亡", "death";
        HouseholdMovedOut = "HOUSEHOLD_MOVED_OUT", "户籍迁出", "household moved out";
        EnteredByMistake = "ENTERED_BY_MISTAKE", "误录", "entered by mistake";
        OverAge = "OVER_AGE", "超龄", "over age";
        Other = "OTHER", "其他", "other";
    }
    /// Bodily condition, as the survey sheet asks.
    BodyState {
        Healthy = "HEALTHY", "健康", "healthy";
        Disabled = "DISABLED", "残疾", "disabled";
        Ill = "ILL", "患病", "ill: major illness or severe mental disorder";
    }
    /// Class of disability on the federation's certificate.
    DisabilityClass {
        Visual = "VISUAL", "视力残疾", "visual", "1";
        Hearing = "HEARING", "听力残疾", "hearing", "2";
        Speech = "SPEECH", "言语残疾", "speech", "3";
        Physical = "PHYSICAL", "肢体残疾", "physical", "4";
        Intellectual = "INTELLECTUAL", "智力残疾", "intellectual", "5";
        Mental = "MENTAL", "精神残疾", "mental", "6";
        Multiple = "MULTIPLE", "多重残疾", "multiple", "7";
    }
    /// Schooling, as the survey sheet asks.
    Schooling {
        TooYoung = "TOO_YOUNG", "未入园", "not in kindergarten";
        Kindergarten = "KINDERGARTEN", "幼儿园", "kindergarten";
        Primary = "PRIMARY", "小学", "primary school";
        Junior = "JUNIOR", "初中", "junior secondary school";
        Senior = "SENIOR", "高中", "senior secondary school";
        Vocational = "VOCATIONAL", "职业学校", "vocational school";
        DroppedOut = "DROPPED_OUT", "辍学", "dropped out at compulsory age";
        NotInSchool = "NOT_IN_SCHOOL", "不在学", "not in school, 14 to 16";
    }
    /// How well the child is guarded, as the survey sheet asks.
    GuardianshipQuality {
        Nobody = "NOBODY", "无人监护", "nobody guards the child";
        ParentUnable = "PARENT_UNABLE", "父母一方外出另一方无监护能力", "one parent away, the other unable";
        EntrustedInsufficient = "ENTRUSTED_INSUFFICIENT", "受委托监护人监护能力不足", "entrusted carer of insufficient ability";
        Fair = "FAIR", "监护情况一般", "fair";
        Good = "GOOD", "监护情况较好", "good";
    }
    /// What a person is to the child.
    RelationKind {
        Father = "FATHER", "父亲", "father";
        Mother = "MOTHER", "母亲", "mother";
        PaternalGrandfather = "PATERNAL_GRANDFATHER", "祖父", "father's father";
        PaternalGrandmother = "PATERNAL_GRANDMOTHER", "祖母", "father's mother";
        MaternalGrandfather = "MATERNAL_GRANDFATHER", "外祖父", "mother's father";
        MaternalGrandmother = "MATERNAL_GRANDMOTHER", "外祖母", "mother's mother";
        Sibling = "SIBLING", "兄弟姐妹", "sibling";
        OtherKin = "OTHER_KIN", "其他亲属", "other kin";
        NotKin = "NOT_KIN", "非亲属", "not kin";
    }
    /// On what a guardianship rests.
    GuardianshipKind {
        Parental = "PARENTAL", "父母监护", "parents (民法典 art. 27)";
        Kin = "KIN", "亲属监护", "kin able to guard (民法典 art. 27)";
        EntrustedCare = "ENTRUSTED_CARE", "委托照护", "entrusted care (未成年人保护法 art. 22)";
        Temporary = "TEMPORARY", "民政临时监护", "temporary guardianship by civil affairs (未成年人保护法 art. 92)";
        LongTerm = "LONG_TERM", "民政长期监护", "long-term guardianship by civil affairs (未成年人保护法 art. 94)";
        CourtAppointed = "COURT_APPOINTED", "法院指定监护", "appointed by a court (民法典 art. 31)";
    }
    /// Why a guardianship ended.
    GuardianshipEnd {
        ParentsReturned = "PARENTS_RETURNED", "父母返回", "the parents came back";
        Handover = "HANDOVER", "变更监护人", "handed over to another guardian";
        Death = "DEATH", "监护人死亡", "the guardian died";
        Incapacity = "INCAPACITY", "丧失监护能力", "the guardian became unable";
        Revoked = "REVOKED", "撤销监护人资格", "revoked by a court (民法典 art. 36)";
        Adopted = "ADOPTED", "收养", "the child was adopted";
        OfAge = "OF_AGE", "成年", "the child came of age";
        EnteredByMistake = "ENTERED_BY_MISTAKE", "误录", "entered by mistake";
    }
    /// A dated fact on a parent or the child from which categories are derived (民发〔2019〕62号 art. 1; 民发〔2020〕125号).
    FactKind {
        Dead = "DEAD", "死亡", "dead";
        DeclaredMissing = "DECLARED_MISSING", "宣告失踪", "declared missing by a court";
        SevereDisability = "SEVERE_DISABILITY", "重残", "severe disability";
        SeriousIllness = "SERIOUS_ILLNESS", "重病", "serious illness";
        InCustody = "IN_CUSTODY", "服刑在押", "serving a sentence in custody";
        CompulsoryDetox = "COMPULSORY_DETOX", "强制隔离戒毒", "compulsory isolation drug treatment";
        LibertyRestrained = "LIBERTY_RESTRAINED", "被执行其他限制人身自由的措施", "other restraint of liberty";
        OutOfContact = "OUT_OF_CONTACT", "失联", "out of contact";
        GuardianshipRevoked = "GUARDIANSHIP_REVOKED", "被撤销监护资格", "guardianship revoked";
        Deported = "DEPORTED", "被遣送（驱逐）出境", "deported";
        AwayForWork = "AWAY_FOR_WORK", "外出务工", "away for work";
        UnableToGuard = "UNABLE_TO_GUARD", "无监护能力", "unable to act as guardian";
    }
    /// Place of care, on which the rate depends.
    CareMode {
        Scattered = "SCATTERED", "散居（社会散居）", "scattered: in a family";
        Centralised = "CENTRALISED", "集中供养（机构养育）", "centralised: in an institution";
    }
    /// State of an enrolment in a programme.
    EnrolmentState {
        Pending = "PENDING", "待生效", "pending";
        Active = "ACTIVE", "享受中", "active";
        Suspended = "SUSPENDED", "暂停", "suspended";
        OverAgeReview = "OVER_AGE_REVIEW", "超龄审核", "over-age review";
        Terminated = "TERMINATED", "终止", "terminated";
    }
    /// Kind of an intervention.
    InterventionKind {
        EmergencyResponse = "EMERGENCY_RESPONSE", "应急处置", "emergency response";
        Assessment = "ASSESSMENT", "评估", "assessment";
        SupportPlan = "SUPPORT_PLAN", "帮扶", "support plan";
        Warning = "WARNING", "批评教育、劝诫", "warning or admonition of the guardian";
        EntrustedCare = "ENTRUSTED_CARE", "委托照护", "arrangement of entrusted care";
        TemporaryGuardianship = "TEMPORARY_GUARDIANSHIP", "临时监护", "temporary guardianship (未成年人保护法 art. 92)";
        RevocationOfGuardianship = "REVOCATION_OF_GUARDIANSHIP", "撤销监护人资格", "revocation of guardianship (法发〔2014〕24号)";
        MedicalAssistance = "MEDICAL_ASSISTANCE", "医疗救助", "medical assistance";
        SchoolReturn = "SCHOOL_RETURN", "控辍保学", "return to school";
        Psychological = "PSYCHOLOGICAL", "心理关爱", "psychological support";
        HouseholdRegistration = "HOUSEHOLD_REGISTRATION", "落户", "household registration";
        Referral = "REFERRAL", "转介", "referral to another department or organisation";
    }
    /// State of an intervention.
    InterventionState {
        Open = "OPEN", "进行中", "open";
        Closed = "CLOSED", "已结案", "closed with its outcome";
        Cancelled = "CANCELLED", "已撤销", "opened by mistake";
    }
    /// Occasion of a visit.
    VisitKind {
        Routine = "ROUTINE", "定期走访", "routine";
        KeyAttention = "KEY_ATTENTION", "重点走访", "under key attention";
        FollowUp = "FOLLOW_UP", "随访", "follow-up of an intervention";
        Survey = "SURVEY", "摸底排查", "survey";
        Telephone = "TELEPHONE", "电话随访", "by telephone";
    }
    /// What a visit found.
    VisitFinding {
        Normal = "NORMAL", "正常", "nothing remarkable";
        Concern = "CONCERN", "需关注", "needs attention";
        Danger = "DANGER", "有危险", "in danger: report at once";
        NotFound = "NOT_FOUND", "未见到", "the child was not found";
    }
    /// Kind of an organisation.
    OrganisationKind {
        CivilAffairs = "CIVIL_AFFAIRS", "民政部门", "civil affairs";
        TownshipOffice = "TOWNSHIP_OFFICE", "乡镇（街道）", "township or sub-district office";
        VillageCommittee = "VILLAGE_COMMITTEE", "村（居）委会", "village or residents' committee";
        PublicSecurity = "PUBLIC_SECURITY", "公安", "public security";
        Education = "EDUCATION", "教育", "education";
        HealthCommission = "HEALTH_COMMISSION", "卫生健康", "health";
        Finance = "FINANCE", "财政", "finance";
        DisabledPersons = "DISABLED_PERSONS", "残联", "disabled persons' federation";
        Justice = "JUSTICE", "司法", "justice";
        WomensFederation = "WOMENS_FEDERATION", "妇联", "women's federation";
        School = "SCHOOL", "学校", "school";
        Hospital = "HOSPITAL", "医疗机构", "hospital";
        WelfareInstitution = "WELFARE_INSTITUTION", "儿童福利机构", "child-welfare institution";
        ProtectionCentre = "PROTECTION_CENTRE", "未成年人救助保护机构", "protection centre";
        ChildrensHome = "CHILDRENS_HOME", "儿童之家", "children's home";
        SocialOrganisation = "SOCIAL_ORGANISATION", "社会组织", "social organisation";
    }
    /// State of an account or an organisation.
    AccountState {
        Active = "ACTIVE", "启用", "active";
        Suspended = "SUSPENDED", "停用", "suspended";
        Closed = "CLOSED", "注销", "closed";
    }
    /// State of an attachment.
    AttachmentState {
        Announced = "ANNOUNCED", "已登记", "announced: metadata only";
        Stored = "STORED", "已存储", "stored";
        Withdrawn = "WITHDRAWN", "已撤回", "withdrawn";
    }
    /// State of an import.
    ImportState {
        Running = "RUNNING", "导入中", "running";
        Checked = "CHECKED", "已试运行", "dry run: checked, nothing written";
        Finished = "FINISHED", "已完成", "finished";
        Failed = "FAILED", "失败", "stopped by an error";
    }
    /// What became of a row of an import.
    ImportRowState {
        Rejected = "REJECTED", "未通过校验", "rejected: to be mended and sent again";
        Review = "REVIEW", "疑似重复待核", "a likely double: to be reviewed by a person";
        Landed = "LANDED", "已入库", "landed";
    }
    /// Administrative level of a division.
    DivisionLevel {
        Nation = "NATION", "全国", "nation", "0";
        Province = "PROVINCE", "省级", "province", "1";
        Prefecture = "PREFECTURE", "地级", "prefecture", "2";
        County = "COUNTY", "县级", "county", "3";
        Township = "TOWNSHIP", "乡级", "township", "4";
        Village = "VILLAGE", "村级", "village", "5";
    }
    /// How a division came to end or change.
    DivisionChangeKind {
        Renamed = "RENAMED", "更名", "renamed, same code";
        Recoded = "RECODED", "代码变更", "same place under a new code";
        Merged = "MERGED", "合并", "merged into another";
        Split = "SPLIT", "拆分", "split into several";
    }
    /// Why somebody has to look.
    AlertKind {
        BreakGlass = "BREAK_GLASS", "紧急访问", "emergency access beyond one's grants";
        LockedOut = "LOCKED_OUT", "账号被锁定", "account locked after failed sign-ins";
        RefreshReuse = "REFRESH_REUSE", "刷新令牌被重复使用", "a spent refresh token was used again";
        BulkLookup = "BULK_LOOKUP", "批量查阅儿童", "many different children looked at within an hour";
        IdentityLookups = "IDENTITY_LOOKUPS", "大量按身份号码查询", "many look-ups by identity number within an hour";
        NightAccess = "NIGHT_ACCESS", "夜间访问", "children looked at during the night";
        OutsideArea = "OUTSIDE_AREA", "非惯常区域访问", "a child of a county not touched for months";
        ManyDenials = "MANY_DENIALS", "多次越权访问被拒", "many denials within an hour";
        ChainBroken = "CHAIN_BROKEN", "审计链被破坏", "audit records were changed, removed or reordered";
        Unchained = "UNCHAINED", "审计记录未入链", "audit records stayed outside the chain for more than 5 seconds";
    }
    /// State of an alert.
    AlertState {
        Open = "OPEN", "待核查", "nobody has looked into it yet";
        Settled = "SETTLED", "已核查", "looked into, with an outcome";
    }
    /// What the look into an alert found.
    AlertOutcome {
        Justified = "JUSTIFIED", "属正当履职", "justified by the task";
        Mistake = "MISTAKE", "误操作", "a mistake without ill intent";
        Misuse = "MISUSE", "违规使用", "misuse: to be followed up";
        Technical = "TECHNICAL", "技术原因", "of technical origin";
    }
    /// Ethnic groups, GB/T 3304.
    EthnicGroup {
        Han = "HAN", "汉族", "Han", "01"; Mongol = "MONGOL", "蒙古族", "Mongol", "02"; Hui = "HUI", "回族", "Hui", "03";
        Tibetan = "TIBETAN", "藏族", "Tibetan", "04"; Uygur = "UYGUR", "维吾尔族", "Uygur", "05"; Miao = "MIAO", "苗族", "Miao", "06";
        Yi = "YI", "彝族", "Yi", "07"; Zhuang = "ZHUANG", "壮族", "Zhuang", "08"; Bouyei = "BOUYEI", "布依族", "Bouyei", "09";
        Korean = "KOREAN", "朝鲜族", "Korean", "10"; Manchu = "MANCHU", "满族", "Manchu", "11"; Dong = "DONG", "侗族", "Dong", "12";
        Yao = "YAO", "瑶族", "Yao", "13"; Bai = "BAI", "白族", "Bai", "14"; Tujia = "TUJIA", "土家族", "Tujia", "15";
        Hani = "HANI", "哈尼族", "Hani", "16"; Kazak = "KAZAK", "哈萨克族", "Kazak", "17"; Dai = "DAI", "傣族", "Dai", "18";
        Li = "LI", "黎族", "Li", "19"; Lisu = "LISU", "傈僳族", "Lisu", "20"; Va = "VA", "佤族", "Va", "21";
        She = "SHE", "畲族", "She", "22"; Gaoshan = "GAOSHAN", "高山族", "Gaoshan", "23"; Lahu = "LAHU", "拉祜族", "Lahu", "24";
        Sui = "SUI", "水族", "Sui", "25"; Dongxiang = "DONGXIANG", "东乡族", "Dongxiang", "26"; Naxi = "NAXI", "纳西族", "Naxi", "27";
        Jingpo = "JINGPO", "景颇族", "Jingpo", "28"; Kirgiz = "KIRGIZ", "柯尔克孜族", "Kirgiz", "29"; Tu = "TU", "土族", "Tu", "30";
        Daur = "DAUR", "达斡尔族", "Daur", "31"; Mulao = "MULAO", "仫佬族", "Mulao", "32"; Qiang = "QIANG", "羌族", "Qiang", "33";
        Blang = "BLANG", "布朗族", "Blang", "34"; Salar = "SALAR", "撒拉族", "Salar", "35"; Maonan = "MAONAN", "毛南族", "Maonan", "36";
        Gelao = "GELAO", "仡佬族", "Gelao", "37"; Xibe = "XIBE", "锡伯族", "Xibe", "38"; Achang = "ACHANG", "阿昌族", "Achang", "39";
        Pumi = "PUMI", "普米族", "Pumi", "40"; Tajik = "TAJIK", "塔吉克族", "Tajik", "41"; Nu = "NU", "怒族", "Nu", "42";
        Uzbek = "UZBEK", "乌孜别克族", "Uzbek", "43"; Russian = "RUSSIAN", "俄罗斯族", "Russian", "44"; Ewenki = "EWENKI", "鄂温克族", "Ewenki", "45";
        Deang = "DEANG", "德昂族", "De'ang", "46"; Bonan = "BONAN", "保安族", "Bonan", "47"; Yugur = "YUGUR", "裕固族", "Yugur", "48";
        Jing = "JING", "京族", "Jing", "49"; Tatar = "TATAR", "塔塔尔族", "Tatar", "50"; Derung = "DERUNG", "独龙族", "Derung", "51";
        Oroqen = "OROQEN", "鄂伦春族", "Oroqen", "52"; Hezhen = "HEZHEN", "赫哲族", "Hezhen", "53"; Monba = "MONBA", "门巴族", "Monba", "54";
        Lhoba = "LHOBA", "珞巴族", "Lhoba", "55"; Jino = "JINO", "基诺族", "Jino", "56"; Other = "OTHER", "其他", "other", "97";
        Foreign = "FOREIGN", "外国血统", "of foreign descent", "98";
    }
}
