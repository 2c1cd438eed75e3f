//! Work that holds a processor for long, on a thread of its own: the runtime's few threads stay free for whoever asks for
//! little, and it is the operating system that shares out the processors.

use std::{future::Future, panic};

use tokio::{runtime::Handle, task};
use tokio_util::sync::CancellationToken;

use crate::service::scope;

/// Carries work out on a thread of its own. It is done for the caller's request, given up with the
/// future, and its panics are the caller's.
pub async fn aside<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let given_up = CancellationToken::new();
    let _guard = given_up.clone().drop_guard();
    let work = given_up.run_until_cancelled_owned(scope::carried(work));
    // Its connections and timers are the runtime's: only its polling is done here.
    let runtime = Handle::current();
    match task::spawn_blocking(move || runtime.block_on(work)).await {
        Ok(Some(outcome)) => outcome,
        // It is cancelled only when nobody waits for it any longer.
        Ok(None) => std::future::pending().await,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => panic::resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::{panic::AssertUnwindSafe, thread, time::Duration};

    use futures::FutureExt;
    use tokio::{sync::oneshot, time};

    use super::*;

    #[tokio::test]
    async fn work_that_holds_its_thread_holds_nobody_else() {
        let (begun, has_begun) = oneshot::channel();
        let (end, ended) = std::sync::mpsc::channel();
        let work = tokio::spawn(aside(async move {
            begun.send(()).unwrap();
            // Nothing else would run on the one thread of this runtime.
            ended.recv().unwrap();
            time::sleep(Duration::from_millis(1)).await;
            thread::current().id()
        }));
        has_begun.await.unwrap();
        end.send(()).unwrap();
        assert_ne!(work.await.unwrap(), thread::current().id());
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_given_up() {
        let (held, dropped) = oneshot::channel::<()>();
        let work = aside(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        assert!(time::timeout(Duration::from_millis(10), work).await.is_err());
        assert!(dropped.await.is_err(), "what it held is let go");
    }

    #[tokio::test]
    async fn a_panic_reaches_who_waits() {
        let work = aside(async { panic!("of the work") });
        let panic = AssertUnwindSafe(work).catch_unwind().await.unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"of the work"));
    }
}
