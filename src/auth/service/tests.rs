//! Sign-in as the server uses it: log-in to log-out, on the process's own store.

use std::sync::atomic::{AtomicI64, Ordering};

use flowdeck_control::Audit;
use flowdeck_model::actor::Via;
use flowdeck_model::{Permission, Timestamp};
use http::Extensions;
use http::header::{AUTHORIZATION, COOKIE};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::auth::credentials::command_line::new_token;
use crate::auth::credentials::password::Hash;
use crate::auth::credentials::password::tests::{cheap, with};
use crate::auth::settings::AuthTable;

const PASSWORD: &str = "correct horse";

struct Bench {
    auth: Auth,
    now: Arc<AtomicI64>,
    token: String,
    token_hash: String,
    hash: String,
    _stop: tokio_util::sync::DropGuard,
}

fn settings(users: &[(&str, &str, &str)], tokens: &[(&str, &str, &str)]) -> Settings {
    let mut text = "mode = \"local\"\n".to_owned();
    for (name, hash, role) in users {
        text += &format!("[[users]]\nname = {name:?}\npassword_hash = {hash:?}\nroles = [{role:?}]\n");
    }
    for (name, hash, role) in tokens {
        text += &format!(
            "[[tokens]]\nname = {name:?}\nhash = {hash:?}\nroles = [{role:?}]\nexpires = 2001-10-01T00:00:00Z\n"
        );
    }
    toml::from_str::<AuthTable>(&text).unwrap().check().unwrap()
}

impl Bench {
    async fn new() -> Self {
        let hash = cheap(PASSWORD);
        let (token, token_hash) = new_token();
        let now = Arc::new(AtomicI64::new(1_000_000_000_000));
        let clock = Clock::new({
            let now = now.clone();
            move || Timestamp::from_millis(now.load(Ordering::Relaxed))
        });
        let stop = CancellationToken::new();
        let settings = settings(
            &[("ana", &hash, "admin"), ("vera", &hash, "viewer")],
            &[("ci", &token_hash, "operator")],
        );
        let cookies = CookieScope::new("/kafkaflow", false);
        let auth =
            Auth::open_with_clock(settings, cookies, stop.clone(), Audit::log_alone(), clock).await.unwrap();
        Self { auth, now, token, token_hash, hash, _stop: stop.drop_guard() }
    }

    fn pass_minutes(&self, minutes: i64) {
        self.now.fetch_add(minutes * 60_000, Ordering::Relaxed);
    }

    async fn try_log_in(
        &self,
        name: &str,
        password: &str,
        headers: &HeaderMap,
    ) -> Result<String, LoginRefusal> {
        let credentials = Credentials { name: name.into(), password: password.into(), next: None };
        let done = self.auth.log_in(credentials, headers, "192.0.2.1".parse().ok()).await?;
        let cookie = done.set_cookie.to_str().unwrap();
        Ok(cookie.split(';').next().unwrap().to_owned())
    }

    async fn log_in(&self, name: &str) -> String {
        self.try_log_in(name, PASSWORD, &HeaderMap::new()).await.unwrap()
    }

    async fn authenticate(&self, headers: &HeaderMap) -> Result<Authenticated, Refusal> {
        let (extensions, address) = (Extensions::new(), "192.0.2.1".parse().ok());
        let request = AuthRequest {
            headers,
            extensions: &extensions,
            via: Via::Api,
            address,
            keep_alive: KeepAlive::Yes,
        };
        self.auth.authenticate(request).await
    }
}

fn cookie(value: &str) -> HeaderMap {
    [(COOKIE, value.parse().unwrap())].into_iter().collect()
}

fn bearer(token: &str) -> HeaderMap {
    [(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())].into_iter().collect()
}

#[tokio::test]
async fn mode_none_is_anonymous_with_all_permissions() {
    let (headers, extensions) = (HeaderMap::new(), Extensions::new());
    let request = AuthRequest {
        headers: &headers,
        extensions: &extensions,
        via: Via::Page,
        address: None,
        keep_alive: KeepAlive::Yes,
    };
    let known = Auth::none().authenticate(request).await.unwrap();
    assert_eq!(known.actor.view.kind, ActorKind::Anonymous);
    assert!(known.actor.may(Permission::Produce, &"any".parse().unwrap(), &"g".into()));
    assert_eq!(Auth::none().still_valid(&known.ticket).await, Ok(()));
    assert!(!Auth::none().has_sign_in());
}

#[tokio::test]
async fn session_ends_with_log_out() {
    let bench = Bench::new().await;
    assert_eq!(bench.authenticate(&HeaderMap::new()).await.unwrap_err(), Refusal::Nobody);
    let headers = cookie(&bench.log_in("vera").await);
    let known = bench.authenticate(&headers).await.unwrap();
    let view = &known.actor.view;
    assert_eq!((view.name.as_str(), view.kind, view.via), ("vera", ActorKind::User, Via::Api));
    assert_eq!(view.address.as_deref(), Some("192.0.2.1"));
    let (cluster, group) = ("demo".parse().unwrap(), "g".into());
    assert!(known.actor.may(Permission::View, &cluster, &group));
    assert!(!known.actor.may(Permission::ReadPayloads, &cluster, &group));

    let cleared = bench.auth.log_out(&headers, None, false).await.unwrap();
    assert!(cleared.to_str().unwrap().starts_with("flowdeck_session=; Max-Age=0"));
    assert_eq!(bench.authenticate(&headers).await.unwrap_err(), Refusal::Ended(Ended::Over));
    assert_eq!(bench.auth.still_valid(&known.ticket).await, Err(Ended::Over));
    assert!(bench.auth.log_out(&headers, None, true).await.is_ok(), "twice is no error");
}

#[tokio::test]
async fn session_fixation_is_prevented() {
    let bench = Bench::new().await;
    let fixed = bench.log_in("vera").await;
    let new = bench.try_log_in("ana", PASSWORD, &cookie(&fixed)).await.unwrap();
    assert_ne!(new, fixed);
    assert_eq!(bench.authenticate(&cookie(&fixed)).await.unwrap_err(), Refusal::Ended(Ended::Over));
    assert_eq!(bench.authenticate(&cookie(&new)).await.unwrap().actor.name(), "ana");
    // An id of the attacker's own making is not taken over either.
    let made_up = format!("flowdeck_session={}", Id::default());
    let new = bench.try_log_in("ana", PASSWORD, &cookie(&made_up)).await.unwrap();
    assert_ne!(new, made_up);
    assert!(bench.authenticate(&cookie(&made_up)).await.is_err());
}

#[tokio::test]
async fn wrong_name_and_wrong_password_look_alike() {
    let bench = Bench::new().await;
    let none = HeaderMap::new();
    let long = "x".repeat(5_000);
    for (name, password) in
        [("ana", "wrong"), ("nobody", PASSWORD), ("", PASSWORD), ("ana", ""), (&*long, "x"), ("vera", &*long)]
    {
        let refused = bench.try_log_in(name, password, &none).await.unwrap_err();
        assert_eq!(refused, LoginRefusal::Wrong, "{}", &name[..name.len().min(9)]);
    }
}

#[tokio::test]
async fn unknown_name_costs_as_much_as_the_most_expensive_hash() {
    let bench = Bench::new().await;
    let Inner::Local(local) = &*bench.auth.0 else { panic!("there is sign-in") };
    let cost = |name: &str| local.accounts().to_verify(name).map(Hash::cost);
    assert_eq!(cost("nobody"), cost("ana"));
    // After a reload, too, and whoever has it.
    let dear = with(20_000, 3, PASSWORD);
    assert!(bench.auth.reload(settings(&[("ana", &bench.hash, "admin"), ("vera", &dear, "viewer")], &[])));
    assert_eq!((cost("nobody"), cost("vera")), (Some((60_000, 20_000)), Some((60_000, 20_000))));
    assert!(cost("ana") < cost("nobody"));
    assert!(bench.auth.reload(settings(&[("vera", &bench.hash, "viewer"), ("zoe", &dear, "viewer")], &[])));
    assert_eq!(cost("ana"), cost("zoe"), "who is gone is nobody");
    // The right password of the hash that is verified in place of a missing one opens nothing.
    let refused = bench.try_log_in("ana", PASSWORD, &HeaderMap::new()).await;
    assert_eq!(refused.unwrap_err(), LoginRefusal::Wrong);
    // Tokens alone: no name is right.
    assert!(bench.auth.reload(settings(&[], &[("ci", &bench.token_hash, "viewer")])));
    assert_eq!(cost("ana"), None);
    let refused = bench.try_log_in("zoe", PASSWORD, &HeaderMap::new()).await;
    assert_eq!(refused.unwrap_err(), LoginRefusal::Wrong);
}

#[tokio::test]
async fn right_password_works_after_the_wait() {
    let bench = Bench::new().await;
    let none = HeaderMap::new();
    for _ in 0..5 {
        assert_eq!(bench.try_log_in("ana", "wrong", &none).await.unwrap_err(), LoginRefusal::Wrong);
    }
    let refused = bench.try_log_in("ana", PASSWORD, &none).await.unwrap_err();
    assert_eq!(refused.retry_after(), Some(1), "{refused}");
    let again = async {
        while let Err(refused) = bench.try_log_in("ana", PASSWORD, &none).await {
            assert!(matches!(refused, LoginRefusal::Wait(_)), "{refused}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let soon = std::time::Duration::from_secs(10);
    assert!(tokio::time::timeout(soon, again).await.is_ok(), "asking meanwhile does not prolong the wait");
}

#[tokio::test]
async fn log_out_everywhere() {
    let bench = Bench::new().await;
    let (desk, phone, other) =
        (bench.log_in("ana").await, bench.log_in("ana").await, bench.log_in("vera").await);
    let stream = bench.authenticate(&cookie(&phone)).await.unwrap().ticket;
    bench.auth.log_out(&cookie(&desk), None, true).await.unwrap();
    assert!(bench.authenticate(&cookie(&desk)).await.is_err());
    assert_eq!(
        bench.authenticate(&cookie(&phone)).await.unwrap_err(),
        Refusal::Ended(Ended::LoggedOutEverywhere)
    );
    assert_eq!(bench.auth.still_valid(&stream).await, Err(Ended::LoggedOutEverywhere));
    assert!(bench.authenticate(&cookie(&other)).await.is_ok());
    assert!(bench.authenticate(&cookie(&bench.log_in("ana").await)).await.is_ok());
}

#[tokio::test]
async fn stream_sees_session_expire() {
    let bench = Bench::new().await;
    let headers = cookie(&bench.log_in("ana").await);
    let ticket = bench.authenticate(&headers).await.unwrap().ticket;
    for _ in 0..29 {
        bench.pass_minutes(1);
        assert_eq!(bench.auth.still_valid(&ticket).await, Ok(()));
    }
    bench.pass_minutes(1);
    assert_eq!(bench.auth.still_valid(&ticket).await, Err(Ended::Expired));
}

#[tokio::test]
async fn tokens() {
    let bench = Bench::new().await;
    let known = bench.authenticate(&bearer(&bench.token)).await.unwrap();
    assert_eq!((known.actor.name(), known.actor.view.kind), ("ci", ActorKind::Token));
    let (cluster, group) = ("demo".parse().unwrap(), "g".into());
    assert!(known.actor.may(Permission::Control, &cluster, &group));
    assert!(!known.actor.may(Permission::Offsets, &cluster, &group));

    // Bearer wins over the cookie, also when it is wrong.
    let session = bench.log_in("ana").await;
    let mut both = bearer(&bench.token);
    both.insert(COOKIE, session.parse().unwrap());
    assert_eq!(bench.authenticate(&both).await.unwrap().actor.name(), "ci");
    both.insert(AUTHORIZATION, "Bearer wrong".parse().unwrap());
    assert_eq!(bench.authenticate(&both).await.unwrap_err(), Refusal::UnknownToken);
    // A proxy's own sign-in is not ours.
    both.insert(AUTHORIZATION, "Basic YTpi".parse().unwrap());
    assert_eq!(bench.authenticate(&both).await.unwrap().actor.name(), "ana");

    // The hash is no token.
    assert_eq!(bench.authenticate(&bearer(&bench.token_hash)).await.unwrap_err(), Refusal::UnknownToken);

    bench.now.store("2001-10-01T00:00:00Z".parse::<Timestamp>().unwrap().millis(), Ordering::Relaxed);
    assert_eq!(bench.authenticate(&bearer(&bench.token)).await.unwrap_err(), Refusal::ExpiredToken);
    assert_eq!(bench.auth.still_valid(&known.ticket).await, Err(Ended::Expired));
}

#[tokio::test]
async fn reload_revokes_at_once() {
    let bench = Bench::new().await;
    let token = bench.authenticate(&bearer(&bench.token)).await.unwrap().ticket;
    let (ana, vera) = (cookie(&bench.log_in("ana").await), cookie(&bench.log_in("vera").await));
    let (ana_stream, vera_stream) =
        (bench.authenticate(&ana).await.unwrap().ticket, bench.authenticate(&vera).await.unwrap().ticket);

    // The token revoked, ana's password set anew, vera promoted.
    let other = cheap("another one");
    assert!(bench.auth.reload(settings(&[("ana", &other, "admin"), ("vera", &bench.hash, "admin")], &[])));
    assert_eq!(bench.authenticate(&bearer(&bench.token)).await.unwrap_err(), Refusal::UnknownToken);
    assert_eq!(bench.auth.still_valid(&token).await, Err(Ended::Revoked));
    assert_eq!(bench.authenticate(&ana).await.unwrap_err(), Refusal::Ended(Ended::AccountChanged));
    assert_eq!(bench.auth.still_valid(&ana_stream).await, Err(Ended::AccountChanged));
    // A stream is bound to the rights of its start; a request gets the new ones.
    assert_eq!(bench.auth.still_valid(&vera_stream).await, Err(Ended::AccountChanged));
    // No sign-in any more: not while the server runs.
    assert!(!bench.auth.reload(Settings::default()));
    let vera = bench.authenticate(&vera).await.unwrap().actor;
    assert!(vera.may(Permission::Offsets, &"demo".parse().unwrap(), &"g".into()));
}

#[test]
fn log_in_form_is_parsed() {
    let form = Credentials::parse(b"name=+ana+&password=+p%26w+&next=%2Fkafkaflow%3Fq%3Da&csrf=x");
    assert_eq!((form.name.as_str(), form.password.as_str()), ("ana", " p&w "));
    assert_eq!(form.next.as_deref(), Some("/kafkaflow?q=a"));
    assert!(!format!("{form:?}").contains("p&w"));
}
