//! Listeners and addresses, as settings write them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::broker::{BrokerEndpoint, HostAndPort, SecurityProtocol};
use crate::settings::check::list;
use crate::settings::error::InvalidReason;

/// Where a broker accepts clients, and what it tells them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its name, in upper case.
    pub name: Arc<str>,
    /// Where to bind; an empty host means every address.
    pub bind: HostAndPort,
    /// What clients are told.
    pub advertised: HostAndPort,
    /// How the bytes are protected.
    pub security: SecurityProtocol,
}

impl Listener {
    /// The listener as a registration says it. Port 0 is what the system chose in `bound_port`.
    #[must_use]
    pub fn endpoint(&self, bound_port: u16) -> BrokerEndpoint {
        let mut address = self.advertised.clone();
        if address.port == 0 {
            address.port = bound_port;
        }
        BrokerEndpoint { listener: self.name.clone(), address, security: self.security }
    }
}

/// `NAME://HOST:PORT`, separated by commas, in order.
pub(crate) fn parse_listeners(value: &str) -> Result<Vec<(String, HostAndPort)>, InvalidReason> {
    let mut listeners: Vec<(String, HostAndPort)> = Vec::new();
    for item in list(value) {
        let (name, address) = item.split_once("://").ok_or(InvalidReason::NotAListener)?;
        let name_fits = !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if !name_fits {
            return Err(InvalidReason::NotAListener);
        }
        let address = parse_address(address).map_err(|_| InvalidReason::NotAListener)?;
        let name = name.to_ascii_uppercase();
        if listeners.iter().any(|(other, _)| *other == name) {
            return Err(InvalidReason::SharedListener { what: "name", shared: name });
        }
        listeners.push((name, address));
    }
    if listeners.is_empty() { Err(InvalidReason::Empty) } else { Ok(listeners) }
}

/// `HOST:PORT`; the host may be empty, and an IPv6 address stands in brackets.
///
/// # Errors
/// [`InvalidReason::NotAnAddress`].
pub fn parse_address(value: &str) -> Result<HostAndPort, InvalidReason> {
    let (host, port) = value.trim().rsplit_once(':').ok_or(InvalidReason::NotAnAddress)?;
    let port = port.parse::<u16>().map_err(|_| InvalidReason::NotAnAddress)?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or(InvalidReason::NotAnAddress)?,
        None if host.contains(':') => return Err(InvalidReason::NotAnAddress),
        None => host,
    };
    if host.contains(['/', ' ', '[', ']']) {
        return Err(InvalidReason::NotAnAddress);
    }
    Ok(HostAndPort::new(host, port))
}

/// `NAME:PROTOCOL` pairs, by name in upper case.
pub(crate) fn parse_security_map(
    value: &str,
) -> Result<BTreeMap<String, SecurityProtocol>, InvalidReason> {
    let mut map = BTreeMap::new();
    for item in list(value) {
        let (name, protocol) = item.split_once(':').ok_or(InvalidReason::NotAMap)?;
        let protocol = protocol.trim().to_ascii_uppercase();
        let security = SecurityProtocol::ALL.iter().find(|known| known.name() == protocol);
        let security = *security.ok_or(InvalidReason::UnsupportedSecurity { protocol })?;
        map.insert(name.trim().to_ascii_uppercase(), security);
    }
    Ok(map)
}

/// The listeners of a broker, with what clients are told of each.
pub(crate) fn resolve_listeners(
    listeners: &str,
    advertised: Option<&str>,
    security_map: &str,
) -> Result<Vec<Listener>, (&'static str, InvalidReason)> {
    let bound = parse_listeners(listeners).map_err(|reason| ("listeners", reason))?;
    let told = match advertised.filter(|value| !value.trim().is_empty()) {
        Some(value) => parse_listeners(value).map_err(|reason| (ADVERTISED, reason))?,
        None => Vec::new(),
    };
    if let Some((listener, _)) = told.iter().find(|(name, _)| !bound.iter().any(|(b, _)| b == name))
    {
        let listener = listener.clone();
        return Err((ADVERTISED, InvalidReason::AdvertisedWithoutListener { listener }));
    }
    check_ports(&bound).map_err(|reason| ("listeners", reason))?;
    let map = parse_security_map(security_map).map_err(|reason| (SECURITY_MAP, reason))?;
    let mut resolved = Vec::new();
    for (name, bind) in bound {
        let security = security_of(&map, &name).map_err(|reason| ("listeners", reason))?;
        let own = told.iter().find(|(told_name, _)| *told_name == name);
        let (setting, advertised) = match own {
            Some((_, address)) => (ADVERTISED, address.clone()),
            None => ("listeners", bind.clone()),
        };
        if is_everywhere(&advertised.host) {
            let host = match &*advertised.host {
                "" => "an empty host".to_owned(),
                host => host.to_owned(),
            };
            return Err((setting, InvalidReason::NotAdvertisable { host }));
        }
        resolved.push(Listener { name: Arc::from(name), bind, advertised, security });
    }
    Ok(resolved)
}

const ADVERTISED: &str = "advertised.listeners";
const SECURITY_MAP: &str = "listener.security.protocol.map";

fn check_ports(bound: &[(String, HostAndPort)]) -> Result<(), InvalidReason> {
    for (place, (_, address)) in bound.iter().enumerate() {
        let shared = |(_, other): &(String, HostAndPort)| other.port == address.port;
        if address.port != 0 && bound.iter().take(place).any(shared) {
            let shared = address.port.to_string();
            return Err(InvalidReason::SharedListener { what: "port", shared });
        }
    }
    Ok(())
}

fn security_of(
    map: &BTreeMap<String, SecurityProtocol>,
    name: &str,
) -> Result<SecurityProtocol, InvalidReason> {
    let unmapped = || InvalidReason::UnmappedListener { listener: name.to_owned() };
    match *map.get(name).ok_or_else(unmapped)? {
        SecurityProtocol::Plaintext => Ok(SecurityProtocol::Plaintext),
        other => Err(InvalidReason::UnsupportedSecurity { protocol: other.name().to_owned() }),
    }
}

/// Addresses that mean "all of this machine", which no client can connect to.
fn is_everywhere(host: &str) -> bool {
    matches!(host, "" | "0.0.0.0" | "::" | "*")
}
