//! Why a mapping is not made or not ended, for a person. The faults stand at the columns of a mappings file.

use entity::MappingSource;

use crate::service::error::{ErrorCode, Fault};

/// The user has a mapping, given by its source and its CRM user's id, that may not be replaced.
pub fn exists(user: &str, current: Option<(MappingSource, &str)>) -> Fault {
    let (what, how) = current.map_or(("a", ""), |(source, external_id)| match source {
        MappingSource::Automatic => ("an automatic", external_id),
        MappingSource::Manual => ("a manual", external_id),
    });
    let message = format!("{user} already has {what} mapping, to {how}. Use `replace`, or let the call replace it.");
    Fault::at(ErrorCode::MappingExists, "email", message)
}

/// There is nothing to remove.
pub fn missing() -> Fault {
    Fault::at(ErrorCode::NotFound, "email", "This user has no mapping to remove.")
}

/// The mapping to remove is to another CRM user.
pub fn mismatch(has: Option<&str>) -> Fault {
    let has = has.unwrap_or("another CRM user");
    let message = format!("The user is mapped to {has}, not to this one.");
    Fault::at(ErrorCode::MappingMismatch, "external_id", message)
}

/// Another user keeps the target.
pub fn held(target: &str, holder: Option<&str>) -> Fault {
    let holder = holder.unwrap_or("another user");
    let message = format!("{target} is mapped to {holder}. Remove or move that mapping, in this call or before it.");
    Fault::at(ErrorCode::CrmUserTaken, "external_id", message)
}

/// An earlier request takes the target.
pub fn claimed(by: Option<&str>) -> Fault {
    let by = by.map(|by| format!(", {by},")).unwrap_or_default();
    let message = format!("An earlier entry{by} is mapped to the same CRM user. Each can belong to one user only.");
    Fault::at(ErrorCode::CrmUserTaken, "external_id", message)
}

/// The user was there when the row was read, and is not any more.
pub fn user_deleted() -> Fault {
    Fault::at(ErrorCode::UserNotFound, "email", "The user was deleted while the import ran.")
}

/// Two rows name one user, by two emails.
pub fn duplicate() -> Fault {
    let message = "An earlier row is about the same user, whose email was changed while the import ran. A file can map a \
                   user once. This row was left out.";
    Fault::at(ErrorCode::DuplicateInFile, "email", message)
}
