//! What the lists of every noun have in common: a page of them, the count, and both below several parents at once.
//!
//! A list says once which rows it has; from that come its pages and its count, so that the two can't disagree.

use std::{collections::HashMap, hash::Hash};

use entity::FromRows;
use uuid::Uuid;

use super::{
    Session,
    db::Sql,
    error::Result,
    page::{Key, Order, Page, PageRequest, Table},
    search::How,
};

/// A list of rows in an order.
pub trait List: Send + Sync + 'static {
    type Row: FromRows + Send + Sync + 'static;

    fn order(&self) -> Order;

    /// The row's values of the order's columns.
    fn keys(&self, row: &Self::Row) -> Vec<Key>;

    /// How to come by what a search in the list finds.
    fn how(&self, _: &Session) -> impl Future<Output = Result<How>> + Send {
        std::future::ready(Ok(How::Walk))
    }

    /// Adds ` FROM … WHERE …`, the rows under the alias `x`. In a list below a parent, the parent's id is `p.parent`.
    fn from(&self, session: &Session, sql: &mut Sql, how: How);
}

/// A list that stands below a parent: the members of a team, the rows of an import.
pub trait Below: List + Clone + Eq + Hash {
    const TABLE: Table;
}

/// A page of a list.
pub async fn page<L: List>(session: &Session, list: &L, page: &PageRequest) -> Result<Page<L::Row>> {
    let how = list.how(session).await?;
    let mut sql = session.sql();
    sql.push("SELECT x.*");
    list.from(session, &mut sql, how);
    page.load(session.reader(), &list.order(), sql).await
}

/// How many rows a list has.
pub async fn count<L: List>(session: &Session, list: &L) -> Result<i64> {
    let how = list.how(session).await?;
    let mut sql = session.sql();
    sql.push("SELECT COUNT(*) AS n");
    list.from(session, &mut sql, how);
    Ok(sql.number(session.reader()).await?)
}

/// The same page of a list below each parent, in one statement.
pub async fn pages<L: Below>(
    session: &Session,
    list: &L,
    parents: &[Uuid],
    page: &PageRequest,
) -> Result<HashMap<Uuid, Page<L::Row>>> {
    let how = list.how(session).await?;
    page.load_each(session.reader(), &list.order(), parents, L::TABLE, |sql| list.from(session, sql, how)).await
}

/// How many rows a list has below each parent, in one statement.
pub async fn counts<L: Below>(session: &Session, list: &L, parents: &[Uuid]) -> Result<HashMap<Uuid, i64>> {
    let how = list.how(session).await?;
    let mut sql = session.sql();
    sql.push("SELECT p.parent AS parent_key, (SELECT COUNT(*)");
    list.from(session, &mut sql, how);
    sql.push(") AS n FROM ").ids("parent", parents).push(" AS p");
    let counts = sql.map(session.reader(), |row| Ok((row.try_get("", "parent_key")?, row.try_get("", "n")?))).await?;
    Ok(counts.into_iter().collect())
}

/// The rows of a statement, each under its key.
pub async fn keyed<K: Eq + Hash, M: FromRows>(
    session: &Session,
    sql: Sql,
    key: impl Fn(&M) -> K,
) -> Result<HashMap<K, M>> {
    let rows = sql.models::<M>(session.reader()).await?;
    Ok(rows.into_iter().map(|row| (key(&row), row)).collect())
}

/// The rows of a statement by the id in its first column, `parent_key`, in the statement's order.
pub async fn grouped<P: From<Uuid> + Eq + Hash, M: FromRows>(
    session: &Session,
    sql: Sql,
) -> Result<HashMap<P, Vec<M>>> {
    let mut groups: HashMap<P, Vec<M>> = HashMap::new();
    for (parent, row) in sql.below(session.reader()).await? {
        groups.entry(parent.into()).or_default().push(row);
    }
    Ok(groups)
}
