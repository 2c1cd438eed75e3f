//! Reading from a replica of the database, never older than what was there when the request began.
//!
//! Signing in asks the database itself how far its log has been written ([`POSITION`]); a query then reads from the
//! replica if that has carried out the log up to there. So it sees everything that was acknowledged before it was asked,
//! whichever server and whoever wrote it. A replica that is behind, or does not answer, is left alone for a while.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, Database, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    DbOptions, Pool, Sql,
    connect::{count, postgres_options},
};
use crate::service::error::is_away;

/// Queries, by where they read: from the `replica`, or from the database itself, since the replica was `behind` or `away`, or
/// `resting` from either.
pub const READS: &str = "counterpart_replica_queries_total";

/// How long a statement waits for a connection to the replica.
const ACQUIRE: Duration = Duration::from_secs(1);
/// How long the replica may take to say how far it is.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long a query waits for a replica that is behind, and how often it looks.
const WAIT: Duration = Duration::from_millis(20);
const LOOK: Duration = Duration::from_millis(4);
/// How long a replica that was behind for longer is not asked.
const BEHIND: Duration = Duration::from_secs(1);
/// How long a replica that did not answer is not asked.
const AWAY: Duration = Duration::from_secs(5);

/// What the database itself says of how far its log is: up to there, or further, reaches what it has acknowledged.
/// Without waiting for the disk, it acknowledges what is not written yet.
pub const POSITION: &str = "(CASE current_setting('synchronous_commit') WHEN 'off' THEN pg_current_wal_insert_lsn() \
     ELSE pg_current_wal_flush_lsn() END)::text";

/// A copy of the database that follows it.
#[derive(Debug)]
pub(super) struct Replica {
    pool: Pool,
    /// Until when it is not asked.
    rests: Mutex<Option<Instant>>,
}

/// Where a request reads.
#[derive(Clone, Debug)]
pub struct Reader {
    database: Pool,
    replica: Option<Arc<Replica>>,
    /// What its statements wait for, one by one.
    turns: Option<Arc<Semaphore>>,
}

impl Replica {
    /// Connects when it is first asked.
    pub async fn connect(url: &str, db: &DbOptions) -> Result<Self, DbErr> {
        let mut options = postgres_options(url, db);
        // Who can't have a connection soon reads from the database itself.
        options.connect_lazy(true).acquire_timeout(ACQUIRE);
        let pool = Pool::new(count(Database::connect(options).await?), db.transaction_pooling);
        Ok(Self { pool, rests: Mutex::new(None) })
    }

    fn is_resting(&self) -> bool {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }

    fn rest(&self, time: Duration) {
        *self.rests.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + time);
    }

    fn is_away(&self, why: &dyn std::fmt::Display) {
        tracing::warn!(error = %why, "the replica can't be asked: the database itself is");
        self.rest(AWAY);
    }

    /// A statement failed.
    fn failed(&self, error: &DbErr) {
        if is_away(error) {
            self.is_away(error);
        } else {
            // It stood in the way of the log, perhaps.
            tracing::debug!(%error, "the replica did not carry out a statement");
        }
    }

    /// Whether it has all that the log has up to this position. One that has become a database of its own has not, and
    /// neither has one that nothing comes to any more.
    async fn has(&self, position: &str) -> Result<bool, DbErr> {
        let mut sql = Sql::new(DbBackend::Postgres);
        sql.push("SELECT pg_is_in_recovery() AND EXISTS (SELECT 1 FROM pg_stat_wal_receiver) ");
        sql.push("AND COALESCE(pg_last_wal_replay_lsn() >= ").bind(position).push("::pg_lsn, false) AS has");
        match self.pool.query_one_raw(sql.statement()).await? {
            Some(row) => row.try_get("", "has"),
            None => Ok(false),
        }
    }

    /// Whether a query can be read from it that is to see all up to this position.
    async fn takes(&self, position: &str) -> Result<(), &'static str> {
        if self.is_resting() {
            return Err("resting");
        }
        let started = Instant::now();
        loop {
            match tokio::time::timeout(PATIENCE, self.has(position)).await {
                Ok(Ok(true)) => return Ok(()),
                Ok(Ok(false)) if started.elapsed() < WAIT => tokio::time::sleep(LOOK).await,
                Ok(Ok(false)) => {
                    self.rest(BEHIND);
                    return Err("behind");
                }
                Ok(Err(error)) => {
                    self.is_away(&error);
                    return Err("away");
                }
                Err(_) => {
                    self.is_away(&"it does not answer");
                    return Err("away");
                }
            }
        }
    }
}

impl Reader {
    /// Reads from the database itself.
    pub(super) fn of(database: &Pool) -> Self {
        Self { database: database.clone(), replica: None, turns: None }
    }

    /// Reads from the replica, if that has all up to this position.
    pub(super) async fn at(self, replica: &Arc<Replica>, position: &str) -> Self {
        let taken = replica.takes(position).await;
        metrics::counter!(READS, "from" => taken.err().unwrap_or("replica")).increment(1);
        let replica = taken.is_ok().then(|| Arc::clone(replica));
        Self { replica, ..self }
    }

    /// Reads when it is its turn, through these connections where it does not from the replica.
    pub(super) fn by_turns(self, connections: Option<&Pool>, turns: &Arc<Semaphore>) -> Self {
        let database = connections.cloned().unwrap_or(self.database);
        Self { database, turns: Some(Arc::clone(turns)), ..self }
    }

    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        match &self.turns {
            Some(turns) => turns.acquire().await.ok(),
            None => None,
        }
    }
}

/// Reads from the replica while it answers, and what it does not answer, from the database itself: that is further.
macro_rules! read {
    ($reader:expr, $method:ident, $statement:expr) => {{
        let _turn = $reader.turn().await;
        if let Some(replica) = $reader.replica.as_ref().filter(|replica| !replica.is_resting()) {
            match replica.pool.$method($statement.clone()).await {
                Ok(result) => return Ok(result),
                Err(error) => replica.failed(&error),
            }
        }
        $reader.database.$method($statement).await
    }};
}

#[async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        self.database.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let _turn = self.turn().await;
        self.database.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let _turn = self.turn().await;
        self.database.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        read!(self, query_one_raw, statement)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        read!(self, query_all_raw, statement)
    }
}
