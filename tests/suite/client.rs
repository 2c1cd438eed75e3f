//! The commands that talk to a server: the program itself, against the program itself.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Backend, TestDatabase,
    program::{Server, counterpart},
};

/// The server of a demonstration organisation, and a folder to work in.
struct Office {
    server: Server,
    token: String,
    folder: TempDir,
}

/// What a command said, and how it ended.
#[derive(Debug, PartialEq)]
struct Ended {
    code: Option<i32>,
    output: String,
    errors: String,
}

impl Office {
    fn open(database: &TestDatabase) -> Self {
        let folder = TempDir::new().unwrap();
        let server = Server::start_with(counterpart(folder.path()).env("DATABASE_URL", &database.url), &["--demo"]);
        let printed = server.printed("makes another");
        let token = printed.lines().find_map(|line| line.strip_prefix("API token:")).unwrap().trim().to_owned();
        Self { server, token, folder }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = counterpart(self.folder.path());
        for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(proxy);
        }
        command.args(arguments);
        command.env("COUNTERPART_URL", format!("http://{}", self.server.address)).env("COUNTERPART_TOKEN", &self.token);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.ended(self.command(arguments).output().unwrap())
    }

    /// Ids, ports and the moment are other ones each time.
    fn ended(&self, output: Output) -> Ended {
        let cleaned = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap().replace(&self.server.address, "SERVER");
            let text =
                regex::Regex::new(r"/downloads/[\w.-]+").unwrap().replace_all(&text, "/downloads/SIGNED").into_owned();
            regex::Regex::new(r"\bCQ[\w-]{21}\b").unwrap().replace_all(&text, "ID").into_owned()
        };
        Ended { code: output.status.code(), output: cleaned(output.stdout), errors: cleaned(output.stderr) }
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }
}

impl Ended {
    fn show(&self) -> String {
        format!("{}{}exit code {}", self.errors, self.output, self.code.unwrap())
    }
}

macro_rules! on_both {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn sqlite() {
                on(Backend::Sqlite, super::$name).await;
            }

            #[tokio::test]
            async fn postgres() {
                on(Backend::Postgres, super::$name).await;
            }
        }
    )*};
}

on_both!(
    files_go_in_and_what_fails_is_told,
    a_plan_is_carried_out_and_undone,
    files_come_out,
    what_can_not_be_done_is_told
);

async fn on(backend: Backend, test: fn(&Office)) {
    let Some(database) = TestDatabase::empty(backend).await else { return };
    let office = Office::open(&database);
    // What one database answers, the other does too.
    insta::allow_duplicates! { test(&office) }
    drop(office);
    database.remove().await;
}

const USERS: &str = "Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,Licenses,Operation";

fn files_go_in_and_what_fails_is_told(office: &Office) {
    office
        .write("good.csv", &format!("{USERS}\na@x.com,Ann,,,New:Team,,,,,,Add\nb@x.com,Bob,,,,,,,,,Add\n,,,,,,,,,,\n"));
    let good = office.run(&["import", "users", "good.csv", "--create-missing-teams"]);
    insta::assert_snapshot!(good.show(), @"
    good.csv is import ID.
    Import ID: completed. Rows: 3 (2 created, 1 skipped).
    exit code 0
    ");

    office.write(
        "bad.csv",
        &format!("{USERS}\nc@x.com,Cy,,,,,,,,,Add\na@x.com,Ann,,,,,,,,,Add\nd@x.com,,,,Nowhere,Boss,,,,,Add\n"),
    );
    let bad = office.run(&["import", "users", "bad.csv", "--log", "failed.csv"]);
    insta::assert_snapshot!(bad.show(), @r#"
    bad.csv is import ID.
    The log of all failed rows is in failed.csv.
    Import ID: completed. Rows: 3 (1 created, 2 failed).
    Failed rows:
      line 3, Email Address: ALREADY_EXISTS: There already is a user with the email a@x.com.
      line 4, Role: INVALID: "Boss" is not one of Admin, Manager, Member, Data.
      line 4, Team: TEAM_NOT_FOUND: There is no team "Nowhere".
    exit code 1
    "#);
    insta::assert_snapshot!(office.read("failed.csv"), @r#"
    Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,Licenses,Operation,_line,_column,_code,_message
    a@x.com,Ann,,,,,,,,,Add,3,Email Address,ALREADY_EXISTS,There already is a user with the email a@x.com.
    d@x.com,,,,Nowhere,Boss,,,,,Add,4,Role; Team,INVALID; TEAM_NOT_FOUND,"""Boss"" is not one of Admin, Manager, Member, Data.; There is no team ""Nowhere""."
    "#);

    // By name, from standard input: more rows fail than are shown.
    let mut rows = String::from("operation,email address\n");
    for i in 0..30 {
        rows.push_str(&format!("Edit,nobody{i}@x.com\n"));
    }
    let mut piped = office.command(&["import", "users", "-", "--by-name"]);
    let mut piped = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    piped.stdin.take().unwrap().write_all(rows.as_bytes()).unwrap();
    let piped = office.ended(piped.wait_with_output().unwrap());
    assert_eq!((piped.code, piped.output.lines().count()), (Some(1), 22), "{}", piped.show());
    let first = piped.output.lines().take(3).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(first, @"
    Import ID: completed. Rows: 30 (30 failed).
    Failed rows, the first 20 of 30:
      line 2, Email Address: USER_NOT_FOUND: There is no user with the email nobody0@x.com.
    ");

    office.write("crm.csv", "external_id,email,name\n0058Z00000zzzzz,a@x.com,Ann\n");
    let crm_users = office.run(&["import", "crm-users", "--integration", "Salesforce", "crm.csv"]);
    insta::assert_snapshot!(crm_users.show(), @"
    crm.csv is import ID.
    Import ID: completed. Rows: 1 (1 created).
    exit code 0
    ");
    // Linking was faster.
    office.write("map.csv", "email,external_id,alias_email,operation\na@x.com,a@x.com,ann@x.com,add\n");
    let map = ["import", "mappings", "--integration", "Salesforce", "map.csv"];
    let refused = office.run(&map);
    assert_eq!(refused.code, Some(1), "{}", refused.show());
    assert!(refused.output.contains("line 2, email: MAPPING_EXISTS: "), "{}", refused.show());
    let mapped = office.run(&[&map[..], &["--on-existing", "override-automatic"]].concat());
    insta::assert_snapshot!(mapped.show(), @"
    map.csv is import ID.
    Import ID: completed. Rows: 1 (1 updated).
    exit code 0
    ");

    let asked = office.command(&["import", "users", "bad.csv", "--json"]).output().unwrap();
    let job: Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!((asked.status.code(), &job["failed"], &job["status"]), (Some(1), &json!(3), &json!("COMPLETED")));
    let followed = office.run(&["import", "follow", job["id"].as_str().unwrap()]);
    assert_eq!(followed.code, Some(1), "{}", followed.show());
    assert!(followed.output.starts_with("Import ID: completed. Rows: 3 (3 failed).\n"), "{}", followed.show());
    // It has ended.
    let canceled = office.run(&["import", "cancel", job["id"].as_str().unwrap()]);
    assert_eq!((canceled.code, canceled.output.as_str()), (Some(2), ""), "{}", canceled.show());
}

fn a_plan_is_carried_out_and_undone(office: &Office) {
    office.write("users.csv", &format!("{USERS}\na@x.com,Ann,,,,,,,,,Add\nb@x.com,Bob,,,,,,,,,Add\n"));
    let asked = office.command(&["import", "users", "users.csv", "--plan", "--json"]).output().unwrap();
    let plan: Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!((asked.status.code(), &plan["status"], &plan["created"]), (Some(0), &json!("PLANNED"), &json!(2)));
    let id = plan["id"].as_str().unwrap();
    assert!(!office.run(&["export", "users"]).output.contains("a@x.com"));

    let applied = office.run(&["import", "apply", id]);
    assert_eq!(applied.show(), "Import ID: completed. Rows: 2 (2 created).\nexit code 0");
    assert!(office.run(&["export", "users"]).output.contains("a@x.com"));
    // One of them is another one by now.
    office.write("edit.csv", &format!("{USERS}\nb@x.com,Robert,,,,,,,,,Edit\n"));
    assert_eq!(office.run(&["import", "users", "edit.csv"]).code, Some(0));
    let reverted = office.run(&["import", "revert", id]);
    assert_eq!(reverted.code, Some(1), "{}", reverted.show());
    assert!(reverted.output.contains("Rows undone: 1, left alone: 1."), "{}", reverted.show());
    let left = office.run(&["export", "users"]).output;
    assert!(!left.contains("a@x.com") && left.contains("b@x.com,Robert"), "{left}");

    // One row fails, and nothing goes in.
    office.write("bad.csv", &format!("{USERS}\nc@x.com,Cy,,,,,,,,,Add\nb@x.com,Bob,,,,,,,,,Add\n"));
    let rejected = office.run(&["import", "users", "bad.csv", "--reject-file"]);
    assert_eq!(rejected.code, Some(2), "{}", rejected.show());
    assert!(rejected.errors.contains("the import failed: ROWS_FAILED: "), "{}", rejected.show());
    assert!(rejected.output.contains("line 3, Email Address: ALREADY_EXISTS: "), "{}", rejected.show());
}

fn files_come_out(office: &Office) {
    let printed = office.run(&["export", "users"]);
    assert_eq!((printed.code, printed.errors.as_str()), (Some(0), ""));
    assert!(printed.output.starts_with("Email Address,") && printed.output.lines().count() > 20, "{}", printed.output);
    // Whoever imports what was exported changes nothing.
    let rows: Vec<String> =
        printed.output.lines().skip(1).map(|line| line.rsplitn(4, ',').last().unwrap().to_owned() + ",Edit").collect();
    office.write("again.csv", &format!("{USERS}\n{}\n", rows.join("\n")));
    let again = office.run(&["import", "users", "again.csv"]);
    let expected = format!("Import ID: completed. Rows: {0} ({0} unchanged).\n", rows.len());
    assert_eq!((again.code, again.output), (Some(0), expected), "{}", again.errors);

    office.write("users.csv", "what was there before");
    let saved = office.run(&["export", "users", "-o", "users.csv"]);
    assert_eq!(saved.show(), "exit code 0");
    assert_eq!(office.read("users.csv"), printed.output);
    let packed = office.run(&["export", "users", "--output", "users.csv.gz", "--gzip"]);
    assert_eq!(packed.show(), "exit code 0");
    let mut unpacked = String::new();
    let packed = fs::File::open(office.folder.path().join("users.csv.gz")).unwrap();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, printed.output);

    let mappings = office.run(&["export", "mappings", "--integration", "Salesforce"]);
    assert_eq!(mappings.code, Some(0));
    assert!(
        mappings.output.starts_with("email,external_id,alias_email,operation,_integration,"),
        "{}",
        mappings.output
    );
    assert!(mappings.output.lines().skip(1).all(|line| line.contains(",Salesforce,")), "{}", mappings.output);
    assert_eq!(office.run(&["export", "mappings"]), mappings);

    // Nothing is left beside them, whatever happens.
    let refused = office.run(&["export", "mappings", "--integration", "Nowhere", "-o", "users.csv"]);
    assert_eq!(refused.code, Some(2), "{}", refused.show());
    assert_eq!(office.read("users.csv"), printed.output);
    let left = |folder: &Path| {
        fs::read_dir(folder)
            .unwrap()
            .filter(|found| found.as_ref().unwrap().file_name().to_string_lossy().starts_with(".counterpart-"))
            .count()
    };
    assert_eq!(left(office.folder.path()), 0);
}

fn what_can_not_be_done_is_told(office: &Office) {
    office.write("users.csv", &format!("{USERS}\na@x.com,Ann,,,,,,,,,Add\n"));
    office.write("no.csv", "Email,Name\na@x.com,Ann\n");
    office.write("empty.csv", "");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("http://{closed}");
    let elsewhere = format!("http://{}/elsewhere", office.server.address);
    let secure = format!("https://{}", office.server.address);
    // Numbers of errors are the system's own.
    let number = regex::Regex::new(r" \(os error \d+\)").unwrap();
    let mut told = Vec::new();
    for arguments in [
        &["import", "users", "missing.csv"][..],
        &["import", "users", "."],
        &["import", "users", "no.csv"],
        &["import", "users", "empty.csv"],
        &["import", "mappings", "--integration", "Nowhere", "users.csv"],
        &["import", "users", "users.csv", "--log", "missing/log.csv"],
        &["import", "apply", "nothing"],
        &["import", "follow", "nothing"],
        &["import", "users", "users.csv", "--url", &nobody],
        &["import", "users", "users.csv", "--url", &elsewhere],
        &["import", "users", "users.csv", "--url", &secure],
        &["import", "users", "users.csv", "--url", "localhost"],
        &["import", "users", "users.csv", "--token", "cpt_a-secret"],
        &["import", "users", "users.csv", "--token", "a secret"],
        &["export", "users", "-o", "missing/users.csv"],
        &["export", "mappings", "--integration", "Nowhere"],
    ] {
        let ended = office.run(arguments);
        assert_eq!((ended.code, ended.output.as_str()), (Some(2), ""), "{arguments:?}: {}", ended.errors);
        let told_of = number.replace(ended.errors.trim_end(), "").into_owned();
        told.push(told_of.replace(&closed.to_string(), "CLOSED"));
    }
    let told = told.join("\n");
    assert!(!told.contains("secret"), "{told}");
    insta::assert_snapshot!(told, @r#"
    counterpart: missing.csv can't be read: No such file or directory
    counterpart: . can't be read: it is a folder
    counterpart: the server refuses the file: HEADER_MISMATCH (source): The header row does not fit. Missing: "Email Address"; "First Name"; "Last Name"; "Title"; "Team"; "Role"; "Object Visibility"; "Configuration Profile"; "Manager Of"; "Licenses"; "Operation". Unknown: "Email" (column 1), nearest to "Email Address"; "Name" (column 2), nearest to "Manager Of". The header must be: Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,Licenses,Status,Suspended At,Operation ("Status" and "Suspended At" may be left out).
    counterpart: the server refuses the file: EMPTY_FILE (source): The file is empty: it has not even a header row.
    counterpart: the server refuses the file: NOT_FOUND (integration): There is no integration named "Nowhere".
    counterpart: missing/log.csv can't be written: No such file or directory
    counterpart: the server refuses this: NOT_FOUND (id): There is no import with this id.
    counterpart: there is no import nothing
    counterpart: http://CLOSED/ can't be reached (Connection refused): see that the server runs, or give its address with --url (COUNTERPART_URL)
    counterpart: http://SERVER/elsewhere/ answers 404 Not Found, and not as a Counterpart server does: give the server's address with --url (COUNTERPART_URL)
    counterpart: https://SERVER/ can't be reached (received corrupt message of type InvalidContentType): see that the server runs, or give its address with --url (COUNTERPART_URL)
    counterpart: COUNTERPART_URL (--url): `localhost` can't be used: give the whole address, such as https://counterpart.example.com
    counterpart: the server refuses the token (COUNTERPART_TOKEN, --token): it is unknown, expired or revoked, or its user may not sign in
    counterpart: COUNTERPART_TOKEN (--token): this can't be used: give the token as it was printed, `cpt_…`
    counterpart: missing/users.csv can't be written: No such file or directory
    counterpart: the server refuses the export: NOT_FOUND (filter.integration): There is no integration named "Nowhere".
    "#);
    let usage = office.command(&["import", "users", "users.csv"]).env_remove("COUNTERPART_TOKEN").output().unwrap();
    assert_eq!(usage.status.code(), Some(2));
    let help = office.command(&["import", "users", "--help"]).output().unwrap();
    assert!(!String::from_utf8(help.stdout).unwrap().contains(&office.token));
}
