//! Logs of instances: one file an instance, one directory a group.
//!
//! Workers write to their file directly, so that a line is there whatever becomes of the background process.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::SystemTime,
};

use jiff::Timestamp;

/// Logs of instances that are gone are kept for so many of them a group.
const KEPT: usize = 20;
/// No more of a file's end is looked at to find its last lines.
const LONGEST_TAIL: u64 = 64 * 1024;
/// A longer line is cut: a log is text for people.
const LONGEST_LINE: u64 = 64 * 1024;

/// Returns the path of an instance's log in its group's directory.
pub fn file(group: &Path, id: &str) -> PathBuf {
    group.join(format!("{id}.log"))
}

/// Returns the last lines of a file, or none where it cannot be read.
pub fn tail(path: &Path, lines: usize) -> Vec<String> {
    let read = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LONGEST_TAIL)))?;
        let mut end = Vec::new();
        file.take(LONGEST_TAIL).read_to_end(&mut end)?;
        Ok(String::from_utf8_lossy(&end).into_owned())
    };
    let end = read().unwrap_or_default();
    let all: Vec<&str> = end.lines().collect();
    all[all.len().saturating_sub(lines)..].iter().map(|line| (*line).to_owned()).collect()
}

/// Removes the logs of all but the last instances of a group.
pub fn prune(group: &Path) -> io::Result<()> {
    let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        files.push((entry.metadata()?.modified()?, entry.path()));
    }
    files.sort();
    for (_, path) in files.iter().rev().skip(KEPT) {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it was written, where the line says so.
    pub at: Option<Timestamp>,
    /// Name of the group.
    pub group: String,
    /// Id of the instance.
    pub instance: String,
    /// The line itself.
    pub text: String,
}

/// Reads logs from where it left off.
#[derive(Debug)]
pub struct Follower {
    root: PathBuf,
    group: Option<String>,
    read: std::collections::BTreeMap<PathBuf, u64>,
}

impl Follower {
    /// Follows the logs of one group, or of all.
    pub fn new(root: &Path, group: Option<&str>) -> Self {
        Self { root: root.to_owned(), group: group.map(str::to_owned), read: std::collections::BTreeMap::new() }
    }

    /// Returns the lines that were written since it was last asked, in the order in which they were written as far as
    /// they say. A line that is still being written waits for the next time.
    pub fn next_lines(&mut self) -> io::Result<Vec<Line>> {
        let mut lines = Vec::new();
        for (group, path) in self.files()? {
            let from = self.read.get(&path).copied().unwrap_or(0);
            let to = read_lines(&group, &path, from, &mut lines)?;
            self.read.insert(path, to);
        }
        // A line without a time of its own stays behind the one before it.
        let mut last = None;
        let mut keyed: Vec<(Option<Timestamp>, Line)> = lines
            .into_iter()
            .map(|line| {
                last = line.at.or(last);
                (last, line)
            })
            .collect();
        keyed.sort_by_key(|(at, _)| *at);
        Ok(keyed.into_iter().map(|(_, line)| line).collect())
    }

    fn files(&self) -> io::Result<Vec<(String, PathBuf)>> {
        let mut files = Vec::new();
        for group in directories(&self.root)? {
            if self.group.as_ref().is_some_and(|wanted| *wanted != group) {
                continue;
            }
            for entry in fs::read_dir(self.root.join(&group))? {
                files.push((group.clone(), entry?.path()));
            }
        }
        Ok(files)
    }
}

/// Names the groups that have logs.
pub fn directories(root: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Reads whole lines from an offset on, and returns the offset behind them.
fn read_lines(group: &str, path: &Path, from: u64, lines: &mut Vec<Line>) -> io::Result<u64> {
    let mut file = match File::open(path) {
        // The log of an instance that is long gone was removed meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(from),
        file => file?,
    };
    file.seek(SeekFrom::Start(from))?;
    let instance = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut reader = BufReader::new(file);
    let mut offset = from;
    loop {
        let mut bytes = Vec::new();
        let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes)? as u64;
        let whole = bytes.last() == Some(&b'\n') || read == LONGEST_LINE;
        if !whole {
            return Ok(offset);
        }
        offset += read;
        let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        let at = written_at(&text);
        lines.push(Line { at, group: group.to_owned(), instance: instance.clone(), text });
    }
}

/// The worker writes JSON lines with a `timestamp`; a program of the user's own may begin a line with one.
fn written_at(line: &str) -> Option<Timestamp> {
    #[derive(serde::Deserialize)]
    struct Stamped {
        timestamp: Timestamp,
    }
    match serde_json::from_str::<Stamped>(line) {
        Ok(stamped) => Some(stamped.timestamp),
        Err(_) => line.split_whitespace().next()?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_come_once_whole_and_in_order_of_time() {
        let root = tempfile::tempdir().unwrap();
        for group in ["tag", "web"] {
            fs::create_dir(root.path().join(group)).unwrap();
        }
        let web = file(&root.path().join("web"), "i-1");
        let tag = file(&root.path().join("tag"), "i-2");
        fs::write(&tag, "{\"timestamp\":\"2026-11-23T12:00:01Z\"}\n  continued\n").unwrap();
        fs::write(&web, "2026-11-23T12:00:00Z hello\n2026-11-23T12:00:02Z half").unwrap();
        let mut follower = Follower::new(root.path(), None);
        let texts = |lines: Vec<Line>| lines.into_iter().map(|line| line.text).collect::<Vec<_>>();
        let first = texts(follower.next_lines().unwrap());
        assert_eq!(first, ["2026-11-23T12:00:00Z hello", "{\"timestamp\":\"2026-11-23T12:00:01Z\"}", "  continued"]);
        fs::OpenOptions::new().append(true).open(&web).unwrap().write_all(b" a line\n").unwrap();
        assert_eq!(texts(follower.next_lines().unwrap()), ["2026-11-23T12:00:02Z half a line"]);
        assert!(follower.next_lines().unwrap().is_empty());
    }

    #[test]
    fn one_group_is_read_alone_and_a_missing_directory_is_empty() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("web")).unwrap();
        fs::write(file(&root.path().join("web"), "i-1"), "x\n").unwrap();
        assert!(Follower::new(root.path(), Some("tag")).next_lines().unwrap().is_empty());
        assert!(Follower::new(&root.path().join("none"), None).next_lines().unwrap().is_empty());
    }

    #[test]
    fn the_end_of_a_file_that_is_not_text_is_shown_as_far_as_it_goes() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("log");
        fs::write(&path, b"one\n\xff\xfe\nthree\n").unwrap();
        assert_eq!(tail(&path, 2), ["\u{fffd}\u{fffd}", "three"]);
        assert!(tail(&root.path().join("none"), 2).is_empty());
    }
}
