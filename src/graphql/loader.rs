//! Batching: what the fields of one level ask for one by one is asked of the database at once.
//!
//! A [`Loader`] collects keys until nothing in the request can go on without it; then [`drive`], which carries the
//! request out, loads them together. Nothing is kept: a mutation later in the same request sees what it changed. A batch
//! belongs to all who wait for it, so that it goes on when the field that began it is given up because of an error
//! beside it.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    hash::Hash,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures::{
    FutureExt, Stream, StreamExt,
    channel::oneshot,
    future::{BoxFuture, Shared},
    stream::{self, FuturesUnordered},
    task::AtomicWaker,
};

use super::error::{Failure, Result};
use crate::service::{self, Session};

/// What a loader loads.
pub trait Batch: 'static {
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    type Value: Clone + Send + Sync + 'static;

    /// The values of the keys; a key without a value is left out.
    fn load(
        session: &Session,
        keys: Vec<Self::Key>,
    ) -> impl Future<Output = service::Result<HashMap<Self::Key, Self::Value>>> + Send;
}

type Loaded<B> = Result<Arc<HashMap<<B as Batch>::Key, <B as Batch>::Value>>>;

/// The keys of a batch until it loads; `None` from then on.
type Keys<B> = Arc<Mutex<Option<Vec<<B as Batch>::Key>>>>;

/// The batches of a request that wait to be loaded.
#[derive(Clone, Default)]
pub struct Queue(Arc<Mutex<Vec<BoxFuture<'static, ()>>>>);

struct Open<B: Batch> {
    keys: Keys<B>,
    /// Whoever waits is woken once, when everything is there.
    loaded: Shared<oneshot::Receiver<Loaded<B>>>,
}

/// Loads one kind of thing for one request.
pub struct Loader<B: Batch> {
    session: Arc<Session>,
    queue: Queue,
    open: Arc<Mutex<Option<Open<B>>>>,
}

impl<B: Batch> Clone for Loader<B> {
    fn clone(&self) -> Self {
        Self { session: Arc::clone(&self.session), queue: self.queue.clone(), open: Arc::clone(&self.open) }
    }
}

impl<B: Batch> Loader<B> {
    pub fn new(session: &Arc<Session>, queue: &Queue) -> Self {
        Self { session: Arc::clone(session), queue: queue.clone(), open: Arc::default() }
    }

    /// The value of the key; `None` when there is none that the viewer may see.
    pub async fn load(&self, key: B::Key) -> Result<Option<B::Value>> {
        let loaded = self.join(&key).await.map_err(|_| Failure::internal("a batch was given up"))??;
        Ok(loaded.get(&key).cloned())
    }

    /// Puts the key into the batch that is being collected.
    fn join(&self, key: &B::Key) -> Shared<oneshot::Receiver<Loaded<B>>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(batch) = open.as_ref()
            && let Some(keys) = batch.keys.lock().unwrap_or_else(PoisonError::into_inner).as_mut()
        {
            keys.push(key.clone());
            return batch.loaded.clone();
        }
        let keys: Keys<B> = Arc::new(Mutex::new(Some(vec![key.clone()])));
        let (done, loaded) = oneshot::channel();
        let loaded = loaded.shared();
        let batch = run::<B>(Arc::clone(&self.session), Arc::clone(&keys), done).boxed();
        self.queue.0.lock().unwrap_or_else(PoisonError::into_inner).push(batch);
        *open = Some(Open { keys, loaded: loaded.clone() });
        loaded
    }
}

async fn run<B: Batch>(session: Arc<Session>, keys: Keys<B>, done: oneshot::Sender<Loaded<B>>) {
    let keys = keys.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
    let mut seen = HashSet::with_capacity(keys.len());
    let keys: Vec<B::Key> = keys.into_iter().filter(|key| seen.insert(key.clone())).collect();
    // One failure for the batch: its cause is in the log once. Nobody may be waiting any more.
    let _ = done.send(B::load(&session, keys).await.map(Arc::new).map_err(Failure::from));
}

/// Tells that something in the request can go on, and wakes the task that carries it out.
#[derive(Default)]
struct Woken {
    is_woken: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.task.wake();
    }
}

/// Carries a request out, and loads its batches: each time nothing in it can go on by itself.
pub fn drive<'a, T: 'a>(
    queue: Queue,
    execution: impl Stream<Item = T> + Send + 'a,
) -> impl Stream<Item = T> + Send + 'a {
    let mut execution = execution.boxed();
    let mut loading: FuturesUnordered<BoxFuture<'static, ()>> = FuturesUnordered::new();
    let woken = Arc::new(Woken { is_woken: AtomicBool::new(true), task: AtomicWaker::new() });
    let waker = Waker::from(Arc::clone(&woken));
    stream::poll_fn(move |cx| {
        woken.task.register(cx.waker());
        loop {
            while woken.is_woken.swap(false, Ordering::AcqRel) {
                if let Poll::Ready(next) = Pin::new(&mut execution).poll_next(&mut Context::from_waker(&waker)) {
                    // The stream has to be asked again to be woken again.
                    woken.is_woken.store(true, Ordering::Release);
                    return Poll::Ready(next);
                }
            }
            loading.extend(queue.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..));
            while let Poll::Ready(Some(())) = loading.poll_next_unpin(cx) {}
            if !woken.is_woken.load(Ordering::Acquire) {
                return Poll::Pending;
            }
        }
    })
}
