//! Mappings made and ended together: what the rules allow of it is written, and of the rest is said why not.

use std::collections::HashMap;

use entity::{
    CrmUserId, Email, ImportJobId, MappingEndReason, MappingId, MappingSource, OnExistingMapping, UserId, integration,
};
use sea_orm::FromQueryResult;

use super::{
    refusal,
    settle::{Current, Request, Settled, Want, settle},
};
use crate::service::{
    db::{Rows, Tx, sql::Kind},
    error::{Error, ErrorCode, Fault, Result},
    linking::{self, Touched},
};

/// Statements carry this many rows.
const CHUNK: usize = 5_000;

const MADE: &[(&str, Kind)] = &[
    ("id", Kind::Uuid),
    ("user_id", Kind::Uuid),
    ("crm_user_id", Kind::Uuid),
    ("alias_email", Kind::Text),
    ("replaces_id", Kind::Uuid),
];

/// Who makes or ends mappings.
#[derive(Debug, Clone, Copy)]
pub struct Author {
    pub user: UserId,
    pub import_job: Option<ImportJobId>,
}

/// What is wanted of one user, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub user: UserId,
    /// The target to have; `None` for none.
    pub target: Option<CrmUserId>,
    pub alias_email: Option<Email>,
    /// `None`: the mapping is to end.
    pub on_existing: Option<OnExistingMapping>,
}

/// What was done for one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The mapping that was made, that ended, or that is as asked.
    pub mapping: MappingId,
    pub change: Change,
    /// The mapping that was there before.
    pub before: Option<Current>,
}

/// What a request did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Created,
    Replaced,
    Removed,
    Unchanged,
}

#[derive(FromQueryResult)]
struct Live {
    id: MappingId,
    user_id: UserId,
    crm_user_id: CrmUserId,
    source: MappingSource,
    alias_email: Option<Email>,
    user_email: Email,
    crm_email: Option<Email>,
    external_id: String,
}

/// Carries out what can be carried out together, and says of the rest why not; each user is named once. The faults
/// stand at the columns of a mappings file. Links whoever is touched by it. A fixed number of statements.
pub async fn carry_out(
    tx: &Tx,
    integration: &integration::Model,
    wanted: &[Wanted],
    author: Author,
) -> Result<Vec<Result<Done, Fault>>> {
    let live = load_live(tx, integration, wanted).await?;
    let by_user: HashMap<UserId, &Live> = live.iter().map(|row| (row.user_id, row)).collect();
    let by_target: HashMap<CrmUserId, &Live> = live.iter().map(|row| (row.crm_user_id, row)).collect();
    let requests: Vec<Request> = wanted.iter().map(|wanted| request(wanted, &by_user, &by_target)).collect();
    let settled = settle(&requests);

    // Targets are freed before they are used.
    for (chunk, settled) in requests.chunks(CHUNK).zip(settled.chunks(CHUNK)) {
        let live = chunk.iter().map(|request| by_user.get(&request.user).copied());
        end(tx, settled.iter().zip(live), author).await?;
    }
    let mut touched = Touched::default();
    let mut results = Vec::with_capacity(wanted.len());
    for (chunk, wanted) in wanted.chunks(CHUNK).enumerate() {
        let mut made = Rows::new(MADE);
        for (i, wanted) in wanted.iter().enumerate().map(|(i, wanted)| (chunk * CHUNK + i, wanted)) {
            let request = &requests[i];
            let before = by_user.get(&request.user).copied();
            let change = match settled[i] {
                Settled::Make { replaces } => {
                    let id: MappingId = tx.clock.id();
                    let target = wanted.target.ok_or_else(|| Error::internal("a mapping without a target"))?;
                    made.add(&[&id, &request.user, &target, &wanted.alias_email, &replaces]);
                    touched.crm_users.push(target);
                    Ok((id, if replaces.is_some() { Change::Replaced } else { Change::Created }))
                }
                Settled::End(id) => Ok((id, Change::Removed)),
                Settled::Unchanged => match &request.current {
                    Some(current) => Ok((current.id, Change::Unchanged)),
                    None => return Err(Error::internal("a mapping that is not there is as asked")),
                },
                refused => Err(fault(refused, before, wanted, &requests, &by_user, &by_target)),
            };
            if matches!(change, Ok((_, Change::Created | Change::Replaced | Change::Removed))) {
                touched.users.push(request.user);
                touched.crm_users.extend(before.map(|before| before.crm_user_id));
            }
            results.push(change.map(|(mapping, change)| Done { mapping, change, before: request.current.clone() }));
        }
        make(tx, integration, made, author).await?;
    }
    linking::run(tx, Some(integration.id), &touched, None).await?;
    Ok(results)
}

fn request(wanted: &Wanted, by_user: &HashMap<UserId, &Live>, by_target: &HashMap<CrmUserId, &Live>) -> Request {
    let current = by_user.get(&wanted.user).map(|row| Current {
        id: row.id,
        crm_user: row.crm_user_id,
        source: row.source,
        alias_email: row.alias_email.as_ref().map(|alias| alias.0.clone()),
    });
    let want = match (wanted.on_existing, wanted.target) {
        (Some(on_existing), Some(crm_user)) => Want::Target {
            crm_user,
            alias_email: wanted.alias_email.as_ref().map(|alias| alias.0.clone()),
            on_existing,
            holder: by_target.get(&crm_user).map(|row| row.user_id).filter(|holder| *holder != wanted.user),
        },
        (_, target) => Want::Nothing(target),
    };
    Request { user: wanted.user, want, current }
}

/// The live mappings of the users, and of the targets.
async fn load_live(tx: &Tx, integration: &integration::Model, wanted: &[Wanted]) -> Result<Vec<Live>> {
    let mut live = Vec::new();
    for chunk in wanted.chunks(CHUNK) {
        live.extend(load_live_chunk(tx, integration, chunk).await?);
    }
    Ok(live)
}

async fn load_live_chunk(tx: &Tx, integration: &integration::Model, wanted: &[Wanted]) -> Result<Vec<Live>> {
    let users: Vec<UserId> = wanted.iter().map(|wanted| wanted.user).collect();
    let targets: Vec<CrmUserId> = wanted.iter().filter_map(|wanted| wanted.target).collect();
    let mut sql = tx.sql();
    for (i, by_user) in [true, false].into_iter().enumerate() {
        sql.push(if i == 0 { "" } else { " UNION " });
        sql.push(
            "SELECT m.id, m.user_id, m.crm_user_id, m.source, m.alias_email, u.email AS user_email, \
             c.email AS crm_email, c.external_id FROM mapping m \
             JOIN app_user u ON u.organization_id = m.organization_id AND u.id = m.user_id \
             JOIN crm_user c ON c.organization_id = m.organization_id AND c.id = m.crm_user_id WHERE ",
        );
        sql.equals("m.organization_id", tx.organization_id).push(" AND ").equals("m.integration_id", integration.id);
        sql.push(" AND m.ended_at IS NULL AND ");
        if by_user {
            sql.any_id("m.user_id", &users)
        } else {
            sql.any_id("m.crm_user_id", &targets)
        };
    }
    Ok(sql.all(tx.connection()).await?)
}

fn fault(
    settled: Settled,
    current: Option<&Live>,
    wanted: &Wanted,
    requests: &[Request],
    by_user: &HashMap<UserId, &Live>,
    by_target: &HashMap<CrmUserId, &Live>,
) -> Fault {
    let email = |user: UserId| by_user.get(&user).map(|row| row.user_email.as_str());
    let target = wanted.target.and_then(|target| by_target.get(&target)).map_or("", |row| row.external_id.as_str());
    match settled {
        Settled::Exists => refusal::exists(
            current.map_or("The user", |row| row.user_email.as_str()),
            current.map(|row| (row.source, row.external_id.as_str())),
        ),
        Settled::Missing => refusal::missing(),
        Settled::Mismatch => refusal::mismatch(current.map(|row| row.external_id.as_str())),
        Settled::Held(holder) => refusal::held(target, email(holder)),
        Settled::Claimed(first) => refusal::claimed(requests.get(first).and_then(|r| email(r.user))),
        Settled::Make { .. } | Settled::End(_) | Settled::Unchanged => {
            Fault::new(ErrorCode::Internal, "This was not carried out.")
        }
    }
}

async fn end<'a>(
    tx: &Tx,
    settled: impl Iterator<Item = (&'a Settled, Option<&'a Live>)>,
    author: Author,
) -> Result<()> {
    let mut ended = Rows::new(&[
        ("id", Kind::Uuid),
        ("end_reason", Kind::Text),
        ("ended_user_email", Kind::Text),
        ("ended_crm_email", Kind::Text),
    ]);
    for (settled, live) in settled {
        let none = None::<Email>;
        match (settled, live) {
            (Settled::Make { .. }, Some(live)) => ended.add(&[&live.id, &MappingEndReason::Replaced, &none, &none]),
            (Settled::End(_), Some(live)) => {
                ended.add(&[&live.id, &MappingEndReason::Removed, &live.user_email, &live.crm_email]);
            }
            _ => {}
        }
    }
    if ended.is_empty() {
        return Ok(());
    }
    let mut sql = tx.sql();
    sql.push("UPDATE mapping SET end_reason = r.end_reason, ended_user_email = r.ended_user_email, ");
    sql.push("ended_crm_email = r.ended_crm_email, ").equals("ended_at", tx.now).push(", ");
    sql.equals("ended_by", author.user).push(" FROM ").rows(ended).push(" AS r WHERE ");
    sql.equals("mapping.organization_id", tx.organization_id).push(" AND mapping.id = r.id");
    tx.execute(sql).await?;
    Ok(())
}

async fn make(tx: &Tx, integration: &integration::Model, made: Rows, author: Author) -> Result<()> {
    if made.is_empty() {
        return Ok(());
    }
    let names = made.names();
    let mut sql = tx.sql();
    sql.push("INSERT INTO mapping (organization_id, integration_id, source, warnings, created_at, created_by, ");
    sql.push("import_job_id, ").push(&names).push(") SELECT ").bind(tx.organization_id).push(", ");
    sql.bind(integration.id).push(", ").bind(MappingSource::Manual).push(", 0, ").bind(tx.now).push(", ");
    sql.bind(author.user).push(", ").bind(author.import_job).push(", ").push(&names).push(" FROM ").rows(made);
    sql.push(" AS r");
    tx.execute(sql).await?;
    Ok(())
}
