//! Connections, each of which a statement has for as long as it takes.

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
    TransactionOptions, TransactionTrait,
};

/// A pool of connections to a database.
#[derive(Clone, Debug)]
pub struct Pool {
    connections: DatabaseConnection,
    /// Behind them is a pooler that gives each transaction another connection, and knows nothing of the statements that
    /// were prepared on it: the driver prepares each in one round trip and carries it out in the next, under a name that
    /// other processes use too.
    is_shared: bool,
}

impl Pool {
    pub(super) fn new(connections: DatabaseConnection, is_shared: bool) -> Self {
        Self { connections, is_shared }
    }

    /// Opens a transaction.
    pub async fn begin(&self, options: TransactionOptions) -> Result<DatabaseTransaction, DbErr> {
        let txn = self.connections.begin_with_options(options).await?;
        if self.is_shared {
            // Others had this connection before, and statements of theirs have the names that ours are about to get.
            txn.execute_unprepared("DEALLOCATE ALL").await?;
        }
        Ok(txn)
    }

    /// The connections themselves, for what goes past all this.
    pub fn connections(&self) -> &DatabaseConnection {
        &self.connections
    }

    /// Ends the connections.
    pub(super) async fn close(&self) -> Result<(), DbErr> {
        self.connections.close_by_ref().await
    }
}

/// Has a statement carried out, in a transaction of its own where it needs one.
macro_rules! carry_out {
    ($pool:expr, $method:ident, $statement:expr) => {{
        if !$pool.is_shared {
            return $pool.connections.$method($statement).await;
        }
        let txn = $pool.begin(TransactionOptions::default()).await?;
        let result = txn.$method($statement).await?;
        txn.commit().await?;
        Ok(result)
    }};
}

#[async_trait]
impl ConnectionTrait for Pool {
    fn get_database_backend(&self) -> DbBackend {
        self.connections.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        carry_out!(self, execute_raw, statement)
    }

    /// In one round trip, wherever that leads.
    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.connections.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        carry_out!(self, query_one_raw, statement)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        carry_out!(self, query_all_raw, statement)
    }
}
