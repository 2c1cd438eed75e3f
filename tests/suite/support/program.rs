//! The program itself, as a person starts it.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program, with the settings of whoever runs the tests taken away.
pub fn counterpart(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_counterpart"));
    for (name, _) in env::vars_os() {
        if ["COUNTERPART_", "AWS_"].iter().any(|start| name.to_string_lossy().starts_with(start))
            || name == "DATABASE_URL"
        {
            command.env_remove(name);
        }
    }
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// A server that runs, and is killed when the test ends.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: String,
    output: Arc<Mutex<String>>,
    log: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts `serve` on a free port and waits until it says where it listens.
    pub fn start(command: &mut Command) -> Self {
        Self::start_with(command, &[])
    }

    /// The same with further arguments of `serve`.
    pub fn start_with(command: &mut Command, arguments: &[&str]) -> Self {
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (output, prints) = collect(child.stdout.take().unwrap());
        let (log, logs) = collect(child.stderr.take().unwrap());
        let mut server = Self { child, address: String::new(), output, log, readers: vec![prints, logs] };
        let started = Instant::now();
        while server.address.is_empty() {
            if let Some(ended) = server.child.try_wait().unwrap() {
                panic!("the server ended: {ended}\n{}", server.log());
            }
            assert!(started.elapsed() < PATIENCE, "the server does not start:\n{}", server.log());
            let log = server.log();
            let address = log.split_once("address=").and_then(|(_, rest)| rest.split_whitespace().next());
            server.address = address.unwrap_or_default().to_owned();
            thread::sleep(Duration::from_millis(5));
        }
        server
    }

    /// What it printed on standard output so far.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// What it printed on standard output, once this is part of it: what is printed arrives a little later.
    pub fn printed(&self, part: &str) -> String {
        let started = Instant::now();
        while !self.output().contains(part) && started.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
        self.output()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// What it logged, once so many lines have this part: what is logged arrives a little later.
    pub fn logged(&self, part: &str, lines: usize) -> String {
        let started = Instant::now();
        while self.log().matches(part).count() < lines && started.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
        self.log()
    }

    pub fn connect(&self) -> TcpStream {
        let connection = TcpStream::connect(&self.address).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        connection
    }

    /// The answer to a GET request, head and body.
    pub fn get(&self, path: &str) -> String {
        let mut connection = self.connect();
        write!(connection, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([format!("-{signal}"), self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until it ends by itself, and has been read to its last line.
    pub fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(ended) = self.child.try_wait().unwrap() {
                self.readers.drain(..).for_each(|reader| reader.join().unwrap());
                return ended;
            }
            assert!(started.elapsed() < PATIENCE, "the server does not end:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(stream: impl Read + Send + 'static) -> (Arc<Mutex<String>>, JoinHandle<()>) {
    let text = Arc::new(Mutex::new(String::new()));
    let collected = Arc::clone(&text);
    let reader = thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut text = collected.lock().unwrap();
            text.push_str(&line);
            text.push('\n');
        }
    });
    (text, reader)
}
