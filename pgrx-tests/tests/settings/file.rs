//! The configuration file: a wrong value is logged and not taken, and no server fails to start for one.

use zentry_e2e::cluster::{Cluster, ClusterOptions, StopMode};
use zentry_e2e::scene::SOON;

use crate::support::show;

/// Values that are wrong, and what the log says of each.
const WRONG: [(&str, &str, &str, &str); 5] = [
    (
        "zentry_notify.milestones",
        "10; x",
        "invalid value for parameter \"zentry_notify.milestones\": \"10; x\"",
        "25, 50, 75, 100",
    ),
    (
        "zentry_notify.allowed_hosts",
        "https://discord.com/",
        "invalid value for parameter \"zentry_notify.allowed_hosts\": \"https://discord.com/\"",
        "",
    ),
    (
        "zentry_notify.proxy",
        "user:swordfish@proxy",
        "invalid value for parameter \"zentry_notify.proxy\"",
        "",
    ),
    (
        "zentry_notify.discord_rate",
        "0",
        "0 is outside the valid range for parameter \"zentry_notify.discord_rate\" (1 .. 10000)",
        "50",
    ),
    (
        "zentry_notify.request_timeout",
        "soon",
        "invalid value for parameter \"zentry_notify.request_timeout\": \"soon\"",
        "30s",
    ),
];

#[test]
fn a_reload_keeps_the_old_value_and_logs_why() {
    let mut cluster = Cluster::start(
        ClusterOptions::default()
            .set("zentry_notify.milestones", "20, 40")
            .set("zentry_notify.discord_rate", "7"),
    )
    .unwrap();
    let before: Vec<String> = WRONG
        .iter()
        .map(|(name, ..)| show(&mut cluster.connect().unwrap(), name))
        .collect();
    let start = cluster.log_end().unwrap();
    let mut settings: Vec<(&str, &str)> = WRONG.iter().map(|(name, value, ..)| (*name, *value)).collect();
    settings.push(("zentry_notify.ca_file", "/nowhere/ca.pem"));
    settings.push(("zentry_notify.teams_rate", "5"));
    cluster.conf(&settings).unwrap();

    let mut client = cluster.connect().unwrap();
    for ((name, _, message, _), before) in WRONG.iter().zip(before) {
        assert_eq!(show(&mut client, name), before);
        cluster
            .wait_for_log_since(start, &format!("LOG:  {message}\n"), SOON)
            .unwrap();
    }
    assert_eq!(show(&mut client, "zentry_notify.ca_file"), "");
    // What is right beside it is taken.
    assert_eq!(show(&mut client, "zentry_notify.teams_rate"), "5");
    let log = cluster.log_since(start).unwrap();
    for line in [
        "DETAIL:  \"10; x\" is not a whole number from 1 to 100.",
        "HINT:  Separate percentages by commas, such as '25, 50, 75, 100'.",
        "DETAIL:  The file \"/nowhere/ca.pem\" cannot be used: No such file or directory.",
        "contains errors; unaffected changes were applied",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    assert!(!log.contains("swordfish"), "{log}");

    // A value that is right again counts with the next reload.
    cluster.conf(&[("zentry_notify.milestones", "30, 60")]).unwrap();
    assert_eq!(
        show(&mut cluster.connect().unwrap(), "zentry_notify.milestones"),
        "30, 60"
    );
}

#[test]
fn a_server_with_wrong_values_starts_with_the_defaults_and_a_warning_each() {
    let mut options = ClusterOptions::default().set("zentry_notify.mile_stones", "50");
    for (name, value, ..) in WRONG {
        options = options.set(name, value);
    }
    let cluster = Cluster::start(options).unwrap();
    let mut client = cluster.connect().unwrap();
    for (name, _, message, default) in WRONG {
        let shown = show(&mut client, name);
        if default.is_empty() {
            assert!(
                name.ends_with("hosts") == shown.starts_with("discord.com"),
                "{name}: {shown}"
            );
        } else {
            assert_eq!(shown, default, "{name}");
        }
        assert!(
            cluster.log_contains(&format!("WARNING:  {message}\n")).unwrap(),
            "{message}"
        );
    }
    assert!(
        cluster
            .log_contains(
                "WARNING:  invalid configuration parameter name \"zentry_notify.mile_stones\", removing it"
            )
            .unwrap()
    );
    assert!(!cluster.log_contains("swordfish").unwrap());
}

/// The directory of the file may be mounted after the server has started.
#[test]
fn a_server_starts_with_a_ca_file_that_is_not_there_yet() {
    let mut cluster =
        Cluster::start(ClusterOptions::default().set("zentry_notify.ca_file", "/nowhere/ca.pem")).unwrap();
    for _ in 0..2 {
        assert_eq!(
            show(&mut cluster.connect().unwrap(), "zentry_notify.ca_file"),
            "/nowhere/ca.pem"
        );
        cluster.restart(StopMode::Fast).unwrap();
    }
    assert!(
        !cluster
            .log_contains("parameter \"zentry_notify.ca_file\"")
            .unwrap()
    );
}
