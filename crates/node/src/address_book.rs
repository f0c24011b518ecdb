//! The address book: signed announcements of where peers can be reached. They are passed on, so
//! that knowing one peer is enough (W-14).

use std::collections::BTreeMap;

use quorate_crypto::{SecretKey, verify};
use quorate_network::Multiaddr;
use quorate_types::message::Announcement;
use quorate_types::{PublicKey, Sign1, SwarmId, UnixMillis, ValidatorSet, limits};

/// The announcements that a node knows. Those of validators are always taken, others while there is
/// room.
#[derive(Debug)]
pub(crate) struct AddressBook {
    swarm: SwarmId,
    me: PublicKey,
    known: BTreeMap<PublicKey, Sign1<Announcement>>,
}

impl AddressBook {
    pub(crate) fn new(swarm: SwarmId, me: PublicKey) -> Self {
        Self {
            swarm,
            me,
            known: BTreeMap::new(),
        }
    }

    /// Signs an announcement of this node's addresses, which replaces its earlier one.
    pub(crate) fn announce(&mut self, key: &SecretKey, at: &[Multiaddr], now: UnixMillis) {
        // Unix time keeps the number rising over restarts, which forget the earlier announcement.
        let sequence = self
            .known
            .get(&self.me)
            .map_or(0, |own| own.payload.sequence + 1)
            .max(now.0);

        let texts = at.iter().map(Multiaddr::to_string);
        let addresses = texts.filter(|text| text.len() <= limits::ADDRESS_BYTES);
        let addresses = addresses.take(limits::ADDRESSES).collect();

        let announcement = Announcement {
            swarm: self.swarm,
            sequence,
            addresses,
        };

        self.known
            .insert(self.me, key.sign(announcement).into_inner());
    }

    /// Returns this node's own announcement.
    pub(crate) fn own(&self) -> Option<&Sign1<Announcement>> {
        self.known.get(&self.me)
    }

    /// Returns the known announcements, at most as many as a message holds, for a peer that has
    /// just connected.
    pub(crate) fn all(&self) -> Vec<Sign1<Announcement>> {
        self.known
            .values()
            .take(limits::ANNOUNCEMENTS)
            .cloned()
            .collect()
    }

    /// Takes an announcement in. If it says something new and verifies, returns its signer and its
    /// addresses.
    pub(crate) fn learn(
        &mut self,
        announcement: Sign1<Announcement>,
        validators: &ValidatorSet,
    ) -> Option<(PublicKey, Vec<Multiaddr>)> {
        let signer = announcement.signer;
        // There is always room for validators, so that others cannot crowd them out.
        let room = validators.get(&signer).is_some() || self.known.len() < limits::ANNOUNCEMENTS;

        let wanted = room && self.is_news(&announcement) && self.is_sound(&announcement.payload);
        if signer == self.me || !wanted {
            return None;
        }

        // The signature is checked last, because it costs the most.
        let announcement = verify(announcement).ok()?.into_inner();
        let texts = announcement.payload.addresses.iter();
        let addresses = texts.filter_map(|text| text.parse().ok()).collect();

        self.known.insert(signer, announcement);
        Some((signer, addresses))
    }

    /// Returns whether the announcement is newer than the known one of its signer.
    fn is_news(&self, announcement: &Sign1<Announcement>) -> bool {
        self.known
            .get(&announcement.signer)
            .is_none_or(|old| old.payload.sequence < announcement.payload.sequence)
    }

    /// Returns whether the announcement is one of this swarm, within the limits.
    fn is_sound(&self, payload: &Announcement) -> bool {
        let mut addresses = payload.addresses.iter();
        payload.swarm == self.swarm
            && payload.addresses.len() <= limits::ADDRESSES
            && addresses.all(|text| text.len() <= limits::ADDRESS_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_types::Validator;

    #[test]
    fn only_newer_verified_words_of_the_same_swarm_are_taken() {
        let (mine, theirs) = (
            SecretKey::from_seed(&[1; 32]),
            SecretKey::from_seed(&[2; 32]),
        );
        let swarm = SwarmId([7; 32]);
        let member = Validator {
            key: theirs.public_key(),
            power: 1,
            operator: "them".parse().unwrap(),
        };
        let set = ValidatorSet::new(vec![member]).unwrap();

        let mut book = AddressBook::new(swarm, mine.public_key());

        let word = |swarm, sequence| {
            let addresses = vec!["/ip4/127.0.0.1/tcp/7400".to_owned()];
            theirs
                .sign(Announcement {
                    swarm,
                    sequence,
                    addresses,
                })
                .into_inner()
        };

        assert_eq!(book.learn(word(swarm, 5), &set).unwrap().1.len(), 1);
        assert!(book.learn(word(swarm, 5), &set).is_none(), "the same again");
        assert!(book.learn(word(swarm, 4), &set).is_none(), "an older one");
        assert!(
            book.learn(word(SwarmId([8; 32]), 6), &set).is_none(),
            "another swarm"
        );

        let mut forged = word(swarm, 6);
        forged.alter(|parts| parts.payload.addresses.clear());
        assert!(book.learn(forged, &set).is_none(), "a wrong signature");
        assert_eq!(book.all().len(), 1);
    }
}
