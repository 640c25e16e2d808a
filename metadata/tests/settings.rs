//! The tables of settings beside Kafka's own, and what the typed views make of them. If a name, a
//! kind or a default differs unintentionally, a client's tool shows or sets something else than it
//! would on Kafka.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::time::Duration;

use metadata::settings::{
    Alteration, TOPIC_SETTINGS, broker_setting, broker_settings, describe_broker, topic_setting,
};
use metadata::{BrokerSettings, ClusterImage, StaticSettings, TopicSettings};
use protocol::TopicName;

const KAFKA: &str = include_str!("settings/kafka_4.3.1.tsv");

/// Defaults that are not Kafka's, on purpose.
const OWN_DEFAULTS: &[&str] = &[
    "broker.heartbeat.interval.ms",
    "broker.session.timeout.ms",
    "leader.imbalance.check.interval.seconds",
    "listener.security.protocol.map",
    "listeners",
    "log.dirs",
    "node.id",
    "queued.max.request.bytes",
    "replica.lag.time.max.ms",
];

/// Settings that Kafka lets be changed while running, and that hold from start to stop here.
const OWN_READ_ONLY: &[&str] = &["listener.security.protocol.map", "listeners"];

fn rows(kind: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let rows = KAFKA.lines().filter(|line| !line.starts_with('#'));
    let rows = rows.map(|line| line.split('\t').collect::<Vec<_>>());
    rows.filter(move |row| row.first() == Some(&kind))
}

/// The table writes an empty default as a dash.
fn value(cell: &'static str) -> Option<&'static str> {
    Some(if cell == "-" { "" } else { cell })
}

#[test]
fn topics_have_every_setting_of_kafka_and_one_more() {
    let mut names = Vec::new();
    for row in rows("topic") {
        let [_, name, kind, default, synonyms] = row[..] else { panic!("{row:?}") };
        let setting = topic_setting(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(setting.definition.kind.name(), kind, "{name}");
        assert_eq!(setting.definition.default, value(default), "{name}");
        let own: Vec<_> =
            setting.synonyms.iter().map(|s| format!("{}*{}", s.name, s.factor)).collect();
        let own = if own.is_empty() { "-".to_owned() } else { own.join(" ") };
        assert_eq!(own, synonyms, "{name}");
        names.push(name);
    }
    let more = TOPIC_SETTINGS.iter().map(|setting| setting.definition.name);
    let more: Vec<_> = more.filter(|name| !names.contains(name)).collect();
    assert_eq!(more, ["callboard.flush.before.ack"]);
}

#[test]
fn brokers_have_kafkas_kinds_and_defaults() {
    let mut names = Vec::new();
    for row in rows("broker") {
        let [_, name, kind, default, alteration] = row[..] else { panic!("{row:?}") };
        let setting = broker_setting(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(setting.kind.name(), kind, "{name}");
        if !OWN_DEFAULTS.contains(&name) {
            let default = value(default).filter(|default| *default != "null");
            assert_eq!(setting.default, default, "{name}");
        }
        let is_static = setting.alteration == Alteration::ReadOnly;
        let may_be_static = alteration == "static" || OWN_READ_ONLY.contains(&name);
        assert_eq!(is_static, may_be_static, "{name}");
        names.push(name);
    }
    for setting in broker_settings().filter(|setting| !names.contains(&setting.name)) {
        assert!(setting.name.starts_with("callboard."), "{} is not Kafka's", setting.name);
    }
}

#[test]
fn every_default_is_valid_and_every_setting_is_explained() {
    let topics = TOPIC_SETTINGS.iter().map(|setting| &setting.definition);
    for setting in topics.chain(broker_settings()) {
        if let Some(default) = setting.default {
            setting.validate(default).unwrap();
        }
        assert!(setting.documentation.ends_with('.'), "{}", setting.name);
    }
    for setting in TOPIC_SETTINGS {
        for synonym in setting.synonyms {
            assert!(broker_setting(synonym.name).is_some(), "{}", synonym.name);
        }
    }
}

#[test]
fn a_topic_that_nobody_said_anything_of_has_kafkas_defaults() {
    let topic = TopicName::new("orders").unwrap();
    let settings =
        TopicSettings::resolve(&ClusterImage::empty(), &StaticSettings::defaults(), &topic);
    assert!(settings.flush_before_ack);
    assert!(settings.cleanup_policy.deletes && !settings.cleanup_policy.compacts);
    assert_eq!(settings.retention, Some(Duration::from_hours(168)));
    assert_eq!(settings.retention_bytes, None);
    assert_eq!(settings.segment_bytes, 1 << 30);
    assert_eq!(settings.segment_age, Duration::from_hours(168));
    assert_eq!(settings.segment_jitter, Duration::ZERO);
    assert_eq!(settings.max_message_bytes, 1_048_588);
    assert_eq!(settings.min_insync_replicas, 1);
    assert_eq!(settings.flush_records, None);
    assert_eq!(settings.flush_interval, None);
    assert_eq!(settings.timestamp_after_max, Some(Duration::from_hours(1)));
    assert_eq!(settings.timestamp_before_max, None);
}

#[test]
fn a_broker_that_nobody_said_anything_to_listens_on_loopback() {
    let image = ClusterImage::empty();
    let settings = BrokerSettings::resolve(&image, &StaticSettings::defaults());
    assert_eq!(settings.listeners.len(), 1);
    assert_eq!(settings.listeners[0].bind.to_string(), "127.0.0.1:9092");
    assert_eq!(settings.listeners[0].advertised.to_string(), "127.0.0.1:9092");
    assert_eq!(settings.cluster.listener, None);
    assert_eq!(settings.cluster.voters, 3);
    assert_eq!(settings.connections.idle_max, Some(Duration::from_mins(10)));
    assert_eq!(settings.offsets.retention, Duration::from_hours(168));
    assert!(settings.topics.auto_creation);
    // a field that no table row fills would be zero
    let debug = format!("{settings:?}");
    assert!(!debug.contains(": 0,") && !debug.contains(": 0ns"), "{debug}");
}

#[test]
fn followers_serve_when_kafkas_selector_is_named_and_no_other_is_taken() {
    let resolved = |value: &str| {
        let given = StaticSettings::parse([("replica.selector.class", value)]);
        let image = ClusterImage::empty();
        given.map(|given| BrokerSettings::resolve(&image, &given).replication.followers_serve)
    };
    assert!(resolved("org.apache.kafka.common.replica.RackAwareReplicaSelector").unwrap());
    assert!(resolved("RackAwareReplicaSelector").unwrap());
    let none = BrokerSettings::resolve(&ClusterImage::empty(), &StaticSettings::defaults());
    assert!(!none.replication.followers_serve);
    let refused = resolved("com.example.Closest").unwrap_err().to_string();
    assert!(refused.contains("replica.selector.class"), "{refused}");
    assert!(refused.contains("org.apache.kafka.common.replica.RackAware"), "{refused}");
    assert!(resolved("").is_err());
}

#[test]
fn listeners_are_advertised_under_names_that_clients_can_reach() {
    let resolved = |entries: &[(&str, &str)]| {
        StaticSettings::parse(entries.iter().copied())
            .map(|settings| {
                let listeners = settings.listeners().iter();
                let text = listeners.map(|l| format!("{} {} {}", l.name, l.bind, l.advertised));
                text.collect::<Vec<_>>().join(", ")
            })
            .map_err(|errors| errors.to_string())
    };
    let ours = "PLAINTEXT://0.0.0.0:9092";
    let cases: &[(&[(&str, &str)], &str)] = &[
        (
            &[("listeners", ours), ("advertised.listeners", "PLAINTEXT://kafka.example:9092")],
            "PLAINTEXT 0.0.0.0:9092 kafka.example:9092",
        ),
        (&[("listeners", "plaintext://[::1]:9092")], "PLAINTEXT [::1]:9092 [::1]:9092"),
        (
            &[
                ("listeners", "IN://127.0.0.1:1,OUT://127.0.0.1:2"),
                ("listener.security.protocol.map", "IN:PLAINTEXT,OUT:PLAINTEXT"),
            ],
            "IN 127.0.0.1:1 127.0.0.1:1, OUT 127.0.0.1:2 127.0.0.1:2",
        ),
        (&[("listeners", ours)], "clients cannot connect to 0.0.0.0"),
        (&[("listeners", "PLAINTEXT://:9092")], "clients cannot connect to an empty host"),
        (&[("listeners", "PLAINTEXT://[::]:9092")], "clients cannot connect to ::"),
        (&[("listeners", "PLAINTEXT://h:1,PLAINTEXT://h:2")], "share the name PLAINTEXT"),
        (
            &[("listeners", "A://h:1,B://h:1"), ("listener.security.protocol.map", "A:PLAINTEXT")],
            "share the port 1",
        ),
        (
            &[("listeners", "SSL://h:1"), ("listener.security.protocol.map", "SSL:SSL")],
            "security protocol SSL is not available",
        ),
        (&[("listeners", "X://h:1")], "X is not in listener.security.protocol.map"),
        (&[("listeners", "h:1")], "NAME://HOST:PORT"),
        (&[("listeners", "PLAINTEXT://h:99999")], "NAME://HOST:PORT"),
        (&[("listeners", "")], "must not be empty"),
        (&[("advertised.listeners", "OTHER://h:1")], "OTHER is advertised"),
        (&[("callboard.admin.listener", "h")], "HOST:PORT"),
    ];
    for (entries, expected) in cases {
        let text = resolved(entries).unwrap_or_else(|error| error);
        assert!(text.contains(expected), "{entries:?} gives {text}");
    }
}

#[test]
fn every_error_is_told_at_once() {
    let wrong = [("num.partitions", "none"), ("segment.bites", "1"), ("log.dir", "x")];
    let text = StaticSettings::parse(wrong).unwrap_err().to_string();
    let expected = "Invalid value none for configuration num.partitions: Not a number of type INT\n\
                    unknown setting segment.bites\n\
                    setting log.dir has no meaning in this broker: the name is log.dirs";
    assert_eq!(text, expected);
}

#[test]
fn a_broker_is_described_by_every_row_of_its_table() {
    let given = StaticSettings::parse([("num.partitions", "3")]).unwrap();
    let described = describe_broker(&ClusterImage::empty(), &given);
    assert_eq!(described.len(), broker_settings().count());
    let partitions = described.iter().find(|setting| setting.name == "num.partitions").unwrap();
    assert_eq!(partitions.value.as_deref(), Some("3"));
    assert_eq!(partitions.source.code(), 4);
    assert!(partitions.is_read_only && !partitions.is_sensitive);
    assert_eq!(partitions.synonyms.len(), 2);
}
