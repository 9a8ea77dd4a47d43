//! Imports a made-up survey sheet into fresh databases and prints the rate beside that of a bare insert of the same
//! child rows, and the peak memory: `cargo bench --bench import_rate -- [ROWS] [URL]…`.
//! Without a URL a SQLite file is used; a PostgreSQL URL names an empty database.
#![allow(clippy::print_stdout)]

use domain::access::Actor;
use domain::clock::{Clock, SystemClock};
use domain::exchange::import::ImportOptions;
use domain::signin::Asking;
use domain::{Domain, DomainOptions, demo};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, QueryResult, Statement, TransactionTrait, Value};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

#[allow(dead_code)]
#[path = "../tests/support/survey_sheet.rs"]
mod survey_sheet;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    // `cargo bench` adds a flag of its own.
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let rows: u32 = arguments.next().map_or(Ok(100_000), |n| n.parse())?;
    let folder = tempfile::tempdir()?;
    let mut urls: Vec<String> = arguments.collect();
    if urls.is_empty() {
        urls.push(format!("sqlite://{}", folder.path().join("rate.db").display()));
    }
    let sheet = folder.path().join("survey.xlsx");
    write_sheet(&sheet, rows)?;
    for url in urls {
        measure(&url, &sheet, folder.path()).await?;
    }
    Ok(())
}

/// In a process of its own: the peak memory told at the end is that of the import alone.
fn write_sheet(sheet: &Path, rows: u32) -> Result<(), Failure> {
    let this_year: u16 = SystemClock.today().format("%Y").to_string().parse()?;
    if std::env::var_os("IMPORT_RATE_SHEET").is_none() {
        let status = std::process::Command::new(std::env::current_exe()?)
            .arg(rows.to_string())
            .env("IMPORT_RATE_SHEET", sheet)
            .status()?;
        return if status.success() { Ok(()) } else { Err("the sheet could not be written".into()) };
    }
    let options = survey_sheet::Options {
        rows,
        seed: 7,
        villages: &["谢坝村"],
        place: "贵州省遵义市正安县谢坝仡佬族苗族乡",
        survey_year: this_year - 1,
        wrong_one_in: 50,
    };
    let path = std::env::var_os("IMPORT_RATE_SHEET").unwrap_or_default();
    survey_sheet::write_workbook(Path::new(&path), &options)?;
    std::process::exit(0);
}

async fn measure(url: &str, sheet: &Path, folder: &Path) -> Result<(), Failure> {
    let kind = url.split(':').next().unwrap_or_default();
    let data = folder.join(kind);
    let domain = Domain::open(DomainOptions {
        database_url: url.to_owned(),
        migrate_database_url: None,
        data,
        profile: "demo",
        max_connections: 4,
        migrate: true,
        clock: Arc::new(SystemClock),
        sealing: Default::default(),
        rules: Default::default(),
        audit: Default::default(),
        sign_in: Default::default(),
        terms: Default::default(),
    })
    .await?;
    demo::prepare(&domain).await?;
    let actor: Actor = domain.act_as("county-officer", Asking::default()).await?;
    let options = ImportOptions {
        path: sheet.to_owned(),
        file_name: "survey.xlsx".into(),
        division: None,
        mapping: None,
        dry_run: false,
        problems: None,
        survey_date: None,
    };
    println!("{kind}: before the import, {}", peak());
    for turn in ["fresh", "sent again"] {
        let report = domain.import_survey(&actor, options.clone(), &|_| {}).await?;
        if let Some(error) = report.stopped {
            return Err(error.into());
        }
        println!(
            "{kind}, {turn}: {} rows in {:.1} s, {:.0} rows/s; landed {}, unchanged {}, rejected {}, review {}; {}",
            report.rows, report.seconds, report.rows as f64 / report.seconds, report.landed, report.unchanged, report.rejected, report.review, peak()
        );
    }
    let db = Database::connect(url).await?;
    bare(&db, kind).await?;
    Ok(())
}

/// The same child rows into a table without indexes, 250 in one prepared statement.
async fn bare(db: &DatabaseConnection, kind: &str) -> Result<(), Failure> {
    const AT_ONCE: usize = 250;
    let backend = db.get_database_backend();
    db.execute_unprepared("CREATE TABLE bare AS SELECT * FROM child WHERE 1 = 0").await?;
    let columns = entity::tables::child::TABLE.columns;
    let names: Vec<&str> = columns.iter().map(|c| c.name).collect();
    let select = format!("SELECT {} FROM child", names.join(", "));
    let rows = db.query_all_raw(Statement::from_string(backend, select)).await?;
    let mut values: Vec<Vec<Value>> = Vec::with_capacity(rows.len());
    for row in &rows {
        values.push(columns.iter().enumerate().map(|(at, column)| value(row, at, column.kind)).collect::<Result<_, Failure>>()?);
    }
    let mut place = 0;
    let one_row = |place: &mut usize| {
        let marks: Vec<String> = columns
            .iter()
            .map(|_| {
                *place += 1;
                if backend == DbBackend::Postgres { format!("${place}") } else { "?".to_owned() }
            })
            .collect();
        format!("({})", marks.join(", "))
    };
    let tuples: Vec<String> = (0..AT_ONCE).map(|_| one_row(&mut place)).collect();
    let insert = format!("INSERT INTO bare ({}) VALUES {}", names.join(", "), tuples.join(", "));
    let whole = values.len() / AT_ONCE * AT_ONCE;
    let start = Instant::now();
    for chunk in values[..whole].chunks(AT_ONCE) {
        let transaction = db.begin().await?;
        let bound: Vec<Value> = chunk.iter().flatten().cloned().collect();
        transaction.execute_raw(Statement::from_sql_and_values(backend, insert.as_str(), bound)).await?;
        transaction.commit().await?;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{kind}, bare prepared insert of {whole} child rows: {seconds:.1} s, {:.0} rows/s", whole as f64 / seconds);
    db.execute_unprepared("DROP TABLE bare").await?;
    Ok(())
}

fn value(row: &QueryResult, at: usize, kind: entity::Kind) -> Result<Value, Failure> {
    use entity::Kind;
    Ok(match kind {
        Kind::Bool => row.try_get_by_index::<Option<bool>>(at)?.into(),
        Kind::I16 => row.try_get_by_index::<Option<i16>>(at)?.into(),
        Kind::I32 => row.try_get_by_index::<Option<i32>>(at)?.into(),
        Kind::I64 => row.try_get_by_index::<Option<i64>>(at)?.into(),
        Kind::Text => row.try_get_by_index::<Option<String>>(at)?.into(),
        Kind::Sealed | Kind::SealedCode | Kind::Bytes => row.try_get_by_index::<Option<Vec<u8>>>(at)?.into(),
        Kind::Uuid => row.try_get_by_index::<Option<uuid::Uuid>>(at)?.into(),
        Kind::Date => row.try_get_by_index::<Option<chrono::NaiveDate>>(at)?.into(),
        Kind::Time => row.try_get_by_index::<Option<chrono::DateTime<chrono::Utc>>>(at)?.into(),
    })
}

/// The most memory the process held, where the system tells.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.map_or_else(|| "peak unknown".into(), |line| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ") + " at most")
}
