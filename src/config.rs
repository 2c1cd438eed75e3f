//! The settings: flags, and environment variables of the same meaning.

use std::{iter, path::PathBuf};

use axum::http::HeaderValue;
use clap::{ArgAction, Args, FromArgMatches, Parser, Subcommand};
use ipnet::IpNet;
use tracing_subscriber::filter::Targets;
use url::Url;

use crate::{client, crm::ExtraHost, telemetry::LogFormat};

/// Where fake CRMs listen, where no setting says.
pub const FAKE_CRM: &str = "127.0.0.1:9100";

/// Keeps the users of a revenue application and their counterparts in the CRM matched, over GraphQL.
#[derive(Debug, Parser)]
#[command(name = "counterpart", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// What the program does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring the database to the newest schema, then serve. On an empty database, make an organisation and its
    /// administrator first, and print the administrator's token.
    Serve(Box<Serve>),
    /// Make an organisation and its administrator, or find them, and print a new API token as the only line of
    /// standard output. Brings the database to the newest schema first.
    Bootstrap(Bootstrap),
    /// Bring the database to the newest schema, and stop.
    Migrate(Migrate),
    /// Print the GraphQL schema.
    Schema,
    /// Send a file of users, mappings or CRM users to a server, and follow what becomes of it.
    ///
    /// Exit codes: 0 when every row went in, 1 when rows failed, 2 when nothing came of it.
    Import(client::settings::Import),
    /// Get users or mappings from a server, as a file.
    ///
    /// Exit codes: 0 when it is complete, 2 when it is not.
    Export(client::settings::Export),
    /// Serve fake CRMs with a few people in them, for developers who have no CRM at hand: Salesforce, Oracle Sales,
    /// Dynamics 365 and HubSpot at one address. People, and faults, can be changed while it runs.
    FakeCrm(FakeCrm),
}

#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    pub database: DatabaseSettings,
    #[command(flatten)]
    pub log: LogSettings,
    #[command(flatten)]
    pub front: FrontSettings,

    /// Where to listen: address and port.
    #[arg(long, env = "COUNTERPART_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    pub listen: String,

    /// The address that users reach this server at; links are made with it. Default: where it listens.
    #[arg(long, env = "COUNTERPART_PUBLIC_URL", value_name = "URL", value_parser = public_url)]
    pub public_url: Option<Url>,

    /// Signs links and seals credentials: at least 32 characters, the same for all servers on one database. Default: one
    /// is made and kept in the data folder, which serves one server only.
    #[arg(long, env = "COUNTERPART_SECRET_KEY", value_name = "KEY", hide_env_values = true, value_parser = secret_key)]
    pub secret_key: Option<String>,

    /// Secret keys that were in use before, with commas between them: they still open the credentials that they sealed,
    /// which are sealed anew at the start. Then they can go.
    #[arg(
        long, env = "COUNTERPART_FORMER_SECRET_KEYS", value_name = "KEYS", hide_env_values = true,
        value_delimiter = ',', value_parser = secret_key
    )]
    pub former_secret_keys: Vec<String>,

    /// Hosts besides the CRMs' own domains that integrations may be connected with, with commas between them: `HOST` or
    /// `HOST:PORT`. These may be asked without TLS.
    #[arg(long, env = "COUNTERPART_CRM_HOSTS", value_name = "HOSTS", value_delimiter = ',')]
    pub crm_hosts: Vec<ExtraHost>,

    /// The largest file that is taken, in bytes.
    #[arg(long, env = "COUNTERPART_MAX_UPLOAD_BYTES", value_name = "BYTES", default_value_t = 512 * 1024 * 1024, value_parser = bytes)]
    pub max_upload_bytes: u64,

    /// Where uploaded files lie: a folder, or `s3://BUCKET/PREFIX` in an S3-compatible store, which the variables
    /// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT and AWS_ALLOW_HTTP say how to reach. Several
    /// servers on one database need one that they share. Default: the folder `files` in the data folder.
    #[arg(long, env = "COUNTERPART_STORE", value_name = "PLACE")]
    pub store: Option<String>,

    /// For how many days an import's rows and its log are kept after it has ended. What was asked for and its counts
    /// are kept for good.
    #[arg(
        long, env = "COUNTERPART_IMPORT_DAYS", value_name = "DAYS", default_value_t = 90,
        value_parser = clap::value_parser!(u32).range(1..=36_500)
    )]
    pub import_days: u32,

    /// For how many days an uploaded file is kept after its import has ended; a plan can be carried out for as long.
    #[arg(
        long, env = "COUNTERPART_UPLOAD_DAYS", value_name = "DAYS", default_value_t = 7,
        value_parser = clap::value_parser!(u32).range(1..=36_500)
    )]
    pub upload_days: u32,
    /// How long an import, or on PostgreSQL an organisation's lock, is left to a server that gives no sign of life, in
    /// seconds; then another one takes it over.
    #[arg(
        long, env = "COUNTERPART_IMPORT_LEASE_SECONDS", value_name = "SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..=3_600)
    )]
    pub import_lease_seconds: u64,

    /// How much of its time an import works, in percent; the rest it leaves to whoever uses the server meanwhile.
    #[arg(
        long, env = "COUNTERPART_IMPORT_PACE", value_name = "PERCENT", default_value_t = 50,
        value_parser = clap::value_parser!(u32).range(1..=100)
    )]
    pub import_pace: u32,

    /// The organisation that is made on an empty database.
    #[arg(long, env = "COUNTERPART_ORGANIZATION", value_name = "NAME", default_value = "My organization")]
    pub organization: String,

    /// The email of the administrator who is made on an empty database.
    #[arg(long, env = "COUNTERPART_ADMIN_EMAIL", value_name = "EMAIL", default_value = "admin@example.com")]
    pub admin_email: String,

    /// On an empty database, make a demonstration organisation: teams, users, and an integration that follows a fake
    /// Salesforce, which is served beside.
    #[arg(long)]
    pub demo: bool,
}

/// What the front door takes, and from whom.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Front door")]
pub struct FrontSettings {
    /// The largest JSON body, in bytes.
    #[arg(long, env = "COUNTERPART_MAX_BODY_BYTES", value_name = "BYTES", default_value_t = 2 * 1024 * 1024, value_parser = size)]
    pub max_body_bytes: usize,

    /// The longest GraphQL document, in bytes.
    #[arg(long, env = "COUNTERPART_MAX_DOCUMENT_BYTES", value_name = "BYTES", default_value_t = 64 * 1024, value_parser = size)]
    pub max_document_bytes: usize,

    /// As many tokens may a document have, and as many values its arguments, fragments spelled out.
    #[arg(long, env = "COUNTERPART_MAX_DOCUMENT_TOKENS", value_name = "NUMBER", default_value_t = 10_000, value_parser = size)]
    pub max_document_tokens: usize,

    /// As many fields may a document select, its fragments spelled out.
    #[arg(long, env = "COUNTERPART_MAX_FIELDS", value_name = "NUMBER", default_value_t = 3_000)]
    pub max_fields: u64,

    /// As deep may fields be nested.
    #[arg(
        long, env = "COUNTERPART_MAX_DEPTH", value_name = "NUMBER", default_value_t = 32,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=50)
    )]
    pub max_depth: usize,

    /// As many aliases may a document have, its fragments spelled out.
    #[arg(long, env = "COUNTERPART_MAX_ALIASES", value_name = "NUMBER", default_value_t = 500)]
    pub max_aliases: u64,

    /// As many directives may a document have, its fragments spelled out.
    #[arg(long, env = "COUNTERPART_MAX_DIRECTIVES", value_name = "NUMBER", default_value_t = 200)]
    pub max_directives: u64,

    /// As complex may an operation be: the fields that its answer may have by the size of its pages, and what it takes to read
    /// them. 1 is about a microsecond of a processor's time.
    #[arg(long, env = "COUNTERPART_MAX_COMPLEXITY", value_name = "NUMBER", default_value_t = 100_000)]
    pub max_complexity: u64,

    /// As many operations may come in one request, in a JSON array.
    #[arg(long, env = "COUNTERPART_MAX_BATCH", value_name = "NUMBER", default_value_t = 10, value_parser = size)]
    pub max_batch: usize,

    /// As many operations may a websocket have at once.
    #[arg(long, env = "COUNTERPART_MAX_SOCKET_OPERATIONS", value_name = "NUMBER", default_value_t = 100, value_parser = size)]
    pub max_socket_operations: usize,

    /// How long an operation may take, in seconds; one that brings a file, ten times as long.
    #[arg(
        long, env = "COUNTERPART_REQUEST_SECONDS", value_name = "SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..=3_600)
    )]
    pub request_seconds: u64,

    /// How long a client may be silent in the middle of a body, in seconds.
    #[arg(
        long, env = "COUNTERPART_BODY_SECONDS", value_name = "SECONDS", default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=3_600)
    )]
    pub body_seconds: u64,

    /// As many operations may be at work at once, in this process; more are sent away until there is room.
    #[arg(long, env = "COUNTERPART_MAX_OPERATIONS", value_name = "NUMBER", default_value_t = 256, value_parser = size)]
    pub max_operations: usize,

    /// As many connections may be open at once, in this process.
    #[arg(long, env = "COUNTERPART_MAX_CLIENTS", value_name = "NUMBER", default_value_t = 20_000, value_parser = size)]
    pub max_clients: usize,

    /// As many operations may one token ask for in a minute, of each process; up to a tenth of them at once. 0: any number.
    #[arg(long, env = "COUNTERPART_OPERATIONS_PER_MINUTE", value_name = "NUMBER", default_value_t = 6_000)]
    pub operations_per_minute: u32,

    /// As many times in a minute may one address come with no token, or with one that does not sign in. 0: any number.
    #[arg(long, env = "COUNTERPART_FAILED_SIGN_INS_PER_MINUTE", value_name = "NUMBER", default_value_t = 120)]
    pub failed_sign_ins_per_minute: u32,

    /// Proxies in front, whose `X-Forwarded-For` is believed: addresses or networks (`10.0.0.0/8`), with commas between them.
    #[arg(long, env = "COUNTERPART_TRUSTED_PROXIES", value_name = "NETWORKS", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,

    /// Web pages of these origins may use the API (`https://app.example.com`), with commas between them; `*`: of any.
    #[arg(long, env = "COUNTERPART_CORS_ORIGINS", value_name = "ORIGINS", value_delimiter = ',', value_parser = origin)]
    pub cors_origins: Vec<HeaderValue>,

    /// Whether the schema is told to those who ask, GraphiQL and code generators, and its names to those who misspell them.
    /// They can read `schema.graphql` instead.
    #[arg(long, env = "COUNTERPART_INTROSPECTION", value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pub introspection: bool,

    /// Whether clients may send a document once and its hash from then on (automatic persisted queries).
    #[arg(long, env = "COUNTERPART_PERSISTED_QUERIES", value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pub persisted_queries: bool,

    /// A file with the only operations that are carried out: the manifest that Apollo's, Relay's or The Guild's tools make of
    /// a client's documents. Clients send an operation's id, or its text.
    #[arg(long, env = "COUNTERPART_OPERATIONS", value_name = "FILE")]
    pub operations: Option<PathBuf>,
}

impl Default for FrontSettings {
    /// What holds where no setting says otherwise.
    fn default() -> Self {
        let command = Self::augment_args(clap::Command::new("serve").no_binary_name(true));
        let matches = command.mut_args(|arg| arg.env(None::<&str>)).get_matches_from(iter::empty::<&str>());
        // Every setting has a default, as a test sees to.
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

#[derive(Debug, Args)]
pub struct Bootstrap {
    #[command(flatten)]
    pub database: DatabaseSettings,
    #[command(flatten)]
    pub log: LogSettings,

    /// The organisation's name.
    #[arg(long, env = "COUNTERPART_ORGANIZATION", value_name = "NAME")]
    pub organization: String,

    /// The administrator's email.
    #[arg(long, env = "COUNTERPART_ADMIN_EMAIL", value_name = "EMAIL")]
    pub admin_email: String,
}

#[derive(Debug, Args)]
pub struct FakeCrm {
    #[command(flatten)]
    pub log: LogSettings,

    /// Where to listen: address and port.
    #[arg(long, env = "COUNTERPART_FAKE_CRM_LISTEN", value_name = "ADDRESS", default_value = FAKE_CRM)]
    pub listen: String,
}

#[derive(Debug, Args)]
pub struct Migrate {
    #[command(flatten)]
    pub database: DatabaseSettings,
    #[command(flatten)]
    pub log: LogSettings,
}

#[derive(Debug, Clone, Args)]
pub struct DatabaseSettings {
    /// The database: `sqlite://PATH`, or `postgres://USER:PASSWORD@HOST/NAME`. Default: the SQLite file
    /// `counterpart.db` in the data folder, made when it is missing.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,

    /// The folder for the files that the server keeps; made when it is missing.
    #[arg(long, env = "COUNTERPART_DATA_DIR", value_name = "FOLDER", default_value = "./data")]
    pub data_dir: PathBuf,

    /// How many connections to the database are open at once, at most. Of four or more, up to a quarter are for operations
    /// that ask for much, and the others for those that ask for little.
    #[arg(
        long, env = "COUNTERPART_MAX_CONNECTIONS", value_name = "NUMBER", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    pub max_connections: u32,

    /// Whether the database is reached through a pooler that gives each transaction another connection and keeps no
    /// prepared statements: PgBouncer with `pool_mode=transaction`, older than 1.21 or with `max_prepared_statements=0`.
    #[arg(
        long, env = "COUNTERPART_TRANSACTION_POOLING", value_name = "YES", default_value_t = false,
        action = ArgAction::Set, value_parser = clap::value_parser!(bool)
    )]
    pub transaction_pooling: bool,

    /// A replica of the PostgreSQL database, `postgres://USER:PASSWORD@HOST/NAME`: queries read from it when it has all
    /// that the database has.
    #[arg(long, env = "COUNTERPART_REPLICA_URL", value_name = "URL", hide_env_values = true)]
    pub replica_url: Option<String>,
}

impl DatabaseSettings {
    /// The database's address.
    pub fn url(&self) -> String {
        self.database_url.clone().unwrap_or_else(|| {
            let file = self.data_dir.join("counterpart.db");
            // In an address, `?` starts the parameters and `%` a spelled-out character.
            format!("sqlite://{}", file.display().to_string().replace('%', "%25").replace('?', "%3F"))
        })
    }
}

#[derive(Debug, Clone, Args)]
pub struct LogSettings {
    /// What is logged: a level (error, warn, info, debug, trace), or levels by module as `tracing` writes them.
    #[arg(
        long,
        env = "COUNTERPART_LOG",
        value_name = "FILTER",
        default_value = "info,sqlx=warn,sea_orm_migration=warn"
    )]
    pub log: Targets,

    /// How the log is written to standard error.
    #[arg(long, env = "COUNTERPART_LOG_FORMAT", value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// The OpenTelemetry collector that traces are sent to, over HTTP (`http://localhost:4318`). The other variables of
    /// OpenTelemetry (OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS) hold as well.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<Url>,
}

/// An address that others go below: with a host, and ending in a slash.
pub fn public_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let mut url = url.ok_or("give the whole address, such as https://counterpart.example.com")?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("leave out what begins with ? or #".to_owned());
    }
    if !url.path().ends_with('/') {
        // Links go below the address, not beside it.
        let folder = format!("{}/", url.path());
        url.set_path(&folder);
    }
    Ok(url)
}

fn secret_key(text: &str) -> Result<String, String> {
    if text.len() < 32 {
        return Err("give at least 32 characters, for example from `openssl rand -hex 32`".to_owned());
    }
    Ok(text.to_owned())
}

fn bytes(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|bytes| *bytes > 0).ok_or_else(|| "give a whole number, without a unit".to_owned())
}

fn size(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|size| *size > 0).ok_or_else(|| "give a whole number over 0".to_owned())
}

fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let alone = || text.parse().ok().map(|address: std::net::IpAddr| address.into());
    text.parse().ok().or_else(alone).ok_or_else(|| "give addresses or networks, such as 10.0.0.0/8".to_owned())
}

fn origin(text: &str) -> Result<HeaderValue, String> {
    let text = text.trim();
    let is_origin = Url::parse(text).is_ok_and(|url| url.has_host() && url.origin().ascii_serialization() == text);
    let value = HeaderValue::from_str(text).ok().filter(|_| is_origin || text == "*");
    value.ok_or_else(|| "give origins, such as https://app.example.com, without a path".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_front_door_has_defaults() {
        assert_eq!(FrontSettings::default().max_batch, 10);
    }

    #[test]
    fn origins_and_networks_are_checked() {
        assert!(origin("https://app.example.com").is_ok() && origin("http://localhost:3000").is_ok());
        assert!(origin("https://app.example.com/").is_err() && origin("app.example.com").is_err());
        assert_eq!(network("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        assert!(network("proxy").is_err());
    }

    #[test]
    fn links_go_below_the_public_address() {
        assert_eq!(public_url("https://example.com/crm").unwrap().as_str(), "https://example.com/crm/");
        assert_eq!(public_url("https://example.com").unwrap().as_str(), "https://example.com/");
        assert!(public_url("example.com").is_err());
        assert!(public_url("ftp://example.com").is_err());
        assert!(public_url("https://example.com/?a=b").is_err());
    }
}
