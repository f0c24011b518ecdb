//! Ed25519 keys and the libp2p peer ids that carry them.

use libp2p::identity::{Keypair, PublicKey, ed25519};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

/// A raw Ed25519 public key (32 bytes, RFC 8032 section 5.1.5).
///
/// A libp2p peer id of such a key is an identity multihash, so key and peer id carry the same
/// information (libp2p specification, peer-ids, "Keys of at most 42 bytes are inlined").
pub type PeerKey = [u8; 32];

/// Multihash code "identity", digest length 36, protobuf field 1 = 1 (Ed25519), field 2 = 32
/// bytes (libp2p specification, peer-ids).
const IDENTITY_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// Returns the peer id of a key, or `None` if the bytes are not a point of the curve.
pub fn peer_id(key: &PeerKey) -> Option<PeerId> {
    let public = ed25519::PublicKey::try_from_bytes(key).ok()?;
    Some(PublicKey::from(public).to_peer_id())
}

/// Returns the key inside a peer id, or `None` if the peer id does not hold an Ed25519 key.
pub fn peer_key(peer: &PeerId) -> Option<PeerKey> {
    peer.to_bytes()
        .strip_prefix(&IDENTITY_PREFIX)?
        .try_into()
        .ok()
}

/// Returns an address with `/p2p/` and the peer id of `key` at its end, as boot lists need it. An
/// address that has a peer id already stays as it is, and so does every address of bytes that are
/// not a key.
pub fn with_peer_id(address: &Multiaddr, key: &PeerKey) -> Multiaddr {
    let has_one = address.iter().any(|part| matches!(part, Protocol::P2p(_)));

    match peer_id(key) {
        Some(id) if !has_one => address.clone().with(Protocol::P2p(id)),
        _ => address.clone(),
    }
}

/// Returns the public key of an Ed25519 seed (RFC 8032 section 5.1.5).
pub fn key_of_secret(secret: [u8; 32]) -> PeerKey {
    ed25519_pair(secret).public().to_bytes()
}

/// Returns the first eight hexadecimal digits of a key, for logs.
pub(crate) fn short(key: &PeerKey) -> String {
    let digits = key.iter().take(4).map(|byte| format!("{byte:02x}"));
    digits.collect()
}

/// Returns the short form of the key inside a peer id; the peer id itself if it holds none.
pub(crate) fn short_of(peer: &PeerId) -> String {
    peer_key(peer).map_or_else(|| peer.to_string(), |key| short(&key))
}

/// Returns the libp2p key pair of a seed.
pub(crate) fn keypair(secret: [u8; 32]) -> Keypair {
    Keypair::from(ed25519_pair(secret))
}

fn ed25519_pair(secret: [u8; 32]) -> ed25519::Keypair {
    #[expect(
        clippy::expect_used,
        reason = "every 32 bytes are an Ed25519 seed (RFC 8032)"
    )]
    let secret = ed25519::SecretKey::try_from_bytes(secret).expect("32 bytes");
    ed25519::Keypair::from(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_and_peer_id_carry_the_same() {
        for seed in 0..32 {
            let key = key_of_secret([seed; 32]);
            let peer = peer_id(&key).unwrap();
            assert_eq!(peer, keypair([seed; 32]).public().to_peer_id());
            assert_eq!(peer_key(&peer), Some(key));
            assert_eq!(short_of(&peer), short(&key));
        }
    }

    #[test]
    fn a_short_key_is_its_first_digits() {
        let mut key = [0xff; 32];
        key[..4].copy_from_slice(&[0x01, 0xab, 0, 0x9f]);
        assert_eq!(short(&key), "01ab009f");
    }

    #[test]
    fn other_peer_ids_have_no_key() {
        let peer = PeerId::random();
        assert_eq!(peer_key(&peer), None);
        assert_eq!(short_of(&peer), peer.to_string());
    }

    #[test]
    fn an_address_gets_one_peer_id() {
        let key = key_of_secret([7; 32]);
        let plain: Multiaddr = "/ip4/192.0.2.1/tcp/7400".parse().unwrap();

        let full = with_peer_id(&plain, &key);
        let text = full.to_string();
        assert!(
            text.starts_with("/ip4/192.0.2.1/tcp/7400/p2p/12D3Koo"),
            "{text}"
        );
        assert_eq!(text.parse::<Multiaddr>().unwrap(), full);

        assert_eq!(with_peer_id(&full, &key), full);
        assert_eq!(with_peer_id(&full, &key_of_secret([8; 32])), full);
    }

    #[test]
    fn bytes_off_the_curve_have_no_peer_id() {
        let mut off = [0; 32];
        off[0] = 2;
        assert_eq!(peer_id(&off), None);

        let plain: Multiaddr = "/ip4/192.0.2.1/tcp/7400".parse().unwrap();
        assert_eq!(with_peer_id(&plain, &off), plain);
    }
}
