//! Mappings at full size: `bench mappings --rows 1000000`. A file that moves every user to another CRM user, against the
//! same change written by hand, and the memory that it takes beside a tenth of it.
//!
//! The floor is four statements over a temporary table that is loaded already, with the ids of the new mappings in it: the
//! old mappings end, the new ones are inserted, users who were not mapped before are marked so, and the rows are kept with
//! what they changed, as JSON; both inserts in the order of the file, so that indexes grow at their ends. On SQLite it runs
//! in a copy of the database, and commits; on PostgreSQL, where a commit is next to nothing, in a transaction that is
//! rolled back.

use std::{fmt::Write, fs, path::Path, sync::Arc, time::Instant};

use clap::Args;
use counterpart::{
    bootstrap::{self, Administrator},
    database,
    service::{
        Services,
        db::{Sql, Tx},
        integration::{self, SettingsPatch},
        session,
    },
};
use entity::{CrmKind, ImportJobId, IntegrationId};
use sea_orm::{ConnectionTrait, DbBackend};
use tempfile::TempDir;

use crate::{
    Backend, Server,
    imports::{self, Done},
    report::Report,
    world::{self, INTEGRATION},
};

#[derive(Args)]
pub struct Mappings {
    /// Rows of the file, and users of the organisation.
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
}

impl Mappings {
    pub async fn run(self, backends: &[Backend]) {
        let mut report = Report::default();
        for backend in backends {
            measure(*backend, self.rows, &mut report).await;
        }
        println!("\n{report}");
    }
}

async fn measure(backend: Backend, rows: usize, report: &mut Report) {
    let folder = TempDir::new().unwrap();
    let (url, server) = match backend {
        Backend::Sqlite => (format!("sqlite://{}", folder.path().join("counterpart.db").display()), None),
        Backend::Postgres => {
            let server = Server::connect().await;
            (server.url.to_string(), Some(server))
        }
    };
    report.database = if server.is_some() { "PostgreSQL" } else { "SQLite" };
    let (services, administrator, integration) = fill(&url, folder.path(), rows).await;
    let part = rows / 10;
    let import = |rows: usize, by: usize| {
        let mut csv = "email,external_id,operation\r\n".to_owned();
        for i in 0..rows {
            let _ = write!(csv, "{},{},add\r\n", email(i + 1), external_id((i + by) % rows + 1));
        }
        let done = imports::in_a_process(false, &csv, &url, folder.path(), &administrator.token);
        assert_eq!((done.updated, done.rows), (rows as i64, rows as i64), "every row moves a user");
        done
    };
    let small = import(part, 1);
    tell(report, part, &small);
    tidy(&services).await;
    let floor = if backend == Backend::Sqlite {
        let copy = folder.path().join("copy.db");
        fs::copy(folder.path().join("counterpart.db"), &copy).unwrap();
        let services = world::services(&format!("sqlite://{}", copy.display()), folder.path()).await;
        let floor = floor(&services, &administrator, integration, rows).await;
        services.db.close().await.unwrap();
        fs::remove_file(copy).unwrap();
        floor
    } else {
        floor(&services, &administrator, integration, rows).await
    };
    let Floor { mappings, commit, kept } = floor;
    let value = format!("{mappings:.1} s, {commit:.1} s to commit, and {kept:.1} s for the rows kept");
    report.value(&format!("{rows} mappings by hand"), value, None, None);
    tidy(&services).await;
    let large = import(rows, 2);
    tell(report, rows, &large);
    report.at_most("… against those by hand with the rows kept", large.seconds / (mappings + commit + kept), 3.0, "");
    report.at_most("… against those by hand without", large.seconds / (mappings + commit), 3.0, "");
    let megabytes = |kb: u64| kb as f64 / 1024.0;
    report.at_most("… memory", megabytes(large.peak), 150.0, " MB");
    report.at_most("… memory more than of a tenth", megabytes(large.peak) - megabytes(small.peak), 50.0, " MB");
    services.db.close().await.unwrap();
    if let Some(server) = server {
        server.drop_database().await;
    }
}

fn tell(report: &mut Report, rows: usize, done: &Done) {
    let value = format!(
        "{:.1} s, {:.0} rows/s, {} statements, {} MB at most",
        done.seconds,
        done.rows as f64 / done.seconds,
        done.statements,
        done.peak / 1024
    );
    report.value(&format!("{rows} mappings import, all replaced"), value, None, None);
}

/// What the server would do by itself, a minute later.
pub async fn tidy(services: &Services) {
    if services.db.backend() == DbBackend::Postgres {
        services.db.writer().execute_unprepared("VACUUM ANALYZE").await.unwrap();
    } else {
        services.db.writer().execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
    }
}

fn email(i: usize) -> String {
    format!("user.{i}@acme.example")
}

fn external_id(i: usize) -> String {
    format!("C-{i:08}")
}

/// The numbers from 1, as a table `n (i)`.
pub fn numbers(backend: DbBackend, rows: usize) -> String {
    if backend == DbBackend::Postgres {
        format!("generate_series(1::bigint, {rows}) AS n (i)")
    } else {
        format!(
            "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) SELECT i FROM n) AS n"
        )
    }
}

/// The `i`th id of a sort, four hexadecimal digits.
pub fn id(backend: DbBackend, sort: &str) -> String {
    if backend == DbBackend::Postgres {
        format!("('01900000-0000-7000-{sort}-' || lpad(to_hex(i), 12, '0'))::uuid")
    } else {
        format!("unhex(printf('0190000000007000{sort}%012x', i))")
    }
}

/// The `i`th external id, or one that is computed from `i`.
fn external(backend: DbBackend, i: &str) -> String {
    if backend == DbBackend::Postgres {
        format!("'C-' || lpad(({i})::text, 8, '0')")
    } else {
        format!("printf('C-%08d', {i})")
    }
}

/// An organisation whose users are each mapped to one CRM user, written by hand.
async fn fill(url: &str, folder: &Path, users: usize) -> (Arc<Services>, Administrator, IntegrationId) {
    let services = world::services(url, folder).await;
    database::migrate(&services.db).await.unwrap();
    let administrator = bootstrap::administrator(&services.db, "Acme", "admin@acme.example").await.unwrap();
    let session = session::sign_in(&services, &administrator.token).await.unwrap();
    let settings = SettingsPatch::default();
    let integration =
        integration::change::create(&session, INTEGRATION.to_owned(), CrmKind::Other, settings).await.unwrap();
    let backend = services.db.backend();
    let (numbers, user, crm_user, mapping) =
        (numbers(backend, users), id(backend, "8000"), id(backend, "9000"), id(backend, "a000"));
    let tx = services.db.write(administrator.organization_id).await.unwrap();
    let from = |sql: &mut Sql| {
        sql.push(" FROM ").push(&numbers);
    };
    let mut sql = tx.sql();
    sql.push("INSERT INTO app_user (organization_id, created_at, updated_at, configuration_profile_id, id, email, ");
    sql.push("first_name, last_name, sort_name, role, object_visibility, status) SELECT ").bind(tx.organization_id);
    sql.push(", ").bind(tx.now).push(", ").bind(tx.now).push(", (SELECT id FROM configuration_profile WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND is_default), ").push(&user);
    sql.push(", 'user.' || i || '@acme.example', 'Alice', 'Abbott ' || i, 'abbott ' || i, 'MEMBER', 'TEAM', 'ACTIVE'");
    from(&mut sql);
    tx.execute(sql).await.unwrap();
    let mut sql = tx.sql();
    sql.push("INSERT INTO crm_user (organization_id, integration_id, last_seen_at, id, external_id, email, name, is_active) ");
    sql.push("SELECT ").bind(tx.organization_id).push(", ").bind(integration).push(", ").bind(tx.now).push(", ");
    sql.push(&crm_user).push(", ").push(&external(backend, "i"));
    sql.push(", 'user.' || i || '@acme.example', 'Alice Abbott ' || i, true");
    from(&mut sql);
    tx.execute(sql).await.unwrap();
    let mut sql = tx.sql();
    sql.push("INSERT INTO mapping (organization_id, integration_id, created_at, warnings, source, id, user_id, crm_user_id) ");
    sql.push("SELECT ").bind(tx.organization_id).push(", ").bind(integration).push(", ").bind(tx.now);
    sql.push(", 0, 'AUTOMATIC', ").push(&mapping).push(", ").push(&user).push(", ").push(&crm_user);
    from(&mut sql);
    tx.execute(sql).await.unwrap();
    let mut sql = tx.sql();
    sql.push("INSERT INTO user_link (organization_id, integration_id, user_id, state) SELECT ")
        .bind(tx.organization_id);
    sql.push(", ").bind(integration).push(", ").push(&user).push(", 'MAPPED'");
    from(&mut sql);
    tx.execute(sql).await.unwrap();
    tx.commit().await.unwrap();
    tidy(&services).await;
    (services, administrator, integration)
}

/// Seconds that it takes by hand.
struct Floor {
    mappings: f64,
    commit: f64,
    kept: f64,
}

/// Moves everybody to the next but one CRM user, by hand.
async fn floor(services: &Services, administrator: &Administrator, integration: IntegrationId, rows: usize) -> Floor {
    let mut tx = services.db.write(administrator.organization_id).await.unwrap();
    let backend = tx.backend;
    let mut sql = tx.sql();
    sql.push("SELECT id FROM import_job");
    let job: Vec<ImportJobId> = sql.map(tx.connection(), |row| row.try_get("", "id")).await.unwrap();
    let job = *job.first().unwrap();
    // The lines are others than those of the import before.
    let mut sql = tx.sql();
    sql.push(
        "CREATE TEMPORARY TABLE wanted AS SELECT i + 100000000 AS line, 'user.' || i || '@acme.example' AS email, ",
    );
    sql.push(&external(backend, &format!("(i + 1) % {rows} + 1"))).push(" AS external_id, ");
    sql.push(&format!(
        "'[\"user.' || i || '@acme.example\",\"' || {} || '\",\"add\"]' AS cells, ",
        external(backend, "i")
    ));
    sql.push(&id(backend, "b000")).push(" AS new_id FROM ").push(&numbers(backend, rows));
    tx.execute(sql).await.unwrap();
    if backend == DbBackend::Postgres {
        run(&tx, "ANALYZE wanted").await;
    }
    let (now, user, organization) = (tx.now, administrator.user_id, tx.organization_id);
    // The user and the CRM user of a row, and the mapping that the user had.
    let found = |sql: &mut Sql| {
        sql.push(" FROM wanted w JOIN app_user u ON ").equals("u.organization_id", organization);
        sql.push(" AND u.email = w.email AND u.deleted_at IS NULL JOIN crm_user c ON ");
        sql.equals("c.organization_id", organization).push(" AND ").equals("c.integration_id", integration);
        sql.push(
            " AND c.external_id = w.external_id LEFT JOIN mapping o ON o.organization_id = u.organization_id AND ",
        );
        sql.equals("o.integration_id", integration).push(" AND o.user_id = u.id AND ").equals("o.ended_at", now);
    };
    let started = Instant::now();
    let mut sql = tx.sql();
    sql.push("UPDATE mapping SET end_reason = 'REPLACED', ")
        .equals("ended_at", now)
        .push(", ")
        .equals("ended_by", user);
    sql.push(" FROM wanted w, app_user u WHERE ").equals("u.organization_id", tx.organization_id);
    sql.push(" AND u.email = w.email AND u.deleted_at IS NULL AND mapping.organization_id = u.organization_id AND ");
    sql.equals("mapping.integration_id", integration).push(" AND mapping.user_id = u.id AND mapping.ended_at IS NULL");
    assert_eq!(tx.execute(sql).await.unwrap(), rows as u64);
    let mut sql = tx.sql();
    sql.push("INSERT INTO mapping (organization_id, integration_id, source, warnings, created_at, created_by, ");
    sql.push("import_job_id, import_line, id, user_id, crm_user_id, replaces_id) SELECT ").bind(tx.organization_id);
    sql.push(", ").bind(integration).push(", 'MANUAL', 0, ").bind(now).push(", ").bind(user).push(", ").bind(job);
    sql.push(", w.line, w.new_id, u.id, c.id, o.id");
    found(&mut sql);
    sql.push(" ORDER BY w.line");
    assert_eq!(tx.execute(sql).await.unwrap(), rows as u64);
    let mut sql = tx.sql();
    sql.push("INSERT INTO user_link (organization_id, integration_id, user_id, state) SELECT u.organization_id, ");
    sql.bind(integration).push(", u.id, 'MAPPED' FROM wanted w JOIN app_user u ON ");
    sql.equals("u.organization_id", tx.organization_id).push(" AND u.email = w.email AND u.deleted_at IS NULL ");
    sql.push("LEFT JOIN user_link l ON l.organization_id = u.organization_id AND l.user_id = u.id AND ");
    sql.equals("l.integration_id", integration).push(" WHERE l.state IS DISTINCT FROM 'MAPPED' ");
    sql.push("ON CONFLICT (organization_id, integration_id, user_id) DO UPDATE SET state = excluded.state");
    tx.execute(sql).await.unwrap();
    let mappings = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let mut commit = 0.0;
    if backend == DbBackend::Sqlite {
        tx.commit().await.unwrap();
        commit = started.elapsed().as_secs_f64();
        tx = services.db.write(administrator.organization_id).await.unwrap();
    }
    let started = Instant::now();
    let mut sql = tx.sql();
    sql.push(
        "INSERT INTO import_row (organization_id, import_job_id, line, outcome, cells, errors, changes, undo) SELECT ",
    );
    sql.bind(tx.organization_id).push(", ").bind(job).push(", w.line, 'UPDATED', w.cells, '[]', ");
    sql.push("'[{\"field\":\"externalId\",\"before\":\"' || oc.external_id || '\",\"after\":\"' || c.external_id || ");
    sql.push(
        "'\"},{\"field\":\"source\",\"before\":\"' || o.source || '\",\"after\":\"MANUAL\"}]', '{\"mapping\":\"' || ",
    );
    sql.push(if backend == DbBackend::Postgres { "o.id::text" } else { "hex(o.id)" }).push(" || '\"}'");
    found(&mut sql);
    sql.push(" JOIN crm_user oc ON oc.organization_id = o.organization_id AND oc.id = o.crm_user_id ORDER BY w.line");
    assert_eq!(tx.execute(sql).await.unwrap(), rows as u64);
    if backend == DbBackend::Sqlite {
        tx.commit().await.unwrap();
    }
    Floor { mappings, commit, kept: started.elapsed().as_secs_f64() }
}

async fn run(tx: &Tx, statement: &str) {
    let mut sql = tx.sql();
    sql.push(statement);
    tx.execute(sql).await.unwrap();
}
