//! Who an idempotent producer is to the brokers (KIP-98, KIP-360).

use protocol::generated::init_producer_id::InitProducerIdRequest;
use protocol::message::Request;
use protocol::{ProducerEpoch, ProducerId};

use crate::cluster::Cluster;
use crate::error::{Error, Result, Subject};

/// A producer id and the epoch that fences its earlier users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProducerIdentity {
    pub(crate) id: ProducerId,
    pub(crate) epoch: ProducerEpoch,
}

impl ProducerIdentity {
    /// The same producer with the next epoch, if there is one.
    pub(crate) fn next_epoch(self) -> Option<Self> {
        let epoch = ProducerEpoch(self.epoch.0.checked_add(1)?);
        Some(Self { id: self.id, epoch })
    }

    /// Asks any broker for a new one.
    pub(crate) async fn ask_for(cluster: &Cluster) -> Result<Self> {
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            ..InitProducerIdRequest::default()
        };
        let mut attempts = cluster.attempts();
        loop {
            let answered = cluster.ask_first(&request, i16::MAX).await.and_then(|response| {
                let (api, code) = (InitProducerIdRequest::API_KEY, response.error_code);
                Error::check(api, || Subject::Request, code, None)?;
                Ok(response)
            });
            match answered {
                Ok(response) => {
                    return Ok(Self {
                        id: ProducerId(response.producer_id),
                        epoch: ProducerEpoch(response.producer_epoch),
                    });
                }
                Err(error) => attempts.pause(error).await?,
            }
        }
    }
}
