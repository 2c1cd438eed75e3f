//! Where uploaded files lie: an S3 server, a disk that is full, a client that goes away, a file that is not there.

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpListener},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use counterpart::service::import::retention;
use object_store::{
    ObjectStoreExt, aws::AmazonS3Builder, local::LocalFileSystem, path::Path as Key, prefix::PrefixStore,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::{
    Backend, TestDatabase, World,
    import::{self, USERS, adding},
    program::{Server, counterpart},
    store::{self, Full, S3, Watched},
};

both!(
    files_lie_in_an_s3_bucket,
    a_full_store_makes_no_import_and_keeps_nothing,
    an_import_whose_file_is_gone_says_what_to_do,
);

const UPLOAD: &str = "mutation ($file: Upload!) { importUsers(input: {source: {file: $file}}) { importJob { id } userErrors { code message } } }";

/// A file of one row that is of use and others that are skipped, over 5 MiB: more than one part of an upload.
fn large() -> String {
    let filler = "x".repeat(1_000);
    format!("{}{}", adding(0..1), format!(",{filler},,,,,,,,,\n").repeat(6_000))
}

async fn files_lie_in_an_s3_bucket(world: World) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let s3 = S3::start().await;
    let bucket = AmazonS3Builder::new()
        .with_bucket_name("uploads")
        .with_region("us-east-1")
        .with_endpoint(format!("http://{}", s3.address))
        .with_allow_http(true)
        .with_access_key_id(S3::KEY)
        .with_secret_access_key(S3::SECRET)
        .build()
        .unwrap();
    let world = world.storing(Arc::new(PrefixStore::new(bucket, "one/two")));
    let (admin, text) = (world.admin(), large());
    let data = admin.upload(UPLOAD, json!({ "file": null }), "variables.file", "u.csv", text.as_bytes()).await.ok();
    let id = data["importUsers"]["importJob"]["id"].as_str().unwrap().to_owned();
    let [(name, size)] = &s3.files().into_iter().filter(|(name, _)| name.ends_with(".csv")).collect::<Vec<_>>()[..]
    else {
        panic!("one file: {:?}", s3.files())
    };
    assert_eq!(*size, text.len() as u64);
    assert!(name.starts_with("uploads/one/two/imports/"), "{name}");
    world.work().await;
    assert_eq!(import::counts(&admin, &id).await, "COMPLETED: created 1, skipped 6000");

    // What crashed between the store and the database lies there too, and goes.
    let orphan = format!("imports/{}/{}.csv", world.administrator.organization_id.0, uuid::Uuid::max());
    world.services.files.put(&Key::from(orphan), "x".into()).await.unwrap();
    assert_eq!(store::keys(&*world.services.files).await.len(), 2);
    let clock = &world.services.clock;
    clock.advance(counterpart::service::clock::Clock::system().now() - clock.now() + chrono::Duration::days(8));
    retention::sweep(&world.services, retention::Life::days(90, 7), &CancellationToken::new()).await;
    assert_eq!(store::keys(&*world.services.files).await, Vec::<String>::new());

    // One that is not there is not taken for a store that is not there.
    let id = import::made(&admin, "importUsers(input: {source: {text: $text}})", &adding(5..6)).await;
    for key in store::keys(&*world.services.files).await {
        world.services.files.delete(&Key::from(key)).await.unwrap();
    }
    world.work().await;
    assert_eq!(import::job(&admin, &id).await["error"]["code"], "NOT_FOUND");
}

async fn a_full_store_makes_no_import_and_keeps_nothing(world: World) {
    let (folder, text) = (TempDir::new().unwrap(), large());
    for full in [Full::AtTheStart, Full::InPart(0), Full::InPart(1), Full::AtTheEnd] {
        let local = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
        let world = world.storing(Arc::new(Watched::new(Arc::new(local)).full(full)));
        let answer =
            world.admin().upload(UPLOAD, json!({ "file": null }), "variables.file", "u.csv", text.as_bytes()).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::OK, "INTERNAL"), "{}", answer.text());
        let error = &answer.json["errors"][0];
        assert!(error["extensions"]["id"].is_string() && !answer.text().contains("storage"), "{error}");
        assert_eq!(import::count(&world.admin()).await, 0, "{full:?}");
        // The store removes what it began on a thread of its own.
        let started = Instant::now();
        while !all_files(folder.path()).is_empty() {
            assert!(started.elapsed() < Duration::from_secs(5), "{full:?} leaves {:?}", all_files(folder.path()));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let answer = world.admin().graphql("{ viewer { id } }", json!({})).await;
    assert_eq!(answer.status, StatusCode::OK);
}

async fn an_import_whose_file_is_gone_says_what_to_do(world: World) {
    let admin = world.admin();
    let add = "importUsers(input: {source: {text: $text}})";
    let id = import::made(&admin, add, &adding(0..2)).await;
    for key in store::keys(&*world.services.files).await {
        world.services.files.delete(&Key::from(key)).await.unwrap();
    }
    let next = import::made(&admin, add, &adding(0..3)).await;
    world.work().await;
    let job = import::job(&admin, &id).await;
    assert_eq!(
        (&job["status"], &job["error"]),
        (
            &json!("FAILED"),
            &json!({
                "code": "NOT_FOUND",
                "message": "The uploaded file is gone from where the server keeps files. Upload it again.",
            })
        )
    );
    assert_eq!(import::counts(&admin, &next).await, "COMPLETED: created 3");
}

fn all_files(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(all_files(&path));
        } else {
            files.push(path.display().to_string());
        }
    }
    files
}

/// A multipart body with the file that [`UPLOAD`] asks for.
fn multipart(file: &str) -> String {
    let part = |name: &str, content: &str| {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"{name}\"{}\r\n\r\n{content}\r\n",
            match name {
                "0" => "; filename=\"u.csv\"",
                _ => "",
            }
        )
    };
    let operations = json!({ "query": UPLOAD, "variables": { "file": null } }).to_string();
    format!(
        "{}{}{}--b--\r\n",
        part("operations", &operations),
        part("map", r#"{"0": ["variables.file"]}"#),
        part("0", file)
    )
}

fn head(token: &str, content: &str, length: usize) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: {content}\r\nContent-Length: {length}\r\n\r\n"
    )
}

fn token(server: &Server) -> String {
    let output = server.printed("makes another");
    output.lines().find_map(|line| line.strip_prefix("API token:")).unwrap().trim().to_owned()
}

/// What a running server answers.
fn send(server: &Server, token: &str, content: &str, body: &str) -> Value {
    let mut connection = server.connect();
    // A server that refuses the body early closes the connection: its answer is there all the same.
    let _ = write!(connection, "{}{body}", head(token, content, body.len()));
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (_, json) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

fn query(server: &Server, token: &str, query: &str) -> Value {
    send(server, token, "application/json", &json!({ "query": query }).to_string())
}

fn upload(server: &Server, token: &str, file: &str) -> Value {
    send(server, token, "multipart/form-data; boundary=b", &multipart(file))
}

/// The last import when it has ended.
fn ended(server: &Server, token: &str) -> Value {
    let started = Instant::now();
    loop {
        let answer =
            query(server, token, "{ importJobs(first: 1) { nodes { status created skipped error { message } } } }");
        let job = answer["data"]["importJobs"]["nodes"][0].clone();
        if !["QUEUED", "RUNNING"].contains(&job["status"].as_str().unwrap_or("RUNNING")) {
            return job;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{answer}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The store that the settings name is the one that is used, and one that can't be used stops the start.
#[test]
fn an_s3_store_is_a_setting() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let s3 = runtime.block_on(S3::start());
    let folder = TempDir::new().unwrap();
    let command = |store: &str| {
        let mut command = counterpart(folder.path());
        command
            .env("COUNTERPART_STORE", store)
            .env("AWS_ENDPOINT", format!("http://{}", s3.address))
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_ACCESS_KEY_ID", S3::KEY)
            .env("AWS_SECRET_ACCESS_KEY", S3::SECRET);
        command
    };
    let mut server = Server::start(&mut command("s3://uploads/counterpart"));
    let token = token(&server);
    let answer = upload(&server, &token, &large());
    assert_eq!(answer["data"]["importUsers"]["userErrors"], json!([]), "{answer}");
    let job = ended(&server, &token);
    assert_eq!(job, json!({ "status": "COMPLETED", "created": 1, "skipped": 6_000, "error": null }));
    let stored: Vec<String> =
        s3.files().into_iter().map(|(name, _)| name).filter(|name| name.ends_with(".csv")).collect();
    assert!(matches!(&stored[..], [one] if one.starts_with("uploads/counterpart/imports/")), "{stored:?}");
    assert!(!s3.files().iter().any(|(name, _)| name.contains("checks/")), "{:?}", s3.files());
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    fs::write(folder.path().join("file"), "").unwrap();
    let mut lines = Vec::new();
    for (store, variable, value) in [
        ("s3://uploads", "AWS_SECRET_ACCESS_KEY", "a-wrong-key"),
        ("s3://uploads", "AWS_ENDPOINT", &*format!("http://{closed}")),
        ("s3://uploads", "AWS_ALLOW_HTTP", "false"),
        ("s3://", "", ""),
        ("s3://uploads?a=b", "", ""),
        ("gs://uploads", "", ""),
        ("file/uploads", "", ""),
        ("", "", ""),
    ] {
        let mut command = command(store);
        if !variable.is_empty() {
            command.env(variable, value);
        }
        command.args(["serve", "--listen", "127.0.0.1:0"]).env("COUNTERPART_LOG", "error");
        let started = Instant::now();
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        while child.try_wait().unwrap().is_none() {
            if started.elapsed() > Duration::from_secs(30) {
                child.kill().unwrap();
                panic!("the server starts with {store} {variable}={value}");
            }
            thread::sleep(Duration::from_millis(10));
        }
        let output = child.wait_with_output().unwrap();
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), line.lines().count()), (Some(1), 1), "{store}: {line}");
        assert!(started.elapsed() < Duration::from_secs(15) && !line.contains("a-wrong-key"), "{line}");
        lines.push(line.trim_end().replace(&closed, "CLOSED").replace(&s3.address.to_string(), "S3"));
    }
    insta::assert_snapshot!(lines.join("\n"), @r"
    counterpart: COUNTERPART_STORE (--store): s3://uploads can't be used (Server returned non-2xx status code: 403 Forbidden: SignatureDoesNotMatch): check the bucket, and the AWS_ variables that say how to reach it
    counterpart: COUNTERPART_STORE (--store): s3://uploads can't be used (Connection refused (os error 111)): check the bucket, and the AWS_ variables that say how to reach it
    counterpart: COUNTERPART_STORE (--store): s3://uploads can't be used (URL scheme is not allowed): check the bucket, and the AWS_ variables that say how to reach it
    counterpart: COUNTERPART_STORE (--store): s3:// can't be read (it is not a bucket and a prefix): give s3://BUCKET or s3://BUCKET/PREFIX
    counterpart: COUNTERPART_STORE (--store): s3://uploads?a=b can't be read (it is not a bucket and a prefix): give s3://BUCKET or s3://BUCKET/PREFIX
    counterpart: COUNTERPART_STORE (--store): gs:// is not a store that this server knows: give a folder, or s3://BUCKET/PREFIX
    counterpart: COUNTERPART_STORE (--store): file/uploads can't be written to (Not a directory (os error 20)): give a folder that can
    counterpart: COUNTERPART_STORE (--store): this is empty: give a folder, or s3://BUCKET/PREFIX
    ");
}

/// A shell that lets its child write no file over 6 MiB, as on a disk that is full, and says so instead of ending it.
fn confined(folder: &Path, temporary: &Path) -> Command {
    let program = counterpart(folder);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 12288; exec \"$0\" \"$@\""]).arg(program.get_program());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(folder).stdin(Stdio::null()).env("TMPDIR", temporary);
    command
}

/// A disk without room for the upload that comes in.
#[test]
fn an_upload_that_does_not_fit_the_disk_is_refused() {
    let (folder, temporary) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let server = Server::start(&mut confined(folder.path(), temporary.path()));
    let token = token(&server);
    let answer = upload(&server, &token, &large().repeat(2));
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "INTERNAL", "{answer}");
    let id = error["extensions"]["id"].as_str().unwrap();
    assert!(
        server.log().contains(id) && server.log().contains("can't be written to the temporary folder"),
        "{}",
        server.log()
    );
    assert_eq!(all_files(temporary.path()), Vec::<String>::new());
    assert_eq!(all_files(&folder.path().join("data/files")), Vec::<String>::new());
    // The server goes on: a smaller file fits.
    let answer = query(&server, &token, "{ importJobs { totalCount } }");
    assert_eq!(answer["data"]["importJobs"]["totalCount"], 0, "{answer}");
    upload(&server, &token, &adding(0..2));
    assert_eq!(ended(&server, &token)["created"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_half_way_leaves_nothing_on_sqlite() {
    half_an_upload(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_half_way_leaves_nothing_on_postgres() {
    half_an_upload(Backend::Postgres).await;
}

async fn half_an_upload(backend: Backend) {
    let Some(database) = TestDatabase::empty(backend).await else { return };
    let url = database.url.clone();
    tokio::task::spawn_blocking(move || {
        let (folder, temporary) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let server = Server::start(counterpart(folder.path()).env("DATABASE_URL", url).env("TMPDIR", temporary.path()));
        let token = token(&server);
        let body = multipart(&large());
        let half = &body[..body.len() / 2];
        let until = |what: &str, is: &dyn Fn() -> bool| {
            let started = Instant::now();
            while !is() {
                assert!(started.elapsed() < Duration::from_secs(20), "{what}:\n{}", server.log());
                thread::sleep(Duration::from_millis(5));
            }
        };
        let spooled = || !all_files(temporary.path()).is_empty();
        // One that hangs up, and one that only stops sending and still listens.
        for shutdown in [Shutdown::Both, Shutdown::Write] {
            let mut connection = server.connect();
            let head = head(&token, "multipart/form-data; boundary=b", body.len());
            write!(connection, "{head}{half}").unwrap();
            until("the file does not arrive", &spooled);
            connection.shutdown(shutdown).unwrap();
            until("the file stays", &|| !spooled());
            let mut rest = Vec::new();
            let _ = connection.read_to_end(&mut rest);
            assert!(!String::from_utf8_lossy(&rest).contains(" 200 "), "{}", String::from_utf8_lossy(&rest));
        }
        let answer = query(&server, &token, "{ importJobs { totalCount } }");
        assert_eq!(answer["data"]["importJobs"]["totalCount"], 0, "{answer}");
        assert_eq!(all_files(&folder.path().join("data/files")), Vec::<String>::new());
        assert_eq!(upload(&server, &token, &format!("{USERS}\nlast@x.com,,,,,,,,,,Add\n"))["errors"], Value::Null);
        assert_eq!(ended(&server, &token)["created"], 1);
    })
    .await
    .unwrap();
    database.remove().await;
}
