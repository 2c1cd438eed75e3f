//! Manage mode AUTO: users' title and team follow the CRM user that they are mapped to.

use entity::{Email, IntegrationId, SyncChangeKind, TeamId, UserId};
use sea_orm::FromQueryResult;

use super::receipt::{Change, Receipt};
use crate::service::{
    db::Tx,
    error::Result,
    team::{TeamRef, Tree},
    user::{
        Attributes, Patch, UserRef,
        apply::{self, Applied, FieldChange, Operation, Options, apply},
    },
    value::team_path,
};

/// Users are looked at in chunks of this size.
const CHUNK: usize = 1_000;

#[derive(FromQueryResult)]
struct Row {
    id: UserId,
    email: Email,
    title: Option<String>,
    team_id: Option<TeamId>,
    crm_title: Option<String>,
    crm_team: Option<String>,
}

/// Has users follow the CRM user that each is mapped to; what changes is written down in the receipt.
pub(super) async fn follow(
    tx: &Tx,
    integration: IntegrationId,
    users: &[UserId],
    receipt: &mut Option<&mut Receipt>,
) -> Result<()> {
    for chunk in users.chunks(CHUNK) {
        for (Applied { user, changes, .. }, email) in bring_in_line(tx, integration, chunk).await? {
            if let Some(receipt) = receipt.as_deref_mut() {
                let change = Change {
                    user: Some(user),
                    email: Some(email),
                    detail: Some(sentence(&changes)),
                    ..Change::of(SyncChangeKind::UserUpdated)
                };
                receipt.note(tx, change).await?;
            }
        }
    }
    Ok(())
}

/// Brings the title and the team of a chunk of users in line with the CRM user that each is mapped to; teams that are
/// missing are made. Whom the CRM places nowhere keeps the team.
pub async fn bring_in_line(tx: &Tx, integration: IntegrationId, users: &[UserId]) -> Result<Vec<(Applied, Email)>> {
    let rows: Vec<Row> = load(tx, integration, users).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let tree = Tree::load(tx.connection(), tx.organization_id).await?;
    let (changes, emails): (Vec<apply::Change>, Vec<Email>) =
        rows.into_iter().filter_map(|row| Some((change(&tree, &row)?, row.email))).unzip();
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let done = carry_out(tx, &changes).await?.into_iter().zip(emails);
    Ok(done
        .filter_map(|(applied, email)| Some((applied?, email)))
        .filter(|(applied, _)| !applied.changes.is_empty())
        .collect())
}

/// Changes what the CRM owns. What can't be had (a title that is too long) is left as it is.
pub async fn carry_out(tx: &Tx, changes: &[apply::Change]) -> Result<Vec<Option<Applied>>> {
    let options = Options { by_crm: true, create_missing_teams: true, ..Options::of(None) };
    // Boxed: changing a user links it, and linking leads here.
    let done = Box::pin(apply(tx, changes, &options)).await?;
    Ok(done.into_iter().map(Result::ok).collect())
}

/// `title: SDR → AE; team: EMEA → EMEA:DACH`
pub fn sentence(changes: &[FieldChange]) -> String {
    let shown = |value: &Option<String>| value.as_deref().unwrap_or("none").to_owned();
    let each =
        changes.iter().map(|change| format!("{}: {} → {}", change.field, shown(&change.before), shown(&change.after)));
    each.collect::<Vec<_>>().join("; ")
}

async fn load(tx: &Tx, integration: IntegrationId, users: &[UserId]) -> Result<Vec<Row>> {
    let mut sql = tx.sql();
    sql.push("SELECT u.id, u.email, u.title, u.team_id, c.title AS crm_title, c.team AS crm_team FROM app_user u ");
    sql.push(
        "JOIN mapping m ON m.organization_id = u.organization_id AND m.user_id = u.id AND m.ended_at IS NULL AND ",
    );
    sql.equals("m.integration_id", integration).push(" JOIN crm_user c ON c.organization_id = m.organization_id ");
    sql.push("AND c.id = m.crm_user_id WHERE u.deleted_at IS NULL AND ");
    sql.equals("u.organization_id", tx.organization_id).push(" AND ").any_id("u.id", users).push(" ORDER BY u.id");
    Ok(sql.all(tx.connection()).await?)
}

fn change(tree: &Tree, row: &Row) -> Option<apply::Change> {
    let title = match (&row.title, &row.crm_title) {
        (before, after) if before == after => Patch::Keep,
        (_, Some(title)) => Patch::Set(title.clone()),
        (_, None) => Patch::Clear,
    };
    let team = match &row.crm_team {
        Some(path) if team_path::parse(path).is_ok() && row.team_id.map(|id| tree.path(id)).as_ref() != Some(path) => {
            Patch::Set(TeamRef::Path(path.clone()))
        }
        _ => Patch::Keep,
    };
    (title != Patch::Keep || team != Patch::Keep).then(|| edit(row.id, title, team))
}

/// The change of a user's title and team.
pub fn edit(user: UserId, title: Patch<String>, team: Patch<TeamRef>) -> apply::Change {
    apply::Change {
        user: UserRef::Id(user),
        operation: Operation::Edit,
        attributes: Attributes { title, team, ..Attributes::default() },
        flawed: false,
        line: None,
    }
}
