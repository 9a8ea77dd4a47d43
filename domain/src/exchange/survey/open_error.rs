/// Why a file cannot be read as a survey sheet; each message says what would be right.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the file cannot be read: {0}")]
    Io(#[from] std::io::Error),
    #[error("the file is {actual} bytes and the limit is {limit}: split it into smaller workbooks")]
    TooLarge { actual: u64, limit: u64 },
    #[error(
        "the workbook unpacks to far more than it should ({0}): save the sheet alone in a new workbook"
    )]
    ZipBomb(String),
    #[error("the file is damaged or was cut short ({0}): copy or send it again, or save it anew")]
    Damaged(String),
    #[error("the workbook is protected by a password: remove the password and save it again")]
    Password,
    #[error("this is {0}, not a spreadsheet: save it as .xlsx, .xls or .csv")]
    NotASpreadsheet(&'static str),
    #[error("the text is neither UTF-8 nor GB18030: save it as CSV UTF-8")]
    Encoding,
    #[error(
        "the workbook holds no visible sheet with cells: put the roster on a sheet that is shown"
    )]
    NoSheet,
    #[error(
        "no header row was found: the sheet needs a row that names its columns, with the child's name (姓名) among them"
    )]
    NoHeader,
    #[error("sheet {sheet} lacks the columns {missing}: add them, or name them in a mapping file")]
    MissingColumns { sheet: String, missing: String },
}

impl OpenError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "FILE_UNREADABLE",
            Self::TooLarge { .. } => "FILE_TOO_LARGE",
            Self::ZipBomb(_) => "FILE_ZIP_BOMB",
            Self::Damaged(_) => "FILE_DAMAGED",
            Self::Password => "FILE_PASSWORD",
            Self::NotASpreadsheet(_) => "FILE_NOT_A_SPREADSHEET",
            Self::Encoding => "FILE_ENCODING",
            Self::NoSheet => "FILE_NO_SHEET",
            Self::NoHeader => "SHEET_NO_HEADER",
            Self::MissingColumns { .. } => "SHEET_MISSING_COLUMNS",
        }
    }

    /// The message in Chinese.
    pub fn zh(&self) -> String {
        match self {
            Self::Io(_) => "文件无法读取，请检查文件是否存在、是否有读取权限".into(),
            Self::TooLarge { actual, limit } => {
                format!("文件大小 {actual} 字节，超过上限 {limit} 字节，请拆分后上传")
            }
            Self::ZipBomb(_) => "工作簿解压后体积异常，请把表格单独另存为新工作簿".into(),
            Self::Damaged(_) => "文件损坏或不完整，请重新复制、发送或另存".into(),
            Self::Password => "工作簿有密码保护，请取消密码后另存".into(),
            Self::NotASpreadsheet(_) => "文件不是电子表格，请另存为 .xlsx、.xls 或 .csv".into(),
            Self::Encoding => "文本编码既不是 UTF-8 也不是 GB18030,请另存为 CSV UTF-8".into(),
            Self::NoSheet => "工作簿中没有可见的有内容的工作表".into(),
            Self::NoHeader => "未找到表头，表中须有一行列名，其中包括“姓名”".into(),
            Self::MissingColumns { sheet, missing } => {
                format!("工作表“{sheet}”缺少列：{missing}，请补充，或在对应文件中指定")
            }
        }
    }
}
