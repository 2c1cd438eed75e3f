//! A file of mappings is settled and carried out in the database; a few at a time, in memory. Both must come to the same,
//! in small worlds that are made by chance, where most rows are in each other's way.

use std::collections::HashMap;

use counterpart::service::{
    db::{Rows, Tx, sql::Kind},
    error::Fault,
    integration::{self, IntegrationRef},
    linking::{self, Touched},
    mapping::{
        carry_out::{Author, Done, Wanted, carry_out},
        publish::{Row, Stage, clear},
    },
};
use entity::{
    CrmUserId, Email, ImportJobId, MappingId, MappingOperation, MappingSource, OnExistingMapping, RowOutcome, UserId,
    integration as integrations,
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::json;
use uuid::Uuid;

use crate::support::{World, scene};

both!(
    the_database_settles_a_file_as_memory_does,
    a_target_that_goes_meanwhile_is_missed,
    what_others_have_staged_stays,
);

const WORLDS: u64 = 200;
const USERS: usize = 7;
const TARGETS: usize = 6;

/// What every small world is made of.
struct People {
    users: Vec<UserId>,
    targets: Vec<CrmUserId>,
    job: ImportJobId,
}

/// A row of a file, resolved.
#[derive(Debug)]
struct Staged {
    line: i64,
    operation: MappingOperation,
    user: UserId,
    target: Option<CrmUserId>,
    alias: Option<Email>,
}

async fn people(world: &World) -> People {
    scene::integration(world, "CRM", "OTHER").await;
    for n in 0..USERS {
        scene::user(world, &format!("u{n}@x.com"), json!({ "firstName": "Ann", "lastName": format!("Lee{n}") })).await;
    }
    // Some have the email of a user, one of them is inactive; two share an email.
    let emails = ["u0@x.com", "u1@x.com", "u2@x.com", "u3@x.com", "u3@x.com", "free@y.com"];
    let crm_users = emails.iter().enumerate().map(|(n, email)| {
        let name = if n % 2 == 0 { "Ann Lee" } else { "Bob Ray" };
        json!({ "externalId": n.to_string(), "email": email, "name": name, "isActive": n != 1 })
    });
    scene::push_all(world, "CRM", crm_users.collect()).await;
    let query = r#"mutation { importMappings(input: {integration: {name: "CRM"}, source: {text: "email,external_id,alias_email,operation\na,b,,add\n"}}) { importJob { id } } }"#;
    world.read(query).await;
    let read = async |select: &str| -> Vec<Uuid> {
        let mut sql = counterpart::service::db::Sql::new(world.services.db.backend());
        sql.push(select);
        sql.map(world.services.db.reader(), |row| row.try_get("", "id")).await.unwrap()
    };
    let users = read("SELECT id FROM app_user WHERE email LIKE 'u%' ORDER BY email").await;
    let targets = read("SELECT id FROM crm_user ORDER BY external_id").await;
    let jobs = read("SELECT id FROM import_job").await;
    assert_eq!((users.len(), targets.len(), jobs.len()), (USERS, TARGETS, 1));
    People {
        users: users.into_iter().map(UserId).collect(),
        targets: targets.into_iter().map(CrmUserId).collect(),
        job: ImportJobId(jobs[0]),
    }
}

/// Gives the organisation mappings by chance, has linking see to the rest, and thinks of a file.
async fn arrange(
    tx: &Tx,
    integration: &mut integrations::Model,
    people: &People,
    seed: u64,
) -> (OnExistingMapping, Vec<Staged>) {
    let mut rng = StdRng::seed_from_u64(seed);
    run(tx, "DELETE FROM mapping").await;
    integration.auto_link_by_email = rng.random_bool(0.5);
    let mut sql = tx.sql();
    sql.push("UPDATE integration SET ").equals("auto_link_by_email", integration.auto_link_by_email);
    tx.execute(sql).await.unwrap();
    let mut targets = people.targets.clone();
    targets.shuffle(&mut rng);
    let mut mappings = Rows::new(&[
        ("id", Kind::Uuid),
        ("user_id", Kind::Uuid),
        ("crm_user_id", Kind::Uuid),
        ("source", Kind::Text),
        ("alias_email", Kind::Text),
    ]);
    for (n, user) in people.users.iter().enumerate() {
        if rng.random_bool(0.7)
            && let Some(target) = targets.pop()
        {
            let source = if rng.random_bool(0.5) { MappingSource::Manual } else { MappingSource::Automatic };
            mappings.add(&[&MappingId(Uuid::from_u128(n as u128 + 1)), user, &target, &source, &alias(&mut rng)]);
        } else if rng.random_bool(0.15) {
            let mut sql = tx.sql();
            sql.push("UPDATE app_user SET ").equals("deleted_at", tx.now).push(" WHERE ").equals("id", *user);
            tx.execute(sql).await.unwrap();
        } else if rng.random_bool(0.15) {
            let mut sql = tx.sql();
            sql.push("UPDATE app_user SET status = 'SUSPENDED' WHERE ").equals("id", *user);
            tx.execute(sql).await.unwrap();
        }
    }
    let mut sql = tx.sql();
    sql.push("INSERT INTO mapping (organization_id, integration_id, warnings, created_at, id, user_id, crm_user_id, ");
    sql.push("source, alias_email) SELECT ").bind(tx.organization_id).push(", ").bind(integration.id).push(", 0, ");
    sql.bind(tx.now).push(", id, user_id, crm_user_id, source, alias_email FROM ").rows(mappings).push(" AS r");
    tx.execute(sql).await.unwrap();
    let touched = Touched { users: people.users.clone(), ..Touched::default() };
    linking::run(tx, None, &touched, None).await.unwrap();

    let all = [OnExistingMapping::Error, OnExistingMapping::OverrideAutomatic, OnExistingMapping::Replace];
    let on_existing = all[rng.random_range(0..3)];
    let mut users = people.users.clone();
    users.shuffle(&mut rng);
    users.truncate(rng.random_range(1..=USERS));
    if rng.random_bool(0.1) {
        users.push(users[0]);
    }
    let mut line = 1;
    let staged = users.into_iter().map(|user| {
        line += rng.random_range(1..=3);
        let operation = match rng.random_range(0..6) {
            0 => MappingOperation::Remove,
            1 | 2 => MappingOperation::Add,
            _ => MappingOperation::Replace,
        };
        let target = people.targets[rng.random_range(0..TARGETS)];
        let target = (operation != MappingOperation::Remove || rng.random_bool(0.3)).then_some(target);
        Staged { line, operation, user, target, alias: alias(&mut rng) }
    });
    (on_existing, staged.collect())
}

fn alias(rng: &mut StdRng) -> Option<Email> {
    rng.random_bool(0.3).then(|| Email("alias@y.com".to_owned()))
}

async fn run(tx: &Tx, statement: &str) {
    let mut sql = tx.sql();
    sql.push(statement);
    tx.execute(sql).await.unwrap();
}

async fn stage(tx: &Tx, job: ImportJobId, staged: &[Staged]) {
    let mut rows = Rows::new(&[
        ("line", Kind::Int),
        ("operation", Kind::Text),
        ("user_id", Kind::Uuid),
        ("crm_user_id", Kind::Uuid),
        ("alias_email", Kind::Text),
    ]);
    for row in staged {
        rows.add(&[&row.line, &row.operation, &row.user, &row.target, &row.alias]);
    }
    let names = rows.names();
    let mut sql = tx.sql();
    sql.push("INSERT INTO mapping_stage (organization_id, import_job_id, ").push(&names).push(") SELECT ");
    sql.bind(tx.organization_id).push(", ").bind(job).push(", ").push(&names).push(" FROM ").rows(rows);
    sql.push(" AS r");
    tx.execute(sql).await.unwrap();
}

/// All that imports of mappings change, but for ids and lines.
async fn state(tx: &Tx) -> Vec<String> {
    let mut sql = tx.sql();
    sql.push("SELECT u.email, c.external_id, m.source, m.alias_email, m.warnings, m.end_reason, m.ended_user_email, ");
    sql.push("m.ended_crm_email, o.crm_user_id AS replaced FROM mapping m JOIN app_user u ON u.id = m.user_id ");
    sql.push("JOIN crm_user c ON c.id = m.crm_user_id LEFT JOIN mapping o ON o.id = m.replaces_id");
    let mut state = sql
        .map(tx.connection(), |row| {
            let text =
                |name: &str| Ok::<_, sea_orm::DbErr>(row.try_get::<Option<String>>("", name)?.unwrap_or_default());
            let replaced: Option<Uuid> = row.try_get("", "replaced")?;
            Ok(format!(
                "{} - {} {} alias {:?} warnings {} ended {:?} {:?} {:?} replaces {replaced:?}",
                text("email")?,
                text("external_id")?,
                text("source")?,
                text("alias_email")?,
                row.try_get::<i32>("", "warnings")?,
                text("end_reason")?,
                text("ended_user_email")?,
                text("ended_crm_email")?,
            ))
        })
        .await
        .unwrap();
    let mut sql = tx.sql();
    sql.push("SELECT u.email, l.state FROM user_link l JOIN app_user u ON u.id = l.user_id WHERE u.deleted_at IS NULL");
    let links = sql.map(tx.connection(), |row| {
        Ok(format!("{} is {}", row.try_get::<String>("", "email")?, row.try_get::<String>("", "state")?))
    });
    state.extend(links.await.unwrap());
    state.sort_unstable();
    state
}

/// What the import of the file comes to, and what it leaves.
async fn in_the_database(world: &World, people: &People, seed: u64) -> (Vec<Row>, Vec<String>) {
    let tx = world.services.db.write(world.administrator.organization_id).await.unwrap();
    let mut integration = crm(&tx).await;
    let (on_existing, staged) = arrange(&tx, &mut integration, people, seed).await;
    stage(&tx, people.job, &staged).await;
    let mut stage = Stage::new(&tx, &integration, people.job);
    // Most of what is done in pieces is done in several.
    stage.step = 1 + (seed % 4) as u32;
    stage.settle(on_existing).await.unwrap();
    let before = all_rows(&stage).await;
    let author = Author { user: world.session().await.viewer.user_id, import_job: Some(people.job) };
    let makes = |row: &&Row| matches!(row.outcome, RowOutcome::Created | RowOutcome::Updated);
    let made = before.iter().filter(makes).count() as i64;
    stage.carry_out(author, made).await.unwrap();
    let after = all_rows(&stage).await;
    assert_eq!(before, after, "seed {seed}: the rows say the same before and after");
    let mut counted: HashMap<RowOutcome, i64> = HashMap::new();
    for (outcome, rows) in stage.counts().await.unwrap() {
        *counted.entry(outcome).or_default() += rows;
    }
    for row in &after {
        *counted.entry(row.outcome).or_default() -= 1;
    }
    assert!(counted.values().all(|rows| *rows == 0), "seed {seed}: {counted:?}");
    let mut sql = tx.sql();
    sql.push("SELECT COUNT(*) AS n FROM mapping WHERE import_line IS NOT NULL");
    let lines = sql.number(tx.connection()).await.unwrap();
    assert_eq!(lines, made, "seed {seed}: each that was made knows its line");
    (after, state(&tx).await)
}

async fn all_rows(stage: &Stage<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut pages = stage.all_rows();
    loop {
        let page = pages.next().await.unwrap();
        if page.is_empty() {
            return rows;
        }
        rows.extend(page.into_iter().map(Row::from));
    }
}

/// The same by the way of mutations: what each row came to, `None` where it can't be asked for, and what it leaves.
async fn in_memory(
    world: &World,
    people: &People,
    seed: u64,
) -> (Vec<Option<Result<Done, Fault>>>, Vec<Staged>, Vec<String>) {
    let tx = world.services.db.write(world.administrator.organization_id).await.unwrap();
    let mut integration = crm(&tx).await;
    let (on_existing, staged) = arrange(&tx, &mut integration, people, seed).await;
    let mut sql = tx.sql();
    sql.push("SELECT id FROM app_user WHERE deleted_at IS NULL");
    let mut there: Vec<UserId> = sql.map(tx.connection(), |row| row.try_get("", "id")).await.unwrap();
    let asked: Vec<bool> = staged
        .iter()
        .map(|row| match there.iter().position(|user| *user == row.user) {
            Some(place) => {
                there.swap_remove(place);
                true
            }
            None => false,
        })
        .collect();
    let wanted: Vec<Wanted> = staged
        .iter()
        .zip(&asked)
        .filter(|(_, asked)| **asked)
        .map(|(row, _)| Wanted {
            user: row.user,
            target: row.target,
            alias_email: row.alias.clone(),
            on_existing: match row.operation {
                MappingOperation::Add => Some(on_existing),
                MappingOperation::Replace => Some(OnExistingMapping::Replace),
                MappingOperation::Remove => None,
            },
        })
        .collect();
    let author = Author { user: world.session().await.viewer.user_id, import_job: Some(people.job) };
    let mut done = carry_out(&tx, &integration, &wanted, author).await.unwrap().into_iter();
    let done = asked.into_iter().map(|asked| asked.then(|| done.next().unwrap())).collect();
    (done, staged, state(&tx).await)
}

async fn crm(tx: &Tx) -> integrations::Model {
    let by = IntegrationRef::Name("CRM".to_owned());
    integration::locate(tx.connection(), tx.organization_id, &by, "integration").await.unwrap()
}

async fn the_database_settles_a_file_as_memory_does(world: World) {
    use counterpart::service::mapping::carry_out::Change;

    let people = people(&world).await;
    let mut codes: HashMap<String, usize> = HashMap::new();
    for seed in 0..WORLDS {
        let (rows, left) = in_the_database(&world, &people, seed).await;
        let (done, staged, expected) = in_memory(&world, &people, seed).await;
        assert_eq!(rows.len(), staged.len(), "seed {seed}");
        for ((row, done), staged) in rows.iter().zip(done).zip(&staged) {
            assert_eq!(row.line, staged.line, "seed {seed}: rows come in the order of their lines");
            let what = format!("seed {seed}: {staged:?} came to {row:?}, in memory to {done:?}");
            let kind = match (&row.fault, &done) {
                (Some(fault), Some(Err(expected))) => {
                    assert_eq!((fault.code, &fault.path), (expected.code, &expected.path), "{what}");
                    // Of who takes the target first, memory knows the name only where that one is mapped.
                    if !fault.message.starts_with("An earlier entry") {
                        assert_eq!(fault.message, expected.message, "{what}");
                    }
                    format!("{:?} {}", fault.code, &fault.message[..1])
                }
                (Some(fault), None) => format!("{:?}, not asked", fault.code),
                (None, Some(Ok(done))) => {
                    let outcome = match done.change {
                        Change::Created => RowOutcome::Created,
                        Change::Replaced => RowOutcome::Updated,
                        Change::Unchanged => RowOutcome::Unchanged,
                        Change::Removed => RowOutcome::Deleted,
                    };
                    assert_eq!(row.outcome, outcome, "{what}");
                    assert_eq!(row.changes.is_empty(), outcome == RowOutcome::Unchanged, "{what}");
                    let ends = matches!(outcome, RowOutcome::Updated | RowOutcome::Deleted);
                    assert_eq!(row.ends.is_some(), ends, "{what}");
                    format!("{outcome:?}")
                }
                _ => panic!("{what}"),
            };
            *codes.entry(kind).or_default() += 1;
        }
        assert_eq!(left, expected, "seed {seed}: {staged:?}");
    }
    // The worlds are such that everything happens.
    for kind in ["Created", "Updated", "Unchanged", "Deleted", "MappingExists u", "NotFound T", "MappingMismatch T"] {
        assert!(codes.get(kind).is_some_and(|n| *n > 5), "{kind} of {codes:?}");
    }
    for kind in ["DuplicateInFile, not asked", "UserNotFound, not asked", "CrmUserTaken A"] {
        assert!(codes.get(kind).is_some_and(|n| *n > 2), "{kind} of {codes:?}");
    }
    assert!(codes.iter().any(|(kind, n)| kind.starts_with("CrmUserTaken ") && kind != "CrmUserTaken A" && *n > 5));
}

/// A row that maps a user to a target.
fn add(line: i64, user: UserId, target: CrmUserId) -> Staged {
    Staged { line, operation: MappingOperation::Add, user, target: Some(target), alias: None }
}

async fn a_target_that_goes_meanwhile_is_missed(world: World) {
    let people = people(&world).await;
    let tx = world.services.db.write(world.administrator.organization_id).await.unwrap();
    let integration = crm(&tx).await;
    let (gone, free) = (people.targets[3], people.targets[5]);
    stage(&tx, people.job, &[add(2, people.users[5], gone), add(3, people.users[6], free)]).await;
    let stage = Stage::new(&tx, &integration, people.job);
    stage.settle(OnExistingMapping::Error).await.unwrap();
    let mut sql = tx.sql();
    sql.push("DELETE FROM crm_user WHERE ").equals("id", gone);
    assert_eq!(tx.execute(sql).await.unwrap(), 1);
    let author = Author { user: world.session().await.viewer.user_id, import_job: Some(people.job) };
    let refused = stage.carry_out(author, 2).await.unwrap_err().to_string();
    assert!(refused.contains("is gone"), "{refused}");
}

async fn what_others_have_staged_stays(world: World) {
    let people = people(&world).await;
    let tx = world.services.db.write(world.administrator.organization_id).await.unwrap();
    let id = people.job.0.as_u128();
    let [before, after] = [id - 1, id + 1].map(|id| ImportJobId(Uuid::from_u128(id)));
    for job in [before, people.job, after] {
        stage(&tx, job, &[add(2, people.users[0], people.targets[0]), add(3, people.users[1], people.targets[1])])
            .await;
    }
    for (job, left) in [(people.job, 4), (before, 2), (people.job, 2), (after, 0)] {
        clear(&tx, job).await.unwrap();
        let mut sql = tx.sql();
        sql.push("SELECT COUNT(*) AS n FROM mapping_stage");
        assert_eq!(sql.number(tx.connection()).await.unwrap(), left);
    }
}
