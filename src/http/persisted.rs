//! Documents that a client names instead of sending them: automatic persisted queries, where a client sends a document once
//! and its hash from then on, and a list of the only operations that are carried out.

use std::{
    collections::HashMap,
    fs,
    num::NonZeroUsize,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use lru::LruCache;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::refusal::Refusal;

/// Documents that clients have sent, at most; each process keeps its own, and asks again for what it does not know.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);

/// How a request's document is come by.
pub enum Persisted {
    /// It is in the request.
    Off,
    /// It is in the request, or known by its hash from an earlier one.
    Automatic(Mutex<LruCache<String, Arc<str>>>),
    /// It is in the list, by its id.
    Only(HashMap<String, Arc<str>>),
}

/// How a request names its document.
#[derive(Debug, Default)]
pub struct Reference {
    pub text: Option<String>,
    /// `extensions.persistedQuery.sha256Hash`.
    pub hash: Option<String>,
    /// `documentId`.
    pub id: Option<String>,
}

impl Persisted {
    pub fn automatic() -> Self {
        Self::Automatic(Mutex::new(LruCache::new(KEPT)))
    }

    /// Reads a list of operations.
    ///
    /// # Errors
    /// A file that can't be read or is no such list.
    pub fn only(file: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
        let manifest: Manifest = serde_json::from_str(&text)
            .map_err(|_| "it is neither Apollo's manifest nor an object of documents by id".to_owned())?;
        let listed: HashMap<String, String> = match manifest {
            Manifest::Apollo { operations } => {
                operations.into_iter().map(|operation| (operation.id, operation.body)).collect()
            }
            Manifest::ById(listed) => listed,
        };
        if listed.is_empty() {
            return Err("it lists no operation".to_owned());
        }
        Ok(Self::Only(listed.into_iter().map(|(id, document)| (id, document.into())).collect()))
    }

    /// The documents of a list.
    pub fn listed(&self) -> impl Iterator<Item = (&str, &str)> {
        let listed = if let Self::Only(listed) = self { Some(listed) } else { None };
        listed.into_iter().flatten().map(|(id, document)| (id.as_str(), &**document))
    }

    /// The document of a request.
    ///
    /// # Errors
    /// One that is not known, not in the list, or not what its hash says.
    pub fn find(&self, Reference { text, hash, id }: Reference) -> Result<String, Refusal> {
        if let (Some(text), Some(hash)) = (&text, &hash)
            && !hash.eq_ignore_ascii_case(&hash_of(text))
        {
            return Err(Refusal::bad_request("`extensions.persistedQuery.sha256Hash` is not the hash of `query`."));
        }
        let named = id.or(hash);
        match self {
            Self::Only(listed) => {
                let found = match (&named, &text) {
                    (Some(id), _) => listed.get(id.strip_prefix("sha256:").unwrap_or(id)).or_else(|| listed.get(id)),
                    (None, Some(text)) => listed.values().find(|document| ***document == **text),
                    (None, None) => return Err(missing()),
                };
                let refused = || Refusal::bad_request("This server carries out the operations of its list only.");
                found.map(|document| (**document).to_owned()).ok_or_else(refused)
            }
            Self::Automatic(known) => {
                let known = || known.lock().unwrap_or_else(PoisonError::into_inner);
                match (text, named) {
                    (Some(text), Some(hash)) => {
                        known().put(hash.to_ascii_lowercase(), text.as_str().into());
                        Ok(text)
                    }
                    (Some(text), None) => Ok(text),
                    (None, Some(hash)) => {
                        let hash = hash.strip_prefix("sha256:").unwrap_or(&hash).to_ascii_lowercase();
                        known().get(&hash).map(|document| (**document).to_owned()).ok_or_else(Refusal::unknown_document)
                    }
                    (None, None) => Err(missing()),
                }
            }
            Self::Off => {
                text.ok_or_else(|| if named.is_some() { Refusal::no_persisted_documents() } else { missing() })
            }
        }
    }
}

fn missing() -> Refusal {
    Refusal::bad_request("The member `query` is needed, and must be a string.")
}

fn hash_of(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Manifest {
    /// Of `@apollo/generate-persisted-query-manifest`.
    Apollo { operations: Vec<Listed> },
    /// Of Relay's `persistConfig.file`, and of the `persisted-documents.json` of GraphQL Code Generator.
    ById(HashMap<String, String>),
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    body: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(text: Option<&str>, hash: Option<&str>, id: Option<&str>) -> Reference {
        Reference { text: text.map(Into::into), hash: hash.map(Into::into), id: id.map(Into::into) }
    }

    const TEXT: &str = "{ viewer { id } }";

    #[test]
    fn a_hash_stands_for_a_document_that_was_sent() {
        let persisted = Persisted::automatic();
        let hash = hash_of(TEXT);
        assert!(
            persisted
                .find(reference(None, Some(&hash), None))
                .is_err_and(|refusal| refusal.code == "PERSISTED_QUERY_NOT_FOUND")
        );
        assert!(persisted.find(reference(Some("{ a }"), Some(&hash), None)).is_err());
        assert_eq!(persisted.find(reference(Some(TEXT), Some(&hash), None)).unwrap(), TEXT);
        assert_eq!(persisted.find(reference(None, Some(&hash.to_uppercase()), None)).unwrap(), TEXT);
        assert_eq!(persisted.find(reference(None, None, Some(&format!("sha256:{hash}")))).unwrap(), TEXT);
        assert_eq!(persisted.find(reference(Some("{ b }"), None, None)).unwrap(), "{ b }");
        assert!(persisted.find(reference(None, None, None)).is_err());
    }

    #[test]
    fn only_what_is_listed_is_found() {
        let folder = tempfile::tempdir().unwrap();
        for (name, manifest) in [
            (
                "apollo",
                format!(
                    r#"{{"format":"apollo-persisted-query-manifest","version":1,"operations":[{{"id":"a","name":"A","type":"query","body":"{TEXT}"}}]}}"#
                ),
            ),
            ("relay", format!(r#"{{"a":"{TEXT}"}}"#)),
        ] {
            let file = folder.path().join(name);
            fs::write(&file, manifest).unwrap();
            let persisted = Persisted::only(&file).unwrap();
            assert_eq!(persisted.listed().collect::<Vec<_>>(), [("a", TEXT)]);
            for known in
                [reference(None, Some("a"), None), reference(None, None, Some("a")), reference(Some(TEXT), None, None)]
            {
                assert_eq!(persisted.find(known).unwrap(), TEXT);
            }
            assert!(persisted.find(reference(Some("{ b }"), None, None)).is_err());
            assert!(persisted.find(reference(None, None, Some("b"))).is_err());
        }
        fs::write(folder.path().join("bad"), "[]").unwrap();
        assert!(Persisted::only(&folder.path().join("bad")).is_err());
        assert!(Persisted::only(&folder.path().join("none")).is_err());
    }
}
