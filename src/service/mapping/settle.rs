//! Which of several wanted mappings can be had together: pure functions over plain values.
//!
//! What the requests free, they may use, wherever they stand: two users may swap, in chains and circles. A request that
//! counts on one that fails, fails too.
//!
//! [`publish`](super::publish) settles the rows of a file by the same rules, in the database.

use std::collections::HashMap;

use entity::{CrmUserId, MappingId, MappingSource, OnExistingMapping, UserId};

/// What is wanted for one user. A user stands in one request at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub user: UserId,
    pub want: Want,
    /// The mapping that the user has now.
    pub current: Option<Current>,
}

/// The mapping to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    Target {
        crm_user: CrmUserId,
        alias_email: Option<String>,
        on_existing: OnExistingMapping,
        /// Another user who is mapped to the CRM user now.
        holder: Option<UserId>,
    },
    /// None; `Some` names the target that must be the one mapped.
    Nothing(Option<CrmUserId>),
}

/// A mapping that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    pub id: MappingId,
    pub crm_user: CrmUserId,
    pub source: MappingSource,
    pub alias_email: Option<String>,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// A mapping is made; it takes the place of `replaces`.
    Make { replaces: Option<MappingId> },
    /// The mapping ends.
    End(MappingId),
    /// It is already as asked.
    Unchanged,
    /// The user has a mapping, and the request may not replace it.
    Exists,
    /// The user has no mapping to remove.
    Missing,
    /// The mapping to remove has another target.
    Mismatch,
    /// Another user keeps the target.
    Held(UserId),
    /// An earlier request, by its place in the list, takes the target.
    Claimed(usize),
}

/// Settles all requests together, in their order: of two that want the same target, the first has it.
pub fn settle(requests: &[Request]) -> Vec<Settled> {
    let mut settled: Vec<Settled> = requests.iter().map(alone).collect();
    let by_user: HashMap<UserId, usize> = requests.iter().enumerate().map(|(i, r)| (r.user, i)).collect();

    // Whoever changes no more than the alias keeps the target, whatever the order.
    let mut claims: HashMap<CrmUserId, usize> = HashMap::new();
    for (i, request) in requests.iter().enumerate() {
        if matches!(settled[i], Settled::Make { .. }) && !frees(&settled[i], request) && request.current.is_some() {
            claims.extend(request.target().map(|target| (target, i)));
        }
    }
    for (i, request) in requests.iter().enumerate() {
        if let (Settled::Make { .. }, Some(target)) = (settled[i], request.target()) {
            match claims.get(&target) {
                Some(first) if *first == i => {}
                Some(first) => settled[i] = Settled::Claimed(*first),
                None => {
                    claims.insert(target, i);
                }
            }
        }
    }

    // Who waits for whose mapping to end; a request that fails takes down those that wait for it.
    let mut waits: Vec<Wait<usize>> = Vec::new();
    let mut failed: Vec<usize> = Vec::new();
    for (i, request) in requests.iter().enumerate() {
        let (Settled::Make { .. }, Want::Target { holder: Some(holder), .. }) = (settled[i], &request.want) else {
            continue;
        };
        match by_user.get(holder) {
            Some(&other) if frees(&settled[other], &requests[other]) => waits.push(Wait { who: i, on: other }),
            _ => {
                settled[i] = Settled::Held(*holder);
                failed.push(i);
            }
        }
    }
    for i in fallen(&mut waits, failed) {
        if let Want::Target { holder: Some(holder), .. } = &requests[i].want {
            settled[i] = Settled::Held(*holder);
        }
    }
    settled
}

/// A request that can be had when another gives its user's present target up, by their places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait<P> {
    pub who: P,
    pub on: P,
}

/// Who falls with those that have `failed`: whoever waits for one of them, and whoever waits for who falls.
pub fn fallen<P: Ord + Copy>(waits: &mut [Wait<P>], mut failed: Vec<P>) -> Vec<P> {
    waits.sort_unstable_by_key(|wait| wait.on);
    let mut fallen = Vec::new();
    while let Some(failure) = failed.pop() {
        let first = waits.partition_point(|wait| wait.on < failure);
        for wait in waits[first..].iter().take_while(|wait| wait.on == failure) {
            fallen.push(wait.who);
            failed.push(wait.who);
        }
    }
    fallen
}

impl Request {
    fn target(&self) -> Option<CrmUserId> {
        match &self.want {
            Want::Target { crm_user, .. } => Some(*crm_user),
            Want::Nothing(_) => None,
        }
    }
}

/// Whether the request, as it is settled, gives the user's present target up.
fn frees(settled: &Settled, request: &Request) -> bool {
    match settled {
        Settled::End(_) => true,
        Settled::Make { .. } => request.current.as_ref().map(|current| current.crm_user) != request.target(),
        _ => false,
    }
}

/// The request without regard to the others.
fn alone(request: &Request) -> Settled {
    match (&request.want, &request.current) {
        (Want::Nothing(_), None) => Settled::Missing,
        (Want::Nothing(Some(named)), Some(current)) if *named != current.crm_user => Settled::Mismatch,
        (Want::Nothing(_), Some(current)) => Settled::End(current.id),
        (Want::Target { .. }, None) => Settled::Make { replaces: None },
        (Want::Target { crm_user, alias_email, on_existing, .. }, Some(current)) => {
            let as_asked = current.source == MappingSource::Manual
                && current.crm_user == *crm_user
                && current.alias_email == *alias_email;
            match on_existing {
                OnExistingMapping::Error => Settled::Exists,
                _ if as_asked => Settled::Unchanged,
                OnExistingMapping::OverrideAutomatic if current.source == MappingSource::Manual => Settled::Exists,
                _ => Settled::Make { replaces: Some(current.id) },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn user(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    fn crm(n: u128) -> CrmUserId {
        CrmUserId(Uuid::from_u128(n))
    }

    fn mapping(n: u128) -> MappingId {
        MappingId(Uuid::from_u128(n))
    }

    /// User `u` is mapped to CRM user `c` by hand, or not (0), and wants `target`, which `holder` (or 0) has.
    fn wants(u: u128, c: u128, target: u128, holder: u128) -> Request {
        Request {
            user: user(u),
            want: Want::Target {
                crm_user: crm(target),
                alias_email: None,
                on_existing: OnExistingMapping::Replace,
                holder: (holder != 0).then(|| user(holder)),
            },
            current: (c != 0).then(|| Current {
                id: mapping(u),
                crm_user: crm(c),
                source: MappingSource::Manual,
                alias_email: None,
            }),
        }
    }

    fn gives_up(u: u128, c: u128) -> Request {
        Request { want: Want::Nothing(None), ..wants(u, c, 1, 0) }
    }

    fn make(u: u128) -> Settled {
        Settled::Make { replaces: Some(mapping(u)) }
    }

    #[test]
    fn two_users_swap() {
        assert_eq!(settle(&[wants(1, 11, 12, 2), wants(2, 12, 11, 1)]), [make(1), make(2)]);
    }

    #[test]
    fn a_circle_of_three_turns() {
        assert_eq!(
            settle(&[wants(1, 11, 12, 2), wants(2, 12, 13, 3), wants(3, 13, 11, 1)]),
            [make(1), make(2), make(3)]
        );
    }

    #[test]
    fn what_a_later_row_frees_an_earlier_one_uses() {
        assert_eq!(
            settle(&[wants(1, 0, 12, 2), gives_up(2, 12)]),
            [Settled::Make { replaces: None }, Settled::End(mapping(2))]
        );
    }

    #[test]
    fn a_chain_fails_with_its_end() {
        // 1 waits for 2, 2 for 3, and 3 wants what 9, who is not asked, keeps.
        assert_eq!(
            settle(&[wants(1, 11, 12, 2), wants(2, 12, 13, 3), wants(3, 13, 14, 9)]),
            [Settled::Held(user(2)), Settled::Held(user(3)), Settled::Held(user(9))]
        );
    }

    #[test]
    fn the_first_of_two_has_the_target() {
        assert_eq!(
            settle(&[wants(1, 0, 12, 0), wants(2, 0, 12, 0)]),
            [Settled::Make { replaces: None }, Settled::Claimed(0)]
        );
    }

    #[test]
    fn a_holder_whose_alias_changes_keeps_its_target() {
        let mut alias = wants(2, 12, 12, 0);
        if let Want::Target { alias_email, .. } = &mut alias.want {
            *alias_email = Some("old@x.com".into());
        }
        assert_eq!(settle(&[wants(1, 0, 12, 2), alias]), [Settled::Claimed(1), make(2)]);
    }

    #[test]
    fn on_existing_decides() {
        for (source, on_existing, settled) in [
            (MappingSource::Automatic, OnExistingMapping::Error, Settled::Exists),
            (MappingSource::Manual, OnExistingMapping::Error, Settled::Exists),
            (MappingSource::Automatic, OnExistingMapping::OverrideAutomatic, make(1)),
            (MappingSource::Manual, OnExistingMapping::OverrideAutomatic, Settled::Exists),
            (MappingSource::Manual, OnExistingMapping::Replace, make(1)),
        ] {
            let mut request = wants(1, 11, 12, 0);
            if let Some(current) = &mut request.current {
                current.source = source;
            }
            if let Want::Target { on_existing: asked, .. } = &mut request.want {
                *asked = on_existing;
            }
            assert_eq!(settle(&[request]), [settled], "{source:?} {on_existing:?}");
        }
        assert_eq!(settle(&[wants(1, 11, 11, 0)]), [Settled::Unchanged]);
    }

    #[test]
    fn removing_needs_the_mapping_it_names() {
        let named = |c: u128| Request { want: Want::Nothing(Some(crm(c))), ..wants(1, 11, 1, 0) };
        assert_eq!(settle(&[named(11)]), [Settled::End(mapping(1))]);
        assert_eq!(settle(&[named(12)]), [Settled::Mismatch]);
        assert_eq!(settle(&[gives_up(1, 0)]), [Settled::Missing]);
    }
}
