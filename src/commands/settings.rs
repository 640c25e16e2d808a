//! `callboard settings`: what a broker can be told.

use std::process::ExitCode;

use actors::{Alteration, SettingDefinition, broker_settings};
use anyhow::bail;
use clap::Args;
use serde::Serialize;

use crate::output::Output;

/// List the settings of a broker, with defaults and meaning.
///
/// They are given to `serve` by --config, by the environment or by --set; see `serve --help`. A
/// topic overrules the defaults that brokers have for it: see `topic create --set`.
#[derive(Debug, Args)]
pub struct SettingsArguments {
    /// Only settings whose name contains this
    filter: Option<String>,
    /// As a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct ListedSetting {
    name: &'static str,
    kind: String,
    default: Option<&'static str>,
    alteration: &'static str,
    documentation: &'static str,
}

impl From<&'static SettingDefinition> for ListedSetting {
    fn from(setting: &'static SettingDefinition) -> Self {
        Self {
            name: setting.name,
            kind: setting.kind.name().to_lowercase(),
            default: setting.default,
            alteration: match setting.alteration {
                Alteration::ReadOnly => "at start",
                Alteration::PerBroker => "while running, for one broker",
                Alteration::ClusterWide => "while running, for all brokers",
            },
            documentation: setting.documentation,
        }
    }
}

/// Lists the settings.
pub fn run(arguments: &SettingsArguments) -> anyhow::Result<ExitCode> {
    let filter = arguments.filter.as_deref().unwrap_or_default();
    let mut listed: Vec<ListedSetting> = broker_settings()
        .filter(|setting| setting.name.contains(filter))
        .map(ListedSetting::from)
        .collect();
    if listed.is_empty() {
        bail!("no setting has {filter:?} in its name");
    }
    listed.sort_by_key(|setting| setting.name);
    let mut output = Output::new();
    if arguments.json {
        output.json(&listed)?;
        return Ok(ExitCode::SUCCESS);
    }
    for setting in listed {
        let default = setting.default.map_or_else(
            || "no default".to_owned(),
            |default| match default {
                "" => "default: empty".to_owned(),
                default => format!("default: {default}"),
            },
        );
        let ListedSetting { name, kind, alteration, documentation, .. } = setting;
        output.line(format_args!("{name}  ({kind}; {default}; changed {alteration})"))?;
        output.line(format_args!("    {documentation}"))?;
    }
    Ok(ExitCode::SUCCESS)
}
