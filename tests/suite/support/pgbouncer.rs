//! A PgBouncer before the test's PostgreSQL, that gives each transaction another connection.

use std::{
    env,
    fs::{self, Permissions},
    io::Read,
    net::{TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use url::Url;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct PgBouncer {
    /// The database's address by way of here.
    pub url: String,
    shell: Child,
    _folder: TempDir,
}

impl PgBouncer {
    /// Whether this version knows on which connection a statement was prepared: 1.21 and newer.
    pub fn keeps_statements() -> bool {
        let version = Command::new(program()).arg("--version").output().unwrap().stdout;
        let version = String::from_utf8(version).unwrap();
        let mut parts = version.split_whitespace().nth(1).unwrap().split('.').map(|part| part.parse::<u32>().unwrap());
        (parts.next(), parts.next()) >= (Some(1), Some(21))
    }

    /// Before a database, with so many connections to it for everybody together.
    pub fn before(database: &str, connections: u32) -> Self {
        let program = program();
        let mut url = Url::parse(database).unwrap();
        let folder = TempDir::new().unwrap();
        // Whoever it is run as must get at its settings.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        for _ in 0..5 {
            // Free now; another program may be faster.
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let settings = settings(&url, port, connections);
            let file = folder.path().join("pgbouncer.ini");
            fs::write(&file, settings).unwrap();
            let mut shell = start(&program, &file);
            let started = Instant::now();
            while shell.try_wait().unwrap().is_none() && started.elapsed() < PATIENCE {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    url.set_port(Some(port)).unwrap();
                    return Self { url: url.into(), shell, _folder: folder };
                }
                thread::sleep(Duration::from_millis(10));
            }
            let mut log = String::new();
            drop(shell.stdin.take());
            shell.stderr.take().unwrap().read_to_string(&mut log).unwrap();
            eprintln!("{log}");
            let _ = shell.wait();
        }
        panic!("PgBouncer does not start");
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

fn settings(database: &Url, port: u16, connections: u32) -> String {
    let (host, to) = (database.host_str().unwrap(), database.port().unwrap_or(5432));
    let statements = if PgBouncer::keeps_statements() { "max_prepared_statements = 100\n" } else { "" };
    let (user, password) = (database.username(), database.password().unwrap_or_default());
    format!(
        "[databases]\n* = host={host} port={to} user={user} password={password}\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
         pool_mode = transaction\ndefault_pool_size = {connections}\nmax_client_conn = 200\n\
         {statements}"
    )
}

/// Its program: the one that is named, or Debian's, which is off the PATH of most people.
fn program() -> PathBuf {
    if let Some(named) = env::var_os("COUNTERPART_TEST_PGBOUNCER").filter(|named| !named.is_empty()) {
        return named.into();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join("pgbouncer")).find(|program| program.exists()).expect(
        "this test needs PgBouncer (Debian's package pgbouncer); COUNTERPART_TEST_SKIP_POSTGRES=1 leaves it out",
    )
}

/// In a shell that ends it when the test does, whatever ends that.
fn start(program: &Path, settings: &Path) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", "\"$@\" & cat >/dev/null; kill -9 $! 2>/dev/null", "sh"]).arg(program).arg("-q");
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    if is_root {
        // It refuses to run as root.
        command.args(["-u", "nobody"]);
    }
    // What stops the tests from the keyboard must not stop the shell before it has cleared up.
    command.arg(settings).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    command.spawn().unwrap()
}
