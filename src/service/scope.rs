//! The request that work is done for: its id, which each line of the log names, and how many SQL statements it takes.
//!
//! It is not a span of the log: one would be entered each time that the request goes on, and be handed to the database with
//! each of its statements, for the few lines that are written.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

#[derive(Default)]
struct Request {
    id: Option<Arc<str>>,
    statements: AtomicU64,
}

tokio::task_local! {
    static REQUEST: Arc<Request>;
}

/// Does `work` for the request of this id: letters, digits and what else needs no quotes.
pub fn within<T>(id: Arc<str>, work: impl Future<Output = T>) -> impl Future<Output = T> {
    REQUEST.scope(Arc::new(Request { id: Some(id), ..Request::default() }), work)
}

/// Work for a task of its own, for the request that the task is at work for that starts it.
pub fn carried<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    REQUEST.scope(REQUEST.try_with(Arc::clone).unwrap_or_default(), work)
}

/// Does `work` and tells how many SQL statements it took.
pub async fn counting<T>(work: impl Future<Output = T>) -> (T, u64) {
    let counted = async { (work.await, statements()) };
    REQUEST.scope(Arc::default(), counted).await
}

/// The id of the request that is at work, if any is.
pub fn request_id() -> Option<Arc<str>> {
    REQUEST.try_with(|request| request.id.clone()).ok().flatten()
}

/// The SQL statements that the request has taken so far.
pub fn statements() -> u64 {
    REQUEST.try_with(|request| request.statements.load(Ordering::Relaxed)).unwrap_or_default()
}

/// Counts a statement.
pub fn count_statement() {
    let _ = REQUEST.try_with(|request| request.statements.fetch_add(1, Ordering::Relaxed));
}
