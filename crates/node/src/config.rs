//! The configuration of a node: a TOML file, each field of which is documented here.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use quorate_network::Multiaddr;
use quorate_replica::TimeoutConfig;
use quorate_types::Millis;
use serde::{Deserialize, Serialize};

/// The contents of `node.toml` in a node's folder. Every field may be left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeConfig {
    /// Addresses to listen on: TCP and QUIC. Port 0 takes any free port.
    pub listen: Vec<Multiaddr>,
    /// Addresses of members to connect with first. One that answers is enough.
    pub boot: Vec<Multiaddr>,
    /// Addresses to announce instead of those listened on, for a node behind an address translator.
    pub announce: Vec<Multiaddr>,
    /// Whether to look for members on the local network by multicast DNS.
    pub mdns: bool,
    /// The address of a validator's monitoring endpoint, such as 127.0.0.1:7490; `None` turns it
    /// off. Everybody who reaches the address can read it.
    pub monitor: Option<SocketAddr>,
    /// The timeouts of consensus.
    pub pace: PaceSettings,
}

/// Timeouts of consensus. They are local: members need not agree on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaceSettings {
    /// The least base of the propose timeout, in milliseconds.
    pub least_ms: Millis,
    /// The greatest base of the propose timeout, in milliseconds.
    pub most_ms: Millis,
    /// The milliseconds without progress after which this node tells its peers where it stands.
    pub resend_ms: Millis,
    /// The milliseconds by which the time of a fresh block may differ from this node's clock
    /// (N-26).
    pub timely_ms: Millis,
}

/// The reason why a configuration is not valid.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot read the configuration: {source}", path.display())]
    Read {
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The file is not valid TOML, or a field is unknown or of a wrong type.
    #[error("{}: {source}", path.display())]
    Parse {
        /// The path of the file.
        path: PathBuf,
        /// The error, with field and place.
        source: Box<toml::de::Error>,
    },
    /// An environment variable has a value that is not valid.
    #[error("{name}=`{value}` is not valid: expected {wanted}")]
    Variable {
        /// The name of the variable.
        name: &'static str,
        /// The value that it has.
        value: String,
        /// A description of the values that are valid.
        wanted: &'static str,
    },
}

impl Default for PaceSettings {
    fn default() -> Self {
        let TimeoutConfig {
            least_ms,
            most_ms,
            resend_ms,
            timely_ms,
            ..
        } = TimeoutConfig::default();
        Self {
            least_ms,
            most_ms,
            resend_ms,
            timely_ms,
        }
    }
}

impl From<PaceSettings> for TimeoutConfig {
    fn from(settings: PaceSettings) -> Self {
        let PaceSettings {
            least_ms,
            most_ms,
            resend_ms,
            timely_ms,
        } = settings;
        Self {
            least_ms,
            most_ms,
            resend_ms,
            timely_ms,
            ..Self::default()
        }
    }
}

impl NodeConfig {
    /// Reads a file and then lets environment variables override it: `QUORATE_LISTEN`,
    /// `QUORATE_BOOT` and `QUORATE_ANNOUNCE` (addresses separated by commas), `QUORATE_MDNS` (true
    /// or false), `QUORATE_MONITOR` (address and port; empty turns it off).
    ///
    /// # Errors
    /// [`ConfigError`], which names the file and the field, or the variable.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;

        let mut config: Self = toml::from_str(&text).map_err(|source| ConfigError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })?;

        config.apply_environment(&|name| std::env::var(name).ok())?;
        Ok(config)
    }

    /// Lets variables override fields. `lookup` returns the value of a variable, or `None` if it is
    /// not set.
    ///
    /// # Errors
    /// [`ConfigError::Variable`], which names the variable.
    pub fn apply_environment(
        &mut self,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), ConfigError> {
        for (name, field) in [
            ("QUORATE_LISTEN", &mut self.listen),
            ("QUORATE_BOOT", &mut self.boot),
            ("QUORATE_ANNOUNCE", &mut self.announce),
        ] {
            if let Some(value) = lookup(name) {
                *field = addresses(name, value)?;
            }
        }

        if let Some(value) = lookup("QUORATE_MDNS") {
            self.mdns = value.parse().map_err(|_| ConfigError::Variable {
                name: "QUORATE_MDNS",
                value,
                wanted: "true or false",
            })?;
        }

        if let Some(value) = lookup("QUORATE_MONITOR") {
            self.monitor = socket_address("QUORATE_MONITOR", value)?;
        }

        Ok(())
    }
}

fn addresses(name: &'static str, value: String) -> Result<Vec<Multiaddr>, ConfigError> {
    let parts = value
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let parsed: Result<_, _> = parts.map(str::parse).collect();
    parsed.map_err(|_| ConfigError::Variable {
        name,
        value,
        wanted: "multiaddresses separated by commas",
    })
}

fn socket_address(name: &'static str, value: String) -> Result<Option<SocketAddr>, ConfigError> {
    if value.is_empty() {
        return Ok(None);
    }

    let wanted = "an address and port such as 127.0.0.1:7490";
    let parsed = value.parse().map_err(|_| ConfigError::Variable {
        name,
        value,
        wanted,
    });
    parsed.map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_overrides_the_file_and_errors_name_the_variable() {
        let mut config: NodeConfig = toml::from_str("mdns = true").unwrap();
        let set = |name: &str| match name {
            "QUORATE_LISTEN" => Some("/ip4/127.0.0.1/tcp/0, /ip4/127.0.0.1/udp/0/quic-v1".into()),
            "QUORATE_MDNS" => Some("false".to_owned()),
            _ => None,
        };

        config.apply_environment(&set).unwrap();
        assert_eq!((config.listen.len(), config.mdns), (2, false));

        let error = config
            .apply_environment(&|_| Some("nowhere".into()))
            .unwrap_err();
        assert!(
            error.to_string().starts_with("QUORATE_LISTEN=`nowhere`"),
            "{error}"
        );
    }

    #[test]
    fn the_monitor_is_off_by_default_and_an_empty_variable_turns_it_off() {
        assert_eq!(NodeConfig::default().monitor, None);
        let text = "monitor = \"127.0.0.1:7490\"\n";
        let mut config: NodeConfig = toml::from_str(text).unwrap();
        assert!(toml::to_string(&config).unwrap().contains(text));

        let set = |value: &'static str| {
            move |name: &str| (name == "QUORATE_MONITOR").then(|| value.to_owned())
        };

        config.apply_environment(&set("[::1]:0")).unwrap();
        assert_eq!(config.monitor.map(|address| address.port()), Some(0));
        config.apply_environment(&set("")).unwrap();
        assert_eq!(config.monitor, None);

        let error = config.apply_environment(&set("7490")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("QUORATE_MONITOR=`7490` is not valid: expected an address"),
            "{error}"
        );
    }

    #[test]
    fn an_unknown_field_is_named() {
        let error = toml::from_str::<NodeConfig>("lisen = []").unwrap_err();
        assert!(error.to_string().contains("lisen"), "{error}");
    }
}
