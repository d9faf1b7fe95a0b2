//! The processes of a worker, as the kernel sees them: itself, and those in which it decodes.

use std::process::Command;

use super::Worker;

/// Sizes of memory in KiB.
pub(crate) const fn megabytes(megabytes: u64) -> u64 {
    megabytes * 1024
}

/// A process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(u32);

impl Process {
    /// The process that serves and receives.
    pub(crate) fn of(worker: &Worker) -> Self {
        Self(worker.pid())
    }

    /// Those that it has started. One that is not yet another program is not among them: until then its memory is its
    /// parent's.
    pub(crate) fn children(self) -> Vec<Self> {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{}/task", self.0)) else { return Vec::new() };
        let children =
            threads.flatten().filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
        children
            .flat_map(|ids| ids.split_whitespace().filter_map(|id| id.parse().ok().map(Self)).collect::<Vec<_>>())
            .filter(|child| child.command() != self.command())
            .collect()
    }

    fn command(self) -> Vec<u8> {
        std::fs::read(format!("/proc/{}/cmdline", self.0)).unwrap_or_default()
    }

    /// Names of the variables that it was started with.
    pub(crate) fn variables(self) -> Vec<String> {
        let environment = std::fs::read(format!("/proc/{}/environ", self.0)).unwrap_or_default();
        let variables = environment.split(|byte| *byte == 0).filter(|variable| !variable.is_empty());
        variables
            .map(|variable| String::from_utf8_lossy(variable).split('=').next().unwrap_or_default().into())
            .collect()
    }

    /// Memory that it has now, in KiB; none once it is gone.
    pub(crate) fn resident(self) -> u64 {
        self.status("VmRSS:")
    }

    /// Has the kernel forget the most memory that it has had.
    pub(crate) fn forget_peak(self) {
        // It may be gone already.
        let _ = std::fs::write(format!("/proc/{}/clear_refs", self.0), "5");
    }

    /// The most memory that it has had, or has had since that was forgotten, in KiB.
    pub(crate) fn peak(self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap_or_default();
        let found = status.lines().find_map(|found| found.strip_prefix(line));
        found.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }

    /// Sends it a signal. It may be gone already.
    pub(crate) fn signal(self, signal: &str) {
        let _ = Command::new("kill").args([signal, &self.0.to_string()]).status();
    }
}
