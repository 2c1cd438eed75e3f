//! What CRMs write in many ways: names and times.

use chrono::{DateTime, SecondsFormat, Utc};

/// A full name from its parts.
pub(super) fn full_name(first: Option<&str>, last: Option<&str>) -> Option<String> {
    let parts: Vec<&str> = [first, last].into_iter().flatten().map(str::trim).filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// A time with an offset, written with a colon in it or, as Salesforce does, without.
pub(super) fn time(text: Option<&str>) -> Option<DateTime<Utc>> {
    let text = text?;
    let read = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"));
    read.ok().map(|time| time.to_utc())
}

/// A time as CRMs compare with it: in UTC, to the millisecond, cut off rather than rounded up.
pub(super) fn since(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
