//! The fate of unsynced changes in a crash.

use super::change::{Change, Write};
use super::fault::{FaultKind, Tear};

/// Decides the fate of one change after the other, in the order in which they were made.
pub(super) struct CrashOutcome {
    tear: Tear,
    /// The state of the pseudo-random numbers.
    coins: u64,
    /// Whether changes of names still land.
    names_land: bool,
}

impl CrashOutcome {
    pub(super) fn new(tear: Tear) -> Self {
        let coins = if let Tear::Sectors { seed, .. } = tear {
            seed
        } else {
            0
        };

        Self {
            tear,
            coins,
            names_land: true,
        }
    }

    /// The parts of a change that land. If they are not the whole change, also the kind of fault
    /// that this counts as.
    pub(super) fn decide(&mut self, change: Change) -> (Vec<Change>, Option<FaultKind>) {
        match change {
            Change::Write(write) => {
                let parts = self.parts(&write);
                let kind = self.kind_of_tear(&write, &parts);

                let landed = parts.into_iter().map(Change::Write);
                (landed.collect(), kind)
            }

            change if self.lands() => (vec![change], None),
            _ => (Vec::new(), Some(FaultKind::Lost)),
        }
    }

    /// The kind of fault that it counts as if these parts of a write land; `None` if they are all
    /// of it.
    fn kind_of_tear(&self, write: &Write, parts: &[Write]) -> Option<FaultKind> {
        let bytes = parts.iter().flat_map(|part| &part.bytes);
        let landed: Vec<u8> = bytes.copied().collect();

        if landed == write.bytes {
            return None;
        }

        // A write that is lost whole is not torn.
        Some(match self.tear {
            _ if landed.is_empty() => FaultKind::Lost,
            Tear::Sectors { .. } => FaultKind::TornSubset,
            _ => FaultKind::TornPrefix,
        })
    }

    /// The parts of a write that land.
    fn parts(&mut self, write: &Write) -> Vec<Write> {
        match self.tear {
            Tear::Nothing | Tear::Prefix(0) => Vec::new(),
            Tear::Everything => vec![write.clone()],
            Tear::Prefix(left) => vec![self.prefix(write, left)],
            Tear::Sectors { bytes, .. } => self.sectors(write, bytes.max(1)),
        }
    }

    /// The part of a write that lands if `left` bytes of all writes still do.
    fn prefix(&mut self, write: &Write, left: u64) -> Write {
        let length = write.bytes.len();
        let end = usize::try_from(left).map_or(length, |left| left.min(length));

        // The rest of the prefix is for later writes.
        self.tear = Tear::Prefix(left - end as u64);
        write.part(0, write.bytes[..end].to_vec())
    }

    /// The sectors of a write that land, some of them spoiled.
    fn sectors(&mut self, write: &Write, length: usize) -> Vec<Write> {
        let sectors = write.bytes.chunks(length).enumerate();

        sectors
            .filter_map(|(index, bytes)| {
                let landed = self.sector(bytes)?;
                let skip = index * length;
                Some(write.part(skip as u64, landed))
            })
            .collect()
    }

    /// Whether a change of a name or length lands.
    fn lands(&mut self) -> bool {
        match self.tear {
            Tear::Nothing | Tear::Prefix(0) => false,
            Tear::Everything => true,
            Tear::Prefix(left) => {
                self.tear = Tear::Prefix(left - 1);
                true
            }

            Tear::Sectors { .. } => {
                self.names_land &= self.coin(3) != 0;
                self.names_land
            }
        }
    }

    /// The bytes that land of a sector; `None` if it is lost.
    fn sector(&mut self, part: &[u8]) -> Option<Vec<u8>> {
        match self.coin(4) {
            0 => None,
            1 => Some(part.iter().map(|byte| byte ^ 0x5a).collect()),
            _ => Some(part.to_vec()),
        }
    }

    /// A pseudo-random number below `sides` (splitmix64).
    fn coin(&mut self, sides: u64) -> u64 {
        self.coins = self.coins.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.coins;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}
