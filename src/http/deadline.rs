//! How long the steps of a request may take.

use std::{pin::Pin, time::Duration};

use tokio::{
    task::coop::unconstrained,
    time::{Instant, Sleep, sleep_until},
};

use super::refusal::Refusal;

/// How long each step may take, one after the other. They share a timer. It is left alone while steps end in time; if it goes
/// off for an earlier step, it is put off until the end of the present one.
pub struct Deadline {
    patience: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    pub fn new(patience: Duration) -> Self {
        Self { patience, timer: None }
    }

    /// So many times longer, from the next step on; never shorter, since the timer is not put forward.
    pub fn longer(self, times: u32) -> Self {
        Self { patience: self.patience * times, ..self }
    }

    /// The outcome of a step that has all its time from now on. It comes pinned: taken by value, it would be stored twice, in
    /// the caller's future and in this one.
    ///
    /// # Errors
    /// The step took longer, and was given up.
    pub async fn hold<T>(&mut self, step: Pin<&mut impl Future<Output = T>>) -> Result<T, Refusal> {
        let end = Instant::now() + self.patience;
        // Only a step that has to wait needs it.
        let timer = async {
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
            timer.as_mut().await;
            if timer.deadline() < end {
                timer.as_mut().reset(end);
                timer.await;
            }
        };
        tokio::select! {
            biased;
            done = step => Ok(done),
            // Work that leaves the others no turn has to end in time, too.
            () = unconstrained(timer) => Err(Refusal::given_up(self.patience)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, poll_fn},
        pin::pin,
        task::Poll,
    };

    use tokio::time::{sleep, timeout};

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn each_step_has_all_the_time() {
        let mut deadline = Deadline::new(PATIENCE);
        for _ in 0..3 {
            // Together they take longer than one may.
            assert!(deadline.hold(pin!(sleep(PATIENCE * 3 / 5))).await.is_ok());
        }
        assert!(deadline.hold(pin!(pending::<()>())).await.is_err());
        let mut deadline = deadline.longer(1_000);
        assert!(deadline.hold(pin!(sleep(PATIENCE * 2))).await.is_ok());
    }

    #[tokio::test]
    async fn work_that_leaves_the_others_no_turn_ends_in_time() {
        let busy = poll_fn(|context| {
            while pin!(tokio::task::coop::consume_budget()).poll(context).is_ready() {}
            context.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        let mut deadline = Deadline::new(PATIENCE);
        let held = timeout(PATIENCE * 100, deadline.hold(pin!(busy))).await;
        assert!(held.is_ok_and(|held| held.is_err()));
    }
}
