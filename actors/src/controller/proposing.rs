//! How decisions become entries of the metadata log, one under way at a time, and how a controller
//! takes office by an entry of its own.

use std::time::Duration;

use bytes::Bytes;
use metadata::MetadataRecord;
use metadata::wire::encode_records;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{info, warn};

use super::office::Office;
use super::{ControllerMessage, ControllerState, Myself, Standing};
use crate::metadata_quorum::{ProposalError, QuorumMessage};

/// How long until a controller tries again to take office.
const RETRY: Duration = Duration::from_millis(50);

impl ControllerState {
    /// The first decision of a batch schedules it; what arrives until then joins.
    pub(super) fn schedule(&mut self, myself: &Myself) {
        if let Standing::InOffice(office) = &mut self.standing
            && office.may_schedule()
        {
            let _ = myself.cast(ControllerMessage::ProposeDue.into());
        }
        self.schedule_liveness(myself);
        self.schedule_leaders(myself);
    }

    /// A preferred leader that is back leads again after a while, so that one that comes and goes
    /// takes nobody along.
    fn schedule_leaders(&mut self, myself: &Myself) {
        let Standing::InOffice(office) = &mut self.standing else { return };
        let settings = self.arguments.broker.settings.load();
        if settings.leaders.rebalance && office.may_start_leaders_timer() {
            let interval = settings.leaders.imbalance_check_interval;
            myself.send_after(interval, || ControllerMessage::LeadersDue.into());
        }
    }

    pub(super) fn on_leaders_due(&mut self, myself: &Myself) {
        let Standing::InOffice(office) = &mut self.standing else { return };
        office.put_leaders_back();
        self.schedule(myself);
    }

    pub(super) fn on_propose_due(&mut self, myself: &Myself) {
        let Standing::InOffice(office) = &mut self.standing else { return };
        let Some(records) = office.take_batch(&self.arguments.broker) else { return };
        let term = office.term;
        self.propose(term, &records, myself);
    }

    /// Asks the quorum; its word comes as [`ControllerMessage::Agreed`].
    pub(super) fn propose(&mut self, term: u64, records: &[MetadataRecord], myself: &Myself) {
        self.proposal += 1;
        let proposal = self.proposal;
        let (reply, agreed) = oneshot::channel();
        match encode_records(records) {
            Ok(records) => {
                let records = Bytes::from(records);
                // undeliverable or dropped, the proposal is refused below
                let _ = self.arguments.quorum.send(QuorumMessage::Propose { term, records, reply });
            }
            Err(error) => warn!(%error, "a decision cannot be written"),
        }
        let myself = myself.clone();
        tokio::spawn(async move {
            let reason = || ProposalError::Refused { reason: "the quorum restarts".to_owned() };
            let outcome = agreed.await.unwrap_or_else(|_| Err(reason()));
            let _ = myself.cast(ControllerMessage::Agreed { proposal, outcome }.into());
        });
    }

    pub(super) fn on_agreed(
        &mut self,
        proposal: u64,
        outcome: Result<u64, ProposalError>,
        myself: &Myself,
    ) {
        if proposal != self.proposal || matches!(self.standing, Standing::Passive) {
            return;
        }
        match (outcome, &mut self.standing) {
            (Ok(index), Standing::InOffice(office)) => {
                office.on_agreed(&self.arguments.broker, index);
                self.on_propose_due(myself);
            }
            (Ok(_), _) => self.enter_office(myself),
            (Err(error), _) => {
                warn!(%error, "a decision was not agreed on");
                self.leave_office();
                myself.send_after(RETRY, || ControllerMessage::QuorumChanged.into());
            }
        }
    }

    /// Everything that was ever proposed before is in the image, or never will be.
    fn enter_office(&mut self, myself: &Myself) {
        let Standing::TakingOffice { term, waiting } = &mut self.standing else { return };
        let (term, waiting) = (*term, std::mem::take(waiting));
        info!(node = %self.arguments.broker.id, term, "decides for the cluster");
        let image = self.arguments.applied.load().as_ref().clone();
        let now = Instant::now();
        let mut office = Office::new(term, image, &self.arguments.broker, now.into_std());
        office.finish_begun();
        self.standing = Standing::InOffice(Box::new(office));
        for asked in waiting {
            self.on_ask(asked, myself);
        }
        // whose link went before this one had a say
        self.on_lost_links_due(myself);
    }
}
