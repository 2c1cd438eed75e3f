//! Following something that changes in the database, for subscriptions: any process may be the one that changes it.

use std::time::Duration;

use futures::{
    Stream,
    future::BoxFuture,
    stream::{self, BoxStream, StreamExt},
};

use super::{
    error::{Failure, Result},
    page::Shown,
};

/// How often the database is asked.
const INTERVAL: Duration = Duration::from_millis(300);

/// Asks the database.
pub type Look<T> = Box<dyn Fn() -> BoxFuture<'static, Result<Option<T>>> + Send + Sync>;

/// What `look` finds, now and after each change, up to and with what is `over`.
///
/// # Errors
/// `NOT_FOUND` with the message `missing` when there is nothing at first. The stream ends with `UNAUTHENTICATED` when
/// the viewer may no longer see it.
pub async fn watch<T: Shown<Row: PartialEq>>(
    missing: &str,
    look: Look<T>,
    over: fn(&T::Row) -> bool,
) -> Result<BoxStream<'static, Result<T>>> {
    let first = look().await?.ok_or_else(|| Failure::not_found(missing))?;
    Ok(stream::once(std::future::ready(Ok(first.clone()))).chain(changes(first, look, over)).boxed())
}

/// The changes after `seen`.
fn changes<T: Shown<Row: PartialEq>>(
    seen: T,
    look: Look<T>,
    over: fn(&T::Row) -> bool,
) -> impl Stream<Item = Result<T>> {
    stream::unfold((Some(seen), look), move |(seen, look)| async move {
        let seen = seen.filter(|seen| !over(seen.row()))?;
        loop {
            tokio::time::sleep(INTERVAL).await;
            match look().await {
                Ok(Some(found)) if found.row() == seen.row() => {}
                Ok(Some(found)) => return Some((Ok(found.clone()), (Some(found), look))),
                Ok(None) => return Some((Err(Failure::unauthenticated()), (None, look))),
                Err(failure) => return Some((Err(failure), (None, look))),
            }
        }
    })
}
