//! Where a request is from: lists of networks. Must not: know how the address was found; that is [`super::super::identify`]'s part.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::proxy::settings::AddressesSettings;

/// An allow list and a deny list.
#[derive(Debug)]
pub(super) struct Addresses {
    allow: Vec<IpNet>,
    deny: Vec<IpNet>,
}

impl Addresses {
    pub(super) fn new(settings: &AddressesSettings) -> Self {
        Self {
            allow: settings.allow.clone(),
            deny: settings.deny.clone(),
        }
    }

    /// The deny list wins; an empty allow list allows.
    pub(super) fn admits(&self, address: IpAddr) -> bool {
        !within(&self.deny, address) && (self.allow.is_empty() || within(&self.allow, address))
    }
}

/// Whether one of `networks` holds `address`; an IPv4 address is itself in either form.
pub(in crate::proxy) fn within(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deny_list_wins_and_an_empty_allow_list_allows() {
        let networks = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let admits = |allow: &[&str], deny: &[&str], address: &str| {
            let lists = Addresses {
                allow: networks(allow),
                deny: networks(deny),
            };
            lists.admits(address.parse().unwrap())
        };
        assert!(admits(&[], &[], "192.0.2.1"));
        assert!(admits(&["192.0.2.0/24"], &[], "::ffff:192.0.2.1"));
        assert!(!admits(&["192.0.2.0/24"], &[], "2001:db8::1"));
        assert!(!admits(&["192.0.2.0/24"], &["192.0.2.1/32"], "192.0.2.1"));
        assert!(!admits(&[], &["192.0.2.0/24"], "::ffff:192.0.2.1"));
    }
}
