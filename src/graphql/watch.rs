//! Following something that changes in the database, for subscriptions: any process may be the one that changes it.
//!
//! Whoever follows the same row shares one look at it. Who may see it is asked when a subscription begins, and again with each
//! event (`http::steps`).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use entity::{OrganizationId, import_job, sync_run};
use futures::{
    Stream,
    future::BoxFuture,
    stream::{self, BoxStream, StreamExt},
};
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    error::{Failure, Result},
    page::Shown,
};

/// How often the database is asked.
const INTERVAL: Duration = Duration::from_millis(200);

/// What is followed at the moment.
#[derive(Default)]
pub struct Watches {
    pub imports: Watch<import_job::Model>,
    pub sync_runs: Watch<sync_run::Model>,
}

type Key = (OrganizationId, Uuid);

/// The rows of a table that are followed.
pub struct Watch<M>(Arc<Mutex<Followed<M>>>);

type Followed<M> = HashMap<Key, Weak<watch::Sender<Seen<M>>>>;

impl<M> Default for Watch<M> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// What the last look came to; a row that is gone is `None`.
type Seen<M> = Result<Option<Arc<M>>>;

/// Asks the database.
pub type Look<M> = Box<dyn Fn() -> BoxFuture<'static, Result<Option<M>>> + Send + Sync>;

impl<M: PartialEq + Send + Sync + 'static> Watch<M> {
    /// What `look` finds under this key, now and after each change, up to and with what is `over`.
    ///
    /// # Errors
    /// `NOT_FOUND` with the message `missing` when there is nothing at first.
    pub async fn follow<T: Shown<Row = M>>(
        &self,
        key: Key,
        missing: &str,
        look: Look<M>,
        over: fn(&M) -> bool,
    ) -> Result<BoxStream<'static, Result<T>>> {
        let first = Arc::new(look().await?.ok_or_else(|| Failure::not_found(missing))?);
        let now = stream::once(std::future::ready(Ok(T::of(Arc::clone(&first)))));
        if over(&first) {
            return Ok(now.boxed());
        }
        let changes = changes(self.shared(key, &first, look, over), first, over);
        Ok(now.chain(changes.map(|seen| seen.map(T::of))).boxed())
    }

    /// What all who follow this row are told by.
    fn shared(&self, key: Key, first: &Arc<M>, look: Look<M>, over: fn(&M) -> bool) -> watch::Receiver<Seen<M>> {
        let mut followed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = followed.get(&key).and_then(Weak::upgrade) {
            return told.subscribe();
        }
        let (told, receiver) = watch::channel(Ok(Some(Arc::clone(first))));
        let told = Arc::new(told);
        followed.insert(key, Arc::downgrade(&told));
        let followed = Arc::clone(&self.0);
        tokio::spawn(async move {
            look_on(&told, look, over).await;
            let mut followed = followed.lock().unwrap_or_else(PoisonError::into_inner);
            // Another may have begun since nobody listened here.
            if followed.get(&key).is_some_and(|known| known.as_ptr() == Arc::as_ptr(&told)) {
                followed.remove(&key);
            }
        });
        receiver
    }
}

/// Looks at a row and tells of its changes, until it is over, it can't be looked at, or nobody listens.
async fn look_on<M: PartialEq>(told: &watch::Sender<Seen<M>>, look: Look<M>, over: fn(&M) -> bool) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        if told.is_closed() {
            return;
        }
        let seen = look().await.map(|found| found.map(Arc::new));
        let is_last = !matches!(&seen, Ok(Some(row)) if !over(row));
        told.send_if_modified(|before| {
            let is_same = matches!((&*before, &seen), (Ok(Some(before)), Ok(Some(now))) if before == now);
            if !is_same {
                *before = seen;
            }
            !is_same
        });
        if is_last {
            return;
        }
    }
}

/// The changes after `seen`.
fn changes<M: PartialEq>(
    told: watch::Receiver<Seen<M>>,
    seen: Arc<M>,
    over: fn(&M) -> bool,
) -> impl Stream<Item = Result<Arc<M>>> {
    stream::unfold(Some((told, seen)), move |following| async move {
        let (mut told, seen) = following?;
        loop {
            let now = told.borrow_and_update().clone();
            match now {
                Ok(Some(row)) if row != seen => {
                    let following = (!over(&row)).then(|| (told, Arc::clone(&row)));
                    return Some((Ok(row), following));
                }
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(failure) => return Some((Err(failure), None)),
            }
            told.changed().await.ok()?;
        }
    })
}
