//! The program itself: its line, its signals, its errors. No Kafka is needed for any of it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(10);

/// Ended with its test, whatever happens.
pub(crate) struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowdeck"));
    // No configuration of the machine that runs the tests, and no file that somebody left.
    command.env_clear().args(arguments).current_dir(env!("CARGO_TARGET_TMPDIR"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Started, with the line that it prints once it listens.
pub(crate) fn start(arguments: &[&str]) -> (Program, String) {
    start_as(command(arguments))
}

fn start_as(mut command: Command) -> (Program, String) {
    let mut child = Program(command.spawn().unwrap());
    let line = child.line();
    (child, line)
}

fn url(line: &str) -> String {
    line.trim().strip_prefix("Flowdeck: ").unwrap_or_else(|| panic!("{line:?}")).to_owned()
}

impl Program {
    /// The first line that it prints; empty where it ended without one.
    fn line(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        line
    }

    /// Waits for a line of its log that has `words`.
    pub(crate) fn logs(&mut self, words: &str) {
        let log = BufReader::new(self.0.stderr.take().unwrap());
        let (said, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || log.lines().map_while(Result::ok).try_for_each(|line| said.send(line)));
        let mut log = String::new();
        while !log.contains(words) {
            let line = lines.recv_timeout(LONG).unwrap_or_else(|_| panic!("not in the log: {words}\n{log}"));
            log += &format!("{line}\n");
        }
    }

    /// SIGTERM, its end, and what is left of its log.
    fn ended(&mut self) -> String {
        signal(self, "TERM");
        assert!(wait(self, Duration::from_secs(5)).success());
        let mut log = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        log
    }
}

pub(crate) fn signal(program: &Program, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(program.0.id().to_string()).status().unwrap();
    assert!(sent.success());
}

pub(crate) fn wait(program: &mut Program, within: Duration) -> std::process::ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = program.0.try_wait().unwrap() {
            return status;
        }
        assert!(start.elapsed() < within, "the program did not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn local_auth(folder: &std::path::Path, tokens: &[&str]) -> String {
    let path = folder.join("flowdeck.toml");
    let mut text = "[auth]\nmode = \"local\"\n".to_owned();
    for (n, hash) in tokens.iter().enumerate() {
        text += &format!("[[auth.tokens]]\nname = \"t{n}\"\nhash = \"{hash}\"\nroles = [\"viewer\"]\n");
    }
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// `token: …` and `hash: …`, as a person copies them.
fn new_token() -> (String, String) {
    let output = command(&["new-token"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let field = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    (field("token:"), field("hash:"))
}

#[test]
fn token_is_revoked_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let ((token, hash), (kept, kept_hash)) = (new_token(), new_token());
    let config = local_auth(folder.path(), &[&hash, &kept_hash]);
    let (mut program, line) = start(&["serve", "--listen", "127.0.0.1:0", "--config", &config]);
    let url = url(&line);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ask = |token: &str| {
        let request = reqwest::Client::new().get(format!("{url}/api/v1/groups")).bearer_auth(token);
        runtime.block_on(async { request.send().await.unwrap().status().as_u16() })
    };
    assert_eq!([ask(&token), ask(&kept), ask("wrong")], [200, 200, 401]);
    // A file that is wrong changes nothing.
    std::fs::write(folder.path().join("flowdeck.toml"), "[auth]\nmode = \"nobody\"\n").unwrap();
    signal(&program, "HUP");
    program.logs("was not read again");
    assert_eq!(ask(&token), 200);
    local_auth(folder.path(), &[&kept_hash]);
    signal(&program, "HUP");
    let begun = Instant::now();
    while ask(&token) != 401 {
        assert!(begun.elapsed() < Duration::from_secs(5), "the token is still good");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(ask(&kept), 200);
    signal(&program, "TERM");
    assert!(wait(&mut program, Duration::from_secs(5)).success());
}

/// What systemd's `reload` sends, to a server that has nothing to read again.
#[test]
fn sighup_without_sign_in_and_tls_is_harmless() {
    let (mut program, line) = start(&["serve", "--listen", "127.0.0.1:0"]);
    signal(&program, "HUP");
    program.logs("the configuration was read again");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    assert_eq!(runtime.block_on(async { reqwest::get(url(&line)).await.unwrap().status() }), 200);
    signal(&program, "TERM");
    assert!(wait(&mut program, Duration::from_secs(5)).success());
}

#[test]
fn sighup_during_start_is_deferred() {
    // Takes connections and says nothing: the start waits 2 s for it.
    let redis = TcpListener::bind("127.0.0.1:0").unwrap();
    redis.set_nonblocking(true).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = local_auth(folder.path(), &[&new_token().1]);
    let store = format!("[auth.session]\nredis = \"redis://{}/0\"\n", redis.local_addr().unwrap());
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text + &store).unwrap();
    let begun = Instant::now();
    let mut program =
        Program(command(&["serve", "--listen", "127.0.0.1:0", "--config", &config]).spawn().unwrap());
    let _connection = loop {
        if let Ok(connection) = redis.accept() {
            break connection;
        }
        assert!(begun.elapsed() < LONG, "it asks no Redis");
        std::thread::sleep(Duration::from_millis(5));
    };
    signal(&program, "HUP");
    let line = program.line();
    assert!(line.starts_with("Flowdeck: "), "it ended: {line:?}");
    program.logs("the configuration was read again");
    signal(&program, "TERM");
    assert!(wait(&mut program, Duration::from_secs(5)).success());
}

#[test]
fn audit_is_written_at_every_log_level() {
    let folder = tempfile::tempdir().unwrap();
    file_with_ana(folder.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (level, audited) in
        [("warn", true), ("flowdeck_kafka=debug", true), ("off", true), ("warn, audit=off", false)]
    {
        let mut command = command(&["serve", "--listen", "127.0.0.1:0"]);
        command.current_dir(folder.path()).env("FLOWDECK_LOG", level);
        let (mut program, line) = start_as(command);
        assert_eq!(runtime.block_on(sign_in(&url(&line), "ana", "correct horse")).0, 303);
        let log = program.ended();
        let line = log.lines().find(|line| line.contains("event=\"logIn\""));
        assert_eq!(line.is_some(), audited, "{level}: {log}");
        assert!(line.is_none_or(|line| line.contains("audit") && line.contains("actor.name=ana")), "{log}");
        assert!(!log.contains("stopping"), "the level holds for all else: {log}");
    }
}

#[test]
fn password_is_hashed_from_stdin() {
    use std::io::Write as _;
    for (typed, good) in [("correct horse\n", true), ("short\n", false)] {
        let mut child = command(&["hash-password"]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let (hash, error) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.success(), good, "{error}");
        assert_eq!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), good, "{hash}");
        assert!(!error.contains(typed.trim()), "{error}");
    }
}

/// A cluster that nobody answers for: the port is taken by a listener that says nothing.
fn black_hole() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let cluster = format!("hole={}", listener.local_addr().unwrap());
    (listener, cluster)
}

#[test]
fn server_runs_without_kafka() {
    let (_hole, cluster) = black_hole();
    let begun = Instant::now();
    let (mut program, line) = start(&["serve", "--listen", "127.0.0.1:0", "--cluster", &cluster]);
    assert!(begun.elapsed() < Duration::from_secs(5), "it waits for nobody");
    let url = url(&line);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let page = runtime.block_on(async { reqwest::get(&url).await.unwrap() });
    assert_eq!(page.status(), 200);
    // With a stream open, too.
    let _stream = runtime.block_on(async { reqwest::get(format!("{url}/events?view=fleet")).await.unwrap() });
    signal(&program, "TERM");
    assert!(wait(&mut program, Duration::from_secs(5)).success());
}

/// An answer under way whose request never comes whole, a Kafka that never answers, and a log that nobody reads.
#[test]
fn shutdown_takes_less_than_five_seconds() {
    use std::io::Write as _;
    let (_hole, cluster) = black_hole();
    let mut command = command(&["serve", "--listen", "127.0.0.1:0", "--cluster", &cluster]);
    command.env("FLOWDECK_LOG", "debug");
    let (mut program, line) = start_as(command);
    let address = url(&line).strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    // More lines than its standard error takes.
    let (runtime, client) = (tokio::runtime::Runtime::new().unwrap(), reqwest::Client::new());
    for _ in 0..800 {
        let asked = client.get(format!("http://{address}/health/live")).send();
        assert_eq!(runtime.block_on(asked).unwrap().status(), 200);
    }
    let mut half = std::net::TcpStream::connect(&address).unwrap();
    let head = format!("POST /kafkaflow/theme HTTP/1.1\r\nHost: {address}\r\nContent-Length: 100\r\n\r\n");
    half.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    signal(&program, "TERM");
    let begun = Instant::now();
    assert!(wait(&mut program, LONG).success());
    let took = begun.elapsed();
    println!("it took {took:?}");
    // The admin service, the runtime and the log alone take less.
    assert!(took > Duration::from_millis(2_600), "the answer under way has its time: {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn occupied_port_is_one_line_that_names_the_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = command(&["serve", "--listen", &address]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let line = said.lines().last().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(line.contains(&address) && line.contains("--listen"), "{said}");
}

#[test]
fn invalid_file_is_one_line_with_its_position() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flowdeck.toml");
    std::fs::write(&path, "\nlistn = 1\n").unwrap();
    let output = command(&["serve", "--config", path.to_str().unwrap()]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains(":2:1: unknown field `listn`"), "{said}");
}

#[test]
fn invalid_property_is_refused_without_its_value() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flowdeck.toml");
    for (property, words) in [
        ("\"sasl.pasword\" = \"hunter2\"", "sasl.pasword"),
        ("\"security.protocol\" = \"hunter2\"", "security.protocol"),
        ("\"group.id\" = \"hunter2\"", "group.id"),
    ] {
        let text =
            format!("[clusters.a]\nbootstrap = \"127.0.0.1:1\"\n[clusters.a.properties]\n{property}\n");
        std::fs::write(&path, text).unwrap();
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--config", path.to_str().unwrap()];
        let output = command(&arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let line = said.lines().last().unwrap_or_default();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            line.contains("flowdeck.toml:4:") && line.contains(words) && !said.contains("hunter2"),
            "{said}"
        );
    }
}

#[test]
fn check_fails_without_cluster() {
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut check =
        Program(command(&["serve", "--check", "--cluster", &format!("gone={refused}")]).spawn().unwrap());
    let status = wait(&mut check, Duration::from_secs(30));
    let mut said = String::new();
    check.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("cluster gone at") && said.contains("list groups"), "{said}");
}

/// Started for a first look in `folder`, with its address and the password of its second line.
fn first_look(folder: &std::path::Path) -> (Program, String, String) {
    let mut command = command(&["serve", "--listen", "127.0.0.1:0"]);
    command.current_dir(folder).env("FLOWDECK_ONE_TIME_PASSWORD", "true");
    let mut child = Program(command.spawn().unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut said = |head: &str| {
        let line = lines.next().unwrap().unwrap();
        line.strip_prefix(head).unwrap_or_else(|| panic!("{line:?}")).to_owned()
    };
    let url = said("Flowdeck: ");
    let password = said("Sign in as admin with the one-time password ");
    (child, url, password)
}

/// The answer's status, and the session's cookie.
async fn sign_in(url: &str, name: &str, password: &str) -> (u16, String) {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("name", name), ("password", password)])
        .finish();
    let request = client.post(format!("{url}/login")).body(body);
    let answer =
        request.header("content-type", "application/x-www-form-urlencoded").send().await.expect("an answer");
    let cookie = answer.headers().get("set-cookie").map_or("", |value| value.to_str().unwrap());
    (answer.status().as_u16(), cookie.split(';').next().unwrap_or_default().to_owned())
}

/// A `flowdeck.toml` with one user, whose password is `correct horse`.
fn file_with_ana(folder: &std::path::Path) {
    let mut hashing = command(&["hash-password"]).stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut hashing.stdin.take().unwrap(), b"correct horse\n").unwrap();
    let hash = String::from_utf8(hashing.wait_with_output().unwrap().stdout).unwrap();
    let user = format!("name = \"ana\"\npassword_hash = {:?}\nroles = [\"admin\"]\n", hash.trim());
    let text = format!("[auth]\nmode = \"local\"\n[[auth.users]]\n{user}");
    std::fs::write(folder.join("flowdeck.toml"), text).unwrap();
}

async fn status_of(url: &str, cookie: &str) -> u16 {
    let request = reqwest::Client::new().get(format!("{url}/api/v1/groups")).header("cookie", cookie);
    request.send().await.unwrap().status().as_u16()
}

#[test]
fn one_time_password_works_until_users_are_configured() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (mut program, url, password) = first_look(folder.path());
    let session = runtime.block_on(async {
        assert_eq!(status_of(&url, "").await, 401);
        assert_eq!(sign_in(&url, "admin", "guess-guess").await.0, 401);
        assert_eq!(sign_in(&url, "root", &password).await.0, 401);
        let (status, session) = sign_in(&url, "admin", &password).await;
        assert_eq!((status, status_of(&url, &session).await), (303, 200));
        session
    });
    // Read again without users: it is still the same one.
    signal(&program, "HUP");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(runtime.block_on(status_of(&url, &session)), 200);
    // Users take its place.
    file_with_ana(folder.path());
    signal(&program, "HUP");
    let begun = Instant::now();
    while runtime.block_on(status_of(&url, &session)) != 401 {
        assert!(begun.elapsed() < Duration::from_secs(5), "its session goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(runtime.block_on(sign_in(&url, "admin", &password)).0, 401);
    assert_eq!(runtime.block_on(sign_in(&url, "ana", "correct horse")).0, 303);
    let log = program.ended();
    assert!(log.contains("log-in refused") && !log.contains(&password), "{log}");
}

#[test]
fn one_time_password_is_new_at_each_start() {
    let folder = tempfile::tempdir().unwrap();
    let ((_one, _, first), (_other, _, second)) = (first_look(folder.path()), first_look(folder.path()));
    assert_ne!(first, second);
    let check = || {
        let mut check = command(&["serve", "--check"]);
        check.current_dir(folder.path()).env("FLOWDECK_ONE_TIME_PASSWORD", "true");
        String::from_utf8(check.output().unwrap().stdout).unwrap()
    };
    let said = check();
    assert!(said.contains("mode = \"local\"") && said.contains("made and printed at the start"), "{said}");
    file_with_ana(folder.path());
    let said = check();
    assert!(said.contains("FLOWDECK_ONE_TIME_PASSWORD does nothing"), "{said}");
    assert!(!said.contains("made and printed"), "{said}");
}
