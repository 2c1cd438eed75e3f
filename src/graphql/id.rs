//! Global ids: opaque to clients, and carrying their type.

use async_graphql::ID;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use entity::{
    ApiTokenId, ConfigurationProfileId, CrmUserId, ImportJobId, IntegrationId, LicenseId, MappingId, OrganizationId,
    SyncRunId, TeamId, UserId,
};
use uuid::Uuid;

/// An id of our own that stands behind a global one.
pub trait Global: Copy + From<Uuid> + Into<Uuid> {
    /// The first byte of the global id; it may never change.
    const TAG: u8;
}

macro_rules! global {
    ($($id:ident = $tag:literal),* $(,)?) => {
        $(impl Global for $id {
            const TAG: u8 = $tag;
        })*

        /// What a global id names.
        #[expect(clippy::enum_variant_names, reason = "they are called as the types of the ids are")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Any {
            $($id($id),)*
        }

        impl Any {
            /// Reads a global id; `None` when it is none of ours, which is to be treated as naming nothing.
            pub fn read(id: &ID) -> Option<Self> {
                let (tag, id) = parse(id)?;
                match tag {
                    $($tag => Some(Self::$id(id.into())),)*
                    _ => None,
                }
            }
        }
    };
}
global! {
    OrganizationId = 1,
    UserId = 2,
    TeamId = 3,
    LicenseId = 4,
    ConfigurationProfileId = 5,
    IntegrationId = 6,
    CrmUserId = 7,
    MappingId = 8,
    ImportJobId = 9,
    SyncRunId = 10,
    ApiTokenId = 11,
}

fn parse(id: &ID) -> Option<(u8, Uuid)> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(id.as_str()).ok()?;
    let (tag, id) = bytes.split_first()?;
    Some((*tag, Uuid::from_slice(id).ok()?))
}

/// The global id.
pub fn show<T: Global>(id: T) -> ID {
    let mut bytes = [T::TAG; 17];
    if let Some(tail) = bytes.get_mut(1..) {
        tail.copy_from_slice(id.into().as_bytes());
    }
    ID(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// The id behind a global one. One of another type, or none of ours, gives the id that nothing has: it names nothing,
/// as an unknown one does.
pub fn read<T: Global>(id: &ID) -> T {
    match parse(id) {
        Some((tag, id)) if tag == T::TAG => id.into(),
        _ => Uuid::nil().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back_and_carry_their_type() {
        let uuid = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001);
        let id = show(UserId(uuid));
        assert_eq!(read::<UserId>(&id), UserId(uuid));
        assert_eq!(read::<TeamId>(&id), TeamId(Uuid::nil()));
        assert_eq!(Any::read(&id), Some(Any::UserId(UserId(uuid))));
        for nonsense in ["", "x", "VXNlcg", "\u{1F600}", &"A".repeat(5_000), &format!("{}=", id.as_str())] {
            assert_eq!(Any::read(&ID(nonsense.to_owned())), None, "{nonsense}");
        }
    }
}
