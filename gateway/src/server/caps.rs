//! How many connections there may be, in all and from one address.
//!
//! Guarantees: a connection counts from accept to close, on whichever thread; the map holds addresses with open connections
//! only, so the total bounds it. Must not: be asked for each request.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashMap;

/// The connections of the process.
#[derive(Debug)]
pub struct Caps {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    per_address: usize,
    count: usize,
    addresses: HashMap<IpAddr, usize, foldhash::fast::RandomState>,
}

impl Caps {
    /// At most `total` connections, and `per_address` of one address.
    #[must_use]
    pub fn new(total: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            open: Mutex::new(Open {
                total,
                per_address,
                ..Open::default()
            }),
        })
    }

    /// From now on at most so many. Those there are stay, be they more.
    pub fn resize(&self, total: usize, per_address: usize) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        (open.total, open.per_address) = (total, per_address);
    }

    /// A place for a connection from `address`; nothing when there is none.
    #[must_use]
    pub fn enter(this: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut place = Self::enter_unknown(this)?;
        place.claim(address).then_some(place)
    }

    /// A place for a connection of which it is not known yet whose it is; nothing when there is none.
    #[must_use]
    pub fn enter_unknown(this: &Arc<Self>) -> Option<Place> {
        let mut open = this.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.count >= open.total {
            return None;
        }
        open.count += 1;
        Some(Place {
            caps: Arc::clone(this),
            address: None,
        })
    }
}

/// A connection's place, free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    caps: Arc<Caps>,
    address: Option<IpAddr>,
}

impl Place {
    /// Counts the connection for `address` from now on. Whether that one may have it; if not, the place should be given up.
    #[must_use]
    pub fn claim(&mut self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let open = self.caps.open.lock();
        let mut open = open.unwrap_or_else(PoisonError::into_inner);
        let known = open.addresses.get(&address).copied().unwrap_or_default();
        if known >= open.per_address || self.address.is_some() {
            return false;
        }
        open.addresses.insert(address, known + 1);
        drop(open);
        self.address = Some(address);
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let open = self.caps.open.lock();
        let mut open = open.unwrap_or_else(PoisonError::into_inner);
        open.count -= 1;
        let Some(address) = self.address else {
            return;
        };
        match open.addresses.get_mut(&address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                open.addresses.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_all_and_for_each_address_and_come_back() {
        let caps = Caps::new(3, 2);
        let one: IpAddr = [192, 0, 2, 1].into();
        let other: IpAddr = [192, 0, 2, 2].into();
        let first = Caps::enter(&caps, one);
        let second = Caps::enter(&caps, one);
        assert!(first.is_some() && second.is_some());
        assert!(Caps::enter(&caps, one).is_none(), "two of one address");
        let third = Caps::enter(&caps, other);
        assert!(third.is_some());
        assert!(Caps::enter(&caps, other).is_none(), "three in all");
        drop((first, second, third));
        assert!(Caps::enter(&caps, one).is_some());
        assert_eq!(caps.open.lock().unwrap().addresses.len(), 0);
    }
}
