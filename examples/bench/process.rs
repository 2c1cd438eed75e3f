//! The program as a process: how fast it starts, and its memory.

use std::{
    env, fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    report::Report,
    requests::{SOMEBODY, ms},
    world::{World, email},
};

/// `counterpart`, built as the examples are: it lies beside them.
fn program() -> PathBuf {
    let here = env::current_exe().unwrap();
    let program = here.parent().and_then(Path::parent).unwrap().join("counterpart");
    assert!(program.exists(), "{} is not there: cargo build it in the same profile", program.display());
    program
}

pub fn measure_start(url: &str, folder: &Path, world: &World, report: &mut Report) {
    let mut times = Vec::new();
    let mut memory = 0;
    for _ in 0..5 {
        let (time, rss) = start(url, folder, &world.administrator.token);
        times.push(time);
        memory = memory.max(rss);
    }
    times.sort_unstable();
    report.at_most("start to first answer", ms(times[times.len() / 2]).round(), 200.0, " ms");
    report.at_most("memory when idle", (memory as f64 / 1024.0).round(), 50.0, " MB");
}

/// How long the program takes until it has answered a query, and its memory a little later.
fn start(url: &str, folder: &Path, token: &str) -> (Duration, u64) {
    let started = Instant::now();
    let server = Server::start(url, folder, &[]);
    let query = format!("{{ user(by: {{email: \"{}\"}}) {{ email }} }}", email(SOMEBODY));
    let body = serde_json::json!({ "query": query }).to_string();
    let answer = server.send(&format!(
        "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    let time = started.elapsed();
    assert!(answer.unwrap().contains(&email(SOMEBODY)));
    thread::sleep(Duration::from_secs(3));
    (time, server.memory())
}

/// The program, serving; killed when it goes out of scope.
pub struct Server {
    pub address: SocketAddr,
    child: Child,
}

impl Server {
    /// Starts it and waits until it answers.
    pub fn start(url: &str, folder: &Path, settings: &[(&str, &str)]) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new(program())
            .args(["serve", "--database-url", url, "--listen", &address.to_string(), "--data-dir"])
            .arg(folder.join("data"))
            .envs(settings.iter().copied())
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { address, child };
        let started = Instant::now();
        let live = "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
        while !server.send(live).is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            assert!(server.child.try_wait().unwrap().is_none(), "the program does not start");
            assert!(started.elapsed() < Duration::from_secs(20), "the program does not answer");
            thread::sleep(Duration::from_millis(1));
        }
        server
    }

    fn send(&self, request: &str) -> Option<String> {
        let mut connection = TcpStream::connect(self.address).ok()?;
        connection.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// What it has in memory now, in kB.
    pub fn memory(&self) -> u64 {
        status(&self.child.id().to_string(), "VmRSS")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A line of `/proc/PROCESS/status`, in kB.
pub fn status(process: &str, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The time that the threads of this process have been on a processor, those that have ended left out.
pub fn processor_time() -> Duration {
    let nanoseconds = fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}
