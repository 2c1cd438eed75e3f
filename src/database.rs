//! Opening the database at the start: which one, whether it answers, and bringing its schema up to date.

use std::{collections::HashSet, str::FromStr, time::Duration};

use migration::{MigratorTrait, sea_orm::ConnectionTrait};
use sea_orm::{
    DbBackend, DbErr, RuntimeErr,
    sqlx::{self, ConnectOptions, Connection, PgConnection, Row, postgres::PgConnectOptions},
};

use crate::{
    config::DatabaseSettings,
    service::{
        clock::Clock,
        db::{Db, DbOptions, Sql, sqlite_file},
    },
};

/// How long a server may take to answer at the start.
const PATIENCE: Duration = Duration::from_secs(5);

/// Two processes that start at once bring the schema up to date one after the other.
const MIGRATION_LOCK: i64 = 0x636f_756e_7465_7270;

/// Connects to the database and brings its schema up to date.
///
/// # Errors
/// One line for the person who starts the program: what is wrong with the setting, and what to do.
pub async fn open(settings: &DatabaseSettings, clock: Clock) -> Result<Db, String> {
    let url = settings.url();
    if !["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err("DATABASE_URL (--database-url): this is not the address of a database that this server knows; \
            give sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME"
            .to_owned());
    }
    if !url.starts_with("sqlite:") {
        let mut connection = probe(&url).await?;
        if let Some(replica) = &settings.replica_url {
            look_at_replica(&mut connection, replica).await?;
        }
        // The connection did its service; how it ends is of no matter.
        let _ = connection.close().await;
    } else if settings.replica_url.is_some() {
        return Err(format!("{REPLICA}: only a PostgreSQL database has replicas, and DATABASE_URL names another"));
    }
    let options = DbOptions {
        transaction_pooling: settings.transaction_pooling,
        replica_url: settings.replica_url.clone(),
        ..DbOptions::new(&url, settings.max_connections)
    };
    let db = Db::connect(&options, clock).await.map_err(|error| refused(&url, &error))?;
    migrate(&db).await.map_err(|error| match &error {
        DbErr::Migration(_) | DbErr::Custom(_) => {
            format!("DATABASE_URL (--database-url): the schema of {} can't be brought up to date: {error}", place(&url))
        }
        _ => refused(&url, &error),
    })?;
    Ok(db)
}

/// Connects once, without the pool's patience with a server that is not there.
async fn probe(url: &str) -> Result<PgConnection, String> {
    let options = connect_options(url).map_err(|error| refused(url, &sqlx_error(error)))?;
    match tokio::time::timeout(PATIENCE, options.connect()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(refused(url, &sqlx_error(error))),
        Err(_) => Err(format!(
            "DATABASE_URL (--database-url): {} does not answer within {} s: see that it runs and can be reached from here",
            place(url),
            PATIENCE.as_secs()
        )),
    }
}

fn connect_options(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
    // Poolers refuse what they don't know.
    Ok(PgConnectOptions::from_str(url)?.extra_float_digits(None))
}

const REPLICA: &str = "COUNTERPART_REPLICA_URL (--replica-url)";

/// Sees to it that the replica is one of this database. One that does not answer now may do so later.
async fn look_at_replica(database: &mut PgConnection, url: &str) -> Result<(), String> {
    let options = connect_options(url).map_err(|error| match error {
        sqlx::Error::Configuration(cause) => format!("{REPLICA}: this can't be read: {cause}"),
        error => format!("{REPLICA}: this can't be read: {error}"),
    })?;
    let asked = async {
        let mut replica = options.connect().await?;
        sqlx::Result::Ok((Server::of(database).await?, Server::of(&mut replica).await?))
    };
    let why = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok((database, replica))) if replica.follows && replica.system == database.system => return Ok(()),
        Ok(Ok(_)) => return Err(format!("{REPLICA}: {} is no replica of the one that DATABASE_URL names", place(url))),
        Ok(Err(sqlx::Error::Database(cause)))
            if cause.code().is_some_and(|code| code.starts_with("28") || code == "3D000") =>
        {
            // A user, password or name that is not right does not become so.
            return Err(format!("{REPLICA}: {} can't be used: {cause}", place(url)));
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
    };
    tracing::warn!(error = why, "the replica can't be asked: the database itself is, until it can");
    Ok(())
}

/// What tells a PostgreSQL server from others.
struct Server {
    /// The same for a database and its replicas.
    system: String,
    /// Whether it follows another one.
    follows: bool,
}

impl Server {
    async fn of(connection: &mut PgConnection) -> sqlx::Result<Self> {
        // Unprepared: there may be a pooler between.
        let asked = sqlx::raw_sql("SELECT system_identifier::text, pg_is_in_recovery() FROM pg_control_system()");
        let row = asked.fetch_one(connection).await?;
        Ok(Self { system: row.try_get(0)?, follows: row.try_get(1)? })
    }
}

fn sqlx_error(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error.into()))
}

/// The database for a person: what identifies it, without user and password.
fn place(url: &str) -> String {
    if let Some(file) = sqlite_file(url) {
        return format!("the file {}", file.display());
    }
    match PgConnectOptions::from_str(url) {
        Ok(options) => {
            let host = match options.get_socket() {
                Some(socket) => socket.display().to_string(),
                None => format!("{}:{}", options.get_host(), options.get_port()),
            };
            match options.get_database() {
                Some(name) => format!("the database {name} at {host}"),
                None => format!("the database at {host}"),
            }
        }
        Err(_) => "the database".to_owned(),
    }
}

fn refused(url: &str, error: &DbErr) -> String {
    let place = place(url);
    let what = match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => match error.as_ref() {
            sqlx::Error::Configuration(cause) => format!("this can't be read: {cause}"),
            sqlx::Error::Io(cause) => {
                format!("{place} does not answer ({cause}): see that it runs and can be reached from here")
            }
            sqlx::Error::Tls(cause) => format!("{place} does not speak TLS as asked ({cause})"),
            sqlx::Error::PoolTimedOut => format!("{place} does not answer: see that it runs"),
            sqlx::Error::Database(cause) => match cause.code().as_deref() {
                Some("28P01" | "28000") => format!("{place} refuses the user or the password ({cause})"),
                Some("3D000") => format!("{place} does not exist on that server: create it, or correct the name"),
                Some("53300") => format!("{place} has no connection left ({cause})"),
                Some("14") => format!("{place} can't be opened: see that its folder is there and can be written to"),
                Some("8" | "776" | "1032" | "1544") => format!("{place} can't be written to"),
                Some("26") => format!("{place} is not a SQLite database"),
                _ => format!("{place} can't be used: {cause}"),
            },
            cause => format!("{place} can't be used: {cause}"),
        },
        DbErr::Custom(cause) => format!("{place} can't be used: {cause}"),
        error => format!("{place} can't be used: {error}"),
    };
    format!("DATABASE_URL (--database-url): {what}")
}

/// Brings the schema up to date, as a whole or not at all.
///
/// # Errors
/// The database's, or that its schema is newer than this program.
pub async fn migrate(db: &Db) -> Result<(), DbErr> {
    if !is_behind(db).await? {
        return Ok(());
    }
    tracing::info!("the database's schema is brought up to date");
    let tx = db.begin().await.map_err(|error| DbErr::Migration(error.to_string()))?;
    if db.backend() == DbBackend::Postgres {
        let mut lock = tx.sql();
        lock.push("SELECT pg_advisory_xact_lock(").bind(MIGRATION_LOCK).push(")");
        tx.connection().query_one_raw(lock.statement()).await?;
    }
    migration::Migrator::up(tx.connection(), None).await?;
    tx.commit().await.map_err(|error| DbErr::Migration(error.to_string()))
}

async fn is_behind(db: &Db) -> Result<bool, DbErr> {
    let pending =
        migration::Migrator::get_pending_migrations_read_only(db.writer()).await.map_err(|error| match error {
            DbErr::Custom(_) => {
                DbErr::Migration("it was made by a newer version of this program; start that one".to_owned())
            }
            error => error,
        })?;
    Ok(!pending.is_empty())
}

/// Whether the database answers and has every table that this program needs. A newer schema will do: while several
/// servers are replaced one after the other, the old ones go on.
///
/// # Errors
/// The database's.
pub async fn is_ready(db: &Db) -> Result<bool, DbErr> {
    let mut sql = Sql::new(db.backend());
    sql.push("SELECT version FROM seaql_migrations");
    let applied: HashSet<String> = sql.map(db.reader(), |row| row.try_get("", "version")).await?.into_iter().collect();
    Ok(migration::Migrator::migrations().iter().all(|migration| applied.contains(migration.name())))
}
