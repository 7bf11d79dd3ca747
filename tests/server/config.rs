//! The configuration: what is read, what is refused and where, what is printed.

use std::path::Path;

use flowdeck::config::{Config, Environment, Flags, documentation};
use flowdeck_model::verdict::RebalanceLimits;
use flowdeck_model::view::Mode;

fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flowdeck.toml");
    std::fs::write(&path, text).unwrap();
    let flags = Flags { config: Some(path), ..Flags::default() };
    let environment: Environment = environment.iter().copied().collect();
    let shown = folder.path().display().to_string();
    Config::load(&flags, &environment).map_err(|error| error.to_string().replace(&format!("{shown}/"), ""))
}

const WHOLE: &str = r#"
listen = "127.0.0.1:9000"
base = "/ops/"
public_url = "https://ops.example"
allowed_hosts = ["flowdeck.internal"]
trusted_proxies = ["10.0.0.0/8", "::1"]

[log]
level = "debug"
format = "json"

[limits]
streams = 10

[rebalancing]
warning = "20s"
groups = [{ pattern = "batch-*", warning = "5m", critical = "10m" }]

[verdicts]
behind = "2m"
hot_share = 90
rebalances = 20
paused = "8h"
ignore = ["tmp-*"]
mute = [{ pattern = "old-*", until = "2026-12-01T08:00:00Z", reason = "migration" }]
groups = [{ pattern = "batch-*", behind = "1h", allowed_lag = 50 }]

[clusters.eu]
label = "PROD-EU"
colour = "red"
bootstrap = "a.example:9093,b.example:9093"
allowed_lag = 1000
refresh = "5s"
read_committed = ["ledger-*"]
admin_topics = ["kafkaflow.admin:1", { commands = "a", telemetry = "b:2" }]
rewind_time_zones = [{ consumer = "orders-*", zone = "Europe/Berlin" }]

[clusters.eu.properties]
"security.protocol" = "SASL_SSL"
"sasl.password" = "hunter2"
"socket.timeout.ms" = 5000

[clusters.demo]
mode = "control"
bootstrap = "localhost:9092"
"#;

#[test]
fn a_whole_file() {
    let config = load(WHOLE, &[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:9000");
    assert_eq!(config.base.as_str(), "/ops");
    assert_eq!(config.limits.streams, 10);
    let rebalancing = &config.rebalancing;
    let seconds = |limits: &RebalanceLimits| (limits.warning.as_secs(), limits.critical.as_secs());
    assert_eq!(seconds(&rebalancing.limits), (20, 60));
    let (pattern, of) = &rebalancing.groups[0];
    assert_eq!((pattern.as_str(), seconds(of)), ("batch-*", (300, 600)));
    assert!(config.in_force().contains(
        r#"rebalancing = { warning = "20s", critical = "1m", groups = [{ pattern = "batch-*", warning = "5m", critical = "10m" }] }"#
    ));
    assert!(config.in_force().contains(
        r#"verdicts = { ignore = ["tmp-*"], mute = [{ pattern = "old-*", until = "2026-12-01T08:00:00.000Z", reason = "migration" }], verify_stalls = true, behind = "2m", paused = "8h", hot_share = 90, rebalances = 20, groups = [{ pattern = "batch-*", behind = "1h", allowed_lag = 50 }] }"#
    ));
    let [eu, demo] = &config.clusters[..] else { panic!("two clusters, in the order of the file") };
    assert_eq!((eu.name.as_str(), eu.mode, eu.allowed_lag), ("eu", Mode::Observe, Some(1_000)));
    assert_eq!(eu.properties["socket.timeout.ms"].expose(), "5000");
    assert_eq!(eu.admin_topics[1].telemetry.to_string(), "b:2");
    assert_eq!(eu.rewind_time_zones.of(&"orders-1".into()).name(), "Europe/Berlin");
    let zones = r#"rewind_time_zones = [{ consumer = "orders-*", zone = "Europe/Berlin" }]"#;
    assert!(config.in_force().contains(zones));
    assert_eq!(eu.read_committed[0].as_str(), "ledger-*");
    assert!(config.in_force().contains(r#"read_committed = ["ledger-*"]"#));
    assert_eq!((demo.name.as_str(), demo.mode), ("demo", Mode::Control));
    let list = "[[clusters]]\nname = 'b'\nbootstrap = 'x:1'\n[[clusters]]\nname = 'a'\nbootstrap = 'x:1'\n";
    let names: Vec<String> =
        load(list, &[]).unwrap().clusters.iter().map(|one| one.name.to_string()).collect();
    assert_eq!(names, ["b", "a"]);
}

#[test]
fn decoders_of_topics() {
    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("order.avsc");
    std::fs::write(&schema, r#"{"type":"record","name":"Order","fields":[{"name":"id","type":"long"}]}"#)
        .unwrap();
    let table = |value: &str| {
        format!(
            "[clusters.a]\nbootstrap = \"x:1\"\nschemas.order = {{ avro = {schema:?} }}\n\
             [[clusters.a.topics]]\npattern = \"orders-*\"\nkey = \"long\"\nvalue = \"{value}\"\n"
        )
    };
    let config = load(&table("schema:order"), &[]).unwrap();
    let topic = &config.clusters[0].topics[0];
    assert_eq!((topic.pattern.as_str(), topic.key.as_ref().unwrap().name.as_str()), ("orders-*", "long"));
    let shown = config.in_force();
    assert!(shown.contains("key = \"long\", value = \"schema:order\""), "{shown}");
    let error = load(&table("schema:invoice"), &[]).unwrap_err();
    assert!(
        error.contains("flowdeck.toml:7:9: one of auto, json") && error.contains("schema:order"),
        "{error}"
    );
    std::fs::write(&schema, "{").unwrap();
    let error = load(&table("json"), &[]).unwrap_err();
    assert!(error.contains("flowdeck.toml:3:17: ") && error.contains("order.avsc: it is no JSON"), "{error}");
}

#[test]
fn receivers_of_alerts() {
    let one = |more: &str| {
        let cluster = "[clusters.eu]\nbootstrap = \"x:1\"\n";
        load(
            &format!(
                "[[alerts]]\nname = \"on-call\"\nurl = \"https://hooks.example/hunter2\"\n{more}\n{cluster}"
            ),
            &[],
        )
    };
    let config = one(
        "format = \"slack\"\nlevel = \"warning\"\nverdicts = [\"stalled\"]\ngroups = [\"pay*\"]\nafter = \"5m\"\nbearer = \"t0ken\"",
    );
    let shown = config.unwrap().in_force();
    for part in [
        "name = \"on-call\"",
        "# at https://hooks.example, the rest of its address is hidden",
        "format = \"slack\"",
        "level = \"warning\"",
        "verdicts = [\"stalled\"]",
        "groups = [\"pay*\"]",
        "after = \"5m\"",
        "repeat = \"4h\"",
        "resolved = true",
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    assert!(!shown.contains("hunter2") && !shown.contains("t0ken"), "{shown}");
    for (more, want) in [
        ("verdicts = [\"slow\"]", "flowdeck.toml:4:12: \"slow\" is no verdict"),
        (
            "level = \"critical\"\nverdicts = [\"stalled\", \"behind\"]",
            "flowdeck.toml:5:24: \"behind\" is never as urgent as `level`",
        ),
        ("verdicts = [\"catchingUp\"]", "\"catchingUp\" is never as urgent"),
        ("level = \"info\"", "flowdeck.toml:4:9: unknown variant `info`"),
        ("clusters = [\"us\"]", "\"on-call\" is told of cluster us, and no such cluster is configured"),
        ("after = \"0s\"", "flowdeck.toml:4:9: \"0s\" is no time from 1s to 1day"),
        (
            "bearer = { env = \"NO_SUCH_VARIABLE\" }",
            "flowdeck.toml:4:10: the environment variable NO_SUCH_VARIABLE",
        ),
        (
            "[[alerts]]\nname = \"on-call\"\nurl = \"http://a/\"",
            "flowdeck.toml:5:8: two receivers are named \"on-call\"",
        ),
    ] {
        let error = one(more).unwrap_err();
        assert!(error.contains(want), "{error} does not say {want}");
    }
    let error = load("[[alerts]]\nname = \"a\"\nurl = \"hunter2\"\n", &[]).unwrap_err();
    assert!(error.contains("flowdeck.toml:3:7: it is no URL") && !error.contains("hunter2"), "{error}");
}

#[test]
fn receivers_of_alerts_by_mail() {
    let one = |more: &str| {
        let cluster = "[clusters.eu]\nbootstrap = \"x:1\"\n";
        load(
            &format!(
                "[[alerts]]\nname = \"team\"\nformat = \"email\"\nurl = \"smtps://mail.example\"\n{more}\n{cluster}"
            ),
            &[],
        )
    };
    let people = "from = \"Flowdeck <flowdeck@example.org>\"\nto = [\"ana@example.org\"]\n";
    let login = "username = \"flowdeck\"\npassword = \"hunter2\"\n";
    let shown = one(&format!("{people}{login}")).unwrap().in_force();
    for part in ["# at smtps://mail.example:465", "format = \"email\"", "to = [\"ana@example.org\"]"] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    assert!(!shown.contains("hunter2"), "{shown}");
    for (more, want) in [
        (login.to_owned(), "flowdeck.toml:2:8: `from` is missing"),
        ("from = \"ana@example.org\"".to_owned(), "flowdeck.toml:4:7: nobody is named to send to"),
        (
            "from = \"ana@example.org\"\nto = [\"ana\"]".to_owned(),
            "flowdeck.toml:4:7: \"ana\" is no e-mail address",
        ),
        (format!("{people}username = \"ana\""), "`username` and `password` belong together"),
        (format!("{people}starttls = false"), "flowdeck.toml:4:7: smtps is never without TLS"),
        (format!("{people}bearer = \"t0ken\""), "flowdeck.toml:7:10: an SMTP server takes"),
    ] {
        let error = one(&more).unwrap_err();
        assert!(error.contains(want), "{error} does not say {want}");
    }
    let error =
        load("[[alerts]]\nname = \"a\"\nurl = \"http://a/\"\nto = [\"ana@example.org\"]\n", &[]).unwrap_err();
    assert!(error.contains("are for format = \"email\""), "{error}");
}

#[test]
fn payloads_masks_and_search() {
    let text = "[clusters.a]\nbootstrap = \"x:1\"\npayloads = false\nsearch = { at_once = 1, megabytes_per_second = 5 }\n\
         [[clusters.a.masks]]\ntopics = \"o*\"\npaths = [\"a.b\"]\npatterns = [\"[0-9]{16}\"]\n";
    let cluster = load(text, &[]).unwrap().clusters.remove(0);
    assert!(!cluster.payloads && cluster.mask_secrets && cluster.masks.len() == 1);
    assert_eq!((cluster.search.at_once, cluster.search.bytes_per_second), (1, 5_000_000));
    let shown = load(text, &[]).unwrap().in_force();
    assert!(shown.contains("# masks of topics \"o*\": 1 paths, 0 headers, 1 patterns"), "{shown}");
}

#[test]
fn errors_have_their_position() {
    for (text, want) in [
        ("[[clusters.a.masks]]\npaths = [\"a..b\"]", "flowdeck.toml:2:10: \"a..b\" is no path"),
        ("[[clusters.a.masks]]\npatterns = [\"(\"]", "flowdeck.toml:2:13: error: unclosed group"),
        ("[[clusters.a.masks]]\npatterns = [\"x*\"]", "flowdeck.toml:2:13: it matches the empty text"),
        ("[clusters.a.search]\nat_once = 0", "flowdeck.toml:2:11: a whole number from 1 to 8"),
        (
            "[clusters.a.schemas]\nx = { protobuf = \"a.desc\" }",
            "flowdeck.toml:2:5: write { avro = \"FILE.avsc\" }",
        ),
        ("listn = 1", "flowdeck.toml:1:1: unknown field `listn`"),
        ("\n  base = 7", "flowdeck.toml:2:10: invalid type: integer `7`"),
        ("base = \"x\"", "flowdeck.toml:1:8: \"x\" is no base path"),
        ("listen = \"8077\"", "flowdeck.toml:1:10: \"8077\" is no address"),
        ("public_url = \"ops\"", "flowdeck.toml:1:14: \"ops\" is no public URL"),
        ("trusted_proxies = [\"10.0.0.0/8\", \"me\"]", "flowdeck.toml:1:19: \"me\" is no address or network"),
        ("[log]\nlevel = \"flowdeck=loud\"", "flowdeck.toml:2:9: "),
        ("[log]\nformat = \"xml\"", "flowdeck.toml:2:10: \"xml\" is no log format"),
        ("[limits]\nstreams = 0", "flowdeck.toml:2:11: a whole number"),
        ("[clusters.a]\nbootstrap = \"x\"", "flowdeck.toml:2:13: \"x\" is no list of brokers"),
        ("[clusters.a]\nmode = \"write\"", "flowdeck.toml:2:8: unknown variant `write`"),
        ("[clusters.a]\ncolour = \"pink\"", "flowdeck.toml:2:10: unknown variant `pink`"),
        ("[clusters.a]\nrefresh = \"1ms\"", "flowdeck.toml:2:11: \"1ms\" is no time"),
        ("[clusters.a]\nlag = 1", "flowdeck.toml:2:1: unknown field `lag`"),
        ("[clusters.\"a b\"]\nmode = \"observe\"", "\"a b\" is no cluster name"),
        ("[clusters.a]\nadmin_topics = [\"a b\"]", "flowdeck.toml:2:17: \"a b\" is no topic name"),
        (
            "[clusters.a]\nrewind_time_zones = [{ consumer = \"x\", zone = \"Europe/Atlantis\" }]",
            "\"Europe/Atlantis\" is no time zone",
        ),
        ("[clusters.a]\nmode = \"observe\"", "cluster a: `bootstrap` is missing"),
        ("[[clusters]]\nbootstrap = \"x:1\"", "missing field `name`"),
        (
            "[clusters.a.properties]\nx = { env = \"NOT_SET_ANYWHERE\" }",
            "flowdeck.toml:2:5: the environment variable NOT_SET_ANYWHERE is not set",
        ),
        (
            "[clusters.a.properties]\nx = { file = \"/not/there\" }",
            "flowdeck.toml:2:5: /not/there could not be read",
        ),
        ("[clusters.a.properties]\nx = [1]", "flowdeck.toml:2:5: invalid type: sequence"),
        ("[verdicts]\nbehind = \"0s\"", "flowdeck.toml:2:10: \"0s\" is no time from 1s to 1day"),
        ("[verdicts]\nhot_share = 40", "flowdeck.toml:1:1: `hot_share` is 40"),
        ("[verdicts]\nmute = [{ pattern = \"a\", until = \"noon\", reason = \"x\" }]", "`until` is \"noon\""),
        (
            "[verdicts]\nmute = [{ pattern = \"a\", until = \"2026-12-01T08:00:00Z\", reason = \" \" }]",
            "`reason` is empty",
        ),
        ("[verdicts]\nlate = \"1s\"", "flowdeck.toml:2:1: unknown field `late`"),
        ("[rebalancing]\nwarning = \"0s\"", "flowdeck.toml:2:11: \"0s\" is no time from 1s to 1day"),
        ("[rebalancing]\nwarning = \"9s\"\ncritical = \"5s\"", "`critical` (5s) comes before `warning` (9s)"),
        ("[[rebalancing.groups]]\npattern = \"a\"", "missing field `warning`"),
        ("base = ", "flowdeck.toml:1:8: "),
        ("listen = \"0.0.0.0:80\"", "setting `listen`: 0.0.0.0:80 can be reached from other machines"),
    ] {
        let error = load(text, &[]).err().unwrap_or_else(|| panic!("accepted: {text}"));
        assert!(error.contains(want), "{text}\n  wants {want}\n  got   {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let missing = Flags { config: Some("/not/there.toml".into()), ..Flags::default() };
    let error = Config::load(&missing, &Environment::default()).unwrap_err().to_string();
    assert_eq!(error, "--config: there is no file /not/there.toml");
}

#[test]
fn flags_override_environment_overrides_file() {
    let environment: &[(&str, &str)] = &[("FLOWDECK_LISTEN", "127.0.0.1:9001"), ("FLOWDECK_BASE", "")];
    let config = load(WHOLE, environment).unwrap();
    assert_eq!((config.listen.port(), config.base.as_str()), (9001, ""));
    let flags = Flags {
        listen: Some("127.0.0.1:9002".into()),
        base: Some("/x".into()),
        mode: Some(Mode::Control),
        clusters: vec!["demo=localhost:1".into()],
        ..Flags::default()
    };
    let environment: Environment =
        [("FLOWDECK_LISTEN", "127.0.0.1:9001"), ("FLOWDECK_CLUSTERS", "demo=a:1;b=b:1")]
            .into_iter()
            .collect();
    let config = Config::load(&flags, &environment).unwrap();
    assert_eq!((config.listen.port(), config.base.as_str()), (9002, "/x"));
    assert_eq!(config.clusters[0].bootstrap, "localhost:1");
    assert!(config.clusters.iter().all(|cluster| cluster.mode == Mode::Control));
}

#[test]
fn a_wrong_variable_is_named() {
    for (name, value, want) in [
        ("FLOWDECK_LISTEN", "x", "environment variable FLOWDECK_LISTEN: \"x\" is no address"),
        ("FLOWDECK_MODE", "write", "environment variable FLOWDECK_MODE: neither observe nor control"),
        ("FLOWDECK_CLUSTERS", "demo", "environment variable FLOWDECK_CLUSTERS: \"demo\" is no cluster"),
        ("KAFKA_BOOTSTRAP_SERVERS", "x", "environment variable KAFKA_BOOTSTRAP_SERVERS: \"x\" is no list"),
        ("Kafka__BootstrapServers", "x", "environment variable Kafka__BootstrapServers: "),
        ("FLOWDECK_INSECURE_LISTEN", "maybe", "neither true nor false"),
        (
            "FLOWDECK_CONFIG",
            "/not/there",
            "environment variable FLOWDECK_CONFIG: there is no file /not/there",
        ),
    ] {
        let environment: Environment = [(name, value)].into_iter().collect();
        let error = Config::load(&Flags::default(), &environment).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
}

#[test]
fn service_variables_are_understood() {
    let environment: Environment = [
        ("Kafka__BootstrapServers", "broker:9093"),
        ("Kafka__SaslEnabled", "True"),
        ("SaslUsername", "nova"),
        ("Kafka:SaslPassword", "hunter2"),
        ("TopicPrefix", "dev"),
    ]
    .into_iter()
    .collect();
    let config = Config::load(&Flags::default(), &environment).unwrap();
    let [cluster] = &config.clusters[..] else { panic!("one cluster") };
    assert_eq!((cluster.name.as_str(), cluster.mode), ("kafka", Mode::Observe));
    for (property, value) in [
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", "SCRAM-SHA-256"),
        ("sasl.username", "nova"),
        ("sasl.password", "hunter2"),
    ] {
        assert_eq!(cluster.properties[property].expose(), value);
    }
    let environment: Environment = [
        ("KAFKA_BOOTSTRAP_SERVERS", "b:1"),
        ("KAFKA_SECURITY_PROTOCOL", "SSL"),
        ("FLOWDECK_KAFKA_NAME", "convex"),
    ]
    .into_iter()
    .collect();
    let config = Config::load(&Flags::default(), &environment).unwrap();
    assert_eq!(config.clusters[0].name.as_str(), "convex");
    assert_eq!(config.clusters[0].properties["security.protocol"].expose(), "SSL");
}

#[test]
fn secrets_are_printed_nowhere() {
    let config = load(WHOLE, &[]).unwrap();
    for text in [config.in_force(), format!("{config:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("sasl.password"), "{text}");
    }
    let environment: Environment = [("SaslPassword", "hunter2")].into_iter().collect();
    assert!(!format!("{environment:?}").contains("hunter2"));
    // A value that does not parse is not repeated where it may be a secret.
    let error = load("[clusters.a.properties]\n\"sasl.password\" = [\"hunter2\"]", &[]).unwrap_err();
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn schema_registry_is_shown_without_its_secrets() {
    let registry = |fields: &str| {
        load(&format!("[clusters.a]\nbootstrap = \"b:1\"\nschema_registry = {{ {fields} }}\n"), &[])
    };
    let url = "url = \"https://registry:8081\"";
    for (secret, shown) in [
        ("username = \"ana\", password = \"hunter2\"", "username and password (hidden)"),
        ("bearer = \"hunter2\"", "bearer (hidden)"),
    ] {
        let config = registry(&format!("{url}, {secret}")).unwrap();
        for text in [config.in_force(), format!("{config:?}")] {
            assert!(text.contains("registry") && !text.contains("hunter2"), "{text}");
        }
        assert!(config.in_force().contains(shown), "{}", config.in_force());
    }
    for (fields, why) in [
        ("url = \"https://ana:hunter2@registry\"", "credentials are not part of it"),
        ("url = \"registry:8081\"", "no address of HTTP"),
        ("url = \"https://r\", username = \"ana\"", "write username and password, or bearer"),
        ("url = \"https://r\", bearer = { env = \"NO_SUCH_VARIABLE_OF_TESTS\" }", "is not set"),
        ("url = \"https://r\", ca = \"/no/such/file\"", "could not be read"),
    ] {
        let error = registry(fields).unwrap_err();
        assert!(error.contains(why) && !error.contains("hunter2"), "{fields}: {error}");
    }
}

#[test]
fn unknown_flowdeck_variable_is_reported() {
    let environment: Environment = [("FLOWDECK_LISTN", "x")].into_iter().collect();
    let config = Config::load(&Flags::default(), &environment).unwrap();
    assert!(config.in_force().contains("FLOWDECK_LISTN is none of Flowdeck's settings"));
}

const BEGIN: &str =
    "<!-- variables: made from src/config/env.rs; `UPDATE_DOCS=1 cargo test` writes them -->\n";
const END: &str = "<!-- end of variables -->";

/// The table of variables in `docs/CONFIG.md` is the registry's.
#[test]
fn documentation_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CONFIG.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the mark of the table's begin");
    let (table, after) = rest.split_once(END).expect("the mark of the table's end");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let current = format!("{before}{BEGIN}{}{END}{after}", documentation());
        std::fs::write(&path, current).unwrap();
        return;
    }
    assert_eq!(table, documentation(), "docs/CONFIG.md is out of date: run UPDATE_DOCS=1 cargo test");
}

#[test]
fn labels_and_metrics_of_the_file() {
    let text = "[[labels]]\ngroups = \"pay-*\"\nteam = \"payments\"\nrunbook = \"https://wiki.example/x\"\n\
                [metrics]\nnames_of = [\"kminion\"]\nseries = 5000\n";
    let config = load(text, &[]).unwrap();
    let shown = config.in_force();
    for line in [
        r#"labels = [{ groups = "pay-*", team = "payments", runbook = "https://wiki.example/x" }]"#,
        r#"metrics = { names_of = ["kminion"], series = 5000 }"#,
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    for (text, why) in [
        ("[[labels]]\ngroups = \"*\"\nrunbook = \"javascript:alert(1)\"", "no http or https URL"),
        ("[[labels]]\ngroups = \"*\"\nTeam = \"x\"", "is no label"),
        ("[[labels]]\ngroups = \"*\"\nteam = \"a,b\"", "without commas"),
        ("[[labels]]\nteam = \"x\"", "groups"),
        ("[metrics]\nseries = 99999999", "from 0 to"),
        ("[metrics]\nnames_of = [\"burrow\"]", "kminion"),
    ] {
        let error = load(text, &[]).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}
