//! How a registry is reached.

use std::fmt;

use flowdeck_http::Trust;
use url::Url;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct SettingsError(String);

/// Never printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    Basic { username: String, password: String },
    Bearer(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrySettings {
    pub(crate) url: Url,
    pub(crate) credentials: Option<Credentials>,
    trust: Trust,
}

impl RegistrySettings {
    pub fn new(url: &str) -> Result<Self, SettingsError> {
        let refused = |why: &str| {
            SettingsError(format!("{why}; write an address such as https://registry.example.org:8081"))
        };
        // What was written is not repeated: there may be a password in it.
        let url = Url::parse(url).map_err(|error| refused(&format!("it is no URL ({error})")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(refused("it is no address of HTTP"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("credentials are not part of it: there are username, password and bearer"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refused("it has a query or a fragment"));
        }
        Ok(Self { url, credentials: None, trust: Trust::System })
    }

    pub fn address(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// How it is signed in there, without what is secret.
    pub fn credentials(&self) -> &'static str {
        match &self.credentials {
            None => "no credentials",
            Some(Credentials::Basic { .. }) => "username and password (hidden)",
            Some(Credentials::Bearer(_)) => "bearer (hidden)",
        }
    }

    pub fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    pub fn has_ca(&self) -> bool {
        self.trust != Trust::System
    }

    pub fn with_credentials(self, credentials: Option<Credentials>) -> Result<Self, SettingsError> {
        let is_plain = |text: &str| text.bytes().all(|byte| (b' '..0x7f).contains(&byte));
        match &credentials {
            Some(Credentials::Bearer(token)) if token.is_empty() || !is_plain(token) => Err(SettingsError(
                "the bearer token is empty or has characters that a header cannot".to_owned(),
            )),
            Some(Credentials::Basic { username, .. }) if username.contains(':') => {
                Err(SettingsError("a username of basic authentication has no colon".to_owned()))
            }
            _ => Ok(Self { credentials, ..self }),
        }
    }

    /// `pem`: one certificate or more, which alone are trusted then.
    pub fn with_ca(self, pem: &[u8]) -> Result<Self, SettingsError> {
        let trust = Trust::only(pem).map_err(|error| SettingsError(error.to_string()))?;
        Ok(Self { trust, ..self })
    }

    pub(crate) fn trust(&self) -> Trust {
        if self.is_tls() { self.trust.clone() } else { Trust::Only(vec![]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_neither_printed_nor_part_of_the_address() {
        let secret = |credentials| {
            let settings = RegistrySettings::new("https://r:8081").unwrap();
            format!("{:?}", settings.with_credentials(Some(credentials)).unwrap())
        };
        let basic = Credentials::Basic { username: "ana".to_owned(), password: "hunter2".to_owned() };
        assert!(!secret(basic).contains("hunter2"));
        assert!(!secret(Credentials::Bearer("hunter2".to_owned())).contains("hunter2"));
        for url in
            ["https://ana:hunter2@r", "ftp://r", "r:8081", "https://r?a=hunter2", "https://ana:hunter2@r:x"]
        {
            let error = RegistrySettings::new(url).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_header_is_not_broken_out_of() {
        let settings = || RegistrySettings::new("http://r").unwrap();
        for token in ["", "a\r\nHost: x", "a\u{fc}"] {
            assert!(settings().with_credentials(Some(Credentials::Bearer(token.to_owned()))).is_err());
        }
        assert!(settings().with_ca(b"no certificate").is_err());
    }
}
