//! When batches load: once nothing else in the request can go on.
//!
//! The request is polled through [`Pace::run`] or [`Pace::follow`], which alone can see that a pass over all its fields
//! has come to an end and that none of them has anything left to do but wait. Then, and not before, the batches that
//! were being collected start, together; the next ones when these have ended: who waits for those is told one after the
//! other, and the next batch must not start with the first of them. Neither timers nor guesses at a number of yields are
//! needed, and it is the same under every scheduler. Batches are polled beside the request, by whatever polls it, and end
//! with it.

use std::{
    future::{Future, poll_fn},
    mem,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use futures::{
    Stream, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream, FuturesUnordered},
    task::{ArcWake, AtomicWaker, waker_ref},
};

/// As many passes in a row, before other requests get their turn.
const PASSES: usize = 8;

/// The pace of one request.
#[derive(Default)]
pub struct Pace {
    /// Batches that are being collected.
    waiting: Mutex<Vec<BoxFuture<'static, ()>>>,
}

impl Pace {
    /// A batch that is being collected from now on: it starts when nothing else in the request can go on.
    pub fn add(&self, batch: BoxFuture<'static, ()>) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(batch);
    }

    fn collected(&self) -> Vec<BoxFuture<'static, ()>> {
        mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Carries out a request.
    pub async fn run<T>(&self, request: impl Future<Output = T>) -> T {
        let mut request = pin!(request);
        let mut drive = Drive::default();
        poll_fn(|cx| drive.poll(self, cx, |cx| request.as_mut().poll(cx))).await
    }

    /// Carries out a request that answers several times.
    pub fn follow<T: 'static>(
        self: Arc<Self>,
        mut request: impl Stream<Item = T> + Send + Unpin + 'static,
    ) -> BoxStream<'static, T> {
        let mut drive = Drive::default();
        stream::poll_fn(move |cx| drive.poll(&self, cx, |cx| request.poll_next_unpin(cx))).boxed()
    }
}

/// What is under way.
#[derive(Default)]
struct Drive {
    running: FuturesUnordered<BoxFuture<'static, ()>>,
    fields: Arc<Fields>,
}

/// Whether something in the request itself, its batches aside, can go on.
struct Fields {
    state: AtomicU8,
    outside: AtomicWaker,
}

/// Nothing can, and whoever wakes a field has to wake the request.
const WAITING: u8 = 0;
/// Nothing can; the request is being polled, and looks again before it waits.
const POLLED: u8 = 1;
/// Something can.
const WOKEN: u8 = 2;

impl Default for Fields {
    fn default() -> Self {
        Self { state: AtomicU8::new(WOKEN), outside: AtomicWaker::new() }
    }
}

impl Fields {
    /// Whether something could go on; it is seen to now.
    fn take(&self) -> bool {
        self.state.swap(POLLED, Ordering::AcqRel) == WOKEN
    }

    fn are_woken(&self) -> bool {
        self.state.load(Ordering::Acquire) == WOKEN
    }

    /// Whether nothing can go on, so that there is only waiting.
    fn wait(&self) -> bool {
        self.state.compare_exchange(POLLED, WAITING, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl ArcWake for Fields {
    fn wake_by_ref(fields: &Arc<Self>) {
        if fields.state.swap(WOKEN, Ordering::AcqRel) == WAITING {
            fields.outside.wake();
        }
    }
}

impl Drive {
    /// Polls until there is an answer or nothing can go on.
    fn poll<T>(
        &mut self,
        pace: &Pace,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.fields.outside.register(cx.waker());
        for _ in 0..PASSES {
            if self.fields.take() {
                if let Poll::Ready(answer) = poll(&mut Context::from_waker(&waker_ref(&self.fields))) {
                    // A subscription is polled again for its next answer.
                    self.fields.state.store(WOKEN, Ordering::Release);
                    return Poll::Ready(answer);
                }
                if self.fields.are_woken() {
                    continue;
                }
            }
            self.batches(pace, cx);
            if self.fields.wait() {
                return Poll::Pending;
            }
        }
        self.fields.state.store(WOKEN, Ordering::Release);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Lets the batches go on that run, and those start that were collected, where none runs and no field can go on.
    fn batches(&mut self, pace: &Pace, cx: &mut Context<'_>) {
        loop {
            while let Poll::Ready(Some(())) = self.running.poll_next_unpin(cx) {}
            if !self.running.is_empty() || self.fields.are_woken() {
                return;
            }
            let collected = pace.collected();
            if collected.is_empty() {
                return;
            }
            self.running.extend(collected);
        }
    }
}
