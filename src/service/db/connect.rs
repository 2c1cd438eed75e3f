//! How connections to the database are opened.

use std::{sync::Arc, time::Duration};

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DbErr,
    sqlx::{Sqlite, pool::PoolOptions, sqlite::SqliteConnectOptions},
};
use tokio::sync::Semaphore;

use super::{DbOptions, Pool};
use crate::service::scope;

/// Instructions of a statement of SQLite's between one look around and the next: some tens of microseconds.
const STRETCH: i32 = 2_000;

/// How long a statement waits for one of a few connections, all of which are at work: most requests are given up before.
pub(super) const IN_LINE: Duration = Duration::from_secs(120);

/// What operations read through that ask for much: a few connections of their own, or those to the replica, by turns. Others
/// don't wait for one of theirs, nor get one whose process or thread has used up its share of a processor.
#[derive(Clone, Debug)]
pub(super) struct Aside {
    /// None where there are fewer than four in all: then they are those of the others.
    pub connections: Option<Pool>,
    pub turns: Arc<Semaphore>,
}

/// How many connections of so many are for what asks for much. A processor is left to who asks for little, where there are
/// several.
fn for_much(max_connections: u32) -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, |processors| processors.get());
    let spare = u32::try_from(processors).unwrap_or(u32::MAX).saturating_sub(1);
    (max_connections / 4).min(spare.max(1))
}

/// Connects for all that is asked and, on PostgreSQL when it is first asked, for what asks for much.
pub(super) async fn for_all_and_for_much(
    mut connect: ConnectOptions,
    options: &DbOptions,
) -> Result<(Pool, Aside), DbErr> {
    let connected = async |connect| {
        let connections = Database::connect(connect).await?;
        Ok::<_, DbErr>(Pool::new(count(connections), options.transaction_pooling))
    };
    let for_much = for_much(options.max_connections);
    connect.max_connections(options.max_connections - for_much);
    let mut aside = connect.clone();
    // One that was given up may be at work for a while yet.
    aside.max_connections(for_much).acquire_timeout(IN_LINE).connect_lazy(true);
    let pool = connected(connect).await?;
    let connections = if for_much > 0 { Some(connected(aside).await?) } else { None };
    Ok((pool, Aside { connections, turns: Arc::new(Semaphore::new(for_much.max(1) as usize)) }))
}

pub(super) fn count(mut connection: DatabaseConnection) -> DatabaseConnection {
    connection.set_metric_callback(|info| {
        scope::count_statement();
        if info.failed {
            tracing::debug!(statement = %info.statement.sql, "a statement failed");
        }
    });
    connection
}

pub(super) fn connect_options(url: &str) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    // Asking a connection whether it is still there costs a round trip: one that was in use just now is.
    options.test_before_acquire_if_idle_for(Duration::from_secs(1));
    options.sqlx_logging(false).acquire_timeout(Duration::from_secs(10)).connect_timeout(Duration::from_secs(10));
    options
}

/// How connections to PostgreSQL are opened.
pub(super) fn postgres_options(url: &str, db: &DbOptions) -> ConnectOptions {
    let mut options = connect_options(url);
    let is_shared = db.transaction_pooling;
    options.max_connections(db.max_connections).map_sqlx_postgres_opts(move |options| {
        // Numbers travel in binary: how many digits they have as text is of no matter, and poolers don't know the setting.
        let options = options.extra_float_digits(None);
        // What is prepared anew each time is not to be remembered.
        if is_shared { options.statement_cache_capacity(0) } else { options }
    });
    options
}

/// Readers don't wait for the writer (WAL), what is acknowledged is on the disk, and keys are checked.
pub(super) fn sqlite_options(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .create_if_missing(true)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(30))
        .pragma("journal_mode", "WAL")
        .pragma("synchronous", "FULL")
        .pragma("temp_store", "MEMORY")
}

/// A statement runs on a thread of its connection, however long it takes: every so often one that reads lets the threads
/// go first that wait for its processor, those of small requests among them. (Who writes holds up whoever else would.)
pub(super) fn giving_way(pool: PoolOptions<Sqlite>) -> PoolOptions<Sqlite> {
    pool.after_connect(|connection, _| {
        Box::pin(async move {
            connection.lock_handle().await?.set_progress_handler(STRETCH, || {
                std::thread::yield_now();
                true
            });
            Ok(())
        })
    })
}
