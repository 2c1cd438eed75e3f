//! Mappings: who is whom, and who was.

pub mod carry_out;
pub mod change;
pub mod publish;
pub mod query;
mod refusal;
pub mod settle;

/// What is odd about a mapping; a bit each in `mapping.warnings`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Warning {
    NameMismatch,
    EmailMismatch,
    CrmUserInactive,
    UserSuspended,
    EmailNowAmbiguous,
}

impl Warning {
    pub const ALL: [Self; 5] =
        [Self::NameMismatch, Self::EmailMismatch, Self::CrmUserInactive, Self::UserSuspended, Self::EmailNowAmbiguous];

    /// The warning's bit.
    pub const fn bit(self) -> i32 {
        match self {
            Self::NameMismatch => 1,
            Self::EmailMismatch => 2,
            Self::CrmUserInactive => 4,
            Self::UserSuspended => 8,
            Self::EmailNowAmbiguous => 16,
        }
    }

    /// The warning's name, as the API shows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NameMismatch => "NAME_MISMATCH",
            Self::EmailMismatch => "EMAIL_MISMATCH",
            Self::CrmUserInactive => "CRM_USER_INACTIVE",
            Self::UserSuspended => "USER_SUSPENDED",
            Self::EmailNowAmbiguous => "EMAIL_NOW_AMBIGUOUS",
        }
    }

    /// The warnings of a set of bits.
    pub fn of(bits: i32) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |warning| bits & warning.bit() != 0)
    }
}
