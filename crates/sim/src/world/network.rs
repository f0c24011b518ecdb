//! What becomes of a frame on its way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_types::Millis;

use crate::dice::Dice;
use crate::plan::LinkPlan;

/// A host: a validator's process or a client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A validator, by its index in the plan; twins of liars follow after the last.
    Validator(usize),
    /// An agent, by its index in the plan; the requester follows after the last.
    Client(usize),
}

/// A frame that arrives.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) at: Millis,
    pub(crate) bytes: Arc<[u8]>,
    /// A bit of it is not as it was sent.
    pub(crate) mangled: bool,
}

/// What the network did with a frame.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    /// It arrives, once or more.
    pub(crate) deliveries: Vec<Delivery>,
    /// Names of what went wrong with it, for the counts.
    pub(crate) faults: Vec<&'static str>,
}

/// All links.
#[derive(Debug)]
pub(crate) struct Network {
    plan: LinkPlan,
    dice: Dice,
    regions: BTreeMap<Place, usize>,
    /// Directed pairs that are cut, by the fault that cut them.
    cuts: BTreeMap<usize, BTreeSet<(Place, Place)>>,
    /// Cut off from everybody, for now: the leader, where a fault says so.
    pub(crate) isolated: Option<Place>,
    busy_until: BTreeMap<(Place, Place), Millis>,
    last_arrival: BTreeMap<(Place, Place), Millis>,
}

impl Network {
    pub(crate) fn new(plan: LinkPlan, seed: u64, regions: BTreeMap<Place, usize>) -> Self {
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

    /// From now on frames arrive once, whole and in time.
    pub(crate) fn heal(&mut self) {
        self.cuts.clear();
        self.isolated = None;
        self.plan.loss_permille = 0;
        self.plan.duplicate_permille = 0;
        self.plan.flip_permille = 0;
        self.plan.bytes_per_ms = None;
    }

    pub(crate) fn cut(&mut self, fault: usize, pairs: BTreeSet<(Place, Place)>) {
        self.cuts.insert(fault, pairs);
    }

    pub(crate) fn mend(&mut self, fault: usize) {
        self.cuts.remove(&fault);
    }

    /// Whether frames from one to the other get through.
    pub(crate) fn is_open(&self, from: Place, to: Place) -> bool {
        let isolated = [Some(from), Some(to)].contains(&self.isolated) && self.isolated.is_some();
        !isolated && !self.cuts.values().any(|pairs| pairs.contains(&(from, to)))
    }

    /// Sends a frame.
    pub(crate) fn route(&mut self, link: (Place, Place), now: Millis, bytes: &Arc<[u8]>) -> Fate {
        let mut fate = Fate::default();
        if !self.is_open(link.0, link.1) {
            fate.faults.push("cut-off");
            return fate;
        }
        if self.dice.chance(self.plan.loss_permille) {
            fate.faults.push("lost");
            return fate;
        }
        let sent = self.transmit(link, now, bytes.len());
        fate.deliveries.push(self.deliver(link, sent, bytes));
        if self.dice.chance(self.plan.duplicate_permille) {
            fate.faults.push("duplicated");
            fate.deliveries.push(self.deliver(link, sent, bytes));
        }
        let mangled = fate
            .deliveries
            .iter()
            .filter(|delivery| delivery.mangled)
            .count();
        fate.faults
            .extend(std::iter::repeat_n("bit-flipped", mangled));
        fate
    }

    /// When the last byte is on the line: a link carries one frame after another.
    fn transmit(&mut self, link: (Place, Place), now: Millis, bytes: usize) -> Millis {
        let Some(rate) = self.plan.bytes_per_ms else {
            return now;
        };
        let free = self.busy_until.get(&link).copied().unwrap_or(0).max(now);
        let done = free + bytes as u64 / rate.max(1);
        self.busy_until.insert(link, done);
        done
    }

    fn deliver(&mut self, link: (Place, Place), sent: Millis, bytes: &Arc<[u8]>) -> Delivery {
        let region = |place| self.regions.get(&place).copied().unwrap_or(0);
        let row = self.plan.latency_ms.get(region(link.0));
        let latency = row
            .and_then(|row| row.get(region(link.1)))
            .copied()
            .unwrap_or(0);
        let jitter = self.dice.between(0, self.plan.jitter_ms);
        let mut at = sent + latency + jitter;
        if is_client(link) {
            // An agent's lane is one stream: in order and whole, or the connection is gone.
            let last = self.last_arrival.entry(link).or_insert(0);
            *last = at.max(*last);
            at = *last;
        } else if self.dice.chance(self.plan.flip_permille) && !bytes.is_empty() {
            let mut flipped = bytes.to_vec();
            let at_byte = self.dice.index(flipped.len());
            flipped[at_byte] ^= 1 << self.dice.below(8);
            return Delivery {
                at,
                bytes: flipped.into(),
                mangled: true,
            };
        }
        Delivery {
            at,
            bytes: Arc::clone(bytes),
            mangled: false,
        }
    }
}

/// Whether a client is at one of its ends.
pub(crate) fn is_client(link: (Place, Place)) -> bool {
    matches!(link.0, Place::Client(_)) || matches!(link.1, Place::Client(_))
}
