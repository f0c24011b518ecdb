//! Capability attestations: CWT claims (RFC 8392) that an attester signs about an agent.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cose::{ContentHeader, Owned};
use crate::signed::{Sign1, Signable};
use crate::{Capabilities, Hash, PublicKey, SwarmId, UnixMillis, limits};

/// Claims with the signature of the attester. The signer is the attester's key.
pub type Attestation = Sign1<Claims>;

/// The private claim (below -65536) that holds the capabilities.
const CAPABILITIES: i64 = -65_537;

/// The claims of an attester about an agent. They are encoded as a CWT: times in whole seconds, the
/// agent's key as `cnf` (RFC 8747), the swarm as audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// `iss`: the attester's key, which must be the signer.
    pub issuer: PublicKey,
    /// `sub` and `cnf`: the key of the agent.
    pub subject: PublicKey,
    /// `aud`: the only swarm that the attestation is valid in.
    pub audience: SwarmId,
    /// `exp`: Unix seconds from which on the attestation is void.
    pub expires: u64,
    /// `nbf`: Unix seconds before which the attestation is not valid.
    pub not_before: u64,
    /// `iat`: Unix seconds of issue.
    pub issued_at: u64,
    /// `cti`: tells attestations of one issuer apart; at most 16 bytes.
    pub id: Vec<u8>,
    /// The labels and amounts that are attested.
    pub capabilities: Capabilities,
}

impl Claims {
    /// Returns whether the attestation is valid at `time`, the block time of a block.
    pub fn is_valid_at(&self, time: UnixMillis) -> bool {
        let seconds = time.seconds();
        self.not_before <= seconds && seconds < self.expires
    }

    /// Returns whether the id and the capabilities are not too long.
    fn is_within_limits(&self) -> bool {
        let Capabilities { labels, amounts } = &self.capabilities;

        self.id.len() <= 16
            && labels.len() <= limits::MAP_ENTRIES
            && amounts.len() <= limits::MAP_ENTRIES
    }
}

impl Signable for Claims {
    const HEADER: ContentHeader = ContentHeader::Format(61);
    const MAX_BYTES: usize = limits::ATTESTATION_BYTES;

    /// The name of the attestation: the BLAKE3 hash of its claims, the issuer among them.
    type Id = Hash;

    fn id_of(encoded: &[u8]) -> Hash {
        Hash::derive("quorate 1 attestation", &[encoded])
    }
}

/// The claim `cnf` with a COSE_Key: kty OKP, crv Ed25519, x.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Confirmation(BTreeMap<u8, CoseKey>);

struct CoseKey(PublicKey);

impl Serialize for CoseKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        // kty = OKP, crv = Ed25519, x = the key.
        map.serialize_entry(&1, &1)?;
        map.serialize_entry(&-1, &6)?;
        map.serialize_entry(&-2, &self.0)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for CoseKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(CoseKeyVisitor)
    }
}

/// Reads a key from a COSE_Key.
struct CoseKeyVisitor;

impl<'de> Visitor<'de> for CoseKeyVisitor {
    type Value = CoseKey;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an OKP Ed25519 COSE_Key")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CoseKey, A::Error> {
        // kty, crv and x, in this order.
        let kind: u8 = entry(&mut map, 1)?;
        let curve: u8 = entry(&mut map, -1)?;
        let key = CoseKey(entry(&mut map, -2)?);

        // A fourth entry is refused: the key has one form.
        match (kind, curve, map.next_key::<i64>()?) {
            (1, 6, None) => Ok(key),
            _ => Err(A::Error::custom("not an OKP Ed25519 key")),
        }
    }
}

impl Serialize for Claims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Keys ascend by their encoded bytes, so the private claim is the last one.
        let mut map = serializer.serialize_map(Some(9))?;

        // The claims iss, sub and aud, which are texts.
        let issuer = self.issuer.to_string();
        let subject = self.subject.to_string();
        let audience = self.audience.to_string();
        map.serialize_entry(&1, &issuer)?;
        map.serialize_entry(&2, &subject)?;
        map.serialize_entry(&3, &audience)?;

        // The claims exp, nbf, iat and cti.
        map.serialize_entry(&4, &self.expires)?;
        map.serialize_entry(&5, &self.not_before)?;
        map.serialize_entry(&6, &self.issued_at)?;
        map.serialize_entry(&7, &Owned(self.id.clone()))?;

        // The claim cnf, then the private one.
        let key = CoseKey(self.subject);
        let confirmation = Confirmation(BTreeMap::from([(1, key)]));

        map.serialize_entry(&8, &confirmation)?;
        map.serialize_entry(&CAPABILITIES, &self.capabilities)?;

        map.end()
    }
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ClaimsVisitor)
    }
}

/// Reads claims from a CWT.
struct ClaimsVisitor;

impl<'de> Visitor<'de> for ClaimsVisitor {
    type Value = Claims;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CWT claims")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims, A::Error> {
        // The claims stand in the order in which they are written, so each key is known.
        let claims = Claims {
            issuer: hex_entry(&mut map, 1)?,
            subject: hex_entry(&mut map, 2)?,
            audience: hex_entry(&mut map, 3)?,
            expires: entry(&mut map, 4)?,
            not_before: entry(&mut map, 5)?,
            issued_at: entry(&mut map, 6)?,
            id: entry::<Owned, A>(&mut map, 7)?.0,
            capabilities: confirmed_capabilities(&mut map)?,
        };

        if !claims.is_within_limits() || map.next_key::<i64>()?.is_some() {
            return Err(A::Error::custom("a claim is unknown or too long"));
        }

        Ok(claims)
    }
}

/// Reads the claim `cnf` and the capabilities behind it.
fn confirmed_capabilities<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Capabilities, A::Error> {
    // The key in `cnf` is the one in `sub` again: `cbor::decode` encodes the claims again and
    // compares.
    let _: Confirmation = entry(map, 8)?;
    entry(map, CAPABILITIES)
}

/// Reads the next claim, whose key must be `key`, as an identifier in hexadecimal.
fn hex_entry<'de, T: std::str::FromStr, A: MapAccess<'de>>(
    map: &mut A,
    key: i64,
) -> Result<T, A::Error> {
    let text: String = entry(map, key)?;
    text.parse()
        .map_err(|_| A::Error::custom(format_args!("claim {key} is not a hexadecimal identifier")))
}

/// Reads the next claim, whose key must be `expected`.
fn entry<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    map: &mut A,
    expected: i64,
) -> Result<T, A::Error> {
    match map.next_key::<i64>()? {
        Some(key) if key == expected => map.next_value(),
        _ => Err(A::Error::custom(format_args!(
            "claim {expected} is missing or out of order"
        ))),
    }
}
