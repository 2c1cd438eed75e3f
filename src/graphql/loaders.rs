//! What a request can load in batches: a loader for every way from one object to others.

use std::{collections::HashMap, hash::Hash, marker::PhantomData, sync::Arc};

use entity::{
    ApiTokenId, ConfigurationProfileId, CrmUserId, ImportJobId, IntegrationId, LicenseId, LinkState, MappingId,
    SyncRunId, TeamId, UserId, organization,
};
use uuid::Uuid;

use super::{
    api_token::ApiToken,
    catalogue::{ConfigurationProfile, License},
    crm_user::CrmUser,
    import::{ImportJob, ImportRow},
    integration::Integration,
    loader::{Batch, Loader},
    mapping::Mapping,
    pace::Pace,
    page::Shown,
    sync_run::{SyncChange, SyncRun},
    team::Team,
    user::User,
};
use crate::service::{
    self, Session, api_token, catalogue,
    crm_user::{self, candidates::Candidate},
    import,
    integration::{self, IntegrationRef},
    list::{self, Below},
    mapping, organization as organizations,
    page::{Page, PageRequest},
    sync_run, team,
    user::{self, standing::Pair},
};

/// The lists of one kind that stand below parents: their pages and their counts.
pub struct Lists<L: Below, T: Shown<Row = L::Row>> {
    pub pages: Loader<Pages<L, T>>,
    /// A connection counts later, and keeps it for that.
    pub counts: Arc<Loader<Counts<L>>>,
}

impl<L: Below, T: Shown<Row = L::Row>> Lists<L, T> {
    fn new(session: &Arc<Session>, pace: &Arc<Pace>) -> Self {
        Self { pages: Loader::new(session, pace), counts: Arc::new(Loader::new(session, pace)) }
    }
}

/// Loads pages: those of the same list with the same arguments in one statement, whatever the number of parents.
pub struct Pages<L, T>(PhantomData<(L, T)>);

impl<L: Below, T: Shown<Row = L::Row>> Batch for Pages<L, T> {
    type Key = (Uuid, L, PageRequest);
    type Value = Page<T>;

    async fn load(session: &Session, keys: Vec<Self::Key>) -> service::Result<HashMap<Self::Key, Page<T>>> {
        let mut loaded = HashMap::new();
        for ((list, request), parents) in grouped(keys, |(parent, list, request)| ((list, request), parent)) {
            for (parent, page) in list::pages(session, &list, &parents, &request).await? {
                loaded.insert((parent, list.clone(), request.clone()), page.map(|row| T::of(Arc::new(row))));
            }
        }
        Ok(loaded)
    }
}

/// Counts lists, as [`Pages`] loads them.
pub struct Counts<L>(PhantomData<L>);

impl<L: Below> Batch for Counts<L> {
    type Key = (Uuid, L);
    type Value = i64;

    async fn load(session: &Session, keys: Vec<Self::Key>) -> service::Result<HashMap<Self::Key, i64>> {
        let mut loaded = HashMap::new();
        for (list, parents) in grouped(keys, |(parent, list)| (list, parent)) {
            for (parent, count) in list::counts(session, &list, &parents).await? {
                loaded.insert((parent, list.clone()), count);
            }
        }
        Ok(loaded)
    }
}

fn grouped<K, G: Eq + Hash, V>(keys: Vec<K>, split: impl Fn(K) -> (G, V)) -> HashMap<G, Vec<V>> {
    let mut groups: HashMap<G, Vec<V>> = HashMap::new();
    for key in keys {
        let (group, value) = split(key);
        groups.entry(group).or_default().push(value);
    }
    groups
}

fn one<K: Eq + Hash, T: Shown>(rows: HashMap<K, T::Row>) -> HashMap<K, T> {
    rows.into_iter().map(|(key, row)| (key, T::of(Arc::new(row)))).collect()
}

fn many<K: Eq + Hash, T: Shown>(rows: HashMap<K, Vec<T::Row>>) -> HashMap<K, Vec<T>> {
    rows.into_iter().map(|(key, rows)| (key, rows.into_iter().map(|row| T::of(Arc::new(row))).collect())).collect()
}

fn same<K, V>(values: HashMap<K, V>) -> HashMap<K, V> {
    values
}

/// Declares batches, and with the lists the [`Loaders`] of a request.
macro_rules! loaders {
    (
        batches { $($(#[$doc:meta])* $field:ident $batch:ident: $key:ty => $value:ty, $shape:ident($load:path);)* }
        lists { $($(#[$list_doc:meta])* $list_field:ident: $list:ty => $shown:ty;)* }
    ) => {
        $(
            $(#[$doc])*
            pub struct $batch;

            impl Batch for $batch {
                type Key = $key;
                type Value = $value;

                async fn load(session: &Session, keys: Vec<$key>) -> service::Result<HashMap<$key, $value>> {
                    Ok($shape($load(session, &keys).await?))
                }
            }
        )*

        /// The loaders of one request.
        pub struct Loaders {
            $($(#[$doc])* pub $field: Loader<$batch>,)*
            $($(#[$list_doc])* pub $list_field: Lists<$list, $shown>,)*
        }

        impl Loaders {
            pub fn new(session: &Arc<Session>, pace: &Arc<Pace>) -> Self {
                Self {
                    $($field: Loader::new(session, pace),)*
                    $($list_field: Lists::new(session, pace),)*
                }
            }
        }
    };
}

loaders! {
    batches {
        /// The viewer's organisation.
        organization TheOrganization: () => Arc<organization::Model>, same(organization);
        /// The integration that users and teams follow.
        managing Managing: () => Integration, one(managing);
        /// Users that the viewer sees, deleted ones included.
        users Users: UserId => User, one(user::query::by_id);
        teams Teams: TeamId => Team, one(team::query::by_id);
        /// The teams above a team, from the parent up.
        ancestors Ancestors: TeamId => Vec<Team>, many(team::query::ancestors);
        /// The teams that a user manages.
        managed ManagedTeams: UserId => Vec<Team>, many(team::query::managed_by);
        licenses Licenses: LicenseId => License, one(catalogue::query::licenses_by_id);
        licenses_of LicensesOf: UserId => Vec<License>, many(catalogue::query::licenses_of);
        profiles Profiles: ConfigurationProfileId => ConfigurationProfile, one(catalogue::query::profiles_by_id);
        /// Integrations, deleted ones included.
        integrations Integrations: IntegrationId => Integration, one(integration::query::by_id);
        /// Integrations as an argument names them.
        integration_refs IntegrationRefs: IntegrationRef => Integration, one(integration::query::by_ref);
        coverage Coverage: IntegrationId => integration::query::Coverage, same(integration::query::coverage);
        crm_users CrmUsers: CrmUserId => CrmUser, one(crm_user::query::by_id);
        mappings Mappings: MappingId => Mapping, one(mapping::query::by_id);
        /// The mappings of a user that hold.
        mappings_of MappingsOf: UserId => Vec<Mapping>, many(mapping::query::of_users);
        /// The mapping of a CRM user that holds.
        mapping_to MappingTo: (IntegrationId, CrmUserId) => Mapping, one(mapping::query::of_crm_users);
        link_states LinkStates: Pair => LinkState, same(user::standing::states);
        explanations Explanations: Pair => String, same(user::standing::explanations);
        /// The CRM users that a user may be, best first.
        candidates Candidates: Pair => Arc<Vec<Candidate>>, same(crm_user::candidates::ranked);
        import_jobs ImportJobs: ImportJobId => ImportJob, one(import::query::by_id);
        sync_runs SyncRuns: SyncRunId => SyncRun, one(sync_run::query::by_id);
        /// The newest receipt of an integration.
        last_sync LastSync: IntegrationId => SyncRun, one(sync_run::query::last_of);
        api_tokens ApiTokens: ApiTokenId => ApiToken, one(api_token::query::by_id);
        api_tokens_of ApiTokensOf: UserId => Vec<ApiToken>, many(api_token::query::of_users);
    }
    lists {
        children: team::query::Children => Team;
        users_of_team: user::query::OfTeam => User;
        crm_users_of: crm_user::query::OfIntegration => CrmUser;
        mappings_to: mapping::query::OfIntegration => Mapping;
        history: mapping::query::History => Mapping;
        import_rows: import::query::RowsOfJob => ImportRow;
        sync_runs_of: sync_run::query::OfIntegration => SyncRun;
        sync_changes: sync_run::change::OfRun => SyncChange;
    }
}

async fn organization(session: &Session, _: &[()]) -> service::Result<HashMap<(), Arc<organization::Model>>> {
    let found = organizations::query::find(session).await?;
    Ok(HashMap::from([((), Arc::new(found))]))
}

async fn managing(session: &Session, _: &[()]) -> service::Result<HashMap<(), entity::integration::Model>> {
    let found = integration::query::managing(session).await?;
    Ok(found.into_iter().map(|found| ((), found)).collect())
}
