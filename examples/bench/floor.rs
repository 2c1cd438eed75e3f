//! What there is to be had: handlers that run, by hand, the statements that the program runs, and write the JSON that it
//! writes. They know the query beforehand, check nothing but the token, and keep no log.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use counterpart::service::db::Db;
use sea_orm::DbBackend;
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{requests::SOMEBODY, world::email};

pub fn router(db: &Db) -> Router {
    match db.backend() {
        DbBackend::Postgres => postgres::router(db.reader().connections().get_postgres_connection_pool().clone()),
        _ => sqlite::router(db.reader().connections().get_sqlite_connection_pool().clone()),
    }
}

#[derive(Serialize)]
struct Answer<T> {
    data: T,
}

#[derive(Serialize)]
struct Nodes<T> {
    nodes: Vec<T>,
}

#[derive(Serialize)]
struct Teams<T> {
    teams: Nodes<T>,
}

/// A team of the tree, with what hangs below it.
#[derive(Serialize)]
struct Above<T> {
    name: String,
    children: Nodes<T>,
}

#[derive(Serialize)]
struct Lowest {
    name: String,
    members: Nodes<Member>,
}

#[derive(Serialize)]
struct Member {
    email: String,
    mappings: Vec<Mapping>,
}

#[derive(Serialize)]
struct Mapping {
    source: String,
    #[serde(rename = "crmUser")]
    crm_user: Arc<CrmUser>,
}

#[derive(Serialize)]
struct CrmUser {
    #[serde(rename = "externalId")]
    external_id: String,
    email: Option<String>,
}

#[derive(Serialize)]
struct Users {
    users: Nodes<Listed>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    email: String,
    first_name: Option<String>,
    last_name: Option<String>,
    team: Option<TeamOf>,
    mappings: Vec<Mapping>,
}

#[derive(Serialize)]
struct TeamOf {
    name: String,
    parent: Option<Parent>,
}

#[derive(Serialize)]
struct Parent {
    name: String,
}

#[derive(Serialize)]
struct User {
    user: One,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct One {
    email: String,
    first_name: Option<String>,
    last_name: Option<String>,
}

fn json(answer: &impl Serialize) -> Response {
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], serde_json::to_vec(answer).unwrap()).into_response()
}

/// The organisation and the hash of the secret in the token.
fn token(headers: &HeaderMap) -> (Uuid, Vec<u8>) {
    let token = headers[header::AUTHORIZATION].to_str().unwrap().strip_prefix("Bearer cpt_").unwrap();
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).unwrap();
    let (organization, secret) = bytes.split_at(16);
    (Uuid::from_slice(organization).unwrap(), Sha256::digest(secret).to_vec())
}

const SIGN_IN: &str = "SELECT t.id AS token_id, t.expires_at, t.last_used_at, u.id AS user_id, u.role, \
    u.object_visibility FROM api_token t JOIN app_user u ON u.organization_id = t.organization_id AND u.id = t.user_id \
    WHERE t.organization_id = $1 AND t.secret_hash = $2 AND u.deleted_at IS NULL AND u.status = 'ACTIVE' \
    AND u.role <> 'DATA'";
const ROOTS: &str = "SELECT x.* FROM team x WHERE x.organization_id = $1 AND x.parent_id IS NULL \
    ORDER BY x.name ASC, x.id ASC LIMIT $2";
const PAGE: &str = "SELECT x.* FROM app_user x WHERE x.organization_id = $1 AND x.deleted_at IS NULL \
    ORDER BY x.email ASC, x.id ASC LIMIT $2";
const ONE: &str = "SELECT x.* FROM app_user x WHERE x.organization_id = $1 AND x.deleted_at IS NULL AND x.email = $2";

/// A page below each of several parents, as SQLite takes it.
macro_rules! each_sqlite {
    ($parents:literal, $table:literal, $condition:literal, $order:literal) => {
        concat!(
            "SELECT p.parent AS parent_key, x.* FROM ",
            $parents,
            " AS p CROSS JOIN ",
            $table,
            " AS x ON (x.organization_id, x.id) IN (SELECT x.organization_id, x.id FROM ",
            $table,
            " x WHERE x.organization_id = $2 AND ",
            $condition,
            " ORDER BY ",
            $order,
            " LIMIT $3) ORDER BY ",
            $order
        )
    };
}

/// The same as PostgreSQL takes it.
macro_rules! each_postgres {
    ($parents:literal, $table:literal, $condition:literal, $order:literal) => {
        concat!(
            "SELECT p.parent AS parent_key, x.* FROM ",
            $parents,
            " AS p CROSS JOIN LATERAL (SELECT x.* FROM ",
            $table,
            " x WHERE x.organization_id = $2 AND ",
            $condition,
            " ORDER BY ",
            $order,
            " LIMIT $3) AS x ORDER BY ",
            $order
        )
    };
}

macro_rules! floor {
    ($name:ident, $pool:ty, $row:ty, any: $any:literal, parents: $parents:literal, each: $each:ident, ids: $ids:expr) => {
        mod $name {
            use std::collections::HashMap;

            use sea_orm::sqlx::{self, Row};

            use super::*;

            type Pool = $pool;
            type Found = Vec<$row>;

            pub fn router(pool: Pool) -> Router {
                Router::new()
                    .route("/tree", post(tree))
                    .route("/page", post(page))
                    .route("/one", post(one))
                    .with_state(pool)
            }

            const CHILDREN: &str = $each!($parents, "team", "x.parent_id = p.parent", "x.name ASC, x.id ASC");
            const MEMBERS: &str =
                $each!($parents, "app_user", "x.team_id = p.parent AND x.deleted_at IS NULL", "x.email ASC, x.id ASC");
            const MAPPINGS: &str = concat!(
                "SELECT x.user_id AS parent_key, x.* FROM mapping x WHERE x.organization_id = $1 ",
                "AND x.ended_at IS NULL AND x.user_id",
                $any,
                " ORDER BY x.id"
            );
            const CRM_USERS: &str = concat!("SELECT x.* FROM crm_user x WHERE x.organization_id = $1 AND x.id", $any);
            const TEAMS: &str = concat!("SELECT x.* FROM team x WHERE x.organization_id = $1 AND x.id", $any);

            async fn sign_in(pool: &Pool, headers: &HeaderMap) -> Uuid {
                let (organization, hash) = token(headers);
                let found = sqlx::query(SIGN_IN).bind(organization).bind(hash).fetch_one(pool).await.unwrap();
                let expires: Option<chrono::DateTime<chrono::Utc>> = found.get("expires_at");
                assert!(expires.is_none());
                let role: String = found.get("role");
                assert_eq!(role, "ADMIN");
                organization
            }

            async fn each(pool: &Pool, statement: &'static str, organization: Uuid, parents: &[Uuid]) -> Found {
                let parents = $ids(parents);
                sqlx::query(statement).bind(parents).bind(organization).bind(6_i64).fetch_all(pool).await.unwrap()
            }

            async fn any(pool: &Pool, statement: &'static str, organization: Uuid, ids: &[Uuid]) -> Found {
                sqlx::query(statement).bind(organization).bind($ids(ids)).fetch_all(pool).await.unwrap()
            }

            fn ids(rows: &Found) -> Vec<Uuid> {
                rows.iter().map(|row| row.get("id")).collect()
            }

            fn by_parent<T>(rows: Found, read: impl Fn($row) -> T) -> HashMap<Uuid, Nodes<T>> {
                let mut groups: HashMap<Uuid, Nodes<T>> = HashMap::new();
                for row in rows {
                    let group = groups.entry(row.get("parent_key")).or_insert_with(|| Nodes { nodes: Vec::new() });
                    // The sixth only tells that there are more.
                    if group.nodes.len() < 5 {
                        group.nodes.push(read(row));
                    }
                }
                groups
            }

            fn of<T>(groups: &mut HashMap<Uuid, Nodes<T>>, id: Uuid) -> Nodes<T> {
                groups.remove(&id).unwrap_or(Nodes { nodes: Vec::new() })
            }

            async fn mappings(pool: &Pool, organization: Uuid, users: &[Uuid]) -> HashMap<Uuid, Vec<Mapping>> {
                let rows = any(pool, MAPPINGS, organization, users).await;
                let crm_users: Vec<Uuid> = rows.iter().map(|row| row.get("crm_user_id")).collect();
                let crm_users: HashMap<Uuid, Arc<CrmUser>> = any(pool, CRM_USERS, organization, &crm_users)
                    .await
                    .into_iter()
                    .map(|row| {
                        let found = CrmUser { external_id: row.get("external_id"), email: row.get("email") };
                        (row.get("id"), Arc::new(found))
                    })
                    .collect();
                let mut mappings: HashMap<Uuid, Vec<Mapping>> = HashMap::new();
                for row in rows {
                    let crm_user: Uuid = row.get("crm_user_id");
                    let mapping = Mapping { source: row.get("source"), crm_user: Arc::clone(&crm_users[&crm_user]) };
                    mappings.entry(row.get("parent_key")).or_default().push(mapping);
                }
                mappings
            }

            /// What is kept of the five of each parent's rows that the page has.
            fn shown(rows: &Found) -> Vec<Uuid> {
                let mut seen: HashMap<Uuid, usize> = HashMap::new();
                rows.iter()
                    .filter(|row| {
                        let count = seen.entry(row.get("parent_key")).or_default();
                        *count += 1;
                        *count <= 5
                    })
                    .map(|row| row.get("id"))
                    .collect()
            }

            async fn tree(State(pool): State<Pool>, headers: HeaderMap, _: Bytes) -> Response {
                let organization = sign_in(&pool, &headers).await;
                let mut roots: Found =
                    sqlx::query(ROOTS).bind(organization).bind(6_i64).fetch_all(&pool).await.unwrap();
                roots.truncate(5);
                let second = each(&pool, CHILDREN, organization, &ids(&roots)).await;
                let third = each(&pool, CHILDREN, organization, &shown(&second)).await;
                let members = each(&pool, MEMBERS, organization, &shown(&third)).await;
                let mut mappings = mappings(&pool, organization, &shown(&members)).await;

                let members = by_parent(members, |row| (row.get::<Uuid, _>("id"), row.get::<String, _>("email")));
                let mut members: HashMap<Uuid, Nodes<Member>> = members
                    .into_iter()
                    .map(|(team, members)| {
                        let members = members
                            .nodes
                            .into_iter()
                            .map(|(id, email)| Member { email, mappings: mappings.remove(&id).unwrap_or_default() });
                        (team, Nodes { nodes: members.collect() })
                    })
                    .collect();
                let third = by_parent(third, |row| (row.get::<Uuid, _>("id"), row.get::<String, _>("name")));
                let mut third: HashMap<Uuid, Nodes<Lowest>> = third
                    .into_iter()
                    .map(|(team, teams)| {
                        let teams = teams.nodes.into_iter();
                        let teams = teams.map(|(id, name)| Lowest { name, members: of(&mut members, id) });
                        (team, Nodes { nodes: teams.collect() })
                    })
                    .collect();
                let second = by_parent(second, |row| (row.get::<Uuid, _>("id"), row.get::<String, _>("name")));
                let mut second: HashMap<Uuid, Nodes<Above<Lowest>>> = second
                    .into_iter()
                    .map(|(team, teams)| {
                        let teams = teams.nodes.into_iter();
                        let teams = teams.map(|(id, name)| Above { name, children: of(&mut third, id) });
                        (team, Nodes { nodes: teams.collect() })
                    })
                    .collect();
                let nodes = roots
                    .into_iter()
                    .map(|row| Above { name: row.get("name"), children: of(&mut second, row.get("id")) })
                    .collect();
                json(&Answer { data: Teams { teams: Nodes { nodes } } })
            }

            async fn page(State(pool): State<Pool>, headers: HeaderMap, _: Bytes) -> Response {
                let organization = sign_in(&pool, &headers).await;
                let mut users: Found =
                    sqlx::query(PAGE).bind(organization).bind(51_i64).fetch_all(&pool).await.unwrap();
                users.truncate(50);
                let mut wanted: Vec<Uuid> = users.iter().filter_map(|row| row.get("team_id")).collect();
                wanted.sort_unstable();
                wanted.dedup();
                let users_ids = ids(&users);
                let (teams, mut mappings) =
                    tokio::join!(any(&pool, TEAMS, organization, &wanted), mappings(&pool, organization, &users_ids));
                let mut wanted: Vec<Uuid> = teams.iter().filter_map(|row| row.get("parent_id")).collect();
                wanted.sort_unstable();
                wanted.dedup();
                let parents = any(&pool, TEAMS, organization, &wanted).await;
                let parents: HashMap<Uuid, String> =
                    parents.into_iter().map(|row| (row.get("id"), row.get("name"))).collect();
                let teams: HashMap<Uuid, (String, Option<Uuid>)> =
                    teams.into_iter().map(|row| (row.get("id"), (row.get("name"), row.get("parent_id")))).collect();
                let nodes = users
                    .into_iter()
                    .map(|row| {
                        let team: Option<Uuid> = row.get("team_id");
                        let team = team.map(|team| {
                            let (name, parent) = &teams[&team];
                            let parent = parent.map(|parent| Parent { name: parents[&parent].clone() });
                            TeamOf { name: name.clone(), parent }
                        });
                        Listed {
                            email: row.get("email"),
                            first_name: row.get("first_name"),
                            last_name: row.get("last_name"),
                            team,
                            mappings: mappings.remove(&row.get::<Uuid, _>("id")).unwrap_or_default(),
                        }
                    })
                    .collect();
                json(&Answer { data: Users { users: Nodes { nodes } } })
            }

            async fn one(State(pool): State<Pool>, headers: HeaderMap, _: Bytes) -> Response {
                let organization = sign_in(&pool, &headers).await;
                let row = sqlx::query(ONE).bind(organization).bind(email(SOMEBODY)).fetch_one(&pool).await.unwrap();
                let user =
                    One { email: row.get("email"), first_name: row.get("first_name"), last_name: row.get("last_name") };
                json(&Answer { data: User { user } })
            }
        }
    };
}

fn as_json(ids: &[Uuid]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| id.simple().to_string()).collect();
    serde_json::to_string(&ids).unwrap()
}

floor!(
    sqlite, sqlx::SqlitePool, sqlx::sqlite::SqliteRow,
    any: " IN (SELECT unhex(value) FROM json_each($2))",
    parents: "(SELECT unhex(value) AS parent FROM json_each($1))",
    each: each_sqlite,
    ids: as_json
);
floor!(
    postgres, sqlx::PgPool, sqlx::postgres::PgRow,
    any: " = ANY($2)",
    parents: "(SELECT unnest($1::uuid[]) AS parent)",
    each: each_postgres,
    ids: <[Uuid]>::to_vec
);
