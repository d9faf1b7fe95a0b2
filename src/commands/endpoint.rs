//! `decouple endpoint`: S3, SQS and SNS alone, in the foreground, for the tests of any project.
//!
//! It prints the variables that AWS clients read, or runs a command with them set and ends with it. It knows nothing of
//! environments: what it keeps is in a directory of its own.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    fs::DirBuilder,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::{fs::DirBuilderExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::ExitStatus,
};

use clap::Args;
use decouple_endpoint::{Config, Credentials, Endpoint, Hosts, OpenError, StoreError};
use serde::Serialize;
use tempfile::TempDir;
use tokio::{net::TcpListener, process::Command};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::{Context, signals::interrupted};
use crate::{
    error::{Error, Kind, chain},
    local::files,
};

/// The port that people know from other local AWS endpoints.
const PORT: u16 = 4566;
const REGION: &str = "us-east-1";
/// What is logged where nobody says otherwise. The S3 library calls every answer that is no success an error.
const LOGGED: &str = "warn,s3s=off";
/// What a shell adds to the number of the signal that ended a command.
const SIGNALLED: i32 = 128;

/// Arguments of `endpoint`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Port; 0 takes any that is free [default: 4566, or any with a COMMAND]
    #[arg(long, short)]
    port: Option<u16>,
    /// Directory to keep everything in [default: a temporary one, removed at the end]
    #[arg(long, short, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Access key id that requests must be signed with
    #[arg(long, default_value = "test", value_name = "ID")]
    access_key_id: String,
    /// Secret access key that requests must be signed with
    #[arg(long, default_value = "test", value_name = "SECRET", hide_default_value = true)]
    secret_access_key: String,
    /// Account in ARNs and queue URLs
    #[arg(long, default_value = Config::DEFAULT_ACCOUNT, value_name = "DIGITS")]
    account: String,
    /// Address to listen on; any other than loopback lets other machines in
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_name = "ADDRESS")]
    listen: IpAddr,
    /// Name, besides localhost, that requests may be addressed to (that of a container, say); may be repeated
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Command to run with the variables set; the endpoint ends with it, and has its exit code
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs `endpoint`.
pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<u8, Error> {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_env_filter(EnvFilter::try_from_env("DECOUPLE_LOG").unwrap_or_else(|_| EnvFilter::new(LOGGED)))
        .init();
    files::raise_limit();
    let listener = bind(arguments).await?;
    let directory = Directory::of(arguments.data_dir.as_deref())?;
    let region = context.common.region.as_deref().unwrap_or(REGION);
    let endpoint =
        Endpoint::open(config(arguments, directory.path(), region)).await.map_err(|error| open_error(&error))?;
    let endpoint = endpoint.answering_to(hosts(arguments));
    let started = Started::new(arguments, &listener, &directory, region)?;

    let shutdown = CancellationToken::new();
    let mut serving = tokio::spawn(endpoint.serve(listener, shutdown.clone()));
    let result = tokio::select! {
        ended = &mut serving => return ended.map_err(|error| bug(&error))?.map_err(|error| Error::failed(&error)).map(|()| 0),
        result = until_told(context, &started, &arguments.command) => result,
    };
    shutdown.cancel();
    tokio::select! {
        ended = serving => ended.map_err(|error| bug(&error))?.map_err(|error| Error::failed(&error))?,
        () = interrupted() => return Err(Error::new(Kind::Cancelled, "left at once; what was acknowledged is kept")),
    }
    result
}

/// Announces the endpoint, or runs the command, until either is over.
async fn until_told(context: &Context, started: &Started, command: &[OsString]) -> Result<u8, Error> {
    if let Some((program, arguments)) = command.split_first() {
        return run_command(program, arguments, &started.environment).await;
    }
    context.ui.result(started)?;
    for line in &started.notes {
        context.ui.note(line);
    }
    interrupted().await;
    context.ui.note("stopping (again to leave at once)");
    Ok(0)
}

/// Runs a command to its end, and passes on that it should stop.
async fn run_command(
    program: &OsString,
    arguments: &[OsString],
    environment: &BTreeMap<&'static str, String>,
) -> Result<u8, Error> {
    let name = program.to_string_lossy();
    let failed = |error: io::Error| {
        Error::new(Kind::Failed, format!("`{name}` cannot be run: {error}")).hint("is it installed, and on the PATH?")
    };
    let mut child =
        Command::new(program).args(arguments).envs(environment).kill_on_drop(true).spawn().map_err(failed)?;
    let status = tokio::select! {
        status = child.wait() => status,
        () = interrupted() => {
            if let Some(id) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
                // One that has just ended needs no telling.
                let _gone = rustix::process::kill_process(id, rustix::process::Signal::TERM);
            }
            tokio::select! {
                status = child.wait() => status,
                () = interrupted() => return Err(Error::new(Kind::Cancelled, format!("`{name}` was killed"))),
            }
        }
    };
    status.map(exit_code).map_err(failed)
}

/// The code that a shell would give.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| SIGNALLED + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

async fn bind(arguments: &Arguments) -> Result<TcpListener, Error> {
    let port = arguments.port.unwrap_or(if arguments.command.is_empty() { PORT } else { 0 });
    let address = SocketAddr::new(arguments.listen, port);
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Error::new(Kind::Failed, format!("{address} is taken by another program"))
            .hint("choose another port: decouple endpoint --port 4567")
            .hint("take any that is free: decouple endpoint --port 0"),
        io::ErrorKind::PermissionDenied => {
            Error::new(Kind::Failed, format!("listening on {address} is not allowed: {error}"))
                .hint("choose a port from 1024 on")
        }
        _ => Error::new(Kind::Usage, format!("cannot listen on {address}: {error}"))
            .hint("`--listen` takes an address of this machine"),
    })
}

fn config(arguments: &Arguments, data_dir: &Path, region: &str) -> Config {
    Config {
        data_dir: data_dir.to_owned(),
        region: region.to_owned(),
        account: arguments.account.clone(),
        credentials: Credentials {
            access_key_id: arguments.access_key_id.clone(),
            secret_access_key: arguments.secret_access_key.clone(),
        },
    }
}

fn hosts(arguments: &Arguments) -> Hosts {
    let hosts = Hosts::loopback().and_names(arguments.hosts.iter().cloned());
    if arguments.listen.is_loopback() { hosts } else { hosts.and_addresses() }
}

fn open_error(error: &OpenError) -> Error {
    let kind = match error {
        OpenError::Account { .. } | OpenError::Region { .. } | OpenError::Credentials => Kind::Usage,
        OpenError::Store(StoreError::Locked { .. }) => Kind::Locked,
        OpenError::Store(_) => Kind::Failed,
    };
    Error::new(kind, chain(error))
}

fn bug(error: &tokio::task::JoinError) -> Error {
    Error::new(Kind::Bug, error.to_string())
}

/// Where everything is kept.
enum Directory {
    Named(PathBuf),
    /// Removed at the end.
    Temporary(TempDir),
}

impl Directory {
    fn of(named: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = named else {
            let made = tempfile::Builder::new().prefix("decouple-endpoint-").tempdir();
            let failed = |error| Error::new(Kind::Failed, format!("a temporary directory cannot be made: {error}"));
            return made.map(Self::Temporary).map_err(failed);
        };
        // Readable by this user alone: it holds what messages and objects do.
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path).and_then(|()| path.canonicalize());
        let failed = |error| {
            Error::new(Kind::Failed, format!("the data directory {} cannot be made: {error}", path.display()))
                .hint("choose another: --data-dir DIR")
        };
        made.map(Self::Named).map_err(failed)
    }

    fn path(&self) -> &Path {
        match self {
            Self::Named(path) => path,
            Self::Temporary(directory) => directory.path(),
        }
    }
}

/// An endpoint that serves: what a client needs to know.
#[derive(Serialize)]
struct Started {
    endpoint_url: String,
    port: u16,
    region: String,
    account: String,
    data_dir: PathBuf,
    /// Variables that AWS clients read.
    environment: BTreeMap<&'static str, String>,
    #[serde(skip)]
    notes: Vec<String>,
}

impl Started {
    fn new(arguments: &Arguments, listener: &TcpListener, directory: &Directory, region: &str) -> Result<Self, Error> {
        let address = listener.local_addr().map_err(|error| Error::new(Kind::Failed, error.to_string()))?;
        // Clients cannot connect to the address that stands for all of them.
        let host = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
        let endpoint_url = format!("http://{}", SocketAddr::new(host, address.port()));
        let environment = BTreeMap::from([
            ("AWS_ACCESS_KEY_ID", arguments.access_key_id.clone()),
            ("AWS_DEFAULT_REGION", region.to_owned()),
            ("AWS_ENDPOINT_URL", endpoint_url.clone()),
            ("AWS_REGION", region.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", arguments.secret_access_key.clone()),
        ]);
        let kept = match directory {
            Directory::Named(path) => format!("kept in {}", path.display()),
            Directory::Temporary(_) => "removed at the end; to keep it: --data-dir DIR".to_owned(),
        };
        let mut notes = vec![format!("S3, SQS and SNS answer at {endpoint_url}; what is stored is {kept}")];
        if !arguments.listen.is_loopback() {
            notes.push(format!("whoever can reach {address} and knows the keys can use it, without encryption"));
        }
        notes.push("Ctrl-C ends it".to_owned());
        Ok(Self {
            endpoint_url,
            port: address.port(),
            region: region.to_owned(),
            account: arguments.account.clone(),
            data_dir: directory.path().to_owned(),
            environment,
            notes,
        })
    }
}

/// Commands for a POSIX shell.
impl fmt::Display for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.environment.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}export {name}='{}'", value.replace('\'', r"'\''"))?;
        }
        Ok(())
    }
}
