//! The folder of a node: its key with the signing guard, the genesis, the configuration, the data.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use quorate_crypto::SecretKey;
use quorate_store::{FileDisk, GuardError, SigningGuard};
use quorate_types::{Attestation, Genesis, PublicKey, SwarmId, cbor, limits};
use zeroize::Zeroizing;

use crate::config::{ConfigError, NodeConfig};
use crate::genesis_file::{GenesisFileError, read_genesis, write_genesis};

/// A node's folder. Files: `key` (mode 0600), `genesis.toml`, `node.toml`, `attestation.cbor` for
/// agents, and `data/` with the log, the blocks and the signing guard of a validator.
#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
    /// Stands in the place of what `node.toml` says.
    config: Option<Box<NodeConfig>>,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// File.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The key file is not 64 hexadecimal digits.
    #[error("{}: not a key: expected 64 hexadecimal digits on one line", path.display())]
    Key {
        /// File.
        path: PathBuf,
    },
    /// The key file may be read by others.
    #[error(
        "{}: mode {mode:o} lets others read the key; chmod 600 it, and think of the key as known",
        path.display()
    )]
    KeyMode {
        /// File.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// There is a key already.
    #[error("{}: exists; a key is not overwritten", path.display())]
    Exists {
        /// File.
        path: PathBuf,
    },
    /// The system has no randomness.
    #[error("the system gives no randomness: {0}")]
    Random(String),
    /// The attestation file holds none.
    #[error("{}: no attestation: {source}", path.display())]
    Attestation {
        /// File.
        path: PathBuf,
        /// What is wrong.
        source: cbor::CborError,
    },
    /// The signing guard.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The genesis.
    #[error(transparent)]
    Genesis(#[from] GenesisFileError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl Home {
    /// The folder at `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            config: None,
        }
    }

    /// The same folder with this configuration in the place of `node.toml` and the environment.
    pub fn with_config(mut self, config: NodeConfig) -> Self {
        self.config = Some(Box::new(config));
        self
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the key of this node, readable by its owner only.
    ///
    /// # Errors
    /// [`HomeError::Exists`] where there is one; it is never overwritten.
    pub fn create_key(&self) -> Result<SecretKey, HomeError> {
        let key = SecretKey::generate().map_err(|error| HomeError::Random(error.to_string()))?;
        self.store_key(&key)?;
        Ok(key)
    }

    /// Stores a key that was made elsewhere.
    ///
    /// # Errors
    /// As [`Self::create_key`].
    pub fn store_key(&self, key: &SecretKey) -> Result<(), HomeError> {
        let path = self.key_path();
        self.make_root()?;
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        let mut file = match file {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(HomeError::Exists { path });
            }
            file => file.map_err(|source| io_error(&path, source))?,
        };
        let digits = Zeroizing::new(hex::encode(key.seed().as_ref()));
        writeln!(file, "{}", *digits)
            .and_then(|()| file.sync_all())
            .map_err(|source| io_error(&path, source))
    }

    /// Makes the signing guard of the node's key for a swarm: once, when it becomes a validator.
    /// A key whose guard is lost gets no other one here (N-27): see
    /// [`Validator::rejoin`](crate::Validator::rejoin).
    ///
    /// # Errors
    /// [`HomeError::Guard`] where there is one already.
    pub fn create_guard(&self, key: &PublicKey, swarm: &SwarmId) -> Result<(), HomeError> {
        let data = self.data();
        std::fs::create_dir_all(&data).map_err(|source| io_error(&data, source))?;
        let disk = FileDisk::new(&data).map_err(|source| io_error(&data, source))?;
        Ok(SigningGuard::create(
            &disk,
            key.as_bytes(),
            swarm.as_bytes(),
        )?)
    }

    /// Reads the key.
    ///
    /// # Errors
    /// [`HomeError::KeyMode`] where others may read it, [`HomeError::Key`] where it is none.
    pub fn key(&self) -> Result<SecretKey, HomeError> {
        use std::os::unix::fs::PermissionsExt;
        let path = self.key_path();
        let metadata = std::fs::metadata(&path).map_err(|source| io_error(&path, source))?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(HomeError::KeyMode { path, mode });
        }
        let text = std::fs::read_to_string(&path).map_err(|source| io_error(&path, source))?;
        let (text, mut seed) = (Zeroizing::new(text), Zeroizing::new([0; 32]));
        hex::decode_to_slice(text.trim(), seed.as_mut()).map_err(|_| HomeError::Key { path })?;
        Ok(SecretKey::from_seed(&seed))
    }

    /// Reads the genesis.
    ///
    /// # Errors
    /// [`HomeError::Genesis`].
    pub fn genesis(&self) -> Result<Genesis, HomeError> {
        Ok(read_genesis(&self.genesis_path())?)
    }

    /// Writes the genesis.
    ///
    /// # Errors
    /// [`HomeError::Genesis`].
    pub fn store_genesis(&self, genesis: &Genesis) -> Result<(), HomeError> {
        self.make_root()?;
        Ok(write_genesis(&self.genesis_path(), genesis)?)
    }

    /// The configuration it was [given](Self::with_config), else that of `node.toml`, the defaults
    /// where there is no file, each overridden by the environment.
    ///
    /// # Errors
    /// [`HomeError::Config`].
    pub fn config(&self) -> Result<NodeConfig, HomeError> {
        if let Some(config) = &self.config {
            return Ok((**config).clone());
        }
        let path = self.root.join("node.toml");
        if path.exists() {
            return Ok(NodeConfig::read(&path)?);
        }
        let mut config = NodeConfig::default();
        config.apply_environment(&|name| std::env::var(name).ok())?;
        Ok(config)
    }

    /// Writes the configuration.
    ///
    /// # Errors
    /// [`HomeError::Io`].
    pub fn store_config(&self, config: &NodeConfig) -> Result<(), HomeError> {
        self.make_root()?;
        let path = self.root.join("node.toml");
        let text = toml::to_string(config).map_err(GenesisFileError::Write)?;
        std::fs::write(&path, text).map_err(|source| io_error(&path, source))
    }

    /// Reads the attestation of an agent; `None` where there is no file.
    ///
    /// # Errors
    /// [`HomeError::Attestation`] where the file holds none.
    pub fn attestation(&self) -> Result<Option<Attestation>, HomeError> {
        let path = self.attestation_path();
        match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(io_error(&path, source)),
            Ok(bytes) => match cbor::decode(&bytes, limits::ATTESTATION_BYTES) {
                Ok(attestation) => Ok(Some(attestation)),
                Err(source) => Err(HomeError::Attestation { path, source }),
            },
        }
    }

    /// Writes the attestation of an agent.
    ///
    /// # Errors
    /// [`HomeError::Io`].
    pub fn store_attestation(&self, attestation: &Attestation) -> Result<(), HomeError> {
        self.make_root()?;
        let path = self.attestation_path();
        std::fs::write(&path, cbor::encode(attestation)).map_err(|source| io_error(&path, source))
    }

    /// Where a validator keeps log, blocks and guard.
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// The genesis file.
    pub fn genesis_path(&self) -> PathBuf {
        self.root.join("genesis.toml")
    }

    fn key_path(&self) -> PathBuf {
        self.root.join("key")
    }

    fn attestation_path(&self) -> PathBuf {
        self.root.join("attestation.cbor")
    }

    fn make_root(&self) -> Result<(), HomeError> {
        std::fs::create_dir_all(&self.root).map_err(|source| io_error(&self.root, source))
    }
}

fn io_error(path: &Path, source: std::io::Error) -> HomeError {
    HomeError::Io {
        path: path.to_owned(),
        source,
    }
}
