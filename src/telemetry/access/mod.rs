//! Requests that were answered: each is a line in the log, among all others and of the same form, and counted in the metrics.
//!
//! That is done for many at once, a little [later](LATER): where each does it for itself, between other work, the processor
//! does not have at hand what it takes, and needs about three times as long.

mod line;

use std::{
    io::Write,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::{Duration, SystemTime},
};

use axum::{extract::MatchedPath, http::StatusCode};
use entity::UserId;
use tracing::Level;
use tracing_subscriber::fmt::{MakeWriter, writer::BoxMakeWriter};

use self::line::Form;
use super::metrics;
use crate::config::LogSettings;

/// How much later, about.
const LATER: Duration = Duration::from_millis(20);
/// Where so many wait, whoever is answered next does it himself: a slow log holds requests up, and does not fill the memory.
const ROOM: usize = 8 * 1024;
/// What is written at once at most: a pipe takes so much without mixing it with what others write to it.
const AT_ONCE: usize = 4096;
/// What a filter of the log knows the lines by.
const TARGET: &str = "counterpart::http::front";

/// What an answer is about; in the extensions of responses.
#[derive(Debug, Clone, Default)]
pub struct Told {
    pub user: Option<UserId>,
    /// The operation's kind and name, where one was carried out.
    pub kind: Option<&'static str>,
    pub name: Option<String>,
    /// The first error's code.
    pub code: Option<String>,
}

/// A request that was answered.
#[derive(Debug, Clone)]
pub struct Answered {
    pub at: SystemTime,
    pub method: &'static str,
    /// None where there is nothing at the address.
    pub route: Option<MatchedPath>,
    /// Where the route does not say it.
    pub path: Option<String>,
    pub status: StatusCode,
    /// From the request to its answer's head.
    pub took: Duration,
    /// How many SQL statements it took.
    pub statements: u64,
    pub told: Told,
    pub request_id: Arc<str>,
}

impl Answered {
    /// The route's name, in the log and in the metrics.
    pub fn route(&self) -> &str {
        self.route.as_ref().map_or("none", MatchedPath::as_str)
    }

    /// Has it logged and counted.
    pub fn record(self) {
        // Where no thread is to be had, nobody else would.
        static HAS_THREAD: LazyLock<bool> =
            LazyLock::new(|| thread::Builder::new().name("access-log".into()).spawn(|| ACCESS.run()).is_ok());
        ACCESS.record(self);
        if !*HAS_THREAD {
            ACCESS.flush();
        }
    }
}

/// Has lines written, if they are asked for.
pub fn log_to<W>(writer: W, in_colours: bool, settings: &LogSettings)
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    if settings.log.would_enable(TARGET, &Level::INFO) {
        let form = Form { format: settings.log_format, in_colours };
        // Only the first one counts where a process starts the log twice.
        let _ = ACCESS.lines.set(Lines { form, writer: BoxMakeWriter::new(writer) });
    }
}

/// Logs and counts all that were answered until now.
pub fn flush() {
    ACCESS.flush();
}

static ACCESS: Access = Access::new(ROOM);

struct Access {
    room: usize,
    waiting: Mutex<Vec<Answered>>,
    /// The first that waits has come.
    arrived: Condvar,
    /// Empty, but while they are worked off. Held by whoever does it.
    at_work: Mutex<Vec<Answered>>,
    lines: OnceLock<Lines>,
}

struct Lines {
    form: Form,
    writer: BoxMakeWriter,
}

impl Access {
    const fn new(room: usize) -> Self {
        Self {
            room,
            waiting: Mutex::new(Vec::new()),
            arrived: Condvar::new(),
            at_work: Mutex::new(Vec::new()),
            lines: OnceLock::new(),
        }
    }

    fn record(&self, answered: Answered) {
        let waiting = {
            let mut waiting = lock(&self.waiting);
            waiting.push(answered);
            waiting.len()
        };
        if waiting >= self.room {
            self.flush();
        } else if waiting == 1 {
            self.arrived.notify_one();
        }
    }

    fn run(&self) {
        loop {
            let waited = self.arrived.wait_while(lock(&self.waiting), |waiting| waiting.is_empty());
            drop(waited.unwrap_or_else(PoisonError::into_inner));
            thread::sleep(LATER);
            self.flush();
        }
    }

    fn flush(&self) {
        // A panic, which is logged where it happens, is neither the end of all lines to come nor of who happens to write these.
        let _ = catch_unwind(AssertUnwindSafe(|| self.work_off()));
    }

    fn work_off(&self) {
        let mut at_work = lock(&self.at_work);
        mem::swap(&mut *at_work, &mut *lock(&self.waiting));
        let lines = self.lines.get();
        let mut text = String::with_capacity(AT_ONCE);
        for answered in at_work.drain(..) {
            metrics::request(&answered);
            if let Some(lines) = lines {
                let before = text.len();
                lines.form.write(&mut text, &answered);
                if text.len() > AT_ONCE {
                    lines.write(&text[..before]);
                    text.drain(..before);
                }
            }
        }
        if let Some(lines) = lines {
            lines.write(&text);
        }
    }
}

impl Lines {
    fn write(&self, text: &str) {
        if !text.is_empty() {
            // A log that can't be written can't say so either.
            let _ = self.writer.make_writer().write_all(text.as_bytes());
        }
    }
}

fn lock(answered: &Mutex<Vec<Answered>>) -> MutexGuard<'_, Vec<Answered>> {
    answered.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
impl Answered {
    /// Of which there is no more to be said than of every request.
    fn plainly(id: &str) -> Self {
        Self {
            at: SystemTime::UNIX_EPOCH + Duration::from_micros(1_777_777_777_012_300),
            method: "POST",
            route: None,
            path: None,
            status: StatusCode::OK,
            took: Duration::ZERO,
            statements: 12,
            told: Told::default(),
            request_id: id.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::atomic::{AtomicBool, Ordering},
        time::Instant,
    };

    use super::*;
    use crate::telemetry::LogFormat;

    /// What was written, each time; and whether the next time is to panic.
    #[derive(Clone, Default)]
    struct Writes(Arc<Mutex<Vec<String>>>, Arc<AtomicBool>);

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            assert!(!self.1.swap(false, Ordering::Relaxed), "it was to panic");
            self.0.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Writes {
        fn ids(&self) -> Vec<usize> {
            let text = self.0.lock().unwrap().concat();
            text.lines().map(|line| line.rsplit_once(" request_id=").unwrap().1.parse().unwrap()).collect()
        }
    }

    fn access(room: usize) -> (Access, Writes) {
        let (access, writes) = (Access::new(room), Writes::default());
        let (form, into) = (Form { format: LogFormat::Text, in_colours: false }, writes.clone());
        assert!(access.lines.set(Lines { form, writer: BoxMakeWriter::new(move || into.clone()) }).is_ok());
        (access, writes)
    }

    #[test]
    fn where_there_is_no_room_the_next_one_writes() {
        let (access, writes) = access(100);
        for id in 0..250 {
            access.record(Answered::plainly(&id.to_string()));
        }
        assert_eq!(writes.ids(), (0..200).collect::<Vec<_>>());
        access.flush();
        assert_eq!(writes.ids(), (0..250).collect::<Vec<_>>());
    }

    #[test]
    fn after_a_panic_there_are_lines_again() {
        let (access, writes) = access(100);
        let access: &Access = Box::leak(Box::new(access));
        thread::spawn(|| access.run());
        let until = |what: &dyn Fn() -> bool| {
            let begun = Instant::now();
            while !what() && begun.elapsed() < Duration::from_secs(20) {
                thread::sleep(LATER);
            }
        };
        writes.1.store(true, Ordering::Relaxed);
        access.record(Answered::plainly("0"));
        until(&|| !writes.1.load(Ordering::Relaxed));
        access.record(Answered::plainly("1"));
        until(&|| !writes.ids().is_empty());
        assert_eq!(writes.ids(), [1]);
    }

    #[test]
    fn whole_lines_are_written_as_many_as_a_pipe_takes_at_once() {
        let (access, writes) = access(1_000);
        for id in 0..500 {
            access.record(Answered::plainly(&id.to_string()));
        }
        access.flush();
        let writes = writes.0.lock().unwrap();
        assert!(writes.iter().all(|text| text.ends_with('\n') && text.len() <= AT_ONCE));
        // None but the last has room for another line.
        let longest = writes.iter().flat_map(|text| text.split_inclusive('\n')).map(str::len).max().unwrap();
        assert!(writes.iter().rev().skip(1).all(|text| text.len() + longest > AT_ONCE));
    }
}
