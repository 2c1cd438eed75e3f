//! When batches load: once nothing else in the request can go on.
//!
//! The request is polled through [`Pace::run`] or [`Pace::follow`], which alone can see that a pass over all its fields
//! has come to an end and that none of them has anything left to do but wait. Then, and not before, the batches that
//! were being collected are [`released`](Pace::released). Neither timers nor guesses at a number of yields are needed,
//! and it is the same under every scheduler.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
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
    waiting: Mutex<Vec<oneshot::Sender<()>>>,
    woken: Arc<Woken>,
}

/// Whether something in the request can go on.
#[derive(Debug, Default)]
struct Woken {
    flag: AtomicBool,
    outside: AtomicWaker,
}

impl ArcWake for Woken {
    fn wake_by_ref(woken: &Arc<Self>) {
        woken.flag.store(true, Ordering::SeqCst);
        woken.outside.wake();
    }
}

impl Pace {
    /// A batch that is being collected from now on: waits until nothing else in the request can go on. False when the
    /// request was given up before.
    pub fn released(&self) -> impl Future<Output = bool> + Send + use<> {
        let (release, released) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(release);
        async { released.await.is_ok() }
    }

    /// Lets the batches go that wait.
    fn release(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for batch in waiting {
            // A batch that is gone has nobody who waits for it.
            let _ = batch.send(());
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
