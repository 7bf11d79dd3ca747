//! Bearer tokens for scripts: 256 random bits, of which the configuration knows the SHA-256 only.
//!
//! A slow hash is for secrets that people choose; nobody guesses 256 bits. Tokens are found by
//! their digest: what the time of a look-up could tell is of a digest that the asker cannot steer.

use flowdeck_model::Timestamp;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest as _, Sha256};

use crate::auth::refusal::{Ended, Refusal};

/// Makes a token easy to find where it does not belong.
const PREFIX: &str = "fdk_";
const RANDOM_BYTES: usize = 32;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::auth) struct Digest([u8; 32]);

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl Digest {
    pub(in crate::auth) fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// 64 hexadecimal digits. The problem is in words, without the text: it may be a token itself.
    pub(in crate::auth) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with(PREFIX) {
            return Err(
                "this is a token, not its hash: give it out, make a new one with `flowdeck new-token`, \
                        and write down the hash of that one"
                    .to_owned(),
            );
        }
        let refused =
            || "this is no SHA-256 in 64 hexadecimal digits; `flowdeck new-token` prints one".to_owned();
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(refused());
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| refused())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| refused())?;
        }
        Ok(Self(digest))
    }

    pub(in crate::auth) fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A token of the configuration.
#[derive(Debug, Clone)]
pub(in crate::auth) struct Token {
    pub(in crate::auth) name: String,
    pub(in crate::auth) roles: Vec<String>,
    pub(in crate::auth) expires: Option<Timestamp>,
}

impl Token {
    /// `found`: what the accounts know under the digest that was presented.
    pub(in crate::auth) fn check(found: Option<&Self>, now: Timestamp) -> Result<&Self, Refusal> {
        let token = found.ok_or(Refusal::UnknownToken)?;
        match token.expires {
            Some(expires) if now >= expires => Err(Refusal::ExpiredToken),
            _ => Ok(token),
        }
    }
}

/// What the refusal means for an open stream, whose token was good before.
pub(in crate::auth) fn ended(refusal: Refusal) -> Ended {
    match refusal {
        Refusal::ExpiredToken => Ended::Expired,
        _ => Ended::Revoked,
    }
}

/// A new token: shown once, to be given to the script; the configuration keeps its digest.
pub(in crate::auth) fn new() -> (String, Digest) {
    use base64::Engine as _;
    let random: [u8; RANDOM_BYTES] = rand::random();
    let token = format!("{PREFIX}{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random));
    let digest = Digest::of(&token);
    (token, digest)
}

/// The digest of the bearer token of a request. `None`: there is none, or it is of another scheme,
/// such as the `Basic` of a proxy's own sign-in. One that cannot be read counts as a wrong one.
pub(in crate::auth) fn bearer(headers: &HeaderMap) -> Option<Digest> {
    let mut found = headers.get_all(AUTHORIZATION).iter().filter_map(|value| {
        let (scheme, token) = value.as_bytes().split_at_checked(6)?;
        let ours = scheme.eq_ignore_ascii_case(b"bearer") && token.first().is_none_or(|byte| *byte == b' ');
        ours.then(|| String::from_utf8_lossy(token).trim().to_owned())
    });
    let first = found.next()?;
    // Two tokens are no token: whoever added the second one wants to be somebody else.
    Some(if found.next().is_some() { Digest::of("") } else { Digest::of(&first) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_token_matches_its_hash() {
        let (token, digest) = new();
        assert!(token.starts_with(PREFIX) && token.len() == PREFIX.len() + 43, "{token}");
        assert_eq!(Digest::of(&token), digest);
        assert_eq!(Digest::parse(&digest.hex()).unwrap(), digest);
        assert_eq!(Digest::parse(&digest.hex().to_uppercase()).unwrap(), digest);
        assert_ne!(new().0, token);
    }

    #[test]
    fn hashes_that_are_refused() {
        let (token, digest) = new();
        assert!(Digest::parse(&token).unwrap_err().contains("not its hash"));
        for text in ["", "abc", &digest.hex()[1..], &"é".repeat(32), &format!("+{}", &digest.hex()[1..])] {
            assert!(Digest::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bearer_header_is_parsed() {
        for (values, want) in [
            (vec![], None),
            (vec!["Bearer abc"], Some("abc")),
            (vec!["bearer  abc "], Some("abc")),
            (vec!["Basic YTpi"], None),
            (vec!["Basic YTpi", "Bearer abc"], Some("abc")),
            (vec!["Bearer"], Some("")),
            (vec!["Bearerabc"], None),
            (vec!["Bearer abc", "Bearer def"], Some("")),
        ] {
            let mut headers = HeaderMap::new();
            for value in &values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            assert_eq!(bearer(&headers), want.map(Digest::of), "{values:?}");
        }
    }
}
