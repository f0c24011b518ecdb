//! The configuration of a node: a TOML file, every field of it documented here.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use quorate_network::Multiaddr;
use quorate_replica::PaceConfig;
use quorate_types::Millis;
use serde::{Deserialize, Serialize};

/// What `node.toml` in a node's folder says. Every field may be left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeConfig {
    /// Addresses to listen on: TCP and QUIC. Port 0 takes any free port.
    pub listen: Vec<Multiaddr>,
    /// Addresses of members to start from; one that answers is enough.
    pub boot: Vec<Multiaddr>,
    /// Addresses to announce instead of those listened on, for a node behind a translator.
    pub announce: Vec<Multiaddr>,
    /// Whether to look for members on the local network by multicast DNS.
    pub mdns: bool,
    /// Address of the monitoring endpoint of a validator, such as 127.0.0.1:7490; none without.
    /// Whoever reaches it may read it.
    pub monitor: Option<SocketAddr>,
    /// Timeouts of the committee.
    pub pace: PaceSettings,
}

/// Timeouts; local, members need not agree on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaceSettings {
    /// Least base of the propose timeout in milliseconds.
    pub least_ms: Millis,
    /// Greatest base of the propose timeout in milliseconds.
    pub most_ms: Millis,
    /// Milliseconds without progress after which peers are told where this node is.
    pub resend_ms: Millis,
    /// Milliseconds by which a block's time may differ from this node's clock.
    pub timely_ms: Millis,
}

/// Why a configuration is none.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// File.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The file says something this program does not understand.
    #[error("{}: {source}", path.display())]
    Parse {
        /// File.
        path: PathBuf,
        /// Field and place.
        source: Box<toml::de::Error>,
    },
    /// An environment variable says something this program does not understand.
    #[error("{name}=`{value}`: not {wanted}")]
    Variable {
        /// Variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        wanted: &'static str,
    },
}

impl Default for PaceSettings {
    fn default() -> Self {
        let PaceConfig {
            least_ms,
            most_ms,
            resend_ms,
            timely_ms,
            ..
        } = PaceConfig::default();
        Self {
            least_ms,
            most_ms,
            resend_ms,
            timely_ms,
        }
    }
}

impl From<PaceSettings> for PaceConfig {
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
    /// Reads a file, then lets the environment override it: `QUORATE_LISTEN`, `QUORATE_BOOT` and
    /// `QUORATE_ANNOUNCE` (addresses separated by commas), `QUORATE_MDNS` (true or false),
    /// `QUORATE_MONITOR` (address and port; nothing for off).
    ///
    /// # Errors
    /// [`ConfigError`] naming the file and field, or the variable.
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

    /// Lets variables override fields; `lookup` gives the value of a variable that is set.
    ///
    /// # Errors
    /// [`ConfigError::Variable`].
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
        wanted: "multiaddresses",
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
                .starts_with("QUORATE_MONITOR=`7490`: not an address"),
            "{error}"
        );
    }

    #[test]
    fn an_unknown_field_is_named() {
        let error = toml::from_str::<NodeConfig>("lisen = []").unwrap_err();
        assert!(error.to_string().contains("lisen"), "{error}");
    }
}
