//! The command line.

use crate::config::{Flags, Profile};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

#[derive(Parser)]
#[command(
    name = "child-welfare",
    version,
    about = "The GraphQL API behind a national information system for children in difficulty",
    long_about = "The GraphQL API behind a national information system for children in difficulty.\n\n\
        Without a command it starts the demonstration: `serve --demo`. That makes a folder ./data with an embedded \
        database and synthetic children, and prints an address, the personas and a first request.\n\n\
        Settings come, each over the one before, from defaults, a file (--config, or child-welfare.toml beside), \
        variables (CHILD_WELFARE_LISTEN, CHILD_WELFARE_LIMITS__BODY_BYTES, …) and flags.",
    after_long_help = "Examples:\n  \
        child-welfare serve --demo\n  \
        child-welfare serve --demo --listen 0.0.0.0:9000 --data /var/tmp/demo\n  \
        child-welfare token --persona county-officer --data ./data\n  \
        child-welfare migrate --profile production --database postgres://…\n  \
        child-welfare import survey.xlsx --dry-run"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Args, Clone, Debug, Default)]
pub struct Settings {
    /// Settings file (default: child-welfare.toml beside, if there is one)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Demonstration: synthetic children, personas, keys of its own; never for real data
    #[arg(long, conflicts_with = "profile")]
    pub demo: bool,
    /// Which checks hold; production refuses everything made by the other two [default: that of the data folder, else production]
    #[arg(long, value_enum)]
    pub profile: Option<Profile>,
    /// Folder of the embedded database, the keys and the uploads [default: ./data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE [default: an SQLite file in the data folder]
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
}

impl Settings {
    pub fn flags(&self) -> Flags {
        Flags {
            file: self.config.clone(),
            profile: if self.demo { Some(Profile::Demo) } else { self.profile },
            listen: None,
            data: self.data.clone(),
            database: self.database.clone(),
        }
    }
}

#[derive(Subcommand)]
pub enum Command {
    /// Start the server
    #[command(
        long_about = "Start the server: GraphQL at /graphql (POST, GET, WebSocket), the explorer at /explorer, health at \
            /health/live and /health/ready.\n\nDemo and development bring the schema up to date themselves; production \
            expects `migrate` to have been run. SIGTERM or Ctrl-C finishes what was accepted, then stops.",
        after_long_help = "Examples:\n  child-welfare serve --demo\n  child-welfare serve --profile production --config /etc/child-welfare.toml"
    )]
    Serve {
        #[command(flatten)]
        settings: Settings,
        /// Address and port [default: 127.0.0.1:8080]
        #[arg(long, value_name = "ADDR:PORT")]
        listen: Option<String>,
    },
    /// Create the schema, or bring it up to date
    Migrate {
        #[command(flatten)]
        settings: Settings,
    },
    /// Print the GraphQL schema (SDL)
    Schema,
    /// Print an access token of a persona: demo and development only
    #[command(after_long_help = "Example:\n  \
        curl -s http://127.0.0.1:8080/graphql -H \"Authorization: Bearer $(child-welfare token --persona county-officer --data ./data)\" \\\n    \
        -H 'Content-Type: application/json' -d '{\"query\":\"{ __typename }\"}'")]
    Token {
        #[command(flatten)]
        settings: Settings,
        /// Whose token; an unknown name lists the known ones
        #[arg(long, value_name = "NAME")]
        persona: String,
        /// How long it is good for
        #[arg(long, value_name = "HOURS", default_value_t = 12, value_parser = clap::value_parser!(i64).range(1..=crate::token::LONGEST_PERSONA_HOURS))]
        hours: i64,
    },
    /// Fill a demonstration or development database: divisions, personas, synthetic children
    #[command(after_long_help = "Example:\n  child-welfare seed --profile development --children 1000")]
    Seed {
        #[command(flatten)]
        settings: Settings,
        /// How many synthetic children there shall be
        #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
        children: usize,
        /// PostgreSQL: millions by COPY, the indexes after; without outbox and audit trail, and of the change log one row a file
        #[arg(long)]
        bulk: bool,
    },
    /// Read a survey sheet (.xlsx, .xls, .csv in UTF-8 or GB18030)
    #[command(
        long_about = "Read a survey sheet: .xlsx, .xls, or .csv in UTF-8 or GB18030.\n\n\
            It acts as a named account: with its access, and on record under it. First propose a mapping if the columns \
            are not those of the national form, look it through, then run with --dry-run, then without: good rows land, \
            sending a file twice adds nothing, likely doubles go to a review list. Rows that cannot be taken are written, with sheet, row, column, value, rule and a suggestion, to \
            a file that spreadsheets open. Mend them there and send that file again.",
        after_long_help = "Examples:\n  \
            child-welfare import survey.xlsx --propose-mapping > mapping.toml\n  \
            child-welfare import survey.xlsx --as county-officer --mapping mapping.toml --dry-run --problems problems.csv\n  \
            child-welfare import survey.xlsx --as county-officer --division 520324"
    )]
    Import {
        #[command(flatten)]
        settings: Settings,
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Account whose access the import has, and under which it is on record
        #[arg(long = "as", value_name = "NAME")]
        account: Option<String>,
        /// Division the sheet is from: villages are looked for below it
        #[arg(long, value_name = "CODE")]
        division: Option<String>,
        /// Day of the survey, where the sheet does not say it
        #[arg(long, value_name = "YYYY-MM-DD")]
        survey_date: Option<chrono::NaiveDate>,
        /// Which column holds which field
        #[arg(long, value_name = "FILE")]
        mapping: Option<PathBuf>,
        /// Print the mapping that the headers suggest, and do nothing else
        #[arg(long)]
        propose_mapping: bool,
        /// Check every row and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Where rows that cannot be taken go [default: FILE with the ending .problems.csv]
        #[arg(long, value_name = "FILE")]
        problems: Option<PathBuf>,
    },
    /// Check that the database holds together: identities, searches, change log, sealed columns, references, counts, audit chain
    #[command(after_long_help = "Examples:\n  \
        child-welfare verify\n  \
        child-welfare verify --checkpoints /mnt/elsewhere/checkpoints.jsonl --key 5f0c…")]
    Verify {
        #[command(flatten)]
        settings: Settings,
        /// Checkpoints that were kept elsewhere: the audit trail must agree with every one of them (`-`: standard input)
        #[arg(long, value_name = "FILE")]
        checkpoints: Option<PathBuf>,
        /// Public key of checkpoints, or a file with it; several times after a change of keys [default: that of this installation]
        #[arg(long = "key", value_name = "KEY")]
        keys: Vec<String>,
    },
    /// Count all files anew for the statistics, where `verify` found a difference; servers go on answering
    Recount {
        #[command(flatten)]
        settings: Settings,
    },
    /// The audit trail: checkpoints, retention
    #[command(subcommand)]
    Audit(Audit),
    /// Write the yearly compliance report: counts alone, no personal data
    Report {
        #[command(flatten)]
        settings: Settings,
        /// Year, by the official time of the country
        #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i32).range(2000..=9999))]
        year: i32,
        /// Where it goes (Markdown) [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// The keys that seal personal data
    #[command(subcommand)]
    Sealing(Sealing),
    /// Keys that sign access tokens
    #[command(subcommand)]
    Keys(Keys),
    /// Lists of the documents that clients may run
    #[command(subcommand)]
    Documents(Documents),
    /// Administrators
    #[command(subcommand)]
    Admin(Admin),
    /// Look at settings, data folder, keys and database, and say what is wrong
    Doctor {
        #[command(flatten)]
        settings: Settings,
        /// Address and port the server would take
        #[arg(long, value_name = "ADDR:PORT")]
        listen: Option<String>,
    },
}

#[derive(Subcommand)]
pub enum Sealing {
    /// Say which keys there are, which one seals, and how much is under each
    Status {
        #[command(flatten)]
        settings: Settings,
    },
    /// Make a new key that seals from now on; servers go on answering
    #[command(after_long_help = "Example:\n  child-welfare sealing rotate --algorithm sm4-gcm && child-welfare sealing reseal")]
    Rotate {
        #[command(flatten)]
        settings: Settings,
        /// aes-256-gcm or sm4-gcm [default: sealing.algorithm of the settings]
        #[arg(long, value_name = "NAME")]
        algorithm: Option<String>,
    },
    /// Bring everything under the newest key and retire the others; servers go on answering, an ended run is taken up again
    Reseal {
        #[command(flatten)]
        settings: Settings,
    },
    /// Make a new index key; older ones go on serving searches until `sealing reindex` is through
    RotateIndex {
        #[command(flatten)]
        settings: Settings,
    },
    /// Bring every fingerprint and name under the newest index key and retire the one before; searches go on, an ended run is taken up again
    Reindex {
        #[command(flatten)]
        settings: Settings,
    },
    /// Wrap the keys anew with what keys.sealing names, coming from a key file; no sealed value is touched
    Rewrap {
        #[command(flatten)]
        settings: Settings,
        /// The key file that wraps them until now
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
    },
    /// Prove that a backup opens with the key that was put away; looks, and changes nothing
    #[command(after_long_help = "Example:\n  child-welfare sealing drill --backup /restore/child-welfare.db --key /mnt/safe/sealing.key")]
    Drill {
        #[command(flatten)]
        settings: Settings,
        /// The restored backup: an SQLite file, or postgres://USER:PASSWORD@HOST/DATABASE
        #[arg(long, value_name = "FILE|URL")]
        backup: String,
        /// The key file as it comes from its safe [default: what keys.sealing names]
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Values of each column to open
        #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
        sample: u64,
    },
}

#[derive(Subcommand)]
pub enum Audit {
    /// Print the signed checkpoints, a line each, to be kept where this system cannot write
    ExportCheckpoints {
        #[command(flatten)]
        settings: Settings,
        /// Where they go [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Only those after this number
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        after: i64,
    },
    /// Print the public key that checkpoints are checked with
    Key {
        #[command(flatten)]
        settings: Settings,
    },
    /// Drop records older than some months; the chain then begins at a signed anchor
    Retain {
        #[command(flatten)]
        settings: Settings,
        /// How many months are kept; the law asks for six at least (网络安全法 art. 21)
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(6..=1200))]
        months: u32,
        /// Account of an auditor, under which it is on record
        #[arg(long = "as", value_name = "NAME")]
        account: String,
    },
}

#[derive(Subcommand)]
pub enum Admin {
    /// Make the first system administrator, the first two security administrators, the first auditor; refused once they are there
    #[command(after_long_help = "Example:\n  \
        child-welfare admin create --role system-administrator --username li.wei --name 李伟\n  \
        child-welfare admin create --role security-administrator --username wang.fang --name 王芳\n  \
        child-welfare admin create --role security-administrator --username liu.yang --name 刘洋\n  \
        child-welfare admin create --role auditor --username zhang.min --name 张敏\n\n\
        Two security administrators, for a grant takes two persons who give it; one of the others. \
        Prints a code by which that person sets a password, once. As long as none is set, the same command prints another one. \
        The id is what an issuer of your own writes as `sub` into the access tokens of that person.")]
    Create {
        #[command(flatten)]
        settings: Settings,
        /// Name to be known by in the system
        #[arg(long, value_name = "NAME")]
        username: String,
        /// Name to show
        #[arg(long, value_name = "NAME")]
        name: String,
        /// Which of the three separated administrators
        #[arg(long, value_name = "ROLE", default_value = "system-administrator")]
        role: String,
        /// Id of the account, the `sub` of its tokens [default: a new one]
        #[arg(long, value_name = "UUID")]
        id: Option<uuid::Uuid>,
        /// External provider by whose sign-in that person comes in, instead of a password
        #[arg(long, value_name = "ISSUER", requires = "external_subject")]
        external_issuer: Option<String>,
        /// Who that person is there
        #[arg(long, value_name = "SUBJECT", requires = "external_issuer")]
        external_subject: Option<String>,
    },
}

#[derive(Subcommand)]
pub enum Keys {
    /// Show them: id, algorithm, what each does now
    List {
        #[command(flatten)]
        settings: Settings,
    },
    /// Publish a new key now, that signs after a while; the one before it goes on verifying
    #[command(after_long_help = "Servers that share the key file notice within seconds. Verifiers elsewhere need time to fetch the new key: \
        the lead should be no shorter than they remember the old set (10 minutes in this program).")]
    Rotate {
        #[command(flatten)]
        settings: Settings,
        /// After how many seconds it signs
        #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(i64).range(0..=86_400))]
        lead: i64,
    },
    /// Take a key away; its tokens end at once
    Retire {
        #[command(flatten)]
        settings: Settings,
        /// Its id, as `list` shows it
        #[arg(value_name = "KID")]
        kid: String,
        /// Although tokens it signed may still be good: the key is no longer secret
        #[arg(long)]
        now: bool,
    },
}

#[derive(Subcommand)]
pub enum Documents {
    /// Put the documents of a manifest on a client's list; all of them or none
    #[command(after_long_help = "Manifests: Apollo's generate-persisted-query-manifest; or an object of SHA-256 and text, as Relay (persistConfig, \
        algorithm SHA256) and the client preset of GraphQL Code Generator (hashAlgorithm sha256) write it.\n\n\
        Example:\n  child-welfare documents load --client demo-partner --as system-administrator manifest.json")]
    Load {
        #[command(flatten)]
        settings: Settings,
        /// Name of the client
        #[arg(long, value_name = "NAME")]
        client: String,
        /// Account under which it is on record
        #[arg(long = "as", value_name = "NAME")]
        account: String,
        /// Take everything else off the list
        #[arg(long)]
        replace: bool,
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Show a client's list
    List {
        #[command(flatten)]
        settings: Settings,
        /// Name of the client
        #[arg(long, value_name = "NAME")]
        client: String,
    },
    /// From what dry runs (mode `report`) have noted: which clients would be refused which documents
    Report {
        #[command(flatten)]
        settings: Settings,
        /// Only what was sent within so many days
        #[arg(long, value_name = "NUMBER", default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=90))]
        days: i64,
    },
    /// Take documents off a client's list
    Remove {
        #[command(flatten)]
        settings: Settings,
        /// Name of the client
        #[arg(long, value_name = "NAME")]
        client: String,
        /// Account under which it is on record
        #[arg(long = "as", value_name = "NAME")]
        account: String,
        /// All of them
        #[arg(long)]
        all: bool,
        #[arg(value_name = "sha256:HASH")]
        ids: Vec<String>,
    },
}
