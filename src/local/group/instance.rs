//! One worker process from its start to its end.

use std::{
    fs::{self, OpenOptions},
    io,
    net::TcpListener,
    os::unix::fs::OpenOptionsExt,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use decouple_contract::env;
use tokio::{
    process::{Child, Command},
    sync::watch,
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

use super::{Instance, Outstanding, Spec, health};
use crate::local::{
    logs,
    process::{self, Remembered},
};

/// How far an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It was started and has not answered yet.
    Starting,
    /// It serves.
    InService,
    /// It served and does not answer at present.
    Unhealthy,
    /// It is finishing what it has begun.
    Draining,
}

/// Until an instance answers for the first time, it is asked often: `up` waits for it.
const ASK_OFTEN: Duration = Duration::from_millis(25);
/// After that, seldom enough to cost nothing.
const ASK: Duration = Duration::from_secs(2);
/// So many answers must be missed before an instance that served is taken out of service.
const MISSED_UNHEALTHY: u32 = 2;
/// So many before it is ended, to be replaced.
const MISSED_REPLACED: u32 = 8;
/// An instance that never answered in this time is ended, to be replaced.
const START: Duration = Duration::from_mins(1);

/// What the supervisor holds of an instance.
pub(super) struct Handle {
    pub(super) view: watch::Receiver<Instance>,
    pub(super) drain: CancellationToken,
    /// Which specification it was started from; a later one has a higher number.
    pub(super) generation: u64,
}

/// How an instance ended.
pub(super) struct Ended {
    pub(super) id: String,
    pub(super) ran: Duration,
    /// Why, unless it was told to.
    pub(super) failure: Option<String>,
}

/// What an instance is told of itself.
pub(super) struct Placement {
    pub(super) id: String,
    pub(super) market: &'static str,
    pub(super) zone: &'static str,
    pub(super) generation: u64,
}

/// Starts a process. Its end is returned by the future.
pub(super) fn start(
    spec: &Spec,
    placement: &Placement,
) -> io::Result<(Handle, impl Future<Output = Ended> + Send + use<>)> {
    let port = free_port()?;
    let mut child = spawn(spec, &placement.id, port)?;
    let pid = child.id().unwrap_or_default();
    let remembered = spec.remembered.join(format!("{}.json", placement.id));
    let record = serde_json::to_vec(&Remembered::now(pid)).map_err(io::Error::other)?;
    if let Err(error) = fs::write(&remembered, record) {
        // A process that nobody remembers would outlive a crash of ours.
        child.start_kill()?;
        return Err(error);
    }
    let (publish, view) = watch::channel(Instance {
        id: placement.id.clone(),
        pid,
        port,
        phase: Phase::Starting,
        reason: None,
        market: placement.market,
        zone: placement.zone,
        since: jiff::Timestamp::now(),
        outstanding: Outstanding::default(),
        generation: placement.generation,
    });
    let drain = CancellationToken::new();
    let handle = Handle { view, drain: drain.clone(), generation: placement.generation };
    let watched = Watched { child, publish, drain, started: Instant::now(), spec: spec.clone() };
    let end = async move {
        let ended = watched.run().await;
        if let Err(error) = fs::remove_file(&remembered) {
            tracing::warn!(path = %remembered.display(), %error, "a process that ended could not be forgotten");
        }
        ended
    };
    Ok((handle, end))
}

/// Asks the kernel for a port. Somebody may take it before the worker does: the worker then ends, and is started again
/// with another.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn spawn(spec: &Spec, id: &str, port: u16) -> io::Result<Child> {
    let path = logs::file(&spec.logs, id);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let mut command = Command::new(&spec.program);
    command.env_clear();
    for name in ["PATH", "HOME", "TMPDIR", "LANG", "TZ"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .envs(&spec.environment)
        .env(env::INSTANCE, id)
        .env(env::LISTEN, format!("127.0.0.1:{port}"))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // Ctrl-C in a terminal reaches a whole process group: workers are drained, never interrupted.
        .process_group(0)
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("{} does not start: {error}", spec.program.display())))
}

/// A process that is being watched.
struct Watched {
    child: Child,
    publish: watch::Sender<Instance>,
    drain: CancellationToken,
    started: Instant,
    spec: Spec,
}

impl Watched {
    async fn run(mut self) -> Ended {
        let drain = self.drain.clone();
        let status = tokio::select! {
            status = self.child.wait() => status,
            () = self.publish.closed() => self.finish().await,
            () = drain.cancelled() => { let status = self.finish().await; return self.ended(status, true) }
            () = watch_health(&self.publish, self.started) => self.end().await,
        };
        self.ended(status, false)
    }

    /// Ends a process that does not answer.
    async fn end(&mut self) -> io::Result<ExitStatus> {
        self.child.start_kill()?;
        self.child.wait().await
    }

    /// First the balancer's requests, then the process's own work, then the end.
    async fn finish(&mut self) -> io::Result<ExitStatus> {
        self.publish.send_modify(|view| {
            view.phase = Phase::Draining;
            view.reason = Some("finishing what it has begun".to_owned());
        });
        let outstanding = self.publish.borrow().outstanding.clone();
        let idle = async {
            while outstanding.get() > 0 {
                tokio::time::sleep(ASK_OFTEN).await;
            }
        };
        tokio::select! {
            status = self.child.wait() => return status,
            _ = tokio::time::timeout(self.spec.deregistration, idle) => {}
        }
        process::terminate(self.publish.borrow().pid);
        match tokio::time::timeout(self.spec.drain, self.child.wait()).await {
            Ok(status) => status,
            Err(_) => self.end().await,
        }
    }

    fn ended(&self, status: io::Result<ExitStatus>, told: bool) -> Ended {
        let view = self.publish.borrow();
        let failure = (!told).then(|| {
            let how = match (status, &view.reason) {
                (Ok(status), Some(reason)) if status.code().is_none() => format!("{reason}; {status}"),
                (Ok(status), _) => status.to_string(),
                (Err(error), _) => error.to_string(),
            };
            let tail = logs::tail(&logs::file(&self.spec.logs, &view.id), 5);
            let said =
                if tail.is_empty() { String::new() } else { format!("; the end of its log:\n{}", tail.join("\n")) };
            format!("{} ended ({how}){said}", view.id)
        });
        Ended { id: view.id.clone(), ran: self.started.elapsed(), failure }
    }
}

/// Publishes how an instance is, and returns when it should be replaced.
async fn watch_health(publish: &watch::Sender<Instance>, started: Instant) {
    let port = publish.borrow().port;
    let mut often = tokio::time::interval(ASK_OFTEN);
    often.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        often.tick().await;
        match health::check(port).await {
            Ok(()) => break set(publish, Phase::InService, None),
            Err(reason) => set(publish, Phase::Starting, Some(reason)),
        }
        if started.elapsed() > START {
            return;
        }
    }
    let mut seldom = tokio::time::interval(ASK);
    seldom.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut missed = 0;
    while missed < MISSED_REPLACED {
        seldom.tick().await;
        match health::check(port).await {
            Ok(()) => {
                missed = 0;
                set(publish, Phase::InService, None);
            }
            Err(reason) => {
                missed += 1;
                if missed >= MISSED_UNHEALTHY {
                    set(publish, Phase::Unhealthy, Some(reason));
                }
            }
        }
    }
}

/// Followers are woken only by a change.
fn set(publish: &watch::Sender<Instance>, phase: Phase, reason: Option<String>) {
    publish.send_if_modified(|view| {
        let changed = view.phase != phase || view.reason != reason;
        view.phase = phase;
        view.reason = reason;
        changed
    });
}
