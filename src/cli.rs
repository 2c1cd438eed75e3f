//! The commands, and how each ends: one line on standard error when a setting can't be used.

use std::{
    fs,
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use clap::{
    CommandFactory, Parser,
    error::{ContextKind, ContextValue, ErrorKind},
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    bootstrap, client,
    config::{Bootstrap, Cli, Command, DatabaseSettings, FAKE_CRM, FakeCrm, Migrate, Serve},
    crm::{Network, Patience, fake},
    database, demo, graphql,
    http::{self, Serving},
    service::{
        Error, ErrorCode, Limits, Services,
        clock::Clock,
        connection,
        import::{retention, worker},
        links::Links,
        seal::Seal,
        sync_run,
    },
    store, telemetry,
};

/// How long requests in flight may take after the signal to stop.
const GRACE: Duration = Duration::from_secs(20);
/// The exit code of a command that could not do what it was asked for.
const FAILURE: u8 = 1;
/// Imports, and pulls, that are worked off at once; those of one organisation wait for each other.
const WORKERS: usize = 2;

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if matches!(error.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue) => {
            let (message, code) = bad_value(&error);
            return refuse(&message, code);
        }
        Err(error) => error.exit(),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&format!("the program can't start: {error}"), FAILURE),
    };
    let is_client = matches!(cli.command, Command::Import(_) | Command::Export(_));
    let code = match runtime.block_on(run(cli.command)) {
        Ok(code) => code.into(),
        Err((message, code)) => refuse(&message, code),
    };
    if is_client {
        // Standard input may still be waited for, in vain.
        runtime.shutdown_background();
    } else {
        // What is cut off at the end has its line, too.
        drop(runtime);
        telemetry::access::flush();
    }
    code
}

fn refuse(message: &str, code: u8) -> ExitCode {
    let line = message.split(['\r', '\n']).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    // With standard error gone, the exit code alone must do.
    let _ = writeln!(io::stderr(), "counterpart: {line}");
    code.into()
}

/// One line for a value that can't be used, under both names of its setting; and the exit code of its command.
fn bad_value(error: &clap::Error) -> (String, u8) {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let (argument, value) = (text(ContextKind::InvalidArg), text(ContextKind::InvalidValue));
    let mut command = Cli::command();
    // Only a command that is built can say how its arguments are shown.
    command.build();
    let found = command.get_subcommands().find_map(|command| Some((command.get_name(), setting(command, &argument)?)));
    let code = match found {
        Some(("import" | "export", _)) => client::FAILED,
        _ => FAILURE,
    };
    let setting = found.map(|(_, setting)| setting);
    let flag = argument.split(' ').next().unwrap_or_default();
    let name = match setting.and_then(clap::Arg::get_env) {
        Some(variable) => format!("{} ({flag})", variable.display()),
        None => flag.to_owned(),
    };
    let shown =
        if setting.is_some_and(clap::Arg::is_hide_env_values_set) { "this".to_owned() } else { format!("`{value}`") };
    let why = match (std::error::Error::source(error), error.get(ContextKind::ValidValue)) {
        (Some(why), _) => why.to_string(),
        (None, Some(ContextValue::Strings(valid))) => format!("give one of {}", valid.join(", ")),
        (None, _) => "give another value".to_owned(),
    };
    (format!("{name}: {shown} can't be used: {why}"), code)
}

/// The setting of a command, or of one below it, that is shown like this.
fn setting<'a>(command: &'a clap::Command, shown: &str) -> Option<&'a clap::Arg> {
    let own = command.get_arguments().find(|known| known.to_string() == shown);
    own.or_else(|| command.get_subcommands().find_map(|command| setting(command, shown)))
}

/// Runs a command; its exit code, or why it did not do what it was asked for, and the exit code of that.
async fn run(command: Command) -> Result<u8, (String, u8)> {
    let done = match command {
        Command::Serve(settings) => serve(*settings).await,
        Command::Bootstrap(settings) => make_administrator(settings).await,
        Command::Migrate(settings) => migrate(settings).await,
        Command::Schema => {
            print(&graphql::sdl());
            Ok(())
        }
        Command::Import(settings) => return ended(client::import(settings).await),
        Command::Export(settings) => return ended(client::export(settings).await),
        Command::FakeCrm(settings) => fake_crm(settings).await,
    };
    done.map(|()| 0).map_err(|message| (message, FAILURE))
}

fn ended(ending: Result<client::Ending, String>) -> Result<u8, (String, u8)> {
    ending.map(client::Ending::code).map_err(|message| (message, client::FAILED))
}

/// Writes to standard output; nobody reading it is no reason to stop.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

async fn migrate(settings: Migrate) -> Result<(), String> {
    telemetry::start(&settings.log)?;
    prepare_default_folder(&settings.database)?;
    database::open(&settings.database, Clock::system()).await?;
    Ok(())
}

async fn make_administrator(settings: Bootstrap) -> Result<(), String> {
    telemetry::start(&settings.log)?;
    prepare_default_folder(&settings.database)?;
    let db = database::open(&settings.database, Clock::system()).await?;
    let administrator = bootstrap::administrator(&db, &settings.organization, &settings.admin_email)
        .await
        .map_err(|error| refused_administrator(&error))?;
    print(&format!("{}\n", administrator.token));
    Ok(())
}

/// The setting that the first rows can't be made with.
fn refused_administrator(error: &Error) -> String {
    let setting = match error {
        Error::Faults(faults) if faults.iter().all(|fault| fault.code == ErrorCode::Invalid) => {
            "COUNTERPART_ORGANIZATION (--organization)"
        }
        Error::Faults(_) => "COUNTERPART_ADMIN_EMAIL (--admin-email)",
        _ => "DATABASE_URL (--database-url)",
    };
    format!("{setting}: {error}")
}

/// A command other than `serve` needs the data folder only where the database lies in it.
fn prepare_default_folder(settings: &DatabaseSettings) -> Result<(), String> {
    if settings.database_url.is_none() { prepare_folder(&settings.data_dir) } else { Ok(()) }
}

async fn serve(settings: Serve) -> Result<(), String> {
    let traces = telemetry::start(&settings.log)?;
    // A connection is an open file, and what a process starts with is often a thousand.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "no more files can be open at once than at the start");
    }
    let (listener, address) = listen(&settings.listen, "COUNTERPART_LISTEN").await?;
    let base = match settings.public_url {
        Some(url) => url,
        None => local_url(address)?,
    };
    prepare_folder(&settings.database.data_dir)?;
    let key = match settings.secret_key {
        Some(key) => key,
        None => kept_key(&settings.database.data_dir)?,
    };
    let files = store::open(settings.store.as_deref(), &settings.database.data_dir).await?;
    let clock = Clock::system();
    let lease = Duration::from_secs(settings.import_lease_seconds);
    let db = database::open(&settings.database, clock.clone()).await?.with_lease(lease);
    let first = bootstrap::first_start(&db, &settings.organization, &settings.admin_email)
        .await
        .map_err(|error| refused_administrator(&error))?;
    let demo_crm = if settings.demo { Some(demo_crm().await?) } else { None };
    let mut crm_hosts = settings.crm_hosts;
    crm_hosts.extend(demo_crm.iter().filter_map(|(_, address)| address.to_string().parse().ok()));
    let former: Vec<Vec<u8>> = settings.former_secret_keys.into_iter().map(String::into_bytes).collect();
    let seal = Seal::new(key.as_bytes(), &former).map_err(|error| format!("credentials can't be sealed: {error}"))?;
    let services = Arc::new(Services::new(
        db,
        clock.clone(),
        files,
        Links::new(key.into_bytes(), base.clone()),
        Network::new(clock.clone(), crm_hosts, Patience::default())?,
        seal,
        Limits { upload_bytes: settings.max_upload_bytes, import_pace: settings.import_pace },
    ));

    let stop = CancellationToken::new();
    let serving = Serving { max_clients: settings.front.max_clients, grace: GRACE, ..Serving::default() };
    let app = http::router(Arc::clone(&services), settings.front, stop.clone())?;
    stop_on_signal(stop.clone())?;
    tokio::spawn(upkeep(stop.clone()));
    let life = retention::Life::days(settings.import_days, settings.upload_days);
    tokio::spawn(retention::run(Arc::clone(&services), life, stop.clone()));
    connection::reseal(&services).await.map_err(|error| format!("credentials can't be sealed anew: {error}"))?;
    let mut workers: Vec<_> =
        (0..WORKERS).map(|_| tokio::spawn(worker::run(Arc::clone(&services), stop.clone()))).collect();
    workers.extend((0..WORKERS).map(|_| tokio::spawn(sync_run::worker::run(Arc::clone(&services), stop.clone()))));
    let mut guide = String::new();
    if let Some((listener, address)) = demo_crm {
        let fake = fake::Fake::new(clock);
        demo::fill_fake(&fake);
        let crm = local_url(address)?;
        let done = match &first {
            Some(administrator) => demo::fill(&services, administrator, Some((&fake, &crm))).await,
            None => demo::follow_again(&services, &fake, &crm).await,
        };
        done.map_err(|error| format!("the demonstration organisation can't be made: {error}"))?;
        tracing::info!(crm = %address, "serving a fake Salesforce");
        tokio::spawn(fake::serve(listener, fake, stop.clone()));
        guide = demo::guide(&crm);
    }
    if let Some(administrator) = first {
        print(&welcome(&settings.organization, &settings.admin_email, &administrator.token, &base));
        print(&guide);
    }
    tracing::info!(%address, public_url = %base, "serving");
    http::serve(listener, app, serving, stop).await;
    for worker in workers {
        if tokio::time::timeout(GRACE, worker).await.is_err() {
            tracing::warn!("an import or a pull did not come to the end of its chunk; it goes on at the next start");
        }
    }
    tracing::info!("stopped");
    if let Some(traces) = traces {
        traces.end().await;
    }
    Ok(())
}

fn welcome(organization: &str, email: &str, token: &str, base: &Url) -> String {
    format!(
        "The database was empty: it now has the organisation \"{organization}\" and its administrator {email}.\n\n\
         API token:  {token}\n\
         Start page: {base}\n\
         GraphiQL:   {base}graphiql\n\n\
         The token is shown this once. `counterpart bootstrap` makes another.\n"
    )
}

/// Listens at an address that `setting` gives (`--listen`, everywhere); and where that is.
async fn listen(address: &str, setting: &str) -> Result<(TcpListener, SocketAddr), String> {
    let failed = |error: io::Error| {
        let why = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "is taken by another program: stop that one, or give another port, for example 127.0.0.1:8001"
            }
            io::ErrorKind::PermissionDenied => "is not for this user: give a port over 1023",
            io::ErrorKind::AddrNotAvailable => {
                "is not an address of this machine: give one that is, or 0.0.0.0 for all"
            }
            _ => "is not an address to listen at: give an address and a port, for example 127.0.0.1:8000",
        };
        format!("{setting} (--listen): {address} {why}")
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Where the demonstration's CRM is: where `fake-crm` would be, or, where that is taken, anywhere.
async fn demo_crm() -> Result<(TcpListener, SocketAddr), String> {
    let failed = |error: io::Error| format!("the demonstration's CRM can't be served: {error}");
    let listener = match TcpListener::bind(FAKE_CRM).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?,
    };
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Serves the fakes, with the demonstration's people in them.
async fn fake_crm(settings: FakeCrm) -> Result<(), String> {
    telemetry::start(&settings.log)?;
    let (listener, address) = listen(&settings.listen, "COUNTERPART_FAKE_CRM_LISTEN").await?;
    let base = local_url(address)?;
    let fake = fake::Fake::new(Clock::system());
    demo::fill_fake(&fake);
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    print(&fake::guide(&base));
    tracing::info!(%address, "serving fake CRMs");
    fake::serve(listener, fake, stop).await.map_err(|error| format!("the fakes stopped: {error}"))?;
    tracing::info!("stopped");
    Ok(())
}

/// The address for a browser on this machine.
fn local_url(address: SocketAddr) -> Result<Url, String> {
    let ip = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    Url::parse(&format!("http://{}/", SocketAddr::new(ip, address.port())))
        .map_err(|error| format!("COUNTERPART_PUBLIC_URL (--public-url): {error}"))
}

fn prepare_folder(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder).map(drop)).map_err(|error| {
        format!(
            "COUNTERPART_DATA_DIR (--data-dir): {} can't be written to ({error}): give a folder that can",
            folder.display()
        )
    })
}

/// The secret key of the data folder; made at the first start, for this user's eyes only.
fn kept_key(data: &Path) -> Result<String, String> {
    let file = data.join("secret-key");
    let failed = |error: io::Error| {
        format!(
            "COUNTERPART_SECRET_KEY (--secret-key): {} can't be used ({error}): give a key, or mend the file",
            file.display()
        )
    };
    if !file.try_exists().map_err(failed)? {
        let key: [u8; 32] = rand::random();
        // A temporary file is readable for its owner only; under its name it is complete or not there.
        let mut new = tempfile::NamedTempFile::new_in(data).map_err(failed)?;
        new.write_all(BASE64_URL_SAFE_NO_PAD.encode(key).as_bytes()).map_err(failed)?;
        new.as_file().sync_all().map_err(failed)?;
        match new.persist_noclobber(&file) {
            Ok(_) => {}
            // Another server on this folder was faster.
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error.error)),
        }
    }
    let key = fs::read_to_string(&file).map_err(failed)?.trim().to_owned();
    if key.len() < 32 {
        return Err(failed(io::Error::other("it is shorter than 32 characters")));
    }
    Ok(key)
}

fn stop_on_signal(stop: CancellationToken) -> Result<(), String> {
    let failed = |error: io::Error| format!("the program can't listen for signals: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: no new requests, those in flight are finished");
        stop.cancel();
    });
    Ok(())
}

/// Keeps the metrics' memory bounded while nobody reads them.
async fn upkeep(stop: CancellationToken) {
    let metrics = telemetry::metrics::handle();
    while stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(5))).await.is_some() {
        metrics.run_upkeep();
    }
}
