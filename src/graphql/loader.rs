//! Batching: what the fields of one level ask for one by one is asked of the database at once.
//!
//! The library's `DataLoader` collects the keys; it would load them after a time, which is either too late or, under load,
//! too early. Here a batch is started by the request's [`Pace`], when nothing in the request can go on without it. Nothing
//! is kept: a mutation later in the same request sees what it changed. A batch is the request's and not the field's that
//! began it, so that it goes on when that field is given up because of an error beside it.

use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    marker::PhantomData,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_graphql::dataloader::{self, DataLoader};

use super::{
    error::{Failure, Result},
    pace::Pace,
};
use crate::service::{self, Session};

/// What a loader loads.
pub trait Batch: Send + Sync + 'static {
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    type Value: Clone + Send + Sync + 'static;

    /// The values of the keys; a key without a value is left out.
    fn load(
        session: &Session,
        keys: Vec<Self::Key>,
    ) -> impl Future<Output = service::Result<HashMap<Self::Key, Self::Value>>> + Send;
}

/// A batch as the library's loader sees it.
struct Source<B> {
    session: Arc<Session>,
    batch: PhantomData<B>,
}

impl<B: Batch> dataloader::Loader<B::Key> for Source<B> {
    type Value = B::Value;
    type Error = Failure;

    async fn load(&self, keys: &[B::Key]) -> Result<HashMap<B::Key, B::Value>> {
        // One failure for the batch: its cause is in the log once.
        B::load(&self.session, keys.to_vec()).await.map_err(Failure::from)
    }
}

/// Loads one kind of thing for one request. Most requests need few of them: each is made when it is first asked.
pub struct Loader<B: Batch> {
    session: Arc<Session>,
    pace: Arc<Pace>,
    loader: OnceLock<DataLoader<Source<B>>>,
}

impl<B: Batch> Loader<B> {
    pub fn new(session: &Arc<Session>, pace: &Arc<Pace>) -> Self {
        Self { session: Arc::clone(session), pace: Arc::clone(pace), loader: OnceLock::new() }
    }

    /// The value of the key; `None` when there is none that the viewer may see.
    pub async fn load(&self, key: B::Key) -> Result<Option<B::Value>> {
        self.loader.get_or_init(|| self.begin()).load_one(key).await
    }

    fn begin(&self) -> DataLoader<Source<B>> {
        let source = Source { session: Arc::clone(&self.session), batch: PhantomData };
        let pace = Arc::clone(&self.pace);
        let loader = DataLoader::new(source, move |batch| pace.add(batch));
        // The pace says when a batch is complete: neither a time nor a number of keys does.
        loader.delay(Duration::ZERO).max_batch_size(usize::MAX)
    }
}
