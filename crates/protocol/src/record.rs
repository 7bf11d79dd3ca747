//! A record as a producer takes it and its headers as a consumer gives them. Knows no client
//! library: the owner of the client copies these into its own types.

/// Ready to be produced. `value: None` is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Record {
    pub fn headers(&self) -> Headers<'_> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect()
    }
}

/// The headers of a record that was read. Collect them from `(name, value)` pairs; headers with a
/// null value are left out by the caller.
#[derive(Debug, Clone, Default)]
pub struct Headers<'a>(Vec<(&'a str, &'a [u8])>);

impl<'a> Headers<'a> {
    /// The last one of that name, as .NET's and Java's clients read it.
    pub fn last(&self, name: &str) -> Option<&'a [u8]> {
        self.0.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    pub(crate) fn last_text(&self, name: &str) -> Option<&'a str> {
        self.last(name).and_then(|value| std::str::from_utf8(value).ok())
    }
}

impl<'a> FromIterator<(&'a str, &'a [u8])> for Headers<'a> {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a [u8])>>(headers: I) -> Self {
        Self(headers.into_iter().collect())
    }
}
