//! When batches load: once nothing else in the request can go on.
//!
//! The request is polled through [`Pace::run`] or [`Pace::follow`], which alone can see that a pass over all its fields
//! has come to an end and that none of them has anything left to do but wait. Then, and not before, the batches that
//! were being collected are [`released`](Pace::released), together; the next ones when these have ended. Neither timers nor guesses at a number of yields are needed,
//! and it is the same under every scheduler.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use futures::{
    Stream, StreamExt,
    channel::oneshot,
    stream::{self, BoxStream},
    task::{ArcWake, AtomicWaker, waker_ref},
};

/// As many passes in a row, before other requests get their turn.
const PASSES: usize = 8;

/// The pace of one request.
#[derive(Debug, Default)]
pub struct Pace {
    /// Batches that wait for the next release.
    waiting: Mutex<Vec<oneshot::Sender<Running>>>,
    woken: Arc<Woken>,
}

/// A batch that has been released; it ends with this.
#[derive(Debug)]
pub struct Running(Arc<Woken>);

impl Running {
    fn new(woken: &Arc<Woken>) -> Self {
        woken.batches.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(woken))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.batches.fetch_sub(1, Ordering::SeqCst);
        Woken::wake_by_ref(&self.0);
    }
}

/// Whether something in the request can go on.
#[derive(Debug, Default)]
struct Woken {
    flag: AtomicBool,
    /// Batches that have been released and have not ended.
    batches: AtomicUsize,
    outside: AtomicWaker,
}

impl ArcWake for Woken {
    fn wake_by_ref(woken: &Arc<Self>) {
        woken.flag.store(true, Ordering::SeqCst);
        woken.outside.wake();
    }
}

impl Pace {
    /// A batch that is being collected from now on: waits until nothing else in the request can go on. `None` when the
    /// request was given up before.
    pub fn released(&self) -> impl Future<Output = Option<Running>> + Send + use<> {
        let (release, released) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(release);
        async { released.await.ok() }
    }

    /// Lets the batches go that wait, unless some that went before are under way: who waits for those is told one after
    /// the other, and the next batch must not start with the first of them.
    fn release(&self) {
        if self.woken.batches.load(Ordering::SeqCst) > 0 {
            return;
        }
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        // All are counted before the first can end.
        let running: Vec<Running> = waiting.iter().map(|_| Running::new(&self.woken)).collect();
        for (batch, running) in waiting.into_iter().zip(running) {
            // A batch that is gone has nobody who waits for it.
            let _ = batch.send(running);
        }
    }

    /// Carries out a request.
    pub async fn run<T>(&self, request: impl Future<Output = T>) -> T {
        let mut request = pin!(request);
        let mut idle = false;
        poll_fn(|cx| self.drive(&mut idle, cx, |cx| request.as_mut().poll(cx))).await
    }

    /// Carries out a request that answers several times.
    pub fn follow<T: 'static>(
        self: Arc<Self>,
        mut request: impl Stream<Item = T> + Send + Unpin + 'static,
    ) -> BoxStream<'static, T> {
        let mut idle = false;
        stream::poll_fn(move |cx| self.drive(&mut idle, cx, |cx| request.poll_next_unpin(cx))).boxed()
    }

    /// Polls until there is an answer or nothing can go on. `idle` tells that the last call found nothing that could.
    fn drive<T>(
        &self,
        idle: &mut bool,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.woken.outside.register(cx.waker());
        if std::mem::take(idle) && !self.woken.flag.load(Ordering::SeqCst) {
            // Woken by what an earlier call has dealt with already.
            *idle = true;
            return Poll::Pending;
        }
        let waker = waker_ref(&self.woken);
        for _ in 0..PASSES {
            self.woken.flag.store(false, Ordering::SeqCst);
            if let Poll::Ready(answer) = poll(&mut Context::from_waker(&waker)) {
                return Poll::Ready(answer);
            }
            if !self.woken.flag.load(Ordering::SeqCst) {
                *idle = true;
                self.release();
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
