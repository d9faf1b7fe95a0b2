//! Computing on photos, in processes of their own.
//!
//! Decoders are the one part that reads whatever people send, some of them in C. A crash, an endless loop or a memory bomb
//! there ends one child process, which holds no credential and no connection, and not the jobs beside it. A photo over
//! which two processes broke down is the reason itself, and is not tried again. One that somebody else ended (the kernel, for
//! want of memory, takes these first) says nothing about its photo, which is put off: a queue's limit has an eye on that.
//!
//! [`Workshop`] is the parent's side and owns the children; [`child`] is their side; [`frame`] is what goes between.

pub mod child;
mod frame;
mod memory;

use std::{
    os::unix::process::ExitStatusExt as _,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use decouple_contract::Renditions;
use rustix::process::Signal;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{Semaphore, SemaphorePermit},
};

use self::frame::Order;
use crate::{
    metrics::Metrics,
    photo::{self, Made, PhotoError, Wanted},
};

/// First argument of a child process.
pub const ARGUMENT: &str = "compute";
/// How a child's memory is had from the system. By default what a photo took goes back when it is done, and the next gets it again page
/// by page, which takes up to a quarter of all time. Large pages, where there are some, and else what is kept for the next photo
/// (64 MB at most) save most of that.
const MEMORY: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=67108864",
);
/// A photo is given up after it broke so many processes.
const TRIES: u32 = 2;
/// A photo that takes more, in MiB, has a process that is started for it, in which nothing is kept from those before it.
const LARGE_MIB: u32 = 128;

/// Why nothing was made of a photo.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ComputeError {
    /// The photo is the reason.
    #[error(transparent)]
    Photo(#[from] PhotoError),
    /// No process can be had. It may be otherwise later.
    #[error("no process could be started to decode photos")]
    NoProcess(#[source] std::io::Error),
    /// Somebody else ended the process that was at it. It may be otherwise later.
    #[error("the process that decoded it was ended from outside ({0}), as the system does when memory runs short")]
    Ended(String),
}

/// What is to be made of a photo.
#[derive(Clone)]
pub(crate) struct Photo {
    pub(crate) content: Bytes,
    pub(crate) renditions: Option<Renditions>,
    pub(crate) look: bool,
}

/// A place to compute on one core, held until everything about a photo that takes a core is done.
pub(crate) struct Place<'a> {
    workshop: &'a Workshop,
    photo: Photo,
    large: bool,
    _core: SemaphorePermit<'a>,
    _memory: SemaphorePermit<'a>,
}

/// Child processes, one for each core, and the memory that they may take together.
pub(crate) struct Workshop {
    cores: Semaphore,
    memory: Semaphore,
    /// All permits of `memory`: MiB.
    most: u32,
    idle: Mutex<Vec<Process>>,
    metrics: Arc<Metrics>,
}

impl Workshop {
    /// Makes one in which photos take so much memory together, or a part of what is free where nothing is said.
    pub(crate) fn new(mib: Option<u32>, metrics: Arc<Metrics>) -> Self {
        let most = mib.unwrap_or_else(memory::budget_mib).max(1);
        Self {
            cores: Semaphore::new(cores()),
            memory: Semaphore::new(most as usize),
            most,
            idle: Mutex::new(Vec::new()),
            metrics,
        }
    }

    /// Waits for a core, and for as much memory as a photo is going to take. What takes more than there is is refused.
    pub(crate) async fn place(&self, photo: Photo) -> Result<Place<'_>, PhotoError> {
        let asked = photo.clone();
        let need = tokio::task::spawn_blocking(move || {
            photo::need(&asked.content, Wanted { renditions: asked.renditions.as_ref(), look: asked.look })
        });
        let need = need.await.map_err(|_| PhotoError::Broken("its header breaks the decoder".to_owned()))??;
        let mib = u32::try_from(need.memory.div_ceil(1 << 20)).unwrap_or(u32::MAX);
        if mib > self.most {
            return Err(PhotoError::TooMuchMemory { width: need.width, height: need.height, mib, most: self.most });
        }
        let memory = self.memory.acquire_many(mib).await.expect("the semaphore is never closed");
        let core = self.cores.acquire().await.expect("the semaphore is never closed");
        Ok(Place { workshop: self, photo, large: mib > LARGE_MIB, _core: core, _memory: memory })
    }

    fn idle(&self) -> Option<Process> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put_back(&self, process: Process) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(process);
    }
}

/// Photos that are computed on side by side.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Place<'_> {
    /// Makes of the photo what is wanted. Dropping the future ends the process that was at it.
    pub(crate) async fn make(&self) -> Result<Made, ComputeError> {
        let Photo { content, renditions, look } = &self.photo;
        let order = Order { renditions: renditions.clone(), look: *look, length: content.len() };
        let (mut why, mut ended) = (String::new(), None);
        for attempt in 1..=TRIES {
            // The second one starts afresh, should the first have been spoilt by an earlier photo.
            let idle = self.workshop.idle().filter(|_| attempt == 1 && !self.large);
            let mut process = match idle {
                Some(process) => process,
                None => Process::start().map_err(|error| {
                    self.workshop.metrics.error("compute");
                    ComputeError::NoProcess(error)
                })?,
            };
            match process.make(&order, content).await {
                Ok(made) => {
                    self.workshop.put_back(process);
                    return Ok(made?);
                }
                Err(error) => {
                    let end = process.end(&error).await;
                    self.workshop.metrics.error("compute");
                    tracing::warn!(attempt, why = end.why, "a decoding process broke down");
                    if end.from_outside {
                        ended = Some(end.why);
                    } else {
                        why = end.why;
                    }
                }
            }
        }
        if let Some(ended) = ended {
            return Err(ComputeError::Ended(ended));
        }
        Err(PhotoError::Broken(format!("the decoder broke down over it ({why})")).into())
    }
}

/// A child process that waits for an order.
struct Process {
    child: Child,
    orders: ChildStdin,
    answers: ChildStdout,
}

impl Process {
    fn start() -> std::io::Result<Self> {
        // Its own program, even when the file was replaced meanwhile; nothing of the environment, which holds credentials.
        let mut child = Command::new("/proc/self/exe")
            .arg(ARGUMENT)
            .env_clear()
            .env(MEMORY.0, MEMORY.1)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()?;
        let missing = || std::io::Error::other("a pipe is missing");
        let orders = child.stdin.take().ok_or_else(missing)?;
        let answers = child.stdout.take().ok_or_else(missing)?;
        Ok(Self { child, orders, answers })
    }

    async fn make(&mut self, order: &Order, content: &[u8]) -> std::io::Result<Result<Made, PhotoError>> {
        let Self { orders, answers, .. } = self;
        let send = async {
            orders.write_all(&frame::head(order)?).await?;
            orders.write_all(content).await?;
            orders.flush().await
        };
        let (sent, answer) = tokio::join!(send, frame::read_answer(answers));
        // What the child answers says more than that it stopped reading.
        let answer = answer?;
        sent?;
        Ok(answer)
    }

    /// Says how a process came to its end.
    async fn end(mut self, error: &std::io::Error) -> End {
        drop(self.orders);
        // One that answered nonsense still runs, and it is this that ends it. One that ends already has its reason.
        let _ = self.child.start_kill();
        let gone = error.kind() != std::io::ErrorKind::Other;
        match self.child.wait().await {
            Ok(status) => End { why: status.to_string(), from_outside: gone && is_from_outside(status) },
            Err(_) => End { why: error.to_string(), from_outside: false },
        }
    }
}

/// How a process came to its end.
struct End {
    why: String,
    from_outside: bool,
}

/// Tells whether a process was ended by another: no decoder does that to itself.
fn is_from_outside(status: ExitStatus) -> bool {
    let signals = [Signal::KILL, Signal::TERM].map(Signal::as_raw);
    status.signal().is_some_and(|signal| signals.contains(&signal))
}
