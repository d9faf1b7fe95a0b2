//! How much memory photos may take together.

use std::fs;

/// Where nothing says how much memory there is.
const UNKNOWN_MIB: u64 = 512;
/// As much as any photo takes that is not made to cost much. That little happens to be free at the start is no reason to refuse it later.
const LEAST_MIB: u32 = 200;

/// Returns half of what is free, on the machine or in the control group that this process is in, in MiB.
pub(super) fn budget_mib() -> u32 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available_kib(&text)).map(|kib| kib / 1024);
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse::<u64>().ok());
    let least = machine.into_iter().chain(group.map(|bytes| bytes >> 20)).min().unwrap_or(UNKNOWN_MIB);
    u32::try_from(least / 2).unwrap_or(u32::MAX).max(LEAST_MIB)
}

fn available_kib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        assert_eq!(available_kib("MemTotal:  9 kB\nMemAvailable:    2048 kB\n"), Some(2048));
        assert_eq!(available_kib("MemTotal:  9 kB\n"), None);
        assert!(budget_mib() >= LEAST_MIB);
    }
}
