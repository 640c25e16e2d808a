//! Commands about settings.

use metadata::settings::resolution;
use metadata::{Refusal, SettingEdit, SettingOperation, SettingResource, parse_setting_resource};

use crate::arguments::Arguments;
use crate::diary;
use crate::world::{Diary, World, answer};

impl World {
    pub fn change_settings(&mut self, verb: &str, arguments: &Arguments) -> Diary {
        let resource = match resource(arguments.word(0)) {
            Ok(resource) => resource,
            Err(refusal) => return vec![format!("<- {}", diary::refusal(&refusal))],
        };
        let edit = match verb {
            "set" => SettingEdit::Set,
            "append" => SettingEdit::Append,
            "subtract" => SettingEdit::Subtract,
            _ => SettingEdit::Delete,
        };
        let given = arguments.settings().into_iter();
        let without = arguments.words.iter().skip(1).filter(|word| word.contains('.'));
        let operations = given
            .chain(without.map(|name| (name.clone(), None)))
            .map(|(name, value)| SettingOperation { name, edit, value })
            .collect();
        let validate = arguments.has("validate");
        let changed = self.controller.change_settings(&[(resource, operations)], validate);
        changed.into_iter().flat_map(answer).collect()
    }

    pub fn replace_settings(&mut self, arguments: &Arguments) -> Diary {
        let resource = resource(arguments.word(0)).unwrap();
        let change = [(resource, arguments.settings())];
        self.controller.replace_settings(&change, false).into_iter().flat_map(answer).collect()
    }

    /// `describe topic:orders retention.ms`
    pub fn describe(&mut self, arguments: &Arguments) -> Diary {
        let given = self.controller.given();
        let described = match resource(arguments.word(0)).unwrap() {
            SettingResource::Topic(topic) => resolution::describe_topic(&self.image, given, &topic),
            SettingResource::Broker(_) => resolution::describe_broker(&self.image, given),
            SettingResource::ClusterDefault => resolution::describe_cluster_default(&self.image),
        };
        let wanted = described.iter().filter(|setting| arguments.has(setting.name));
        wanted
            .flat_map(|setting| {
                let value = setting.value.as_deref().unwrap_or("null");
                let head = format!("   {} = {value} ({:?})", setting.name, setting.source);
                let synonyms = setting.synonyms.iter().map(|synonym| {
                    format!("     {} {} ({:?})", synonym.name, synonym.value, synonym.source)
                });
                [head].into_iter().chain(synonyms).collect::<Vec<_>>()
            })
            .collect()
    }
}

/// `topic:NAME`, `broker:ID` or `broker:`
fn resource(text: &str) -> Result<SettingResource, Refusal> {
    let (kind, name) = text.split_once(':').unwrap();
    match kind {
        "topic" => parse_setting_resource(2, name),
        "broker" => parse_setting_resource(4, name),
        _ => parse_setting_resource(16, name),
    }
}
