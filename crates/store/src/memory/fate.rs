//! The fate of unsynced changes in a crash.

use super::change::{Change, Write};
use super::fault::{FaultKind, Tear};

/// Decides the fate of one change after the other, in the order in which they were made.
pub(super) struct Fate {
    tear: Tear,
    /// The state of the pseudo-random numbers.
    coins: u64,
    /// Whether changes of names still land.
    names_land: bool,
}

impl Fate {
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
                let landed: Vec<u8> = parts.iter().flat_map(|part| part.bytes.clone()).collect();

                let kind = match self.tear {
                    _ if landed == write.bytes => None,
                    _ if landed.is_empty() => Some(FaultKind::Lost),
                    Tear::Sectors { .. } => Some(FaultKind::TornSubset),
                    _ => Some(FaultKind::TornPrefix),
                };

                (parts.into_iter().map(Change::Write).collect(), kind)
            }

            change if self.lands() => (vec![change], None),
            _ => (Vec::new(), Some(FaultKind::Lost)),
        }
    }

    fn parts(&mut self, write: &Write) -> Vec<Write> {
        match self.tear {
            Tear::Nothing => Vec::new(),
            Tear::Everything => vec![write.clone()],
            Tear::Prefix(0) => Vec::new(),
            Tear::Prefix(left) => {
                let end = write
                    .bytes
                    .len()
                    .min(usize::try_from(left).unwrap_or(usize::MAX));
                // The rest of the prefix is for later writes.
                self.tear = Tear::Prefix(left - end as u64);

                vec![write.part(0, write.bytes[..end].to_vec())]
            }

            Tear::Sectors { bytes: sector, .. } => {
                let sector = sector.max(1);

                let sectors = write.bytes.chunks(sector).enumerate();
                let part =
                    |(index, bytes)| Some(write.part((index * sector) as u64, self.sector(bytes)?));

                sectors.filter_map(part).collect()
            }
        }
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
