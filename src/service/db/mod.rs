//! The database: one writer and many readers on SQLite, a pool on PostgreSQL and perhaps one of a replica, and the count of
//! what is asked of it.

mod connect;
mod pool;
pub mod replica;
pub mod sql;

use std::{path::Path, sync::Arc, time::Duration};

use entity::OrganizationId;
use sea_orm::{
    ConnectionTrait, Database, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode, TransactionOptions,
};

use tokio::sync::Mutex;

pub use pool::Pool;
pub use replica::Reader;
pub use sql::{Rows, Sql, ids_of};

use connect::{
    Aside, IN_LINE, connect_options, count, for_all_and_for_much, giving_way, postgres_options, sqlite_options,
};
use replica::Replica;

use super::{
    clock::{Clock, Time},
    error::{Error, Result},
};

/// Which database, and how it is reached.
#[derive(Debug, Clone)]
pub struct DbOptions {
    /// `sqlite://path` or `postgres://…`.
    pub url: String,
    /// How many connections read at once.
    pub max_connections: u32,
    /// Whether a pooler gives each transaction another connection, without keeping prepared statements.
    pub transaction_pooling: bool,
    /// A replica of the PostgreSQL database, for queries.
    pub replica_url: Option<String>,
}

impl DbOptions {
    pub fn new(url: impl Into<String>, max_connections: u32) -> Self {
        Self { url: url.into(), max_connections, transaction_pooling: false, replica_url: None }
    }
}

/// The database that the process works on.
#[derive(Clone, Debug)]
pub struct Db {
    writer: Pool,
    reader: Pool,
    aside: Aside,
    replica: Option<Arc<Replica>>,
    clock: Clock,
    lease: Duration,
    /// How SQLite's writer carries out what it is given; held while a transaction is opened.
    manner: Arc<Mutex<Manner>>,
}

/// How SQLite carries a transaction out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// It is on the disk when it is committed. What a savepoint or a statement may have to put back lies in a file: in
    /// memory it would be a third of a gigabyte for a receipt of a million.
    Whole,
    /// What may have to be put back lies in memory, and the commit does not wait for the disk: that the power may take the
    /// last chunks back, whole and with the cursor, is of no matter as long as the end of the import is on the disk.
    Chunk,
}

impl Manner {
    fn pragmas(self) -> &'static str {
        match self {
            Self::Whole => "PRAGMA temp_store = FILE; PRAGMA synchronous = FULL",
            Self::Chunk => "PRAGMA temp_store = MEMORY; PRAGMA synchronous = NORMAL",
        }
    }
}

/// How long work may show no sign of life, where no setting says.
const LEASE: Duration = Duration::from_secs(60);

impl Db {
    /// Connects; a SQLite file that is missing is created, its folder too.
    pub async fn connect(options: &DbOptions, clock: Clock) -> Result<Self, DbErr> {
        let mut writer = connect_options(&options.url);
        let manner = Arc::new(Mutex::new(Manner::Whole));
        if options.url.starts_with("sqlite:") {
            if let Some(folder) = sqlite_file(&options.url).and_then(Path::parent)
                && !folder.as_os_str().is_empty()
            {
                std::fs::create_dir_all(folder)
                    .map_err(|e| DbErr::Custom(format!("the folder {} can't be made: {e}", folder.display())))?;
            }
            let mut reader = writer.clone();
            // A write waits for the one connection rather than for SQLite's lock.
            // It keeps more pages, and brings them back to the file more rarely: an import touches the same ones again
            // and again. It reads by the thousand, and is not to be woken for every few rows.
            writer.acquire_timeout(IN_LINE).max_connections(1).map_sqlx_sqlite_opts(|options| {
                sqlite_options(options)
                    .pragma("cache_size", "-16000")
                    .pragma("wal_autocheckpoint", "8000")
                    .pragma("temp_store", "FILE") // as `Manner::Whole` has it
                    .row_buffer_size(2_048)
            });
            let writer = Database::connect(writer).await?;
            reader
                .map_sqlx_sqlite_opts(|o| sqlite_options(o).pragma("query_only", "on"))
                .map_sqlx_sqlite_pool_opts(giving_way);
            let (reader, aside) = for_all_and_for_much(reader, options).await?;
            let writer = Pool::new(count(writer), false);
            Ok(Self { writer, reader, aside, replica: None, clock, lease: LEASE, manner })
        } else {
            let (database, aside) = for_all_and_for_much(postgres_options(&options.url, options), options).await?;
            let replica = match &options.replica_url {
                Some(url) => Some(Arc::new(Replica::connect(url, options).await?)),
                None => None,
            };
            Ok(Self { writer: database.clone(), reader: database, aside, replica, clock, lease: LEASE, manner })
        }
    }

    /// With another [`lease`](Self::lease) than a minute.
    #[must_use]
    pub fn with_lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// How long work may show no sign of life before it is given to others: an import, and on PostgreSQL an
    /// organisation's lock.
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// The pools, each with how many of its connections are open and how many of those are idle.
    pub fn pools(&self) -> Vec<(&'static str, u32, usize)> {
        let is_postgres = self.backend() == DbBackend::Postgres;
        let mut pools = if is_postgres {
            vec![("all", &self.writer)]
        } else {
            vec![("write", &self.writer), ("read", &self.reader)]
        };
        pools.extend(self.aside.connections.iter().map(|pool| ("aside", pool)));
        let told = pools.into_iter().map(|(name, pool)| {
            let connections = pool.connections();
            if is_postgres {
                let pool = connections.get_postgres_connection_pool();
                (name, pool.size(), pool.num_idle())
            } else {
                let pool = connections.get_sqlite_connection_pool();
                (name, pool.size(), pool.num_idle())
            }
        });
        told.collect()
    }

    /// Ends the connections, but for those to a replica.
    pub async fn close(&self) -> Result<(), DbErr> {
        for pool in self.aside.connections.iter().chain([&self.reader, &self.writer]) {
            pool.close().await?;
        }
        Ok(())
    }

    pub fn backend(&self) -> DbBackend {
        self.reader.get_database_backend()
    }

    /// For reading only.
    pub fn reader(&self) -> &Pool {
        &self.reader
    }

    /// For migrations and the few writes that belong to no organisation.
    pub fn writer(&self) -> &Pool {
        &self.writer
    }

    /// What a statement of the database itself selects to know how far its log is, for [`reader_at`](Self::reader_at); null
    /// without a replica.
    pub fn position(&self) -> &'static str {
        if self.replica.is_some() { replica::POSITION } else { "NULL" }
    }

    /// For reading only, all that was there at this position of the log: from the replica, or where that is not as far, or
    /// there is none, from the database itself.
    pub async fn reader_at(&self, reader: Reader, position: &str) -> Reader {
        match &self.replica {
            Some(replica) => reader.at(replica, position).await,
            None => reader,
        }
    }

    /// For reading only, by an operation that asks for much.
    pub fn reader_aside(&self, reader: Reader) -> Reader {
        reader.by_turns(self.aside.connections.as_ref(), &self.aside.turns)
    }

    /// For reading only, what is there now.
    pub fn reader_itself(&self) -> Reader {
        Reader::of(&self.reader)
    }

    /// Opens a transaction that changes one organisation, under the lock on its row: what an organisation's
    /// administrators, imports and syncs change, they change one after the other.
    pub async fn write(&self, organization_id: OrganizationId) -> Result<Tx> {
        self.lock(self.begin().await?, organization_id).await
    }

    /// Opens the same for a chunk of an import: a transaction that changes a few thousand rows at most, and after which a
    /// whole one tells that all is done.
    pub async fn write_chunk(&self, organization_id: OrganizationId) -> Result<Tx> {
        self.lock(self.open(Manner::Chunk).await?, organization_id).await
    }

    async fn lock(&self, tx: Tx, organization_id: OrganizationId) -> Result<Tx> {
        if tx.backend == DbBackend::Postgres {
            let mut sql = Sql::new(tx.backend);
            // A process that is held up while it has the lock loses it: PostgreSQL then ends the transaction.
            let idle = self.lease.as_millis().to_string();
            sql.push("SELECT set_config('idle_in_transaction_session_timeout', ").bind(idle).push(", true) FROM ");
            sql.push("organization WHERE id = ").bind(organization_id).push(" FOR NO KEY UPDATE");
            tx.txn.query_one_raw(sql.statement()).await?;
        }
        Ok(Tx { organization_id, ..tx })
    }

    /// Opens a transaction that changes a row of an organisation by its key, whatever another transaction does to the
    /// organisation meanwhile: not under its lock.
    pub async fn write_beside(&self, organization_id: OrganizationId) -> Result<Tx> {
        Ok(Tx { organization_id, ..self.begin().await? })
    }

    /// Has PostgreSQL look anew at tables that have grown to twice what it knows of them, before a statement goes over all
    /// that has been staged: its own look comes a minute later, and a plan for a handful of rows would be quadratic.
    pub async fn look_again(&self, tables: &[&str]) -> Result<()> {
        if self.backend() != DbBackend::Postgres {
            return Ok(());
        }
        let mut sql = Sql::new(self.backend());
        sql.push(
            "SELECT c.relname::text AS name FROM pg_class c WHERE pg_table_is_visible(c.oid) AND c.relkind = 'r' ",
        );
        sql.push("AND (c.reltuples < 0 OR pg_relation_size(c.oid) / current_setting('block_size')::bigint > ");
        sql.push("2 * c.relpages + 4) AND ").any_text("c.relname", tables);
        let grown: Vec<String> = sql.map(&self.writer, |row| row.try_get("", "name")).await?;
        for table in tables.iter().filter(|table| grown.iter().any(|name| name == *table)) {
            self.writer.execute_unprepared(&format!("ANALYZE {table}")).await?;
        }
        Ok(())
    }

    /// Opens a transaction that makes an organisation, or that concerns none.
    pub async fn begin(&self) -> Result<Tx> {
        self.open(Manner::Whole).await
    }

    async fn open(&self, manner: Manner) -> Result<Tx> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let txn = if self.backend() == DbBackend::Postgres {
            self.writer.begin(options).await?
        } else {
            // It can't be changed within a transaction, so nobody else may come between.
            let mut kept = self.manner.lock().await;
            if *kept != manner {
                // Should this end here, so may it be.
                *kept = Manner::Chunk;
                self.writer.execute_unprepared(manner.pragmas()).await?;
                *kept = manner;
            }
            self.writer.begin(options).await?
        };
        // The time is taken under the lock, so that it rises from transaction to transaction.
        let now = self.clock.now();
        Ok(Tx {
            txn,
            backend: self.backend(),
            organization_id: OrganizationId(uuid::Uuid::nil()),
            now,
            clock: self.clock.clone(),
            lease: self.lease,
        })
    }
}

/// The file that a SQLite address names; `None` for one in memory.
pub fn sqlite_file(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"))?;
    let path = path.split('?').next().unwrap_or(path);
    (!path.is_empty() && path != ":memory:").then(|| Path::new(path))
}

/// A transaction that writes. One transaction has one time.
pub struct Tx {
    txn: DatabaseTransaction,
    pub backend: DbBackend,
    pub organization_id: OrganizationId,
    pub now: Time,
    pub clock: Clock,
    lease: Duration,
}

impl Tx {
    /// When a claim or a sign of life of this transaction runs out.
    pub fn lease_until(&self) -> Time {
        self.now + self.lease
    }

    pub fn connection(&self) -> &DatabaseTransaction {
        &self.txn
    }

    pub fn sql(&self) -> Sql {
        Sql::new(self.backend)
    }

    /// Has PostgreSQL plan anew, and by index: a table that was empty when a foreign key to it was first checked would be
    /// gone through as a whole for each of the many rows that follow.
    pub async fn plan_by_index(&self) -> Result<()> {
        if self.backend == DbBackend::Postgres {
            self.txn.execute_unprepared("DISCARD PLANS; SET LOCAL enable_seqscan = off").await?;
        }
        Ok(())
    }

    /// Has PostgreSQL count tables that this transaction fills: it takes them for as empty as they were, and what joins them
    /// would be quadratic. Others wait with counting the same tables until the transaction ends, so for large ones only.
    pub async fn count_anew(&self, tables: &str) -> Result<()> {
        if self.backend == DbBackend::Postgres {
            self.txn.execute_unprepared(&format!("ANALYZE {tables}; DISCARD PLANS")).await?;
        }
        Ok(())
    }

    /// Runs a statement; the number of rows that it changed.
    pub async fn execute(&self, sql: Sql) -> Result<u64> {
        Ok(self.txn.execute_raw(sql.statement()).await?.rows_affected())
    }

    /// Marks the place that [`roll_back`](Self::roll_back) goes back to. One at a time.
    pub async fn savepoint(&self) -> Result<()> {
        self.txn.execute_unprepared("SAVEPOINT here").await?;
        Ok(())
    }

    /// Takes back all that was done since the [`savepoint`](Self::savepoint), and forgets it.
    pub async fn roll_back(&self) -> Result<()> {
        self.txn.execute_unprepared("ROLLBACK TO SAVEPOINT here").await?;
        self.release().await
    }

    /// Forgets the [`savepoint`](Self::savepoint), and keeps what was done since.
    pub async fn release(&self) -> Result<()> {
        self.txn.execute_unprepared("RELEASE SAVEPOINT here").await?;
        Ok(())
    }

    pub async fn commit(self) -> Result<()> {
        self.txn.commit().await.map_err(Error::from)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    async fn connected(folder: &TempDir, connections: u32) -> Db {
        let url = format!("sqlite://{}", folder.path().join("counterpart.db").display());
        Db::connect(&DbOptions::new(url, connections), Clock::system()).await.unwrap()
    }

    async fn pragma(tx: &Tx, name: &str) -> i32 {
        let mut sql = tx.sql();
        sql.push("PRAGMA ").push(name);
        sql.map(tx.connection(), |row| row.try_get_by_index(0)).await.unwrap()[0]
    }

    #[tokio::test]
    async fn all_but_the_chunks_of_imports_wait_for_the_disk() {
        let folder = TempDir::new().unwrap();
        let db = connected(&folder, 1).await;
        let organization = OrganizationId(uuid::Uuid::nil());
        let (full, normal) = (2, 1);
        for _ in 0..2 {
            let tx = db.write(organization).await.unwrap();
            assert_eq!((pragma(&tx, "synchronous").await, pragma(&tx, "temp_store").await), (full, 1));
            tx.commit().await.unwrap();
            let tx = db.write_chunk(organization).await.unwrap();
            assert_eq!((pragma(&tx, "synchronous").await, pragma(&tx, "temp_store").await), (normal, 2));
            drop(tx);
        }
        let tx = db.begin().await.unwrap();
        assert_eq!(pragma(&tx, "synchronous").await, full);
    }

    async fn one(reader: &Reader) -> i64 {
        let mut sql = Sql::new(DbBackend::Sqlite);
        sql.push("SELECT 1 AS n");
        sql.number(reader).await.unwrap()
    }

    #[tokio::test]
    async fn who_asks_for_much_waits_for_a_turn_and_nobody_else_does() {
        let folder = TempDir::new().unwrap();
        // With too few connections for some of their own, and with more.
        for (connections, own) in [(1, 0), (2, 0), (3, 0), (4, 1), (7, 1)] {
            let db = connected(&folder, connections).await;
            assert_eq!(db.pools().iter().filter(|(pool, ..)| *pool == "aside").count(), own);
            let much = db.reader_aside(db.reader_itself());
            assert_eq!(one(&much).await, 1);
            let turn = db.aside.turns.acquire().await.unwrap();
            let mut waiting = std::pin::pin!(one(&much));
            let waited = tokio::time::timeout(Duration::from_millis(50), waiting.as_mut()).await;
            assert!(waited.is_err(), "of {connections} there is one turn, and it is taken");
            assert_eq!(one(&db.reader_itself()).await, 1);
            drop(turn);
            assert_eq!(waiting.await, 1);
            db.close().await.unwrap();
        }
    }
}
