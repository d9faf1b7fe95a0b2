//! Processes by their ids: telling them to stop, and finding those that a crashed background process left behind.
//!
//! A process id alone may be somebody else's by now, so each is remembered together with the time at which it started.

use std::{fs, io, path::Path, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// A process that was started here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    pub(crate) pid: u32,
    /// Start time in ticks since boot, as the kernel tells it; absent where it does not.
    pub(crate) started: Option<u64>,
}

impl Remembered {
    /// Remembers a process that runs now.
    pub(crate) fn now(pid: u32) -> Self {
        Self { pid, started: start_time(pid) }
    }

    /// Tells whether the process still runs, and is the one that was meant.
    pub(crate) fn runs(&self) -> bool {
        self.started.is_some() && start_time(self.pid) == self.started
    }
}

/// Field 22 of `/proc/PID/stat`, counted behind the name, which may itself hold spaces and brackets. A zombie runs no more.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    if state == "Z" { None } else { fields.nth(18)?.parse().ok() }
}

/// Asks a process to finish. One that is gone already is fine.
pub(crate) fn terminate(pid: u32) {
    signal(pid, Signal::TERM);
}

/// Ends a process at once. One that is gone already is fine.
pub(crate) fn kill(pid: u32) {
    signal(pid, Signal::KILL);
}

fn signal(pid: u32, signal: Signal) {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    if let Err(error) = kill_process(pid, signal)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(pid = pid.as_raw_nonzero().get(), %error, "a process could not be signalled");
    }
}

/// Ends every process that is remembered in a directory, orderly first, and forgets it. Returns how many ran.
pub(crate) async fn end_all(directory: &Path, patience: Duration) -> io::Result<usize> {
    let mut left = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let remembered = fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Remembered>(&text).ok());
        match remembered.filter(Remembered::runs) {
            Some(process) => left.push((path, process)),
            None => fs::remove_file(&path)?,
        }
    }
    let count = left.len();
    for (_, process) in &left {
        terminate(process.pid);
    }
    let deadline = tokio::time::Instant::now() + patience;
    while left.iter().any(|(_, process)| process.runs()) {
        if tokio::time::Instant::now() >= deadline {
            for (_, process) in left.iter().filter(|(_, process)| process.runs()) {
                kill(process.pid);
            }
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for (path, _) in left {
        fs::remove_file(path)?;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start_time() {
        let own = Remembered::now(std::process::id());
        assert!(own.runs());
        assert!(!Remembered { pid: own.pid, started: Some(1) }.runs());
        assert!(!Remembered { pid: own.pid, started: None }.runs());
    }

    #[tokio::test]
    async fn what_was_left_behind_is_ended_and_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let mut child = tokio::process::Command::new("sleep").arg("600").spawn().unwrap();
        let process = Remembered::now(child.id().unwrap());
        fs::write(directory.path().join("a.json"), serde_json::to_vec(&process).unwrap()).unwrap();
        fs::write(directory.path().join("b.json"), b"half writ").unwrap();
        assert_eq!(end_all(directory.path(), Duration::from_secs(10)).await.unwrap(), 1);
        assert!(!child.wait().await.unwrap().success());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
