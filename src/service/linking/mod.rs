//! Linking carried out: brings [`link`] the values it decides over, and writes the decisions, in a fixed number of
//! statements for a chunk of users and an integration.
//!
//! Whoever changes a user, a CRM user, a mapping or a setting calls [`run`] in the same transaction with what was
//! touched; states, warnings and automatic mappings are then as the rules say. A user whose target another has waits until
//! everyone concerned has been looked at: only then is it clear what is freed in the same step.

pub mod create;
pub mod follow;
mod load;
pub mod receipt;
mod write;

use std::collections::BTreeSet;

use entity::{
    CrmUserId, Email, IntegrationId, LinkState, MappingEndReason, MappingId, MappingSource, SyncChangeKind, UserId,
};
use sea_orm::FromQueryResult;

use self::{
    load::{MatchRow, UserRow},
    receipt::{Change, Receipt},
    write::MAPPING,
};
use super::{
    db::{Rows, Tx, sql::Kind},
    error::Result,
    link::{self, Decision, Mapped, Rules, Subject, Wish},
};

/// Users are looked at in chunks of this size.
const CHUNK: usize = 2_000;

/// As many CRM users are named where several could be meant.
const NAMED: usize = 5;

/// What has changed: whoever may stand differently because of it is looked at again.
#[derive(Debug, Clone, Default)]
pub struct Touched {
    pub users: Vec<UserId>,
    /// Whoever is mapped to one of these, or has its email.
    pub crm_users: Vec<CrmUserId>,
    /// Whoever has one of these emails: those that a CRM user carried before.
    pub emails: Vec<Email>,
}

#[derive(FromQueryResult)]
struct IntegrationRow {
    id: IntegrationId,
    auto_link_by_email: bool,
    auto_remap_inactive: bool,
    /// Whether users and teams follow it.
    is_followed: bool,
}

impl IntegrationRow {
    fn rules(&self) -> Rules {
        Rules { auto_link: self.auto_link_by_email, auto_remap: self.auto_remap_inactive }
    }
}

/// Looks again at all that `touched` may concern, in one integration or in all of the organisation. What is done in a
/// receipt is written down in it.
pub async fn run(
    tx: &Tx,
    integration: Option<IntegrationId>,
    touched: &Touched,
    mut receipt: Option<&mut Receipt>,
) -> Result<()> {
    let mut sql = tx.sql();
    sql.push(
        "SELECT id, auto_link_by_email, auto_remap_inactive, manages_users AND EXISTS (SELECT 1 FROM organization o ",
    );
    sql.push("WHERE o.id = organization_id AND o.manage_mode = 'AUTO') AS is_followed FROM integration WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND deleted_at IS NULL");
    if let Some(id) = integration {
        sql.push(" AND ").equals("id", id);
    }
    let integrations: Vec<IntegrationRow> = sql.all(tx.connection()).await?;
    if integrations.is_empty() {
        return Ok(());
    }
    let mut users = load::concerned(tx, touched).await?;
    users.extend(&touched.users);
    users.sort_unstable();
    users.dedup();
    for integration in &integrations {
        link_all(tx, integration, &users, &mut receipt).await?;
    }
    Ok(())
}

/// A user who is to be mapped to what another has, or to be moved.
struct Wished {
    user: UserId,
    email: Email,
    wish: Wish,
    external_id: String,
    /// The mapping that is to end, and its CRM user.
    from: Option<(MappingId, CrmUserId)>,
}

/// Links users, who are sorted and each there once.
async fn link_all(
    tx: &Tx,
    integration: &IntegrationRow,
    users: &[UserId],
    receipt: &mut Option<&mut Receipt>,
) -> Result<()> {
    let mut wished = look(tx, integration, users, receipt, false).await?;
    let mut others: BTreeSet<UserId> = BTreeSet::new();
    if !wished.is_empty() {
        grant(tx, integration, users, &mut wished, &mut others, receipt).await?;
    }
    if integration.is_followed {
        follow::follow(tx, integration.id, users, receipt).await?;
        follow::follow(tx, integration.id, &others.into_iter().collect::<Vec<_>>(), receipt).await?;
    }
    Ok(())
}

/// Finds out which wishes can be had together, with those of the `others` whom they concern, and carries them out.
async fn grant(
    tx: &Tx,
    integration: &IntegrationRow,
    users: &[UserId],
    wished: &mut Vec<Wished>,
    others: &mut BTreeSet<UserId>,
    receipt: &mut Option<&mut Receipt>,
) -> Result<()> {
    // Whoever has what is wished for may move away, and whoever has the email of what is left may want it.
    let mut begin = 0;
    while begin < wished.len() {
        let new = &wished[begin..];
        let mut next: BTreeSet<UserId> = new.iter().filter_map(|wished| wished.wish.holder).collect();
        next.extend(load::concerned(tx, &Touched { crm_users: left(new), ..Touched::default() }).await?);
        next.retain(|user| users.binary_search(user).is_err() && others.insert(*user));
        begin = wished.len();
        let next: Vec<UserId> = next.into_iter().collect();
        wished.extend(look(tx, integration, &next, receipt, false).await?);
    }
    let wishes: Vec<(UserId, Wish)> = wished.iter().map(|wished| (wished.user, wished.wish)).collect();
    let granted = link::settle(&wishes);
    let granted: Vec<&Wished> = wished.iter().zip(granted).filter(|(_, had)| *had).map(|(wished, _)| wished).collect();
    // All end before the first is made: two may exchange their targets.
    for chunk in granted.chunks(CHUNK) {
        let ended = chunk.iter().filter_map(|wished| Some((wished.from?.0, wished.wish.ends?)));
        write::end(tx, ended).await?;
    }
    let run = receipt.as_ref().map(|receipt| receipt.run);
    for chunk in granted.chunks(CHUNK) {
        let mut new = Rows::new(MAPPING);
        for wished in chunk {
            let id: MappingId = tx.clock.id();
            new.add(&[&id, &wished.user, &wished.wish.target, &0_i32, &wished.from.map(|(from, _)| from)]);
        }
        write::insert(tx, integration.id, new, run).await?;
    }
    if let Some(receipt) = receipt {
        receipt.left.extend(granted.iter().filter_map(|wished| wished.from.map(|(_, crm_user)| crm_user)));
        for wished in &granted {
            let kind = match wished.wish.ends {
                None => SyncChangeKind::Linked,
                Some(MappingEndReason::AutoRemapped) => SyncChangeKind::Remapped,
                Some(_) => SyncChangeKind::Relinked,
            };
            receipt.note(tx, done(kind, wished.user, wished.wish.target, &wished.email, &wished.external_id)).await?;
        }
    }
    // How everybody stands now: those who wished, and those who have the email of what was left.
    let wishers: BTreeSet<UserId> = wished.iter().map(|wished| wished.user).collect();
    let mut beside = load::concerned(tx, &Touched { crm_users: left(wished), ..Touched::default() }).await?;
    beside.retain(|user| !wishers.contains(user));
    look(tx, integration, &wishers.into_iter().collect::<Vec<_>>(), receipt, true).await?;
    // What these were left alone for has been written down.
    look(tx, integration, &beside, &mut None, true).await?;
    Ok(())
}

/// The CRM users that these would leave.
fn left(wished: &[Wished]) -> Vec<CrmUserId> {
    wished.iter().filter_map(|wished| wished.from.map(|(_, crm_user)| crm_user)).collect()
}

fn done(kind: SyncChangeKind, user: UserId, crm_user: CrmUserId, email: &Email, external_id: &str) -> Change {
    Change {
        user: Some(user),
        crm_user: Some(crm_user),
        email: Some(email.clone()),
        external_id: Some(external_id.to_owned()),
        ..Change::of(kind)
    }
}

/// Looks at users and writes how they stand. Those who are to be mapped to what is free, and had no mapping, are; the
/// others who are to be mapped come back, unless this is the `last` look: then they stand as if they were not to be.
async fn look(
    tx: &Tx,
    integration: &IntegrationRow,
    users: &[UserId],
    receipt: &mut Option<&mut Receipt>,
    last: bool,
) -> Result<Vec<Wished>> {
    let mut wished = Vec::new();
    if users.len() > CHUNK {
        tx.count_anew("crm_user, mapping, user_link").await?;
    }
    for (i, chunk) in (0..).zip(users.chunks(CHUNK)) {
        count_grown(tx, i, "crm_user, mapping, user_link").await?;
        wished.extend(look_at(tx, integration, chunk, receipt, last).await?);
    }
    Ok(wished)
}

/// Has PostgreSQL count the tables that a transaction fills chunk by chunk: before the second chunk, and whenever they have
/// grown fourfold since.
pub async fn count_grown(tx: &Tx, chunk: u32, tables: &str) -> Result<()> {
    if chunk.is_power_of_two() && chunk.trailing_zeros().is_multiple_of(2) {
        tx.count_anew(tables).await?;
    }
    Ok(())
}

async fn look_at(
    tx: &Tx,
    integration: &IntegrationRow,
    users: &[UserId],
    receipt: &mut Option<&mut Receipt>,
    last: bool,
) -> Result<Vec<Wished>> {
    let rules = integration.rules();
    let users = load::users(tx, integration.id, users).await?;
    let matches = load::matches(tx, integration.id, &users).await?;
    let found = |user: &UserRow| matches.get(&user.email).map(Vec::as_slice).unwrap_or_default();
    let mut subjects: Vec<(&UserRow, Subject)> = users.iter().map(|user| (user, user.subject(found(user)))).collect();
    load::mark_removed(tx, integration.id, rules, &mut subjects).await?;
    let mut written = Written::default();
    let mut wished = Vec::new();
    for (user, subject) in &subjects {
        let state = match link::decide(subject, rules) {
            Decision::Map(wish) => {
                let target = found(user).iter().find(|row| row.id == wish.target);
                if wish.ends.is_none() && wish.holder.is_none() {
                    written.link(tx, user, subject, target, wish.target);
                    if let Some(receipt) = receipt {
                        let external_id = target.map_or("", |row| row.external_id.as_str());
                        let change = done(SyncChangeKind::Linked, user.id, wish.target, &user.email, external_id);
                        receipt.note(tx, change).await?;
                    }
                    LinkState::Mapped
                } else if last {
                    wish.otherwise
                } else {
                    wished.push(Wished {
                        user: user.id,
                        email: user.email.clone(),
                        wish,
                        external_id: target.map_or_else(String::new, |row| row.external_id.0.clone()),
                        from: user.mapping_id.zip(user.crm_user_id),
                    });
                    continue;
                }
            }
            Decision::Stay(state) => state,
        };
        written.warn(user, subject);
        if let Some(receipt) = receipt {
            leave_alone(tx, receipt, user, found(user), state).await?;
        }
        if user.state != Some(state) {
            written.states.add(&[&user.id, &state]);
        }
    }
    let run = receipt.as_ref().map(|receipt| receipt.run);
    write::write(tx, integration.id, written.new, written.states, written.warnings, run).await?;
    Ok(wished)
}

/// Writes down that a user has active matches and could not be linked.
async fn leave_alone(
    tx: &Tx,
    receipt: &mut Receipt,
    user: &UserRow,
    found: &[MatchRow],
    state: LinkState,
) -> Result<()> {
    let kind = match state {
        LinkState::Ambiguous => SyncChangeKind::Ambiguous,
        LinkState::MatchTaken => SyncChangeKind::Taken,
        _ => return Ok(()),
    };
    let mut change = Change { user: Some(user.id), email: Some(user.email.clone()), ..Change::of(kind) };
    let mut active: Vec<&MatchRow> = found.iter().filter(|row| row.is_active).collect();
    active.sort_by(|one, other| one.external_id.cmp(&other.external_id));
    match (kind, active.first()) {
        (SyncChangeKind::Taken, Some(taken)) => {
            change.crm_user = Some(taken.id);
            change.external_id = Some(taken.external_id.0.clone());
        }
        _ => {
            let named: Vec<&str> = active.iter().take(NAMED).map(|row| row.external_id.as_str()).collect();
            let more = active.len().saturating_sub(named.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            change.detail = Some(format!("{}{more}", named.join(", ")));
        }
    }
    receipt.note(tx, change).await
}

/// What is to be written for a chunk of users.
struct Written {
    new: Rows,
    states: Rows,
    warnings: Rows,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            new: Rows::new(MAPPING),
            states: Rows::new(&[("user_id", Kind::Uuid), ("state", Kind::Text)]),
            warnings: Rows::new(&[("id", Kind::Uuid), ("warnings", Kind::Int)]),
        }
    }
}

impl Written {
    fn link(&mut self, tx: &Tx, user: &UserRow, subject: &Subject, target: Option<&MatchRow>, crm_user: CrmUserId) {
        let mapped = Mapped {
            source: MappingSource::Automatic,
            crm_email: Some(user.email.clone()),
            crm_name: target.and_then(|row| row.name.clone()).unwrap_or_default(),
            crm_is_active: true,
        };
        let id: MappingId = tx.clock.id();
        self.new.add(&[&id, &user.id, &crm_user, &link::warnings(subject, &mapped), &None::<MappingId>]);
    }

    /// Keeps up the warnings of the mapping that a user has.
    fn warn(&mut self, user: &UserRow, subject: &Subject) {
        if let (Some(mapped), Some(id)) = (&subject.mapping, user.mapping_id) {
            let bits = link::warnings(subject, mapped);
            if user.warnings != Some(bits) {
                self.warnings.add(&[&id, &bits]);
            }
        }
    }
}

/// First and last name as one text, or nothing.
pub fn full_name(first: Option<&str>, last: Option<&str>) -> String {
    [first, last].into_iter().flatten().collect::<Vec<_>>().join(" ")
}
