//! A PostgreSQL server of a test's own.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use url::Url;

/// A server that can be started again, and have a replica.
pub struct Postgres {
    pub url: String,
    script: Child,
    ask: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Postgres {
    /// What is acknowledged is on the disk with this one, as everywhere but in the other tests.
    pub async fn start() -> Self {
        let shell = "echo \"$COUNTERPART_TEST_POSTGRES_URL\"
            while read -r what; do
                sh -c \"$COUNTERPART_TEST_POSTGRES_RUN $what\" >/dev/null 2>&1 </dev/null
                echo \"$?\"
            done";
        let mut script = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/script/with-postgres"))
            .args(["sh", "-c", shell])
            .env_remove("COUNTERPART_TEST_POSTGRES_URL")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What stops the tests from the keyboard must not stop the script before it has cleared up.
            .process_group(0)
            .spawn()
            .unwrap();
        let (ask, mut answers) = (script.stdin.take(), BufReader::new(script.stdout.take().unwrap()));
        let mut url = String::new();
        answers.read_line(&mut url).unwrap();
        let server = Self { url: url.trim().to_owned(), script, ask, answers };
        execute(&server.url, "ALTER ROLE postgres SET synchronous_commit = on").await;
        server
    }

    /// Runs one of the server's programs, in the folder that its `data` is in.
    pub fn run(&mut self, what: &str) {
        writeln!(self.ask.as_mut().unwrap(), "{what}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer, "0\n", "{what}");
    }

    /// Starts a replica, whose data is in `replica`; its address.
    pub fn replica(&mut self) -> String {
        let mut url = Url::parse(&self.url).unwrap();
        self.run(&format!("pg_basebackup -d '{url}' -D replica -R -X stream -c fast --no-sync"));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        url.set_port(Some(port)).unwrap();
        self.start_replica(&url);
        url.into()
    }

    /// Starts the replica again, where it was.
    pub fn start_replica(&mut self, url: &Url) {
        let settings = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300 -c fsync=off",
            url.port().unwrap()
        );
        self.run(&format!("pg_ctl -D replica -l replica.log -w -o '{settings}' start"));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The script ends with its input, and takes the servers with it.
        drop(self.ask.take());
        let _ = self.script.wait();
    }
}

/// Has a server carry out a statement.
pub async fn execute(url: &str, statement: &str) {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await.unwrap();
    connection.execute_unprepared(statement).await.unwrap();
    connection.close().await.unwrap();
}
