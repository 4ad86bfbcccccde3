//! The frames of a client, followed by their first nine bytes: where a header block begins and ends, and how much is sent that
//! asks for work and carries nothing on.
//!
//! Guarantees: agrees with RFC 9113, section 4.1, on where frames lie; a pure function of the bytes. Must not: look into a payload,
//! or judge what the parser behind it judges (sizes, order, states).

/// What a client of HTTP/2 says first (RFC 9113, section 3.4).
pub(in super::super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEAD: usize = 9;

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const CONTINUATION: u8 = 0x9;

const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// Where in the byte stream of one connection we are.
#[derive(Debug)]
pub(super) struct Frames {
    state: State,
    /// A header block was begun and not ended.
    in_block: bool,
}

#[derive(Debug)]
enum State {
    Preface(usize),
    Head([u8; HEAD], usize),
    Payload(Payload),
}

#[derive(Clone, Copy, Debug)]
struct Payload {
    left: u32,
    is_data: bool,
    ends_block: bool,
}

/// What some bytes held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Header blocks that ended.
    pub(super) blocks: u32,
    /// Frames that cost work and carry no request on: `PING`, `SETTINGS`, `PRIORITY`, `RST_STREAM`, `WINDOW_UPDATE`, empty `DATA`,
    /// pieces of header blocks, and what nobody knows.
    pub(super) idle: u32,
}

impl Frames {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Preface(0),
            in_block: false,
        }
    }

    /// Whether the client is in the middle of something that comes in one go: anything but a body.
    pub(super) const fn is_within_head(&self) -> bool {
        match self.state {
            State::Preface(_) => true,
            State::Head(_, known) => self.in_block || known > 0,
            State::Payload(payload) => self.in_block || !payload.is_data,
        }
    }

    /// Follows `bytes`, which go on where those before ended.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> Seen {
        let mut seen = Seen::default();
        while !bytes.is_empty() {
            let taken = match &mut self.state {
                State::Preface(known) => {
                    let taken = bytes.len().min(PREFACE.len() - *known);
                    *known += taken;
                    if *known == PREFACE.len() {
                        self.state = State::Head([0; HEAD], 0);
                    }
                    taken
                }
                State::Head(head, known) => {
                    let places = head.iter_mut().skip(*known);
                    let taken = places.zip(bytes).map(|(to, from)| *to = *from).count();
                    *known += taken;
                    if *known == HEAD {
                        let head = *head;
                        self.begin(head, &mut seen);
                    }
                    taken
                }
                State::Payload(payload) => {
                    let here = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                    let taken = here.min(payload.left);
                    payload.left -= taken;
                    if payload.left == 0 {
                        let payload = *payload;
                        self.end(payload, &mut seen);
                    }
                    taken as usize
                }
            };
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        seen
    }

    /// A frame's head is whole.
    fn begin(&mut self, head: [u8; HEAD], seen: &mut Seen) {
        let [high, middle, low, kind, flags, ..] = head;
        let length = u32::from_be_bytes([0, high, middle, low]);
        let carries_on = match kind {
            HEADERS => true,
            DATA => length > 0 || flags & END_STREAM != 0,
            _ => false,
        };
        seen.idle += u32::from(!carries_on);
        let ends_block = flags & END_HEADERS != 0;
        if matches!(kind, HEADERS | CONTINUATION) {
            self.in_block = true;
        }
        let payload = Payload {
            left: length,
            is_data: kind == DATA,
            ends_block: ends_block && matches!(kind, HEADERS | CONTINUATION),
        };
        if length == 0 {
            self.end(payload, seen);
        } else {
            self.state = State::Payload(payload);
        }
    }

    /// A frame is whole.
    const fn end(&mut self, payload: Payload, seen: &mut Seen) {
        if payload.ends_block {
            self.in_block = false;
            seen.blocks += 1;
        }
        self.state = State::Head([0; HEAD], 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([kind, flags, 0, 0, 0, 1]);
        bytes.extend(payload);
        bytes
    }

    fn all() -> Vec<u8> {
        [
            PREFACE.to_vec(),
            frame(4, 0, &[0; 6]),
            frame(HEADERS, 0, b"half"),
            frame(CONTINUATION, END_HEADERS, b"rest"),
            frame(HEADERS, END_HEADERS | END_STREAM, b"whole"),
            frame(DATA, 0, b""),
            frame(DATA, 0, b"body"),
            frame(DATA, END_STREAM, b""),
            frame(6, 0, &[0; 8]),
            frame(0x77, 0, b""),
        ]
        .concat()
    }

    #[test]
    fn it_counts_alike_however_the_bytes_are_cut() {
        let all = all();
        let whole = Frames::new().follow(&all);
        assert_eq!((whole.blocks, whole.idle), (2, 5));
        for size in 1..all.len() {
            let mut frames = Frames::new();
            let mut sum = Seen::default();
            for piece in all.chunks(size) {
                let seen = frames.follow(piece);
                sum.blocks += seen.blocks;
                sum.idle += seen.idle;
            }
            assert_eq!(sum, whole, "in pieces of {size}");
            assert!(!frames.is_within_head());
        }
    }

    #[test]
    fn a_block_is_open_until_its_last_byte_and_a_body_is_no_head() {
        let mut frames = Frames::new();
        assert!(frames.is_within_head(), "the preface");
        frames.follow(PREFACE);
        assert!(!frames.is_within_head());
        frames.follow(&frame(HEADERS, 0, b"half"));
        assert!(frames.is_within_head(), "no END_HEADERS yet");
        let rest = frame(CONTINUATION, END_HEADERS, b"rest");
        frames.follow(&rest[..rest.len() - 1]);
        assert!(frames.is_within_head(), "a byte is missing");
        frames.follow(&rest[rest.len() - 1..]);
        assert!(!frames.is_within_head());
        frames.follow(&frame(DATA, 0, b"body")[..11]);
        assert!(!frames.is_within_head());
    }
}
