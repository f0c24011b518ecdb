//! Secret keys, which sign typed values.

use ed25519_dalek::{Signer, SigningKey};
use quorate_types::operation::Offer;
use quorate_types::{
    Label, Nonce, PublicKey, Sign1, Signable, Signature, SignedStatement, Statement, SwarmId,
};
use zeroize::Zeroizing;

use crate::verified::Verified;

/// An Ed25519 secret key. It signs typed values only: there is no `sign(bytes)`.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// Returns the key of a 32-byte seed (RFC 8032).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Returns a new key from the system's randomness.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut())?;
        Ok(Self::from_seed(&seed))
    }

    /// Returns the seed, for the key file and the network's identity. It is wiped when dropped.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// Returns the public half of the key.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs a payload in its own domain.
    pub fn sign<T: Signable>(&self, payload: T) -> Verified<Sign1<T>> {
        let signer = self.public_key();
        let signed = Sign1::sign_with(signer, payload, |bytes| self.raw(bytes));
        Verified::trusted(signed)
    }

    /// Signs a statement. Call it only with the permission of the signing guard.
    pub fn sign_statement(&self, statement: Statement) -> Verified<SignedStatement> {
        let signer = self.public_key();
        let signature = self.raw(&statement.to_be_signed(&signer));
        Verified::trusted(SignedStatement {
            statement,
            signer,
            signature,
        })
    }

    /// Derives a key for a part of this process that does not act as the validator. The same seed,
    /// swarm and `purpose` give the same key.
    pub fn derive(&self, swarm: &SwarmId, purpose: &[u8]) -> Self {
        let seed = quorate_types::Hash::derive(
            "quorate 1 derived key",
            &[self.0.as_bytes(), swarm.as_bytes(), purpose],
        );

        Self::from_seed(seed.as_bytes())
    }

    /// Returns the nonce of a sealed offer in a window of a market. It is a pseudorandom function
    /// of all of these, so that no randomness is needed and no two offers share a nonce.
    pub fn seal_nonce(&self, swarm: &SwarmId, market: &Label, window: u64, offer: &Offer) -> Nonce {
        // All parts but the last have fixed lengths, so different inputs never give the same bytes.
        let parts: [&[u8]; 7] = [
            self.0.as_bytes(),
            swarm.as_bytes(),
            &offer.task.requester.0,
            &offer.task.number.to_be_bytes(),
            &offer.price.to_be_bytes(),
            &window.to_be_bytes(),
            market.as_str().as_bytes(),
        ];

        Nonce(quorate_types::Hash::derive("quorate 1 seal nonce", &parts).0)
    }

    fn raw(&self, bytes: &[u8]) -> Signature {
        Signature(self.0.sign(bytes).to_bytes())
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey(of {})", self.public_key().short())
    }
}
