//! Computing on photos, in processes of their own.
//!
//! Decoders are the one part that reads whatever people send, some of them in C. A crash, an endless loop or a memory bomb
//! there ends one child process, which holds no credential and no connection, and not the jobs beside it. A photo over
//! which two processes broke down is the reason itself, and is not tried again.
//!
//! [`Workshop`] is the parent's side and owns the children; [`child`] is their side; [`frame`] is what goes between.

pub mod child;
mod frame;
mod memory;

use std::{
    process::Stdio,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use decouple_contract::Renditions;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{Semaphore, SemaphorePermit},
};

use self::frame::Order;
use crate::photo::{self, Made, PhotoError};

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

/// Why nothing was made of a photo.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ComputeError {
    /// The photo is the reason.
    #[error(transparent)]
    Photo(#[from] PhotoError),
    /// No process can be had. It may be otherwise later.
    #[error("no process could be started to decode photos")]
    NoProcess(#[source] std::io::Error),
}

/// A place to compute on one core, held until everything about a photo that takes a core is done.
pub(crate) struct Place<'a> {
    workshop: &'a Workshop,
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
}

impl Workshop {
    pub(crate) fn new() -> Self {
        let most = memory::budget_mib();
        Self {
            cores: Semaphore::new(cores()),
            memory: Semaphore::new(most as usize),
            most,
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Waits for a core, and for as much memory as a photo is going to take.
    pub(crate) async fn place(&self, content: &Bytes) -> Result<Place<'_>, PhotoError> {
        let content = content.clone();
        let header = tokio::task::spawn_blocking(move || photo::inspect(&content)).await;
        let header = header.map_err(|_| PhotoError::Broken("its header breaks the decoder".to_owned()))??;
        // One that wants more than there is gets all of it, alone.
        let mib = u32::try_from(header.memory >> 20).unwrap_or(u32::MAX).clamp(1, self.most);
        let memory = self.memory.acquire_many(mib).await.expect("the semaphore is never closed");
        let core = self.cores.acquire().await.expect("the semaphore is never closed");
        Ok(Place { workshop: self, _core: core, _memory: memory })
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
    /// Makes of a photo what is wanted. Dropping the future ends the process that was at it.
    pub(crate) async fn make(
        &self,
        content: &Bytes,
        renditions: Option<&Renditions>,
        look: bool,
    ) -> Result<Made, ComputeError> {
        let order = Order { renditions: renditions.cloned(), look, length: content.len() };
        let mut why = String::new();
        for attempt in 1..=TRIES {
            // The second one starts afresh, should the first have been spoilt by an earlier photo.
            let idle = if attempt == 1 { self.workshop.idle() } else { None };
            let mut process = match idle {
                Some(process) => process,
                None => Process::start().map_err(ComputeError::NoProcess)?,
            };
            match process.make(&order, content).await {
                Ok(made) => {
                    self.workshop.put_back(process);
                    return Ok(made?);
                }
                Err(error) => {
                    why = process.end(&error).await;
                    tracing::warn!(attempt, why, "a decoding process broke down");
                }
            }
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
    async fn end(mut self, error: &std::io::Error) -> String {
        drop(self.orders);
        let _ = self.child.start_kill();
        match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(_) => error.to_string(),
        }
    }
}
