//! The demonstration organisation: a team hierarchy, its people, and a Salesforce integration whose CRM users match,
//! are ambiguous, inactive, taken or missing. It is made through the same services that the API calls.

use std::sync::Arc;

use entity::{CrmKind, EmailDedupe, ObjectVisibility, OnExistingMapping, UserRole, integration as entities};
use url::Url;

use crate::{
    bootstrap::Administrator,
    crm::fake::{self, Fake, FakeRole, FakeUser},
    service::{
        Result, Scope, Services, Session, Viewer,
        catalogue::LicenseRef,
        connection,
        crm_user::{CrmUserRef, Incoming},
        db::Sql,
        integration::{self, IntegrationRef, SettingsPatch},
        mapping::change::{self as mappings, SetMapping},
        sync_run,
        team::{self, TeamRef},
        user::{Attributes, Patch, UserRef, change as users},
        value::{
            external_id::{IdKind, parse},
            text,
        },
    },
};

/// Whom only the CRM has, until users are made of such people.
const NEW_HIRE: &str = "new.hire@acme.example";
/// The one who is there twice once the fake is followed.
const SUCCEEDED: (&str, &str) = ("Vint", "Cerf");
/// The successor's number among the CRM users.
const SUCCESSOR: usize = 101;

/// The integration's name.
pub const INTEGRATION: &str = "Salesforce";

const TEAMS: [&str; 12] = [
    "North America",
    "North America:East",
    "North America:East:New York",
    "North America:Mid-West",
    "North America:West",
    "EMEA",
    "EMEA:DACH",
    "EMEA:Nordics",
    "EMEA:UK & Ireland",
    "APAC",
    "APAC:Japan",
    "Revenue Operations",
];

/// How a person stands in the CRM.
#[derive(Clone, Copy)]
enum Crm {
    /// One active CRM user with the same email.
    Match,
    /// Two active CRM users share the email.
    Twice,
    /// Only an inactive one has the email.
    Inactive,
    /// A CRM user of the same name without an email, who signs in as this, for the candidates to find.
    Other(&'static str),
    /// A CRM user of the same name under this email, mapped to it by hand.
    ByHand(&'static str),
    /// None.
    Missing,
}

struct Person(&'static str, &'static str, &'static str, &'static str, UserRole, Crm);

const PEOPLE: &[Person] = &[
    Person("Grace", "Hopper", "VP Sales, North America", "North America", UserRole::Manager, Crm::Match),
    Person("Alan", "Turing", "Director, East", "North America:East", UserRole::Manager, Crm::Match),
    Person("Katherine", "Johnson", "Account Executive", "North America:East:New York", UserRole::Member, Crm::Match),
    Person("Dorothy", "Vaughan", "Account Executive", "North America:East:New York", UserRole::Member, Crm::Twice),
    Person(
        "Mary",
        "Jackson",
        "SDR",
        "North America:East",
        UserRole::Member,
        Crm::Other("mary.w.jackson@oldcompany.example"),
    ),
    Person(
        "Jane",
        "Smith",
        "Account Executive",
        "North America:Mid-West",
        UserRole::Member,
        Crm::ByHand("jane@oldcompany.example"),
    ),
    Person(
        "Robert",
        "Noyce",
        "Account Executive",
        "North America:Mid-West",
        UserRole::Member,
        Crm::Other("bob.noyce@oldcompany.example"),
    ),
    Person("Gordon", "Moore", "SDR", "North America:Mid-West", UserRole::Member, Crm::Inactive),
    Person("Radia", "Perlman", "Director, West", "North America:West", UserRole::Manager, Crm::Match),
    Person("Vint", "Cerf", "Account Executive", "North America:West", UserRole::Member, Crm::Match),
    Person("Barbara", "Liskov", "Account Executive", "North America:West", UserRole::Member, Crm::Match),
    Person("Donald", "Knuth", "SDR", "North America:West", UserRole::Member, Crm::Missing),
    Person("Ada", "Lovelace", "VP Sales, EMEA", "EMEA", UserRole::Manager, Crm::Match),
    Person("Konrad", "Zuse", "Account Executive", "EMEA:DACH", UserRole::Member, Crm::Match),
    Person("Jürgen", "Müller", "SDR", "EMEA:DACH", UserRole::Member, Crm::Other("j.mueller@oldcompany.example")),
    Person("Margarete", "Weiß", "Account Executive", "EMEA:DACH", UserRole::Member, Crm::Match),
    Person("Ole-Johan", "Dahl", "Account Executive", "EMEA:Nordics", UserRole::Member, Crm::Match),
    Person("Kristen", "Nygaard", "SDR", "EMEA:Nordics", UserRole::Member, Crm::Inactive),
    Person("Tony", "Hoare", "Account Executive", "EMEA:UK & Ireland", UserRole::Member, Crm::Match),
    Person("Stephanie", "Shirley", "Director, UK & Ireland", "EMEA:UK & Ireland", UserRole::Manager, Crm::Match),
    Person("Yukihiro", "Matsumoto", "Account Executive", "APAC:Japan", UserRole::Member, Crm::Match),
    Person("Goto", "Eiichi", "SDR", "APAC:Japan", UserRole::Member, Crm::Other("eiichi.goto@oldcompany.example")),
    Person("Fernando", "Corbató", "VP Sales, APAC", "APAC", UserRole::Manager, Crm::Match),
    Person("Edgar", "Codd", "RevOps Analyst", "Revenue Operations", UserRole::Member, Crm::Missing),
    Person("Calendar", "Sync", "Service Account", "Revenue Operations", UserRole::Data, Crm::Missing),
];

impl Person {
    fn email(&self) -> String {
        format!("{}.{}@acme.example", text::fold(self.0), text::fold(self.1))
    }
}

/// Puts the demonstration's CRM users into fakes: into Salesforce under the ids that they have there, and with a role for
/// each team; into the others under ids such as those CRMs give.
pub fn fill_fake(fake: &Fake) {
    let role = |path: &str| TEAMS.iter().position(|team| *team == path).map(|n| format!("00E8Z00000{n:05}"));
    let roles = TEAMS.iter().filter_map(|path| {
        let (parent, name) = path.rsplit_once(':').map_or((None, *path), |(parent, name)| (Some(parent), name));
        Some(FakeRole { id: role(path)?, name: name.to_owned(), parent: parent.and_then(role), modified_at: None })
    });
    fake.set_roles(CrmKind::Salesforce, roles.collect());
    for kind in [CrmKind::Salesforce, CrmKind::OracleSales, CrmKind::Dynamics365, CrmKind::Hubspot] {
        let users = crm_users().into_iter().zip(1..).map(|(user, n)| {
            let name = user.name.unwrap_or_default();
            let (first, last) = name.split_once(' ').unwrap_or(("", &name));
            FakeUser {
                id: match kind {
                    CrmKind::Salesforce => user.external_id,
                    CrmKind::Dynamics365 => format!("00000000-0000-4000-8000-{n:012}"),
                    _ => (300_000_000 + n).to_string(),
                },
                email: user.email,
                username: user.username,
                title: user.title,
                role: user.team.as_deref().filter(|_| kind == CrmKind::Salesforce).and_then(role),
                is_active: user.is_active,
                ..FakeUser::default()
            }
            .named(first, last)
        });
        fake.set_users(kind, users.collect());
    }
}

/// The Salesforce id of the demonstration's `n`th CRM user.
fn salesforce_id(n: usize) -> String {
    let id = format!("0058Z00000{n:05}");
    parse(IdKind::Salesforce, &id).unwrap_or(id)
}

/// Fills an organisation that has nothing but its administrator, and has it follow a fake of its CRM, where there is one.
///
/// # Errors
/// Those of the services.
pub async fn fill(services: &Arc<Services>, administrator: &Administrator, crm: Option<(&Fake, &Url)>) -> Result<()> {
    let session = session(services, administrator);
    for path in TEAMS {
        let (parent, name) = path.rsplit_once(':').map_or((None, path), |(parent, name)| (Some(parent), name));
        let parent = parent.map(|parent| TeamRef::Path(parent.to_owned()));
        team::change::create(&session, name.to_owned(), parent).await?;
    }
    for person in PEOPLE {
        let Person(first, last, title, team, role, _) = person;
        let manages = if *role == UserRole::Manager { vec![TeamRef::Path((*team).to_owned())] } else { Vec::new() };
        let attributes = Attributes {
            email: Patch::Set(person.email()),
            first_name: Patch::Set((*first).to_owned()),
            last_name: Patch::Set((*last).to_owned()),
            title: Patch::Set((*title).to_owned()),
            team: Patch::Set(TeamRef::Path((*team).to_owned())),
            role: Patch::Set(*role),
            object_visibility: Patch::Set(ObjectVisibility::Team),
            manager_of: Patch::Set(manages),
            licenses: Patch::Set(vec![LicenseRef::Name("Foundation".to_owned())]),
            ..Attributes::default()
        };
        users::create(&session, attributes).await?;
    }
    let name = INTEGRATION.to_owned();
    integration::change::create(&session, name.clone(), CrmKind::Salesforce, SettingsPatch::default()).await?;
    sync_run::push(&session, IntegrationRef::Name(name.clone()), crm_users()).await?;
    for person in PEOPLE {
        if let Crm::ByHand(crm_email) = person.5 {
            let wanted = SetMapping {
                user: UserRef::Email(person.email()),
                integration: IntegrationRef::Name(name.clone()),
                crm_user: CrmUserRef::Email(crm_email.to_owned()),
                alias_email: Some(crm_email.to_owned()),
                on_existing: OnExistingMapping::Replace,
            };
            mappings::set(&session, wanted).await?;
        }
    }
    if let Some((fake, base)) = crm {
        follow(&session, base).await?;
        // Only now: who came later is no match of two.
        succeed(fake);
    }
    Ok(())
}

/// Has somebody in the fake Salesforce twice: made inactive as the one, the other takes over.
fn succeed(fake: &Fake) {
    let (first, last) = SUCCEEDED;
    let email = format!("{}.{}@acme.example", text::fold(first), text::fold(last));
    let all = crm_users();
    let Some(before) = all.iter().find(|user| user.email.as_deref() == Some(email.as_str())) else { return };
    let there = fake.user(CrmKind::Salesforce, &before.external_id).unwrap_or_default();
    fake.put(CrmKind::Salesforce, FakeUser { id: salesforce_id(SUCCESSOR), username: None, created_at: None, ..there });
}

/// Connects the integration with a fake of its CRM at `base`, and has it follow what happens there: by the minute, with new
/// people made users, and those who leave succeeded.
async fn follow(session: &Session, base: &Url) -> Result<()> {
    let Some(connection) = Fake::connection(CrmKind::Salesforce, base) else { return Ok(()) };
    let integration = || IntegrationRef::Name(INTEGRATION.to_owned());
    connection::set(session, integration(), connection).await?;
    let settings = SettingsPatch {
        inbound_create: Patch::Set(true),
        email_dedupe: Patch::Set(EmailDedupe::Both),
        auto_remap_inactive: Patch::Set(true),
        sync_schedule: Patch::Set("* * * * *".to_owned()),
        ..SettingsPatch::default()
    };
    integration::change::update(session, integration(), Patch::Keep, settings).await?;
    Ok(())
}

/// What whoever looks at the demonstration may do in its CRM at `base`.
pub fn guide(base: &Url) -> String {
    let (first, last) = SUCCEEDED;
    let name = format!("{first} {last}");
    let id = crm_users().into_iter().find(|user| user.name.as_ref() == Some(&name)).map(|user| user.external_id);
    format!(
        "\nIts CRM is a fake Salesforce at {base}, which is followed by the minute. {name} is there twice: \
         when the one\nthat he is mapped to leaves, his mapping moves to the other.\n\n  \
         curl -X PATCH {base}control/salesforce/users/{} -H 'Content-Type: application/json' -d '{{\"isActive\": false}}'\n",
        id.unwrap_or_default()
    )
}

/// Connects the demonstration's integration with the fake at `base`, where it was connected with one elsewhere: another
/// start may find it at another port. What is connected with a CRM of its own is left alone.
///
/// # Errors
/// Those of the services.
pub async fn follow_again(services: &Arc<Services>, fake: &Fake, base: &Url) -> Result<()> {
    succeed(fake);
    let mut sql = Sql::new(services.db.backend());
    sql.push("SELECT * FROM integration WHERE deleted_at IS NULL AND connection_summary IS NOT NULL");
    for found in sql.all::<entities::Model>(services.db.reader()).await? {
        let is_fake = connection::summary(&found)?.is_some_and(|summary| {
            summary.account.as_deref() == Some(fake::CLIENT_ID) && summary.url.starts_with("http://127.0.0.1:")
        });
        if let Some(connection) = Fake::connection(found.kind, base).filter(|_| is_fake) {
            let tx = services.db.write(found.organization_id).await?;
            connection::store(services, &tx, found, &connection).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

fn session(services: &Arc<Services>, administrator: &Administrator) -> Session {
    let viewer = Viewer {
        organization_id: administrator.organization_id,
        user_id: administrator.user_id,
        role: UserRole::Admin,
        scope: Scope::Organization,
    };
    Session::vouched(services, viewer)
}

fn crm_users() -> Vec<Incoming> {
    let mut found = Vec::new();
    let mut add = |email: Option<String>, username: String, name: String, title: &str, team: &str, is_active: bool| {
        found.push(Incoming {
            external_id: salesforce_id(found.len() + 1),
            username: Some(username),
            email,
            name: Some(name),
            title: Some(title.to_owned()),
            team: Some(team.to_owned()),
            role: None,
            is_active,
            created_at: None,
        });
    };
    for person in PEOPLE {
        let Person(first, last, title, team, _, crm) = person;
        let name = format!("{first} {last}");
        let email = person.email();
        let own = || (Some(email.clone()), email.clone());
        let ((email, username), is_active) = match crm {
            Crm::Match | Crm::Twice => (own(), true),
            Crm::Inactive => (own(), false),
            Crm::Other(username) => ((None, (*username).to_owned()), true),
            Crm::ByHand(other) => ((Some((*other).to_owned()), (*other).to_owned()), true),
            Crm::Missing => continue,
        };
        if matches!(crm, Crm::Twice) {
            let username = format!("sandbox.{username}");
            add(email.clone(), username, format!("{name} (Sandbox)"), title, team, is_active);
        }
        add(email, username, name, title, team, is_active);
    }
    // One of the CRM's own, whom no user stands for.
    let (name, title) = ("Lynn Conway".to_owned(), "Account Executive");
    add(Some(NEW_HIRE.to_owned()), NEW_HIRE.to_owned(), name, title, "North America:West", true);
    found
}
