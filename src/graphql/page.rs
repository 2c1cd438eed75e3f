//! Connections: how a list's pages look in GraphQL. Which rows they have is `service::list`'s.

use std::{borrow::Cow, sync::Arc};

use async_graphql::{Context, Object, OutputType, SimpleObject, TypeName};
use futures::{FutureExt, future::BoxFuture};
use uuid::Uuid;

use super::{
    error::{Failure, Result},
    loaders::Lists,
    session,
};
use crate::service::{
    list::{self, Below, List},
    page::{Order, Page, PageArgs},
};

/// An object that shows a row of a table.
pub trait Shown: OutputType + Clone + Send + Sync + 'static {
    type Row: Send + Sync + 'static;

    fn of(row: Arc<Self::Row>) -> Self;

    fn row(&self) -> &Self::Row;
}

/// Declares objects that show a row of a table each.
macro_rules! shown {
    ($($(#[$doc:meta])* $name:ident($row:ty)),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(pub std::sync::Arc<$row>);

        impl $crate::graphql::page::Shown for $name {
            type Row = $row;

            fn of(row: std::sync::Arc<$row>) -> Self {
                Self(row)
            }

            fn row(&self) -> &$row {
                &self.0
            }
        }
    )*};
}
pub(crate) use shown;

/// A page of a list.
pub struct Connection<T> {
    rows: Vec<T>,
    has_next: bool,
    has_previous: bool,
    cursor: Box<dyn Fn(&T) -> String + Send + Sync>,
    /// Counts the list when asked.
    total: Box<dyn Fn() -> BoxFuture<'static, Result<i64>> + Send + Sync>,
}

impl<T: Shown> Connection<T> {
    fn new<L: List<Row = T::Row>>(
        list: L,
        order: Order,
        page: Page<T>,
        total: impl Fn() -> BoxFuture<'static, Result<i64>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            rows: page.rows,
            has_next: page.has_next,
            has_previous: page.has_previous,
            cursor: Box::new(move |shown| order.encode(&list.keys(shown.row()))),
            total: Box::new(total),
        }
    }

    /// A page of a list that stands by itself.
    pub async fn of<L>(ctx: &Context<'_>, list: L, args: PageArgs) -> Result<Self>
    where
        L: List<Row = T::Row> + Clone,
    {
        let session = Arc::clone(session(ctx)?);
        let order = list.order();
        let page = list::page(&session, &list, &args.check(&order)?).await?;
        let counted = list.clone();
        Ok(Self::new(list, order, page.map(|row| T::of(Arc::new(row))), move || {
            let (session, list) = (Arc::clone(&session), counted.clone());
            async move { list::count(&session, &list).await.map_err(Failure::from) }.boxed()
        }))
    }

    /// A page of a list below a parent; loaded together with those of the other parents.
    pub async fn below<L>(lists: &Lists<L, T>, list: L, parent: impl Into<Uuid>, args: PageArgs) -> Result<Self>
    where
        L: Below<Row = T::Row>,
    {
        let parent = parent.into();
        let order = list.order();
        let request = args.check(&order)?;
        let page = lists.pages.load((parent, list.clone(), request)).await?.unwrap_or_default();
        let (counts, counted) = (Arc::clone(&lists.counts), list.clone());
        Ok(Self::new(list, order, page, move || {
            let (counts, list) = (Arc::clone(&counts), counted.clone());
            async move { Ok(counts.load((parent, list)).await?.unwrap_or_default()) }.boxed()
        }))
    }
}

impl<T: Shown> TypeName for Connection<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", T::type_name()).into()
    }
}

/// A page of a list, and how to go on from it.
#[Object(name_type, crate = "crate::graphql::executor")]
impl<T: Shown> Connection<T> {
    /// The page's objects, each with its place in the list.
    async fn edges(&self) -> Vec<Edge<T>> {
        self.rows.iter().map(|row| Edge { cursor: (self.cursor)(row), node: row.clone() }).collect()
    }

    /// The page's objects.
    async fn nodes(&self) -> &[T] {
        &self.rows
    }

    /// Whether there is more, and the cursors to go on with.
    async fn page_info(&self) -> PageInfo {
        PageInfo {
            has_next_page: self.has_next,
            has_previous_page: self.has_previous,
            start_cursor: self.rows.first().map(&self.cursor),
            end_cursor: self.rows.last().map(&self.cursor),
        }
    }

    /// How many objects the whole list has; counted only when asked for.
    async fn total_count(&self) -> Result<i64> {
        (self.total)().await
    }
}

/// An object of a page, and its place in the list.
pub struct Edge<T> {
    cursor: String,
    node: T,
}

impl<T: Shown> TypeName for Edge<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Edge", T::type_name()).into()
    }
}

/// An object of a page, and its place in the list.
#[Object(name_type, crate = "crate::graphql::executor")]
impl<T: Shown> Edge<T> {
    /// The place in the list, to be given as `after` or `before`.
    async fn cursor(&self) -> &str {
        &self.cursor
    }

    /// The object.
    async fn node(&self) -> &T {
        &self.node
    }
}

/// Whether a list goes on beyond the page.
#[derive(Debug, Clone, SimpleObject)]
pub struct PageInfo {
    /// Whether there are rows after this page.
    has_next_page: bool,
    /// Whether there are rows before this page.
    has_previous_page: bool,
    /// The cursor of the page's first row.
    start_cursor: Option<String>,
    /// The cursor of the page's last row.
    end_cursor: Option<String>,
}
