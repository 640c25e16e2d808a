//! Stub.
use crate::broker::Broker;
use std::sync::Arc;
use supervision::DynamicSupervisor;
pub struct GroupDirectory;
impl GroupDirectory {
    pub fn new(_: DynamicSupervisor) -> Self {
        Self
    }
    pub fn on_topics_deleted<'a>(
        &self,
        _: &Arc<Broker>,
        _: impl Iterator<Item = &'a protocol::TopicName>,
    ) {
    }
}
