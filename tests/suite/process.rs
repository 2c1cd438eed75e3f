//! The program from outside: what it prints, how it refuses to start, how it stops.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::Output,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::support::{
    Backend, TestDatabase,
    program::{Server, counterpart},
};

#[tokio::test]
async fn a_first_start_on_sqlite() {
    first_start(Backend::Sqlite).await;
}

#[tokio::test]
async fn a_first_start_on_postgres() {
    first_start(Backend::Postgres).await;
}

async fn first_start(backend: Backend) {
    let Some(database) = TestDatabase::empty(backend).await else { return };
    let folder = TempDir::new().unwrap();
    let command = || {
        let mut command = counterpart(folder.path());
        command.env("DATABASE_URL", &database.url);
        command
    };
    let mut server = Server::start(&mut command());
    assert!(server.get("/health/ready").starts_with("HTTP/1.1 200 "));
    let port = server.address.split(':').next_back().unwrap().to_owned();
    let printed = server.printed("makes another").replace(&port, "PORT");
    let printed = regex::Regex::new("cpt_[A-Za-z0-9_-]{64}").unwrap().replace_all(&printed, "TOKEN").into_owned();
    insta::allow_duplicates! {
        insta::assert_snapshot!(printed, @r#"
        The database was empty: it now has the organisation "My organization" and its administrator admin@example.com.

        API token:  TOKEN
        Start page: http://127.0.0.1:PORT/
        GraphiQL:   http://127.0.0.1:PORT/graphiql

        The token is shown this once. `counterpart bootstrap` makes another.
        "#);
    }
    server.signal("INT");
    assert_eq!(server.wait().code(), Some(0));

    // The second start has nothing to say, and finds the key that the first one kept.
    let key = fs::read_to_string(folder.path().join("data/secret-key")).unwrap();
    let mut server = Server::start(&mut command());
    assert!(server.get("/health/ready").starts_with("HTTP/1.1 200 "));
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert_eq!(server.output(), "");
    assert_eq!(fs::read_to_string(folder.path().join("data/secret-key")).unwrap(), key);

    // The only line of standard output is the token.
    let bootstrap = command().args(["bootstrap", "--organization=A", "--admin-email=a@b.example"]).output().unwrap();
    let token = String::from_utf8(bootstrap.stdout).unwrap();
    assert!(bootstrap.status.success() && token.starts_with("cpt_") && token.lines().count() == 1, "{token}");
    database.remove().await;
}

#[test]
fn every_request_has_its_line() {
    const REQUESTS: usize = 200;
    const LINE: &str = r#" answered method="GET" route="/health/live" status=200 "#;
    let folder = TempDir::new().unwrap();
    for (filter, has_lines) in [("info,counterpart::http=warn", false), ("warn,counterpart=info", true)] {
        let mut command = counterpart(folder.path());
        let mut server = Server::start(command.env("COUNTERPART_LOG", filter).env("COUNTERPART_LOG_FORMAT", "text"));
        let mut sent = 0;
        for requests in [1, REQUESTS] {
            let mut connection = server.connect();
            connection
                .write_all("GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n".repeat(requests).as_bytes())
                .unwrap();
            let answers = BufReader::new(&connection).lines().map_while(Result::ok);
            let answered = answers.filter(|line| line.starts_with("HTTP/1.1 200 ")).take(requests);
            assert_eq!(answered.count(), requests);
            sent += requests;
            // They wait neither for other requests nor for the end.
            let lines = if has_lines { sent } else { 0 };
            assert_eq!(server.logged(LINE, lines).matches(LINE).count(), lines, "{filter}");
        }
        server.signal("TERM");
        assert!(server.wait().success());
        let lines = if has_lines { sent } else { 0 };
        assert_eq!(server.log().matches(LINE).count(), lines, "{filter}");
    }
}

/// The line is written a little later than the answer, and the server ends in between.
#[test]
fn the_last_request_has_its_line() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&mut counterpart(folder.path()));
    let output = server.printed("API token:");
    let token = output.split("API token:").nth(1).unwrap().split_whitespace().next().unwrap();
    let body = r#"{"query": "query TheLast { viewer { email } }"}"#;
    let mut connection = server.connect();
    let (first, rest) = body.split_at(10);
    write!(
        connection,
        "POST /graphql HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {}\r\n\r\n{first}",
        body.len()
    )
    .unwrap();
    server.signal("TERM");
    // Until it waits for nothing but this.
    thread::sleep(Duration::from_secs(1));
    connection.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(server.wait().success());
    let log = server.log();
    assert!(log.contains(r#"operation="TheLast""#), "{log}");
}

#[cfg(unix)]
#[test]
fn the_kept_key_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let folder = TempDir::new().unwrap();
    let _server = Server::start(&mut counterpart(folder.path()));
    let mode = fs::metadata(folder.path().join("data/secret-key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// A server that an administrator would start again and again must not keep anybody waiting.
#[test]
fn a_start_takes_no_time() {
    let folder = TempDir::new().unwrap();
    drop(Server::start(&mut counterpart(folder.path())));
    let started = Instant::now();
    let server = Server::start(&mut counterpart(folder.path()));
    assert!(server.get("/health/ready").starts_with("HTTP/1.1 200 "));
    let took = started.elapsed();
    // 200 ms are promised, of a release build on a machine that does nothing else.
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_setting_that_can_not_be_used_is_named() {
    let folder = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_address = taken.local_addr().unwrap().to_string();
    fs::write(folder.path().join("file"), "not a database, and not a folder").unwrap();
    // A port that nobody listens at any more.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let down = format!("postgres://user:a-secret@{closed}/counterpart");

    // Numbers of errors are the system's own.
    let number = regex::Regex::new(r" \(os error \d+\)").unwrap();
    let mut lines = Vec::new();
    for (variable, value) in [
        ("COUNTERPART_LISTEN", "nonsense"),
        ("COUNTERPART_LISTEN", &taken_address),
        ("COUNTERPART_LISTEN", "203.0.113.1:8000"),
        ("COUNTERPART_DATA_DIR", "file/data"),
        ("DATABASE_URL", &down),
        ("DATABASE_URL", "mysql://localhost/counterpart"),
        ("DATABASE_URL", "postgres://[nonsense"),
        ("DATABASE_URL", "sqlite://file"),
        ("DATABASE_URL", "sqlite://file/counterpart.db"),
        ("COUNTERPART_REPLICA_URL", &down),
        ("COUNTERPART_TRANSACTION_POOLING", "maybe"),
        ("COUNTERPART_PUBLIC_URL", "counterpart.example"),
        ("COUNTERPART_SECRET_KEY", "a-secret"),
        ("COUNTERPART_MAX_CONNECTIONS", "0"),
        ("COUNTERPART_MAX_UPLOAD_BYTES", "5 MB"),
        ("COUNTERPART_IMPORT_DAYS", "0"),
        ("COUNTERPART_UPLOAD_DAYS", "a week"),
        ("COUNTERPART_LOG", "a=b=c"),
        ("COUNTERPART_LOG_FORMAT", "xml"),
        ("COUNTERPART_ORGANIZATION", ""),
        ("COUNTERPART_ADMIN_EMAIL", "nobody"),
    ] {
        let mut command = counterpart(folder.path());
        command.arg("serve").env("COUNTERPART_LOG", "error").env("COUNTERPART_LISTEN", "127.0.0.1:0");
        let Output { status, stdout, stderr } = command.env(variable, value).output().unwrap();
        let line = String::from_utf8(stderr).unwrap();
        assert_eq!((status.code(), stdout.len(), line.lines().count()), (Some(1), 0, 1), "{variable}={value}: {line}");
        assert!(line.contains(variable) && !line.contains("a-secret"), "{line}");
        let line = line.replace(&taken_address, "TAKEN").replace(&closed.to_string(), "CLOSED");
        lines.push(number.replace(line.trim_end(), "").into_owned());
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
    counterpart: COUNTERPART_LISTEN (--listen): nonsense is not an address to listen at: give an address and a port, for example 127.0.0.1:8000
    counterpart: COUNTERPART_LISTEN (--listen): TAKEN is taken by another program: stop that one, or give another port, for example 127.0.0.1:8001
    counterpart: COUNTERPART_LISTEN (--listen): 203.0.113.1:8000 is not an address of this machine: give one that is, or 0.0.0.0 for all
    counterpart: COUNTERPART_DATA_DIR (--data-dir): file/data can't be written to (Not a directory): give a folder that can
    counterpart: DATABASE_URL (--database-url): the database counterpart at CLOSED does not answer (Connection refused): see that it runs and can be reached from here
    counterpart: DATABASE_URL (--database-url): this is not the address of a database that this server knows; give sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME
    counterpart: DATABASE_URL (--database-url): this can't be read: invalid IPv6 address
    counterpart: DATABASE_URL (--database-url): the file file is not a SQLite database
    counterpart: DATABASE_URL (--database-url): the file file/counterpart.db can't be used: the folder file can't be made: File exists
    counterpart: COUNTERPART_REPLICA_URL (--replica-url): only a PostgreSQL database has replicas, and DATABASE_URL names another
    counterpart: COUNTERPART_TRANSACTION_POOLING (--transaction-pooling): `maybe` can't be used: give one of true, false
    counterpart: COUNTERPART_PUBLIC_URL (--public-url): `counterpart.example` can't be used: give the whole address, such as https://counterpart.example.com
    counterpart: COUNTERPART_SECRET_KEY (--secret-key): this can't be used: give at least 32 characters, for example from `openssl rand -hex 32`
    counterpart: COUNTERPART_MAX_CONNECTIONS (--max-connections): `0` can't be used: 0 is not in 1..=10000
    counterpart: COUNTERPART_MAX_UPLOAD_BYTES (--max-upload-bytes): `5 MB` can't be used: give a whole number, without a unit
    counterpart: COUNTERPART_IMPORT_DAYS (--import-days): `0` can't be used: 0 is not in 1..=36500
    counterpart: COUNTERPART_UPLOAD_DAYS (--upload-days): `a week` can't be used: invalid digit found in string
    counterpart: COUNTERPART_LOG (--log): `a=b=c` can't be used: invalid filter directive: too many '=' in filter directive, expected 0 or 1
    counterpart: COUNTERPART_LOG_FORMAT (--log-format): `xml` can't be used: give one of text, json
    counterpart: COUNTERPART_ORGANIZATION (--organization): The organisation needs a name; this is empty.
    counterpart: COUNTERPART_ADMIN_EMAIL (--admin-email): "nobody" is not an email address: it has no @.
    "#);
}

#[test]
fn usage_is_another_matter() {
    let folder = TempDir::new().unwrap();
    for arguments in [&["fly"][..], &["serve", "--fly"], &["bootstrap"], &[]] {
        let output = counterpart(folder.path()).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    let help = counterpart(folder.path()).args(["serve", "--help"]).output().unwrap();
    assert_eq!(help.status.code(), Some(0));
    let schema = counterpart(folder.path()).arg("schema").output().unwrap();
    assert_eq!(String::from_utf8(schema.stdout).unwrap(), counterpart::graphql::sdl());
}

#[test]
fn what_is_in_flight_is_finished() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&mut counterpart(folder.path()));
    let output = server.output();
    let token = output.lines().find_map(|line| line.strip_prefix("API token:")).unwrap().trim();

    let body = r#"{"query": "{ viewer { id } }"}"#;
    let (now, later) = body.split_at(10);
    let mut in_flight = server.connect();
    write!(
        in_flight,
        "POST /graphql HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{now}",
        body.len()
    )
    .unwrap();
    let mut idle = server.connect();
    // Both are accepted before the server is told to stop.
    assert!(server.get("/health/live").contains("live"));
    thread::sleep(Duration::from_millis(100));

    server.signal("TERM");
    let started = Instant::now();
    while TcpStream::connect(&server.address).is_ok() {
        assert!(started.elapsed() < Duration::from_secs(5), "new connections are still taken");
        thread::sleep(Duration::from_millis(5));
    }
    write!(in_flight, "{later}").unwrap();
    let mut answer = String::new();
    in_flight.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(r#"{"data":{"viewer""#), "{answer}");
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
    assert_eq!(server.wait().code(), Some(0));
}
