//! The folder of a node: its key, the genesis, the configuration, and the data with the signing
//! guard.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use quorate_crypto::SecretKey;
use quorate_store::{FileDisk, GuardError, SigningGuard};
use quorate_types::{Attestation, Genesis, PublicKey, SwarmId, cbor, limits};
use zeroize::Zeroizing;

use crate::config::{ConfigError, NodeConfig};
use crate::genesis_file::{GenesisFileError, read_genesis, write_genesis};

/// The folder of a node. It holds `key` (mode 0600), `genesis.toml`, `node.toml`,
/// `attestation.cbor` for agents, and `data/` with the log, the blocks and the signing guard of a
/// validator.
#[derive(Debug, Clone)]
pub struct DataDir {
    root: PathBuf,
    /// Used in place of `node.toml` and the environment.
    config: Option<Box<NodeConfig>>,
}

/// The reason why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The key file is not 64 hexadecimal digits.
    #[error("{}: not a valid key: expected 64 hexadecimal digits on one line", path.display())]
    Key {
        /// The path of the file.
        path: PathBuf,
    },
    /// Others can read the key file.
    #[error(
        "{}: mode {mode:o} lets others read the key: `chmod 600` it, and treat the key as known",
        path.display()
    )]
    KeyMode {
        /// The path of the file.
        path: PathBuf,
        /// The permission bits of the file.
        mode: u32,
    },
    /// The folder has a key already.
    #[error("{}: this file exists already; a key is never overwritten", path.display())]
    Exists {
        /// The path of the file.
        path: PathBuf,
    },
    /// The system gives no randomness.
    #[error("the system gives no randomness: {0}")]
    Random(String),
    /// The attestation file does not hold a valid attestation.
    #[error("{}: not a valid attestation: {source}", path.display())]
    Attestation {
        /// The path of the file.
        path: PathBuf,
        /// The error of the decoder.
        source: cbor::CborError,
    },
    /// The signing guard cannot be made.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The genesis cannot be read or written, or is not valid.
    #[error(transparent)]
    Genesis(#[from] GenesisFileError),
    /// The configuration cannot be read or is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl DataDir {
    /// Returns the folder at `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            config: None,
        }
    }

    /// Returns the same folder with this configuration in place of `node.toml` and the environment.
    pub fn with_config(mut self, config: NodeConfig) -> Self {
        self.config = Some(Box::new(config));
        self
    }

    /// Returns the path of the folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the key of this node, readable by its owner only.
    ///
    /// # Errors
    /// [`DataDirError::Exists`] if there is a key already; it is never overwritten.
    pub fn create_key(&self) -> Result<SecretKey, DataDirError> {
        let key = SecretKey::generate().map_err(|error| DataDirError::Random(error.to_string()))?;
        self.store_key(&key)?;
        Ok(key)
    }

    /// Stores a key that was made elsewhere.
    ///
    /// # Errors
    /// The errors of [`Self::create_key`].
    pub fn store_key(&self, key: &SecretKey) -> Result<(), DataDirError> {
        let path = self.key_path();
        self.make_root()?;

        let mut file = create_private(&path)?;
        let digits = Zeroizing::new(hex::encode(key.seed().as_ref()));
        writeln!(file, "{}", *digits)
            .and_then(|()| file.sync_all())
            .map_err(|source| io_error(&path, source))
    }

    /// Makes the signing guard of the node's key for a swarm: once, when the node becomes a
    /// validator. If the guard of a key is lost, no other one is made here (N-27): see
    /// [`Validator::rejoin`](crate::Validator::rejoin).
    ///
    /// # Errors
    /// [`DataDirError::Guard`] if there is a guard already.
    pub fn create_guard(&self, key: &PublicKey, swarm: &SwarmId) -> Result<(), DataDirError> {
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
    /// [`DataDirError::KeyMode`] if others can read the file, [`DataDirError::Key`] if it does not
    /// hold a key.
    pub fn key(&self) -> Result<SecretKey, DataDirError> {
        let path = self.key_path();
        check_mode(&path)?;

        // Text and seed are erased from memory when they are dropped.
        let text = std::fs::read_to_string(&path).map_err(|source| io_error(&path, source))?;
        let text = Zeroizing::new(text);
        let mut seed = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), seed.as_mut()).map_err(|_| DataDirError::Key { path })?;

        Ok(SecretKey::from_seed(&seed))
    }

    /// Reads the genesis.
    ///
    /// # Errors
    /// [`DataDirError::Genesis`] if it cannot be read or is not valid.
    pub fn genesis(&self) -> Result<Genesis, DataDirError> {
        Ok(read_genesis(&self.genesis_path())?)
    }

    /// Writes the genesis.
    ///
    /// # Errors
    /// [`DataDirError::Io`] or [`DataDirError::Genesis`] if it cannot be written.
    pub fn store_genesis(&self, genesis: &Genesis) -> Result<(), DataDirError> {
        self.make_root()?;
        Ok(write_genesis(&self.genesis_path(), genesis)?)
    }

    /// Returns the configuration that was [given](Self::with_config). Otherwise reads that of
    /// `node.toml`, or takes the defaults if there is no such file, and lets the environment
    /// override it.
    ///
    /// # Errors
    /// [`DataDirError::Config`], which names the file and the field, or the variable.
    pub fn config(&self) -> Result<NodeConfig, DataDirError> {
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
    /// [`DataDirError::Io`] or [`DataDirError::Genesis`] if it cannot be written.
    pub fn store_config(&self, config: &NodeConfig) -> Result<(), DataDirError> {
        self.make_root()?;
        let path = self.root.join("node.toml");
        let text = toml::to_string(config).map_err(GenesisFileError::Write)?;
        std::fs::write(&path, text).map_err(|source| io_error(&path, source))
    }

    /// Reads the attestation of an agent, or returns `None` if there is no file.
    ///
    /// # Errors
    /// [`DataDirError::Attestation`] if the file does not hold a valid attestation.
    pub fn attestation(&self) -> Result<Option<Attestation>, DataDirError> {
        let path = self.attestation_path();
        match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(io_error(&path, source)),
            Ok(bytes) => match cbor::decode(&bytes, limits::ATTESTATION_BYTES) {
                Ok(attestation) => Ok(Some(attestation)),
                Err(source) => Err(DataDirError::Attestation { path, source }),
            },
        }
    }

    /// Writes the attestation of an agent.
    ///
    /// # Errors
    /// [`DataDirError::Io`] if it cannot be written.
    pub fn store_attestation(&self, attestation: &Attestation) -> Result<(), DataDirError> {
        self.make_root()?;
        let path = self.attestation_path();
        std::fs::write(&path, cbor::encode(attestation)).map_err(|source| io_error(&path, source))
    }

    /// Returns the folder in which a validator keeps log, blocks and guard.
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// Returns the path of the genesis file.
    pub fn genesis_path(&self) -> PathBuf {
        self.root.join("genesis.toml")
    }

    fn key_path(&self) -> PathBuf {
        self.root.join("key")
    }

    fn attestation_path(&self) -> PathBuf {
        self.root.join("attestation.cbor")
    }

    fn make_root(&self) -> Result<(), DataDirError> {
        std::fs::create_dir_all(&self.root).map_err(|source| io_error(&self.root, source))
    }
}

/// Creates a file that only its owner can read, and never overwrites one.
fn create_private(path: &Path) -> Result<File, DataDirError> {
    // The mode holds before anything is written.
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);

    file.map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => DataDirError::Exists {
            path: path.to_owned(),
        },
        _ => io_error(path, source),
    })
}

/// Checks that nobody but the owner can read a key file.
fn check_mode(path: &Path) -> Result<(), DataDirError> {
    use std::os::unix::fs::PermissionsExt;

    let metadata = std::fs::metadata(path).map_err(|source| io_error(path, source))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let path = path.to_owned();
        return Err(DataDirError::KeyMode { path, mode });
    }

    Ok(())
}

fn io_error(path: &Path, source: std::io::Error) -> DataDirError {
    DataDirError::Io {
        path: path.to_owned(),
        source,
    }
}
