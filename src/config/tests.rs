//! Settings from files, variables and flags. If one source were read wrongly, or two in the wrong
//! order, a broker would run with settings that nobody gave it.

use std::io::Write;

use super::*;

/// A file with this contents; it is there as long as the handle.
fn file(contents: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(contents.as_bytes()).unwrap();
    file
}

fn sources(file: Option<&Path>, variables: &[(&str, &str)], flags: &[&str]) -> SettingSources {
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    SettingSources {
        file: file.map(Path::to_owned),
        environment: Some(variables.collect()),
        flags: flags.iter().map(|text| GivenSetting::assignment(text).unwrap()).collect(),
    }
}

fn from_file(contents: &str) -> Result<StaticSettings, String> {
    let file = file(contents);
    let loaded = sources(Some(file.path()), &[], &[]).load();
    loaded.map(|loaded| loaded.settings).map_err(|error| error.to_string())
}

fn from_variables(variables: &[(&str, &str)]) -> Result<LoadedSettings, String> {
    sources(None, variables, &[]).load().map_err(|error| error.to_string())
}

#[test]
fn quoted_names_and_tables_are_the_same() {
    let forms = [
        "\"log.retention.ms\" = 86400000\n\"log.segment.bytes\" = \"67108864\"",
        "log.retention.ms = 86_400_000\nlog.segment.bytes = 67108864",
        "[log]\nretention.ms = 86400000\nsegment.bytes = 67108864",
        "[log]\n\"retention.ms\" = 86400000\n[log.segment]\nbytes = 67108864",
    ];
    for form in forms {
        let settings = from_file(form).unwrap();
        assert_eq!(settings.given("log.retention.ms"), Some("86400000"), "{form}");
        assert_eq!(settings.given("log.segment.bytes"), Some("67108864"), "{form}");
    }
}

#[test]
fn a_name_that_goes_on_in_another_is_not_lost() {
    let forms = [
        "\"max.connections\" = 5\n\"max.connections.per.ip\" = 3",
        "\"max.connections\" = 5\n[max.connections.per]\nip = 3",
    ];
    for form in forms {
        let settings = from_file(form).unwrap();
        assert_eq!(settings.given("max.connections"), Some("5"), "{form}");
        assert_eq!(settings.given("max.connections.per.ip"), Some("3"), "{form}");
    }
}

#[test]
fn values_of_the_file_become_text_as_settings_write_it() {
    let settings = from_file(
        "listeners = [\"PLAINTEXT://127.0.0.1:1\"]\nauto.create.topics.enable = false\n\
         log.cleaner.min.cleanable.ratio = 0.25",
    );
    let settings = settings.unwrap();
    assert_eq!(settings.given("listeners"), Some("PLAINTEXT://127.0.0.1:1"));
    assert_eq!(settings.given("auto.create.topics.enable"), Some("false"));
    assert_eq!(settings.given("log.cleaner.min.cleanable.ratio"), Some("0.25"));
}

#[test]
fn a_file_that_cannot_be_used_says_where_and_why() {
    let cases = [
        ("num.partitions = ", "is not valid: TOML parse error at line 1"),
        ("listeners = [[\"a\"]]", "listeners is neither a value nor a list of values"),
        ("\"num.partitions\" = 1\nnum.partitions = 2", "gives num.partitions twice"),
        ("num.partitions = \"none\"", "Invalid value none for configuration num.partitions"),
        ("segment.byte = 1", "unknown setting segment.byte"),
    ];
    for (contents, expected) in cases {
        let error = from_file(contents).unwrap_err();
        assert!(error.contains(expected), "{contents}: {error}");
    }
    let missing = sources(Some(Path::new("/does/not/exist.toml")), &[], &[]).load();
    assert!(missing.unwrap_err().to_string().contains("/does/not/exist.toml cannot be read"));
}

#[test]
fn variables_have_capitals_and_underscores() {
    let loaded = from_variables(&[
        ("CALLBOARD_LOG_RETENTION_MS", "1000"),
        ("CALLBOARD_FLUSH_BEFORE_ACK", "false"),
        ("CALLBOARD_CALLBOARD_ADMIN_LISTENER", "127.0.0.1:1"),
        ("KAFKA_NUM_PARTITIONS", "9"),
    ]);
    let settings = loaded.unwrap().settings;
    assert_eq!(settings.given("log.retention.ms"), Some("1000"));
    assert_eq!(settings.given("callboard.flush.before.ack"), Some("false"));
    assert_eq!(settings.given("callboard.admin.listener"), Some("127.0.0.1:1"));
    assert_eq!(settings.given("num.partitions"), None);
}

#[test]
fn the_programs_own_variables_are_no_settings() {
    let own = ["LOG", "LOG_FORMAT", "BOOTSTRAP", "ADMIN", "CONFIG"];
    let own: Vec<_> = own.iter().map(|name| format!("CALLBOARD_{name}")).collect();
    let variables: Vec<_> = own.iter().map(|name| (name.as_str(), "x")).collect();
    let loaded = from_variables(&variables).unwrap();
    assert_eq!(loaded.settings, StaticSettings::defaults());
    assert!(loaded.ignored_variables.is_empty());
}

#[test]
fn a_variable_that_looks_like_a_slip_is_refused_and_any_other_ignored() {
    let error = from_variables(&[("CALLBOARD_NUM_PARTITION", "3")]).unwrap_err();
    let expected = "unknown setting num.partition; did you mean num.partitions? \
                    (from the variable CALLBOARD_NUM_PARTITION)";
    assert_eq!(error, expected);
    let error = from_variables(&[("CALLBOARD_BROKER_ID", "3")]).unwrap_err();
    assert!(error.contains("the name is node.id"), "{error}");

    let loaded = from_variables(&[("CALLBOARD_PORT_9092_TCP_ADDR", "10.0.0.1")]).unwrap();
    assert_eq!(loaded.settings, StaticSettings::defaults());
    assert_eq!(loaded.ignored_variables, ["CALLBOARD_PORT_9092_TCP_ADDR"]);
}

#[test]
fn flags_overrule_variables_and_variables_the_file() {
    let file = file("num.partitions = 2\nlog.retention.ms = 2\nmax.connections = 2");
    let variables = [("CALLBOARD_NUM_PARTITIONS", "3"), ("CALLBOARD_LOG_RETENTION_MS", "3")];
    let flags = ["num.partitions=4", "node.id=8", "node.id=9"];
    let settings = sources(Some(file.path()), &variables, &flags).load().unwrap().settings;
    assert_eq!(settings.given("num.partitions"), Some("4"));
    assert_eq!(settings.given("log.retention.ms"), Some("3"));
    assert_eq!(settings.given("max.connections"), Some("2"));
    assert_eq!(settings.given("node.id"), Some("9"), "the later of two flags");
}

#[test]
fn every_refusal_says_where_the_setting_was_given() {
    let file = file("num.partitions = 0");
    let variables = [("CALLBOARD_LOG_RETENTION_MS", "soon")];
    let flags = ["log.segment.bytes=1", "message.max.bytes=x"];
    let error = sources(Some(file.path()), &variables, &flags).load().unwrap_err();
    let ConfigurationError::Refused(refused) = &error else { panic!("{error}") };
    let origins: Vec<_> =
        refused.iter().map(|refused| (name_of(&refused.error), refused.origin.clone())).collect();
    let expected = [
        ("log.retention.ms", Some(Origin::Variable("CALLBOARD_LOG_RETENTION_MS".into()))),
        ("log.segment.bytes", Some(Origin::Flag("--set"))),
        ("message.max.bytes", Some(Origin::Flag("--set"))),
        ("num.partitions", Some(Origin::File(file.path().to_owned()))),
    ];
    assert_eq!(origins, expected, "{error}");
}

#[test]
fn a_default_that_contradicts_a_given_setting_is_called_one() {
    let error = sources(None, &[], &["broker.session.timeout.ms=100"]).load().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("broker.heartbeat.interval.ms"), "{text}");
    assert!(text.ends_with("(the default)"), "{text}");
}

#[test]
fn a_flag_without_a_name_or_a_value_is_refused() {
    for text in ["num.partitions", "=3", " =3"] {
        let error = GivenSetting::assignment(text).unwrap_err();
        assert!(error.to_string().ends_with("has to be NAME=VALUE"), "{error}");
    }
    let empty = GivenSetting::assignment("broker.rack=").unwrap();
    assert_eq!((empty.name.as_str(), empty.value.as_str()), ("broker.rack", ""));
}
