//! Who has to wait, and who is sent away: so that nobody who asks too much, or too often, takes the server from the others.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::refusal::Refusal;
use crate::config::FrontSettings;

/// An operation that costs more than this is dear, by its price: about so many microseconds of a processor's time.
const DEAR: u64 = 7_500;
/// An operation that costs more than this runs aside. That takes a change of threads for each of its statements, which those
/// in between are spared.
const ASIDE: u64 = 30_000;
/// A document that is longer, in bytes, is dear to read.
const LONG: usize = 4 * 1024;
/// The price, or the bytes, of all that is dear and at work on one processor: the dearest operations that the limits let in
/// by default come one after the other. One processor is left to those who ask for little, where there are several.
const AT_ONCE: usize = 100_000;
/// After so many operations, or failures, the tokens or addresses are forgotten that have not come for a while.
const SWEEP_EVERY: usize = 10_000;

pub struct Admission {
    at_work: Semaphore,
    dear: Arc<Semaphore>,
    /// The places of `dear`.
    at_once: u32,
    tokens: Option<Rate<u64>>,
    failures: Option<Rate<IpAddr>>,
    hasher: RandomState,
}

struct Rate<K: Clone + Eq + std::hash::Hash> {
    limiter: DefaultKeyedRateLimiter<K>,
    counted: AtomicUsize,
}

impl<K: Clone + Eq + std::hash::Hash> Rate<K> {
    /// So many a minute; a tenth of them may come at once. None where any number may.
    fn new(per_minute: u32) -> Option<Self> {
        let per_minute = NonZeroU32::new(per_minute)?;
        let burst = NonZeroU32::new(per_minute.get() / 10).unwrap_or(NonZeroU32::MIN);
        let limiter = RateLimiter::keyed(Quota::per_minute(per_minute).allow_burst(burst));
        Some(Self { limiter, counted: AtomicUsize::new(0) })
    }

    /// How long whoever this is has to wait.
    fn wait(&self, key: &K) -> Option<Duration> {
        // To ask the limiter how many it knows would lock all its shards, for each request.
        if self.counted.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.limiter.retain_recent();
        }
        let refused = self.limiter.check_key(key).err()?;
        Some(refused.wait_time_from(DefaultClock::default().now()))
    }
}

impl Admission {
    pub fn new(settings: &FrontSettings) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, |processors| processors.get());
        let processors = processors.saturating_sub(1).max(1);
        let at_once = AT_ONCE * processors;
        Self {
            at_work: Semaphore::new(settings.max_operations),
            dear: Arc::new(Semaphore::new(at_once)),
            at_once: u32::try_from(at_once).unwrap_or(u32::MAX),
            tokens: Rate::new(settings.operations_per_minute),
            failures: Rate::new(settings.failed_sign_ins_per_minute),
            hasher: RandomState::new(),
        }
    }

    /// Counts an operation of a token.
    ///
    /// # Errors
    /// Too many in too short a time.
    pub fn count(&self, token: &str) -> Result<(), Refusal> {
        let wait = self.tokens.as_ref().and_then(|rate| rate.wait(&self.hasher.hash_one(token)));
        wait.map_or(Ok(()), |wait| Err(Refusal::too_often("This token asks too often.", wait)))
    }

    /// Counts a request that did not sign in.
    ///
    /// # Errors
    /// Too many from this address in too short a time.
    pub fn count_failure(&self, address: IpAddr) -> Result<(), Refusal> {
        let wait = self.failures.as_ref().and_then(|rate| rate.wait(&address));
        wait.map_or(Ok(()), |wait| {
            Err(Refusal::too_often("Too many requests came from your address that did not sign in.", wait))
        })
    }

    /// A place among the operations that are at work.
    ///
    /// # Errors
    /// There is none.
    pub fn enter(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        self.at_work.try_acquire().map_err(|_| Refusal::busy())
    }

    /// Waits until a document of this length can be read, where it is a long one.
    pub async fn read(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        if bytes > LONG { self.share(bytes as u64).await } else { None }
    }

    /// Waits until an operation of this price can be carried out, where it is a dear one.
    pub async fn carry_out(&self, price: u64) -> Option<OwnedSemaphorePermit> {
        if price > DEAR { self.share(price).await } else { None }
    }

    /// Whether an operation of this price has to run [aside](super::aside), and to read by turns, through connections for such.
    pub fn is_aside(price: u64) -> bool {
        price > ASIDE
    }

    async fn share(&self, size: u64) -> Option<OwnedSemaphorePermit> {
        let size = u32::try_from(size).map_or(self.at_once, |size| size.min(self.at_once));
        Arc::clone(&self.dear).acquire_many_owned(size).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_not_come_for_a_while_is_forgotten() {
        // Each may come again at once, nearly.
        let rate = Rate::new(100_000_000).unwrap();
        for address in 0..5 * SWEEP_EVERY {
            assert!(rate.wait(&address).is_none());
        }
        assert!(rate.limiter.len() <= SWEEP_EVERY, "{}", rate.limiter.len());
    }

    #[test]
    fn who_comes_too_often_is_told_how_long_to_wait() {
        // Two at once, and then one in three seconds.
        let rate = Rate::new(20).unwrap();
        assert!(rate.wait(&1).is_none() && rate.wait(&1).is_none() && rate.wait(&2).is_none());
        let wait = rate.wait(&1).unwrap();
        assert!(wait > Duration::from_secs(2) && wait <= Duration::from_secs(3), "{wait:?}");
    }
}
