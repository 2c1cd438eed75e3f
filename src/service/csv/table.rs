//! The three files' columns, as the templates have them. The constants in [`users`], [`mappings`] and [`crm_users`]
//! are the columns' numbers in [`Row::cells`](super::Row::cells).

/// Which file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    Users,
    Mappings,
    CrmUsers,
}

/// When a column has to be in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// In every file, by name too: the key, and the operation where there is one.
    Always,
    /// In every `EXACT` file; by name, a column that is not there leaves the attribute as it is.
    Exact,
    /// May be left out.
    Optional,
    /// Written but never read (csv.md "Status and Suspended At"): an `EXACT` file has all such columns or none, and
    /// no value in them; by name they are ignored.
    WrittenOnly,
}

/// One column of a [`Table`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub presence: Presence,
}

/// What a file's header and rows look like.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// In the template's order.
    pub columns: &'static [Column],
    /// The number of the column that says which row of the database is meant.
    pub key: usize,
    /// The number of the column that says what to do; a row in which it is empty is skipped.
    pub operation: Option<usize>,
}

const fn column(name: &'static str, presence: Presence) -> Column {
    Column { name, presence }
}

/// The columns of the users' file.
pub mod users {
    pub const EMAIL: usize = 0;
    pub const FIRST_NAME: usize = 1;
    pub const LAST_NAME: usize = 2;
    pub const TITLE: usize = 3;
    pub const TEAM: usize = 4;
    pub const ROLE: usize = 5;
    pub const OBJECT_VISIBILITY: usize = 6;
    pub const CONFIGURATION_PROFILE: usize = 7;
    pub const MANAGER_OF: usize = 8;
    pub const LICENSES: usize = 9;
    pub const STATUS: usize = 10;
    pub const SUSPENDED_AT: usize = 11;
    pub const OPERATION: usize = 12;
}

/// The columns of the mappings' file.
pub mod mappings {
    pub const EMAIL: usize = 0;
    pub const EXTERNAL_ID: usize = 1;
    pub const ALIAS_EMAIL: usize = 2;
    pub const OPERATION: usize = 3;
}

/// The columns of the file of CRM users.
pub mod crm_users {
    pub const EXTERNAL_ID: usize = 0;
    pub const EMAIL: usize = 1;
    pub const NAME: usize = 2;
    pub const USERNAME: usize = 3;
    pub const TITLE: usize = 4;
    pub const IS_ACTIVE: usize = 5;
    pub const TEAM: usize = 6;
    pub const CREATED_AT: usize = 7;
}

static USERS: Table = Table {
    columns: &[
        column("Email Address", Presence::Always),
        column("First Name", Presence::Exact),
        column("Last Name", Presence::Exact),
        column("Title", Presence::Exact),
        column("Team", Presence::Exact),
        column("Role", Presence::Exact),
        column("Object Visibility", Presence::Exact),
        column("Configuration Profile", Presence::Exact),
        column("Manager Of", Presence::Exact),
        column("Licenses", Presence::Exact),
        column("Status", Presence::WrittenOnly),
        column("Suspended At", Presence::WrittenOnly),
        column("Operation", Presence::Always),
    ],
    key: users::EMAIL,
    operation: Some(users::OPERATION),
};

static MAPPINGS: Table = Table {
    columns: &[
        column("email", Presence::Always),
        column("external_id", Presence::Exact),
        column("alias_email", Presence::Exact),
        column("operation", Presence::Always),
    ],
    key: mappings::EMAIL,
    operation: Some(mappings::OPERATION),
};

static CRM_USERS: Table = Table {
    columns: &[
        column("external_id", Presence::Always),
        column("email", Presence::Exact),
        column("name", Presence::Exact),
        column("username", Presence::Exact),
        column("title", Presence::Exact),
        column("is_active", Presence::Exact),
        column("team", Presence::Optional),
        column("created_at", Presence::Optional),
    ],
    key: crm_users::EXTERNAL_ID,
    operation: None,
};

impl Kind {
    /// The file's description.
    pub fn table(self) -> &'static Table {
        match self {
            Self::Users => &USERS,
            Self::Mappings => &MAPPINGS,
            Self::CrmUsers => &CRM_USERS,
        }
    }
}

impl Table {
    /// The column names in the template's order, the optional ones included.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().map(|column| column.name)
    }
}

/// The template: the header row, every optional column included, ending in CRLF.
pub fn template(kind: Kind) -> String {
    // No name holds anything that would have to be quoted.
    kind.table().names().collect::<Vec<_>>().join(",") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_the_contracts() {
        assert_eq!(
            template(Kind::Users),
            "Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,\
             Manager Of,Licenses,Status,Suspended At,Operation\r\n"
        );
        assert_eq!(template(Kind::Mappings), "email,external_id,alias_email,operation\r\n");
        assert_eq!(template(Kind::CrmUsers), "external_id,email,name,username,title,is_active,team,created_at\r\n");
    }

    #[test]
    fn the_numbers_are_the_columns() {
        let name = |kind: Kind, column: usize| kind.table().columns[column].name;
        assert_eq!(name(Kind::Users, users::OPERATION), "Operation");
        assert_eq!(name(Kind::Users, users::CONFIGURATION_PROFILE), "Configuration Profile");
        assert_eq!(name(Kind::Users, users::STATUS), "Status");
        assert_eq!(name(Kind::Mappings, mappings::OPERATION), "operation");
        assert_eq!(name(Kind::CrmUsers, crm_users::CREATED_AT), "created_at");
    }
}
