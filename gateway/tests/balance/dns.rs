//! A DNS server for one name: answers what it is told to, over UDP.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;

/// What a query is answered with.
#[derive(Clone, Debug)]
pub(crate) enum Zone {
    /// A records of the name, with their time to live in seconds.
    Addresses(Vec<Ipv4Addr>, u32),
    /// The name does not exist.
    Nothing,
}

/// A server that runs until the test's runtime ends.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    asked: Arc<Mutex<u64>>,
}

impl Server {
    pub(crate) async fn start(zone: Zone) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (zone, asked) = (Arc::new(Mutex::new(zone)), Arc::new(Mutex::new(0)));
        let (shared, count) = (Arc::clone(&zone), Arc::clone(&asked));
        tokio::spawn(async move {
            let mut query = [0; 512];
            while let Ok((length, peer)) = socket.recv_from(&mut query).await {
                *count.lock().unwrap() += 1;
                let answer = answer(&query[..length], &shared.lock().unwrap().clone());
                let _ = socket.send_to(&answer, peer).await;
            }
        });
        Self {
            address,
            zone,
            asked,
        }
    }

    pub(crate) fn set(&self, zone: Zone) {
        *self.zone.lock().unwrap() = zone;
    }

    pub(crate) fn asked(&self) -> u64 {
        *self.asked.lock().unwrap()
    }
}

/// RFC 1035, section 4: the query's id and question, and the records; other types than A are answered with none.
fn answer(query: &[u8], zone: &Zone) -> Vec<u8> {
    let name = query[12..].iter().position(|byte| *byte == 0).unwrap();
    let question = &query[12..12 + name + 5];
    let wants_a = question[name + 1..name + 3] == [0, 1];
    let (code, records, ttl) = match zone {
        Zone::Addresses(all, ttl) if wants_a => (0, all.clone(), *ttl),
        Zone::Addresses(_, ttl) => (0, Vec::new(), *ttl),
        Zone::Nothing => (3, Vec::new(), 0),
    };
    let mut answer = query[..2].to_vec();
    answer.extend([0x84 | (query[2] & 1), 0x80 | code]);
    answer.extend([0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
    answer.extend(question);
    for address in records {
        // The name, as a pointer to the question's.
        answer.extend([0xc0, 12, 0, 1, 0, 1]);
        answer.extend(ttl.to_be_bytes());
        answer.extend([0, 4]);
        answer.extend(address.octets());
    }
    answer
}
