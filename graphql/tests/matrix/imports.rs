//! Import as a channel: a row lands where the viewer may import, and only with columns whose classes the viewer may write.

use super::check::Report;
use super::oracle::{ChildFacts, Keys, Rules};
use super::world::{Stage, Viewer};
use domain::exchange::import::ImportOptions;
use entity::DivisionCode;
use entity::tables::child;

/// A column of the sheet with a value, and the class of what it writes.
const COLUMNS: &[(&str, &str, &str)] = &[
    ("姓名", "", "identity"),
    ("村", "", "registry"),
    ("户籍地址", "谢坝村1组", "contact"),
    ("现居住地", "谢坝村2组", "contact"),
    ("身体状况", "健康", "health"),
    ("患病情况", "哮喘", "health"),
    ("就学情况", "小学", "education"),
    ("父亲姓名", "王大山", "family"),
    ("家庭收入来源", "务工", "family"),
    ("享受救助", "低保", "benefit"),
];

pub async fn check(stage: &Stage, role: &str, viewer: &Viewer, rules: &Rules, report: &mut Report) {
    let account = viewer.account();
    let judge = viewer.judge(rules, &account);
    let village = Some("520324202201".to_owned());
    let facts = ChildFacts { household: village.clone(), residence: village.clone(), accepting: village, ..ChildFacts::default() };
    for (column, value, class) in COLUMNS {
        report.cells.insert((role.to_owned(), "import", (*column).to_owned()));
        report.checked += 1;
        let sheet = match *value {
            "" => "姓名,性别,出生日期,村\n甲,男,2016-01-01,谢坝村\n".to_owned(),
            value => format!("姓名,性别,出生日期,村,{column}\n甲,男,2016-01-01,谢坝村,{value}\n"),
        };
        let path = stage.world.folder().join("import.csv");
        std::fs::write(&path, sheet).expect("written");
        let problems = stage.world.folder().join("import.problems.csv");
        let _ = std::fs::remove_file(&problems);
        let division = DivisionCode::new(domain::demo::COUNTY);
        let options = ImportOptions { path, file_name: "sheet".into(), division, mapping: None, dry_run: true, problems: Some(problems), survey_date: None };
        let found = match stage.world.domain.import_survey(&viewer.actor, options, &|_| {}).await {
            Err(domain::Error::Forbidden { .. }) => "forbidden",
            Err(error) => {
                report.wrong.push(format!("{}: import {column}: {error}", viewer.label));
                continue;
            }
            Ok(done) if done.landed == 1 => "landed",
            Ok(_) => "out of scope",
        };
        let may = judge.row(&child::TABLE, &Keys { children: vec![facts.clone()], ..Keys::default() }, &[]);
        let writes = |may: &super::oracle::May| ["identity", "registry", class].iter().all(|class| may.write.contains(*class));
        let expected = match may {
            _ if !judge.actions().contains("importSurvey") => "forbidden",
            Some(may) if may.actions.contains("importSurvey") && writes(&may) => "landed",
            _ => "out of scope",
        };
        report.acts.entry((role.to_owned(), "import")).or_default().insert(found.to_owned());
        if found != expected {
            report.wrong.push(format!("{}: import {column} ({class}) should be {expected}, is {found}", viewer.label));
        }
    }
}
