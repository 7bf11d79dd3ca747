//! Users, roles and tokens for tests, and the way in.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};

use argon2::password_hash::PasswordHasher as _;
use axum::Router;
use axum::body::Body;
use flowdeck::Options;
use flowdeck::auth::{Auth, AuthTable, Clock, CookieScope, Settings};
use flowdeck_control::Audit;
use flowdeck_model::Timestamp;
use http::Request;
use tokio_util::sync::CancellationToken;

use crate::support::{Answer, ask, form, options};

pub(crate) const PASSWORD: &str = "correct horse";

static HASH: LazyLock<String> =
    LazyLock::new(|| argon2::Argon2::default().hash_password(PASSWORD.as_bytes()).unwrap().to_string());

/// Roles of the configuration beside the built-in ones.
const ROLES: &str = r#"
    [[roles.payments]]
    permissions = ["control"]
    clusters = "demo"
    groups = "payments*"
    [[roles.elsewhere]]
    permissions = ["view", "read_payloads", "control", "offsets", "produce"]
    clusters = "other"
"#;

/// `(name, role)`: users with `PASSWORD`, and tokens.
pub(crate) fn settings(users: &[(&str, &str)], tokens: &[(&str, &str)]) -> Settings {
    settings_with(users, tokens, "")
}

/// `more`: other tables of `[auth]`.
pub(crate) fn settings_with(users: &[(&str, &str)], tokens: &[(&str, &str)], more: &str) -> Settings {
    let mut text = format!("mode = \"local\"\n{more}{ROLES}");
    for (name, role) in users {
        text += &format!("[[users]]\nname = {name:?}\npassword_hash = {:?}\nroles = [{role:?}]\n", *HASH);
    }
    for (n, (hash, role)) in tokens.iter().enumerate() {
        text += &format!("[[tokens]]\nname = \"token-{n}\"\nhash = {hash:?}\nroles = [{role:?}]\n");
    }
    toml::from_str::<AuthTable>(&text).unwrap().check().unwrap()
}

/// Sign-in with a clock that the test moves.
pub(crate) struct People {
    pub(crate) auth: Auth,
    now: Arc<AtomicI64>,
}

impl People {
    pub(crate) async fn new(settings: Settings) -> Self {
        Self::at(settings, CookieScope::new("/kafkaflow", false)).await
    }

    pub(crate) async fn at(settings: Settings, cookies: CookieScope) -> Self {
        let now = Arc::new(AtomicI64::new(1_800_000_000_000));
        let clock = Clock::new({
            let now = now.clone();
            move || Timestamp::from_millis(now.load(Ordering::Relaxed))
        });
        let auth =
            Auth::open_with_clock(settings, cookies, CancellationToken::new(), Audit::log_alone(), clock)
                .await
                .unwrap();
        Self { auth, now }
    }

    pub(crate) fn pass_minutes(&self, minutes: i64) {
        self.now.fetch_add(minutes * 60_000, Ordering::Relaxed);
    }

    pub(crate) fn options(&self) -> Options {
        Options { authenticator: Arc::new(self.auth.clone()), ..options() }
    }
}

pub(crate) async fn try_log_in(router: &Router, name: &str, password: &str) -> Answer {
    ask(router, form("/kafkaflow/login", &[("name", name), ("password", password)])).await
}

/// The session's cookie, as `name=value`.
pub(crate) async fn log_in(router: &Router, name: &str) -> String {
    let answer = try_log_in(router, name, PASSWORD).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    cookie_of(&answer)
}

pub(crate) fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

pub(crate) fn with(mut request: Request<Body>, header: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().insert(header, value.parse().unwrap());
    request
}
