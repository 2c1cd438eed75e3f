//! What the commands `import` and `export` take.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use url::Url;

use crate::config::public_url;

/// The server that is talked to.
#[derive(Debug, Clone, Args)]
pub struct Connection {
    /// The server's address.
    #[arg(
        long, env = "COUNTERPART_URL", value_name = "URL", default_value = "http://127.0.0.1:8000",
        value_parser = public_url
    )]
    pub url: Url,

    /// An administrator's API token. Better given as an environment variable: others on this machine may see a command's
    /// arguments.
    #[arg(long, env = "COUNTERPART_TOKEN", value_name = "TOKEN", hide_env_values = true, value_parser = token)]
    pub token: String,
}

#[derive(Debug, Args)]
pub struct Import {
    #[command(subcommand)]
    pub command: ImportCommand,
}

/// What is done about an import. All follow it to its end, and then tell what became of it.
#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Add, edit, suspend, reactivate or delete the users of a file.
    Users(ImportUsers),
    /// Map the users of a file to CRM users, or end their mappings.
    Mappings(ImportMappings),
    /// Upsert the CRM users of a file, and link what can be linked.
    CrmUsers(ImportCrmUsers),
    /// Carry out an import that was made with --plan.
    Apply(Job),
    /// Stop an import; what is committed stays. Exit code 0 when it was stopped.
    Cancel(Job),
    /// Undo what an import changed, where nothing has changed it since. Exit code 1 when rows were left alone.
    Revert(Job),
    /// Follow an import that was asked for before.
    Follow(Job),
}

/// The file, and what all three kinds of it can be taken with.
#[derive(Debug, Args)]
pub struct File {
    /// The CSV file; `-` reads standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Work out what becomes of each row, and change nothing. `counterpart import apply` carries it out.
    #[arg(long)]
    pub plan: bool,

    /// Change nothing at all when one row fails. Default: what fails is left out.
    #[arg(long)]
    pub reject_file: bool,

    /// A key of your own: asking again with it, and with the same file, gives the same import.
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
}

/// How an import is followed, and told of.
#[derive(Debug, Args)]
pub struct Following {
    /// Save the log here: the failed rows, as CSV, each with what is wrong. Written only when rows failed.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,

    /// Print the import as a JSON object.
    #[arg(long)]
    pub json: bool,

    /// Follow it for so many seconds at most; the import goes on. Default: as long as it takes.
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
}

#[derive(Debug, Args)]
pub struct ImportUsers {
    #[command(flatten)]
    pub connection: Connection,
    #[command(flatten)]
    pub file: File,

    /// Find the columns by their names, in any order and case. Default: exactly those of the template.
    #[arg(long)]
    pub by_name: bool,

    /// Make teams that a path names and that are not there, with all their parents.
    #[arg(long)]
    pub create_missing_teams: bool,

    #[command(flatten)]
    pub following: Following,
}

#[derive(Debug, Args)]
pub struct ImportMappings {
    #[command(flatten)]
    pub connection: Connection,

    /// The integration that the mappings are in.
    #[arg(long, value_name = "NAME")]
    pub integration: String,

    #[command(flatten)]
    pub file: File,

    /// Find the columns by their names, in any order and case. Default: exactly those of the template.
    #[arg(long)]
    pub by_name: bool,

    /// What `add` does about a mapping that the user has.
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = OnExisting::Error)]
    pub on_existing: OnExisting,

    #[command(flatten)]
    pub following: Following,
}

#[derive(Debug, Args)]
pub struct ImportCrmUsers {
    #[command(flatten)]
    pub connection: Connection,

    /// The integration whose CRM users they are.
    #[arg(long, value_name = "NAME")]
    pub integration: String,

    #[command(flatten)]
    pub file: File,

    /// Take exactly the columns of the template. Default: columns are found by their names, in any order and case.
    #[arg(long)]
    pub exact: bool,

    /// The file lists every CRM user: those it leaves out become inactive.
    #[arg(long)]
    pub complete: bool,

    #[command(flatten)]
    pub following: Following,
}

/// What to do about a mapping that a user has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnExisting {
    /// Fail if the user has any mapping.
    Error,
    /// Replace an automatic mapping; fail on a manual one.
    OverrideAutomatic,
    /// Replace whatever is there.
    Replace,
}

impl OnExisting {
    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::OverrideAutomatic => "OVERRIDE_AUTOMATIC",
            Self::Replace => "REPLACE",
        }
    }
}

/// An import that was made before.
#[derive(Debug, Args)]
pub struct Job {
    #[command(flatten)]
    pub connection: Connection,

    /// The import's id.
    #[arg(value_name = "ID")]
    pub id: String,

    #[command(flatten)]
    pub following: Following,
}

#[derive(Debug, Args)]
pub struct Export {
    #[command(subcommand)]
    pub command: ExportCommand,
}

/// What is exported.
#[derive(Debug, Subcommand)]
pub enum ExportCommand {
    /// Users, in the columns that an import of users has.
    Users(ExportUsers),
    /// Mappings that hold, in the columns that an import of mappings has, and more.
    Mappings(ExportMappings),
}

/// Where an export goes.
#[derive(Debug, Args)]
pub struct Output {
    /// The file to write. Default: standard output. Until the export is complete, a file of this name stays as it is.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Write it compressed, as gzip does.
    #[arg(long)]
    pub gzip: bool,
}

#[derive(Debug, Args)]
pub struct ExportUsers {
    #[command(flatten)]
    pub connection: Connection,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct ExportMappings {
    #[command(flatten)]
    pub connection: Connection,

    /// Only mappings in this integration. Default: in all.
    #[arg(long, value_name = "NAME")]
    pub integration: Option<String>,

    #[command(flatten)]
    pub output: Output,
}

fn token(text: &str) -> Result<String, String> {
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("give the token as it was printed, `cpt_…`".to_owned());
    }
    Ok(token.to_owned())
}
