//! The bytes of the signing guard's file, and how they are judged after a crash.

use crate::Position;
use crate::frame::Fields;

/// The most bytes of one signing intent.
pub const MAX_INTENT_BYTES: usize = 2048;

/// The size of a page. Header and slots are on pages of their own, so that a torn write of one
/// spoils no other.
const PAGE_BYTES: usize = 4096;
/// The length of the file: one header, two pairs of slots.
pub(crate) const FILE_BYTES: usize = 5 * PAGE_BYTES;
/// The format that this version writes and reads. In format 1 slots were not bound to their owner.
pub(crate) const VERSION: u32 = 2;

const MAGIC: [u8; 8] = *b"QRTGRD\r\n";
const HEADER_BYTES: usize = 80;

/// The key and the swarm that the file belongs to. Its header is
/// `magic[8] version:u32 key[32] swarm[32] crc:u32`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) key: [u8; 32],
    pub(crate) swarm: [u8; 32],
}

/// The reason why a file was not read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum GuardFault {
    Damaged,
    Version(u32),
}

impl Owner {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = self.body();
        bytes.extend_from_slice(&self.seed().to_le_bytes());
        bytes
    }

    fn body(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.key);
        bytes.extend_from_slice(&self.swarm);
        bytes
    }

    /// Reads the header of a file. Every version keeps magic, version and the place of the
    /// checksum, so a header with a wrong checksum is damaged, whatever version it seems to be.
    pub(crate) fn decode(file: &[u8]) -> Result<Self, GuardFault> {
        let (version, owner) = Self::decode_fields(file).ok_or(GuardFault::Damaged)?;
        if version == VERSION {
            Ok(owner)
        } else {
            Err(GuardFault::Version(version))
        }
    }

    /// The version and the content of a header whose checksum is right.
    fn decode_fields(file: &[u8]) -> Option<(u32, Self)> {
        let (body, crc) = file.get(..HEADER_BYTES)?.split_last_chunk()?;

        let mut fields = Fields(body);
        let known = fields.take()? == MAGIC && crc32c::crc32c(body) == u32::from_le_bytes(*crc);
        let (version, key, swarm) = (fields.u32()?, fields.take()?, fields.take()?);

        known.then_some((version, Self { key, swarm }))
    }

    /// The checksum that the checksums of the slots start from, so that a slot of another guard is
    /// not valid in this one. It leaves out the header's own checksum: with that it would be the
    /// same for every owner.
    pub(crate) fn seed(&self) -> u32 {
        crc32c::crc32c(&self.body())
    }

    /// A file in which nothing was signed yet and nothing up to `position` ever will be.
    pub(crate) fn fresh_file(&self, position: Position) -> Vec<u8> {
        let mut file = vec![0; FILE_BYTES];
        let mut place = |offset: usize, bytes: &[u8]| {
            file[offset..offset + bytes.len()].copy_from_slice(bytes);
        };

        place(0, &self.encode());

        for generation in 0..2 {
            let state = State {
                generation,
                position,
                bytes: None,
            };

            for offset in state.offsets() {
                place(offset, &state.encode(self.seed()));
            }
        }

        file
    }
}

/// The content of a slot:
/// `crc:u32 generation:u64 height:u64 round:u32 step:u8 has_bytes:u8 length:u32 bytes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// Grows by one with each write. Its parity says which pair of slots it is written to.
    pub(crate) generation: u64,
    /// Nothing at or below this position may be signed, except `bytes` at it.
    pub(crate) position: Position,
    /// The bytes that were permitted there; `None` if the guard was raised.
    pub(crate) bytes: Option<Vec<u8>>,
}

impl State {
    /// The offsets of the two slots that the state is written to. The slots of a pair are not
    /// neighbours.
    pub(crate) fn offsets(&self) -> [usize; 2] {
        slot_offsets(self.generation % 2)
    }

    pub(crate) fn encode(&self, seed: u32) -> Vec<u8> {
        let content = self.bytes.as_deref().unwrap_or_default();
        let mut body = Vec::with_capacity(26 + content.len());

        body.extend_from_slice(&self.generation.to_le_bytes());
        body.extend_from_slice(&self.position.height.to_le_bytes());
        body.extend_from_slice(&self.position.round.to_le_bytes());
        body.push(self.position.step);
        body.push(u8::from(self.bytes.is_some()));
        body.extend_from_slice(&(content.len() as u32).to_le_bytes());
        body.extend_from_slice(content);

        let mut slot = crc32c::crc32c_append(seed, &body).to_le_bytes().to_vec();
        slot.append(&mut body);
        slot
    }

    fn decode(slot: &[u8], seed: u32) -> Option<Self> {
        let mut fields = Fields(slot);
        fields.u32()?;

        let generation = fields.u64()?;
        let (height, round) = (fields.u64()?, fields.u32()?);
        let [step, has_bytes] = fields.take()?;
        let length = fields.u32()? as usize;
        let content = fields.slice(length)?;

        let bytes = (has_bytes == 1).then(|| content.to_vec());

        let state = Self {
            generation,
            position: Position {
                height,
                round,
                step,
            },
            bytes,
        };

        // Encoding it again checks everything at once: the checksum, and that each field has one
        // form only.
        slot.starts_with(&state.encode(seed)).then_some(state)
    }
}

/// The judgement on the slots of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// The newest state that can be read.
    pub(crate) state: State,
    /// The slots that lost the state which their twin still holds: their offset, and the state to
    /// write.
    pub(crate) to_heal: Vec<(usize, State)>,
}

/// The newest state in `file`; `None` if one crash and honest writes cannot leave such slots.
///
/// The write of generation *g* changes only its own pair, and begins after *g* - 1 was synced to
/// the other pair. So if *g* is the newest readable generation, its twin is *g* too, or *g* - 2
/// (not written yet), or unreadable. The other pair holds *g* - 1 or is unreadable. If both slots
/// of the other pair are unreadable, the write of *g* + 1 was torn, and *g* is complete in both
/// slots. A misplaced write over both slots of a pair does not pass for that, because it hits the
/// slot between them. Anything else means that the disk brought back old content, or spoiled more
/// than one slot.
pub(crate) fn recover(file: &[u8], seed: u32) -> Option<Recovered> {
    // The parity check leaves out a slot that was written to the wrong pair.
    let pairs = [0, 1].map(|pair| {
        slot_offsets(pair).map(|offset| {
            let slot = file.get(offset..offset + PAGE_BYTES)?;
            State::decode(slot, seed).filter(|state| state.generation % 2 == pair)
        })
    });

    let newest = pairs
        .iter()
        .flatten()
        .flatten()
        .max_by_key(|state| state.generation)?
        .clone();

    let before = newest.generation.checked_sub(1)?;
    let of_parity = |generation: u64| &pairs[(generation % 2) as usize];

    // The twin is the same, or one write of its pair older, or unreadable.
    let own_fits = of_parity(newest.generation).iter().flatten().all(|state| {
        *state == newest || state.generation.checked_add(2) == Some(newest.generation)
    });

    // The other pair holds exactly the generation before, or is unreadable.
    let other_fits = of_parity(before)
        .iter()
        .flatten()
        .all(|state| state.generation == before && state.position <= newest.position);

    // Without the other pair, only a torn write of the next generation is excused: then both slots
    // of this one must be good.
    let whole = of_parity(newest.generation)
        .iter()
        .all(|slot| slot.as_ref() == Some(&newest));

    let torn_next = of_parity(before).iter().all(Option::is_none);

    if !own_fits || !other_fits || (torn_next && !whole) {
        return None;
    }

    // Whatever one slot of a pair still holds is written to its twin again.
    let older = of_parity(before).iter().flatten().next();
    let to_heal = [Some(&newest), older]
        .into_iter()
        .flatten()
        .flat_map(|state| {
            let twins = state.offsets().into_iter().zip(of_parity(state.generation));
            let lost = twins.filter(move |(_, slot)| slot.as_ref() != Some(state));
            lost.map(move |(offset, _)| (offset, state.clone()))
        });

    let to_heal = to_heal.collect();
    Some(Recovered {
        state: newest,
        to_heal,
    })
}

fn slot_offsets(pair: u64) -> [usize; 2] {
    if pair == 0 {
        [PAGE_BYTES, 3 * PAGE_BYTES]
    } else {
        [2 * PAGE_BYTES, 4 * PAGE_BYTES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner {
        key: [1; 32],
        swarm: [2; 32],
    };

    /// A file with these generations in its slots, pairs in order; `None` for an unreadable slot.
    fn file(slots: [Option<u64>; 4]) -> Vec<u8> {
        let mut file = OWNER.fresh_file(Position::default());
        let offsets = [slot_offsets(0), slot_offsets(1)].concat();
        for (offset, generation) in offsets.into_iter().zip(slots) {
            let position = Position {
                height: generation.unwrap_or(0),
                round: 0,
                step: 0,
            };
            let slot = generation.map(|generation| {
                State {
                    generation,
                    position,
                    bytes: None,
                }
                .encode(OWNER.seed())
            });
            let bytes = slot.unwrap_or(vec![0xee; 60]);
            file[offset..offset + bytes.len()].copy_from_slice(&bytes);
        }
        file
    }

    /// A drive that puts a slot of one guard into another is noticed.
    #[test]
    fn slots_are_bound_to_their_owner() {
        let [key, swarm] = [
            Owner {
                key: [9; 32],
                ..OWNER
            },
            Owner {
                swarm: [9; 32],
                ..OWNER
            },
        ];

        let good = file([Some(4), Some(4), Some(5), Some(5)]);
        assert!(recover(&good, OWNER.seed()).is_some());
        for other in [key, swarm] {
            assert_eq!(recover(&good, other.seed()), None);
        }
    }

    #[test]
    fn the_newest_generation_or_none() {
        let (none, some) = (None::<u64>, Some::<u64>);
        for (name, slots, newest) in [
            ("finished", [some(4), some(4), some(5), some(5)], Some(5)),
            (
                "torn, nothing landed",
                [some(4), some(4), some(3), some(3)],
                Some(4),
            ),
            (
                "torn, one landed",
                [some(4), some(4), some(3), some(5)],
                Some(5),
            ),
            (
                "torn, one landed and one spoiled",
                [some(4), some(4), none, some(5)],
                Some(5),
            ),
            (
                "torn, both spoiled",
                [some(4), some(4), none, none],
                Some(4),
            ),
            (
                "torn, both spoiled, and one of the pair before",
                [none, some(4), none, none],
                None,
            ),
            (
                "torn, both spoiled, and one before lost",
                [some(4), some(2), none, none],
                None,
            ),
            (
                "one of the pair before spoiled",
                [none, some(4), some(5), some(5)],
                Some(5),
            ),
            ("all spoiled", [none, none, none, none], None),
            ("a twin too old", [some(4), some(4), some(1), some(5)], None),
            ("a pair too old", [some(2), some(2), some(5), some(5)], None),
            (
                "one of a pair too old",
                [some(4), some(2), some(5), some(5)],
                None,
            ),
            ("in the wrong pair", [some(5), some(5), none, none], None),
        ] {
            let recovered = recover(&file(slots), OWNER.seed());
            assert_eq!(recovered.map(|it| it.state.generation), newest, "{name}");
        }
    }
}
