//! Network interfaces that come up while a node runs: the middleware talks on those that were there when it began.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

/// Name and address of a network interface.
pub type Interface = (String, Ipv4Addr);

/// The interfaces that were seen so far.
#[derive(Debug)]
pub struct Interfaces(BTreeSet<Interface>);

impl Interfaces {
    /// Makes what remembers the interfaces of now.
    #[must_use]
    pub fn of_now() -> Self {
        Self(look())
    }

    /// An interface that is up and that was not there before; each is told once.
    pub fn came_up(&mut self) -> Option<Interface> {
        self.newer(look())
    }

    fn newer(&mut self, present: BTreeSet<Interface>) -> Option<Interface> {
        let found = present.into_iter().find(|one| !self.0.contains(one))?;
        self.0.insert(found.clone());
        Some(found)
    }
}

/// The interfaces that are up, but the loopback one; none where the system does not tell.
fn look() -> BTreeSet<Interface> {
    let all = getifaddrs().into_iter().flatten().filter(|one| {
        one.flags.contains(InterfaceFlags::IFF_UP)
            && !one.flags.contains(InterfaceFlags::IFF_LOOPBACK)
    });
    all.filter_map(|one| {
        let address = one.address?.as_sockaddr_in()?.ip();
        Some((one.interface_name, address))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_interface_that_comes_up_is_told_once() {
        let one = |name: &str, last| (name.to_owned(), Ipv4Addr::new(10, 0, 0, last));
        let set = |all: &[Interface]| all.iter().cloned().collect::<BTreeSet<_>>();
        let mut interfaces = Interfaces(set(&[one("eth0", 1)]));
        assert_eq!(interfaces.newer(set(&[one("eth0", 1)])), None);
        assert_eq!(interfaces.newer(set(&[])), None, "one that goes");
        assert_eq!(interfaces.newer(set(&[one("eth0", 1)])), None);
        let present = set(&[one("eth0", 2), one("wlan0", 7)]);
        assert_eq!(interfaces.newer(present.clone()), Some(one("eth0", 2)));
        assert_eq!(interfaces.newer(present.clone()), Some(one("wlan0", 7)));
        assert_eq!(interfaces.newer(present), None);
        assert_eq!(Interfaces::of_now().came_up(), None);
    }
}
