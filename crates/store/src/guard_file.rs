//! The bytes of the signing guard's file, and how they are judged after a crash.

use crate::Slot;
use crate::frame::Fields;

/// The most bytes of one signing intent.
pub const MAX_INTENT_BYTES: usize = 2048;

/// The size of a page. The header has a page of its own and each copy of a state too, so that a
/// torn write of one spoils no other.
const PAGE_BYTES: usize = 4096;
/// The length of the file: the page of the header, two pairs of pages.
pub(crate) const FILE_BYTES: usize = 5 * PAGE_BYTES;
/// The format that this version writes and reads. In format 1 pages were not bound to their owner;
/// format 2 named the parts of a slot.
pub(crate) const VERSION: u32 = 3;

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
        let is_guard = fields.take()? == MAGIC;
        let version = fields.u32()?;
        let owner = Self {
            key: fields.take()?,
            swarm: fields.take()?,
        };

        // Every version keeps the checksum in this place.
        let is_whole = crc32c::crc32c(body) == u32::from_le_bytes(*crc);
        (is_guard && is_whole).then_some((version, owner))
    }

    /// The checksum that the checksums of the pages start from, so that a page of another guard is
    /// not valid in this one. It leaves out the header's own checksum: with that it would be the
    /// same for every owner.
    pub(crate) fn seed(&self) -> u32 {
        crc32c::crc32c(&self.body())
    }

    /// A file in which nothing was signed yet and nothing up to `slot` ever will be.
    pub(crate) fn fresh_file(&self, slot: Slot) -> Vec<u8> {
        let mut file = vec![0; FILE_BYTES];
        let mut place = |offset: usize, bytes: &[u8]| {
            file[offset..offset + bytes.len()].copy_from_slice(bytes);
        };

        place(0, &self.encode());

        for generation in 0..2 {
            let state = GuardRecord {
                generation,
                slot,
                bytes: None,
            };

            for offset in state.offsets() {
                place(offset, &state.encode(self.seed()));
            }
        }

        file
    }
}

/// The content of a page:
/// `crc:u32 generation:u64 slot[16] has_bytes:u8 length:u32 bytes`. A slot is kept as it is, so
/// that its bytes have one order everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GuardRecord {
    /// Grows by one with each write. Its parity says which pair of pages it is written to.
    pub(crate) generation: u64,
    /// Nothing at or below this slot may be signed, except `bytes` at it.
    pub(crate) slot: Slot,
    /// The bytes that were permitted there; `None` if the guard was raised.
    pub(crate) bytes: Option<Vec<u8>>,
}

impl GuardRecord {
    /// The offsets of the two pages that the state is written to. The pages of a pair are not
    /// neighbours.
    pub(crate) fn offsets(&self) -> [usize; 2] {
        page_offsets(self.parity())
    }

    /// The number of the pair that the state is written to.
    fn parity(&self) -> u64 {
        self.generation % 2
    }

    /// The bytes of a page with this content; for `seed` see [`Owner::seed`].
    pub(crate) fn encode(&self, seed: u32) -> Vec<u8> {
        let mut body = self.body();
        let crc = crc32c::crc32c_append(seed, &body);

        let mut page = crc.to_le_bytes().to_vec();
        page.append(&mut body);
        page
    }

    /// The content of the page behind its checksum.
    fn body(&self) -> Vec<u8> {
        let content = self.bytes.as_deref().unwrap_or_default();
        let length = content.len() as u32;

        // The fields in their fixed order, integers little-endian, and the content at the end.
        let mut body = Vec::with_capacity(29 + content.len());
        body.extend_from_slice(&self.generation.to_le_bytes());
        body.extend_from_slice(&self.slot.bytes());
        body.push(u8::from(self.bytes.is_some()));
        body.extend_from_slice(&length.to_le_bytes());
        body.extend_from_slice(content);
        body
    }

    /// The content of a page; `None` if the page is not valid.
    fn decode(page: &[u8], seed: u32) -> Option<Self> {
        let mut fields = Fields(page);
        fields.u32()?;

        let generation = fields.u64()?;
        let slot = Slot::from(fields.take::<16>()?);
        let [has_bytes] = fields.take()?;
        let length = fields.u32()? as usize;
        let content = fields.slice(length)?;
        let bytes = (has_bytes == 1).then(|| content.to_vec());

        let state = Self {
            generation,
            slot,
            bytes,
        };

        // Encoding it again checks everything at once: the checksum, and that each field has one
        // form only.
        page.starts_with(&state.encode(seed)).then_some(state)
    }
}

/// The judgement on the pages of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// The newest state that can be read.
    pub(crate) state: GuardRecord,
    /// The pages that lost the state which their twin still holds: their offset, and the state to
    /// write.
    pub(crate) to_heal: Vec<(usize, GuardRecord)>,
}

/// The newest state in `file`; `None` if one crash and honest writes cannot leave such pages.
///
/// The write of generation *g* changes only its own pair, and begins after *g* - 1 was synced to
/// the other pair. So if *g* is the newest readable generation, its twin is *g* too, or *g* - 2
/// (not written yet), or unreadable. The other pair holds *g* - 1 or is unreadable. If both pages
/// of the other pair are unreadable, the write of *g* + 1 was torn, and *g* is complete in both
/// pages. A misplaced write over both pages of a pair does not pass for that, because it hits the
/// page between them. Anything else means that the disk brought back old content, or spoiled more
/// than one page.
pub(crate) fn recover(file: &[u8], seed: u32) -> Option<Recovered> {
    let pages = Pages::read(file, seed);
    let newest = pages.newest()?.clone();
    let before = pages.other_pair(&newest)?;

    let own_fits = fits_own_pair(pages.pair_of(newest.generation), &newest);
    let other_fits = fits_other_pair(before, &newest);

    // Without the other pair, only a torn write of the next generation is excused: then both pages
    // of this one must be good.
    let torn_next = before.iter().all(Option::is_none);
    let is_whole = pages.lost_twins(&newest).next().is_none();

    if !own_fits || !other_fits || (torn_next && !is_whole) {
        return None;
    }

    // Whatever one page of a pair still holds is written to its twin again.
    let older = before.iter().flatten().next();
    let to_heal = [Some(&newest), older]
        .into_iter()
        .flatten()
        .flat_map(|state| pages.lost_twins(state))
        .collect();

    Some(Recovered {
        state: newest,
        to_heal,
    })
}

/// The two pages of a pair; `None` for one that cannot be read.
type Pair = [Option<GuardRecord>; 2];

/// Checks whether the pair of the newest state holds only it and the generation of one write of the
/// pair before.
fn fits_own_pair(pair: &Pair, newest: &GuardRecord) -> bool {
    pair.iter().flatten().all(|state| {
        let next_of_pair = state.generation.checked_add(2);
        state == newest || next_of_pair == Some(newest.generation)
    })
}

/// Checks whether the other pair holds only the generation before the newest one.
fn fits_other_pair(pair: &Pair, newest: &GuardRecord) -> bool {
    pair.iter().flatten().all(|state| {
        let next = state.generation.checked_add(1);
        next == Some(newest.generation) && state.slot <= newest.slot
    })
}

/// All pages of a file, by pairs.
struct Pages([Pair; 2]);

impl Pages {
    fn read(file: &[u8], seed: u32) -> Self {
        let read = |offset: usize| {
            let page = file.get(offset..offset + PAGE_BYTES)?;
            GuardRecord::decode(page, seed)
        };

        // A page that was written to the wrong pair is left out.
        let read_pair = |pair: u64| {
            let pages = page_offsets(pair).map(read);
            pages.map(|page| page.filter(|state| state.parity() == pair))
        };

        Self([0, 1].map(read_pair))
    }

    /// The newest state that can be read.
    fn newest(&self) -> Option<&GuardRecord> {
        self.0
            .iter()
            .flatten()
            .flatten()
            .max_by_key(|state| state.generation)
    }

    /// The pair that a generation is written to.
    fn pair_of(&self, generation: u64) -> &Pair {
        &self.0[(generation % 2) as usize]
    }

    /// The pair that the generation before `newest` was written to; `None` if there is no such
    /// generation.
    fn other_pair(&self, newest: &GuardRecord) -> Option<&Pair> {
        let before = newest.generation.checked_sub(1)?;
        Some(self.pair_of(before))
    }

    /// The offsets of the pages that should hold a state and do not, each with the state.
    fn lost_twins(&self, state: &GuardRecord) -> impl Iterator<Item = (usize, GuardRecord)> {
        let pages = self.pair_of(state.generation);

        state
            .offsets()
            .into_iter()
            .zip(pages)
            .filter(move |(_, page)| page.as_ref() != Some(state))
            .map(move |(offset, _)| (offset, state.clone()))
    }
}

/// The offsets of the two pages of a pair.
fn page_offsets(pair: u64) -> [usize; 2] {
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

    /// The first slot of a height.
    fn slot_at(height: u64) -> Slot {
        Slot::from((u128::from(height) << 64).to_be_bytes())
    }

    /// A file with these generations in its pages, pairs in order; `None` for an unreadable page.
    fn file(pages: [Option<u64>; 4]) -> Vec<u8> {
        let mut file = OWNER.fresh_file(Slot::default());
        let offsets = [page_offsets(0), page_offsets(1)].concat();
        for (offset, generation) in offsets.into_iter().zip(pages) {
            let slot = slot_at(generation.unwrap_or(0));
            let page = generation.map(|generation| {
                GuardRecord {
                    generation,
                    slot,
                    bytes: None,
                }
                .encode(OWNER.seed())
            });
            let bytes = page.unwrap_or(vec![0xee; 60]);
            file[offset..offset + bytes.len()].copy_from_slice(&bytes);
        }
        file
    }

    /// A drive that puts a page of one guard into another is noticed.
    #[test]
    fn pages_are_bound_to_their_owner() {
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
        for (name, pages, newest) in [
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
            let recovered = recover(&file(pages), OWNER.seed());
            assert_eq!(recovered.map(|it| it.state.generation), newest, "{name}");
        }
    }
}
