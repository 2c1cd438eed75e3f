//! The tables themselves: the migrations, and the rule that the organisation is part of every key.

use std::collections::{BTreeMap, BTreeSet};

use counterpart::{
    database::{is_ready, migrate},
    service::db::{Db, Sql},
};
use migration::{Migrator, MigratorTrait};
use sea_orm::DbBackend;

use crate::support::World;

both!(migrations_go_up_and_down, the_organization_is_part_of_every_key, what_is_deleted_is_found_by_index);

async fn migrations_go_up_and_down(world: World) {
    let db = &world.services.db;
    let tables = Tables::of(db).await;
    assert!(tables.0.len() > 20, "{:?}", tables.0.keys());

    let tx = db.begin().await.unwrap();
    Migrator::down(tx.connection(), None).await.unwrap();
    tx.commit().await.unwrap();
    let left: Vec<_> = Tables::of(db).await.0.into_keys().collect();
    assert_eq!(left, ["seaql_migrations"]);
    assert!(!is_ready(db).await.unwrap());

    migrate(db).await.unwrap();
    assert_eq!(Tables::of(db).await, tables);
    assert!(is_ready(db).await.unwrap());
    migrate(db).await.unwrap();
}

async fn the_organization_is_part_of_every_key(world: World) {
    let mut wrong = Vec::new();
    for (name, table) in Tables::of(&world.services.db).await.0 {
        if ["organization", "seaql_migrations"].contains(&name.as_str()) {
            continue;
        }
        if table.primary_key.first().map(String::as_str) != Some("organization_id") {
            wrong.push(format!("{name}: the primary key is ({})", table.primary_key.join(", ")));
        }
        for (target, columns) in table.foreign_keys {
            let to_organization = target == "organization" && columns == [pair("organization_id", "id")];
            if !to_organization && !columns.contains(&pair("organization_id", "organization_id")) {
                wrong.push(format!("{name}: a foreign key to {target} is {columns:?}"));
            }
        }
        for index in table.unique {
            if index.first().map(String::as_str) != Some("organization_id") {
                wrong.push(format!("{name}: a unique index is ({})", index.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Undoing an import deletes CRM users by the thousand, and teams by the hundred; for each of them the database looks for
/// whoever names it.
async fn what_is_deleted_is_found_by_index(world: World) {
    let db = &world.services.db;
    let mut naming = Vec::new();
    for (name, table) in Tables::of(db).await.0 {
        for (target, columns) in table.foreign_keys {
            if let [_, (column, _)] = columns.as_slice()
                && ["crm_user", "team"].contains(&target.as_str())
            {
                naming.push((name.clone(), column.clone()));
            }
        }
    }
    let naming: Vec<(&str, &str)> = naming.iter().map(|(table, column)| (table.as_str(), column.as_str())).collect();
    assert_eq!(
        naming,
        [
            ("app_user", "team_id"),
            ("manual_attributes", "team_id"),
            ("mapping", "crm_user_id"),
            ("team", "parent_id"),
            ("team_manager", "team_id"),
            ("team_word", "team_id"),
        ]
    );
    if db.backend() == DbBackend::Sqlite {
        // An organisation's teams have few words, all of them together.
        for (table, column) in naming.into_iter().filter(|(table, _)| *table != "team_word") {
            let mut sql = Sql::new(db.backend());
            sql.push("EXPLAIN QUERY PLAN SELECT 1 FROM ").push(table).push(" WHERE organization_id = x'00' AND ");
            sql.push(column).push(" = x'00'");
            let plan: Vec<String> = sql.map(db.reader(), |row| row.try_get("", "detail")).await.unwrap();
            assert!(plan[0].contains(&format!("(organization_id=? AND {column}=?")), "{plan:?}");
        }
    }
}

fn pair(from: &str, to: &str) -> (String, String) {
    (from.to_owned(), to.to_owned())
}

/// What the database says of its tables.
#[derive(Debug, PartialEq)]
struct Tables(BTreeMap<String, Table>);

#[derive(Debug, Default, PartialEq)]
struct Table {
    primary_key: Vec<String>,
    /// The target, and its columns by those that name them.
    foreign_keys: BTreeSet<(String, Vec<(String, String)>)>,
    unique: BTreeSet<Vec<String>>,
}

/// A column of a key: its table, the key's kind (`p`, `f`, `u`), the key's name, the column; and what a foreign key
/// refers to.
const POSTGRES: &str = "
    SELECT t.relname::text AS tab, k.contype::text AS kind, k.conname::text AS name, a.attname::text AS col,
           coalesce(f.relname::text, '') AS target, coalesce(b.attname::text, '') AS target_col
    FROM pg_class t
    JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype IN ('p', 'f')
    CROSS JOIN LATERAL unnest(k.conkey) WITH ORDINALITY AS c (n, i)
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = c.n
    LEFT JOIN pg_class f ON f.oid = k.confrelid
    LEFT JOIN pg_attribute b ON b.attrelid = f.oid AND b.attnum = k.confkey[c.i]
    WHERE t.relnamespace = 'public'::regnamespace AND t.relkind = 'r'
    UNION ALL
    SELECT t.relname::text, 'u', x.indexrelid::text, a.attname::text, '', ''
    FROM pg_class t
    JOIN pg_index x ON x.indrelid = t.oid AND x.indisunique AND NOT x.indisprimary
    CROSS JOIN LATERAL unnest(x.indkey) WITH ORDINALITY AS c (n, i)
    LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = c.n
    WHERE t.relnamespace = 'public'::regnamespace AND t.relkind = 'r'";

const SQLITE: &str = "
    SELECT t.name AS tab, k.kind, k.name, k.col, k.target, k.target_col
    FROM sqlite_master t JOIN (
        SELECT m.name AS tab, 'p' AS kind, 'p' AS name, c.name AS col, c.pk AS i, '' AS target, '' AS target_col
        FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE c.pk > 0
        UNION ALL
        SELECT m.name, 'f', CAST(f.id AS text), f.\"from\", f.seq, f.\"table\", coalesce(f.\"to\", '')
        FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f
        UNION ALL
        SELECT m.name, 'u', x.name, c.name, c.seqno, '', ''
        FROM sqlite_master m JOIN pragma_index_list(m.name) x JOIN pragma_index_info(x.name) c
        WHERE x.\"unique\" AND x.origin <> 'pk'
    ) k ON k.tab = t.name
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'
    ORDER BY t.name, k.kind, k.name, k.i";

impl Tables {
    async fn of(db: &Db) -> Self {
        let mut sql = Sql::new(db.backend());
        if db.backend() == DbBackend::Postgres {
            sql.push(POSTGRES)
        } else {
            sql.push(SQLITE)
        };
        let rows = sql
            .map(db.writer(), |row| {
                let text = |name: &str| row.try_get::<String>("", name);
                Ok([text("tab")?, text("kind")?, text("name")?, text("col")?, text("target")?, text("target_col")?])
            })
            .await
            .unwrap();
        let mut keys: BTreeMap<[String; 4], Vec<(String, String)>> = BTreeMap::new();
        for [table, kind, name, column, target, target_column] in rows {
            keys.entry([table, kind, name, target]).or_default().push((column, target_column));
        }
        let mut tables: BTreeMap<String, Table> = BTreeMap::new();
        for ([table, kind, _, target], columns) in keys {
            let table = tables.entry(table).or_default();
            let own = || columns.iter().map(|(column, _)| column.clone()).collect();
            match kind.as_str() {
                "p" => table.primary_key = own(),
                "u" => _ = table.unique.insert(own()),
                _ => _ = table.foreign_keys.insert((target, columns)),
            }
        }
        Self(tables)
    }
}
