//! `serve --check` on a listener with SASL_SSL, SCRAM and ACLs: it works with rights, and says what
//! is missing without.

use std::fmt::Write as _;
use std::process::{Command, Output};

use flowdeck_testkit::{NodeOptions, PrivateKafka, ScramUser, private};

fn check(broker: &PrivateKafka, user: &ScramUser) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flowdeck.toml");
    let secure = broker.secure();
    let mut text = format!("[clusters.eu]\nbootstrap = {:?}\n[clusters.eu.properties]\n", secure.bootstrap);
    for (name, value) in secure.client_properties(user) {
        if name == "bootstrap.servers" {
            continue;
        }
        writeln!(text, "{name:?} = {value:?}").unwrap();
    }
    std::fs::write(&path, text).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_flowdeck"));
    program.env_clear().args(["serve", "--check", "--config"]).arg(&path).current_dir(folder.path());
    program.output().unwrap()
}

#[test]
fn rights_and_their_absence_are_told() {
    let (may, may_not) = (ScramUser::new("flowdeck", "correct horse"), ScramUser::new("stranger", "battery"));
    let broker =
        private(&NodeOptions { users: vec![may.clone(), may_not.clone()], ..NodeOptions::default() });
    for (operations, resource) in [
        (&["Describe"][..], &["--cluster"][..]),
        (&["Describe"], &["--group", "*"]),
        (&["Read"], &["--topic", "*"]),
    ] {
        broker.allow("flowdeck", operations, resource);
    }
    let told = check(&broker, &may);
    let said = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success(), "{said}");
    let row = |said: &str, name: &str| {
        said.lines().find(|line| line.trim_start().starts_with(name)).map(str::to_owned).unwrap_or_default()
    };
    assert!(row(&said, "list groups").ends_with("yes"), "{said}");
    assert!(said.contains("SCRAM-SHA-256") && !said.contains("correct horse"), "{said}");

    let told = check(&broker, &may_not);
    let said = String::from_utf8(told.stdout).unwrap();
    assert!(row(&said, "list groups").contains("not permitted"), "{said}");

    let told = check(&broker, &ScramUser::new("flowdeck", "wrong"));
    let said = String::from_utf8(told.stdout).unwrap();
    assert_eq!(told.status.code(), Some(1), "{said}");
}
