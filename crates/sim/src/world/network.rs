//! The simulated network: decides whether, when and how a frame arrives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_types::Millis;

use crate::host::HostId;
use crate::plan::LinkPlan;
use crate::seed::Dice;

/// One arrival of a frame.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) at: Millis,
    pub(crate) bytes: Arc<[u8]>,
    /// Whether one of its bits was flipped.
    pub(crate) mangled: bool,
}

/// The fate of a frame that was sent.
#[derive(Debug, Default)]
pub(crate) struct Routing {
    /// Its arrivals: none, one, or two.
    pub(crate) deliveries: Vec<Delivery>,
    /// The names of the faults that it met, for the counts.
    pub(crate) faults: Vec<&'static str>,
}

/// All links, with their faults.
#[derive(Debug)]
pub(crate) struct Network {
    plan: LinkPlan,
    dice: Dice,
    regions: BTreeMap<HostId, usize>,
    /// The directed pairs that are cut, by the index of the fault that cut them.
    cuts: BTreeMap<usize, BTreeSet<(HostId, HostId)>>,
    /// The host that is cut off from everyone: the proposer, while a fault isolates it.
    pub(crate) isolated: Option<HostId>,
    /// The time until which each directed link is busy with earlier frames.
    busy_until: BTreeMap<(HostId, HostId), Millis>,
    /// The last arrival on each directed link of a client.
    last_arrival: BTreeMap<(HostId, HostId), Millis>,
}

impl Network {
    pub(crate) fn new(plan: LinkPlan, seed: u64, regions: BTreeMap<HostId, usize>) -> Self {
        Self {
            plan,
            dice: Dice::new(seed, "links", 0),
            regions,
            cuts: BTreeMap::new(),
            isolated: None,
            busy_until: BTreeMap::new(),
            last_arrival: BTreeMap::new(),
        }
    }

    /// Ends all faults: from now on frames arrive once, undamaged and in time.
    pub(crate) fn heal(&mut self) {
        self.cuts.clear();
        self.isolated = None;
        self.plan.loss_permille = 0;
        self.plan.duplicate_permille = 0;
        self.plan.flip_permille = 0;
        self.plan.bytes_per_ms = None;
    }

    /// Cuts these directed pairs until [`Self::mend`] is called for the fault.
    pub(crate) fn cut(&mut self, fault: usize, pairs: BTreeSet<(HostId, HostId)>) {
        self.cuts.insert(fault, pairs);
    }

    /// Ends the cuts of a fault. Pairs that another fault cuts as well stay cut.
    pub(crate) fn mend(&mut self, fault: usize) {
        self.cuts.remove(&fault);
    }

    /// Whether frames from one host to the other pass.
    pub(crate) fn is_open(&self, from: HostId, to: HostId) -> bool {
        let isolated = [Some(from), Some(to)].contains(&self.isolated) && self.isolated.is_some();
        !isolated && !self.cuts.values().any(|pairs| pairs.contains(&(from, to)))
    }

    /// Sends a frame at the time `now`, and decides its fate.
    pub(crate) fn route(
        &mut self,
        link: (HostId, HostId),
        now: Millis,
        bytes: &Arc<[u8]>,
    ) -> Routing {
        let mut fate = Routing::default();

        if !self.is_open(link.0, link.1) {
            fate.faults.push("cut-off");
            return fate;
        }

        if self.dice.chance(self.plan.loss_permille) {
            fate.faults.push("lost");
            return fate;
        }

        // A frame that is cut off or lost does not occupy the link.
        let sent = self.transmit(link, now, bytes.len());
        fate.deliveries.push(self.deliver(link, sent, bytes));

        if self.dice.chance(self.plan.duplicate_permille) {
            fate.faults.push("duplicated");

            // The copy has a delay of its own, so it may arrive first.
            fate.deliveries.push(self.deliver(link, sent, bytes));
        }

        for delivery in &fate.deliveries {
            if delivery.mangled {
                fate.faults.push("bit-flipped");
            }
        }

        fate
    }

    /// The time at which the last byte of a frame is on the link. A link carries one frame after
    /// the other.
    fn transmit(&mut self, link: (HostId, HostId), now: Millis, bytes: usize) -> Millis {
        let Some(rate) = self.plan.bytes_per_ms else {
            return now;
        };

        let free = self.busy_until.get(&link).copied().unwrap_or(0).max(now);
        let done = free + bytes as u64 / rate.max(1);

        self.busy_until.insert(link, done);
        done
    }

    /// Computes one arrival of a frame that left at the time `sent`.
    fn deliver(&mut self, link: (HostId, HostId), sent: Millis, bytes: &Arc<[u8]>) -> Delivery {
        let jitter = self.dice.between(0, self.plan.jitter_ms);
        let at = sent + self.latency_of(link) + jitter;

        // A client's lane is one stream: frames arrive in order and undamaged, or the connection
        // breaks.
        if is_client(link) {
            return Delivery {
                at: self.after_last(link, at),
                bytes: Arc::clone(bytes),
                mangled: false,
            };
        }

        let mangled = self.dice.chance(self.plan.flip_permille) && !bytes.is_empty();
        let bytes = match mangled {
            true => self.flip_bit(bytes),
            false => Arc::clone(bytes),
        };

        Delivery { at, bytes, mangled }
    }

    /// The latency of a link, by the regions of its ends. A host without a region is in the first.
    fn latency_of(&self, (from, to): (HostId, HostId)) -> Millis {
        let region = |place| self.regions.get(&place).copied().unwrap_or(0);

        let row = self.plan.latency_ms.get(region(from));
        let cell = row.and_then(|row| row.get(region(to)));

        cell.copied().unwrap_or(0)
    }

    /// The time of an arrival on a client's link: `at`, but not before the last one.
    fn after_last(&mut self, link: (HostId, HostId), at: Millis) -> Millis {
        let last = self.last_arrival.entry(link).or_insert(0);
        *last = at.max(*last);
        *last
    }

    /// A copy of a frame with one bit flipped. The frame is not empty.
    fn flip_bit(&mut self, bytes: &[u8]) -> Arc<[u8]> {
        let mut flipped = bytes.to_vec();
        let at = self.dice.index(flipped.len());
        flipped[at] ^= 1 << self.dice.below(8);

        flipped.into()
    }
}

/// Whether a client is at one end of the link.
pub(crate) fn is_client(link: (HostId, HostId)) -> bool {
    matches!(link.0, HostId::Client(_)) || matches!(link.1, HostId::Client(_))
}
