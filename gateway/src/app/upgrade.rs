//! Another program in place of this one, on the same listening sockets: SIGUSR2.
//!
//! The running process starts the new one with a pair of sockets as its standard input, passes it every listening socket (`SCM_RIGHTS`)
//! and waits to hear that it is ready. Then it tells it to go on, closes its own ends and drains. A connection that waits to be accepted
//! waits in the kernel, in a queue that both processes had open: none is lost.
//!
//! Guarantees: unless the new process says in time that it is ready, it is ended and this one goes on as if nothing had been. Must not:
//! decide how this process drains.

use std::ffi::OsString;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

/// Says to a new process that its standard input is its predecessor.
const MARK: &str = "GATEWAY_HANDOVER";
/// Variables that are about this process alone: what systemd passed it, and whose watchdog it is.
const OWN: [&str; 4] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"];
/// How long the new process may take until it listens.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest message.
const LONGEST: usize = 16;

const END: &str = "end";
const READY: &str = "ready";
const GO: &str = "go";

/// Why the old process goes on.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The first process of a container takes all others with it.
    #[error(
        "this is the first process of its container, which ends with it: replace the container"
    )]
    First,
    /// The system refuses, or the new process ended or took too long.
    #[error("the new process did not come to listen: {0}")]
    NotReady(#[from] io::Error),
}

/// How this process was started, looked at before anything could change: a new file under the same name is what is started next.
#[derive(Clone, Debug)]
pub(super) struct Program {
    file: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    pub(super) fn own() -> io::Result<Self> {
        Ok(Self {
            file: std::env::current_exe()?,
            arguments: std::env::args_os().skip(1).collect(),
        })
    }

    /// Starts it and hands `sockets` over. Blocks until it is ready, and returns it waiting to be told to go on.
    ///
    /// # Errors
    /// [`UpgradeError`]; then it does not run.
    pub(super) fn succeed(
        &self,
        sockets: &[(&str, TcpListener)],
    ) -> Result<Successor, UpgradeError> {
        if std::process::id() == 1 {
            return Err(UpgradeError::First);
        }
        let (own, other) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(io::Error::from)?;
        let mut command = Command::new(&self.file);
        command.args(&self.arguments).env(MARK, "1");
        for name in OWN {
            command.env_remove(name);
        }
        let child = command.stdin(Stdio::from(other)).spawn()?;
        // The command still has the other end: with it open, the end of the new process would not be heard.
        drop(command);
        let mut successor = Successor {
            line: Line(own),
            child: Some(child),
        };
        successor.prepare(sockets)?;
        Ok(successor)
    }
}

/// The new process. Dropped before it was told to go on, it is ended.
#[derive(Debug)]
pub(super) struct Successor {
    line: Line,
    child: Option<Child>,
}

impl Successor {
    fn prepare(&mut self, sockets: &[(&str, TcpListener)]) -> io::Result<()> {
        set_socket_timeout(&self.line.0, Timeout::Recv, Some(PATIENCE))?;
        set_socket_timeout(&self.line.0, Timeout::Send, Some(PATIENCE))?;
        for (name, socket) in sockets {
            self.line.send(name, Some(socket))?;
        }
        self.line.send(END, None)?;
        match self.line.receive()? {
            (said, None) if said == READY => Ok(()),
            (said, _) => Err(io::Error::other(format!("it said `{said}`"))),
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// It is alone from now on.
    pub(super) fn go(mut self) {
        // It goes on as well when it hears that nobody is there any more.
        let _ = self.line.send(GO, None);
        self.child = None;
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A socket and its name.
pub(super) type Named = (String, TcpListener);

/// The process this one takes the place of.
#[derive(Debug)]
pub(super) struct Predecessor(Line);

impl Predecessor {
    /// Whether there is one, and its sockets.
    pub(super) fn find() -> io::Result<Option<(Self, Vec<Named>)>> {
        if std::env::var_os(MARK).is_none() {
            return Ok(None);
        }
        let line = Line(io::stdin().as_fd().try_clone_to_owned()?);
        let mut sockets = Vec::new();
        loop {
            match line.receive()? {
                (name, Some(socket)) => sockets.push((name, TcpListener::from(socket))),
                (said, None) if said == END => return Ok(Some((Self(line), sockets))),
                (said, None) => return Err(io::Error::other(format!("it said `{said}`"))),
            }
        }
    }

    /// Says that this process listens, and waits until the other has left it the field.
    pub(super) fn relieve(self) -> io::Result<()> {
        self.0.send(READY, None)?;
        // Its end is leave as well.
        let _ = self.0.receive();
        Ok(())
    }
}

/// Messages, each with at most one socket.
#[derive(Debug)]
struct Line(OwnedFd);

impl Line {
    fn send(&self, said: &str, socket: Option<&TcpListener>) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let passed = socket.map(|socket| [socket.as_fd()]);
        if let Some(passed) = &passed {
            control.push(SendAncillaryMessage::ScmRights(passed));
        }
        let said = [IoSlice::new(said.as_bytes())];
        sendmsg(&self.0, &said, &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    fn receive(&self) -> io::Result<(String, Option<OwnedFd>)> {
        let mut text = [0; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut said = [IoSliceMut::new(&mut text)];
        let received = recvmsg(&self.0, &mut said, &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let passed = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
            _ => None,
        });
        if received.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let said = text.get(..received.bytes).unwrap_or_default();
        Ok((String::from_utf8_lossy(said).into_owned(), passed))
    }
}
