//! What a signed address gives: a file that is read from the database piece by piece, in memory that does not grow.

use std::sync::Arc;

use entity::OrganizationId;

use super::{
    Services,
    error::Result,
    export,
    import::log::{self, Log},
    links::Download,
};

/// A file on its way to whoever downloads it.
#[derive(Debug)]
pub enum File {
    Log(Box<Log>),
    Users(Box<export::Users>),
    Mappings(Box<export::Mappings>),
}

/// Opens what a signed address names; `None` when it is gone.
pub async fn open(
    services: &Arc<Services>,
    organization_id: OrganizationId,
    download: Download,
) -> Result<Option<File>> {
    Ok(match download {
        Download::Log(id) => log::open(services, organization_id, id).await?.map(|log| File::Log(Box::new(log))),
        Download::Users(filter) => {
            Some(File::Users(Box::new(export::Users::open(services, organization_id, filter).await?)))
        }
        Download::Mappings(filter) => {
            Some(File::Mappings(Box::new(export::Mappings::open(services, organization_id, filter)?)))
        }
    })
}

impl File {
    /// The next piece, or `None` after the last.
    pub async fn next(&mut self, services: &Services) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Log(log) => log.next(services).await,
            Self::Users(users) => users.next().await,
            Self::Mappings(mappings) => mappings.next().await,
        }
    }
}
