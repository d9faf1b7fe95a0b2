//! The part of a file that a request asks for (RFC 9110, 14.1): one run of bytes, or all.

/// What is sent of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// From the one byte to the other.
    Run(u64, u64),
    /// The file has no such bytes.
    None,
}

/// Reads a `Range` for a file of so many bytes. What is no run of bytes (another unit, several runs, nonsense) is passed over,
/// and all is sent.
pub(super) fn part(range: &str, length: u64) -> Part {
    let run = range.split_once('=').filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes"));
    let Some((first, last)) = run.and_then(|(_, run)| run.trim().split_once('-')) else { return Part::Whole };
    let end = length.saturating_sub(1);
    match (number(first), number(last)) {
        (Number::One(first), Number::One(last)) if first > last => Part::Whole,
        (Number::One(first), _) if first >= length => Part::None,
        (Number::One(first), Number::One(last)) => Part::Run(first, last.min(end)),
        (Number::One(first), Number::Missing) => Part::Run(first, end),
        (Number::Missing, Number::One(0)) => Part::None,
        (Number::Missing, Number::One(_)) if length == 0 => Part::None,
        (Number::Missing, Number::One(of_the_end)) => Part::Run(length.saturating_sub(of_the_end), end),
        _ => Part::Whole,
    }
}

enum Number {
    One(u64),
    Missing,
    Nonsense,
}

/// A number may be of any length; no file is longer than the largest that is told apart.
fn number(text: &str) -> Number {
    if text.is_empty() {
        Number::Missing
    } else if text.bytes().all(|byte| byte.is_ascii_digit()) {
        Number::One(text.parse().unwrap_or(u64::MAX))
    } else {
        Number::Nonsense
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_bytes_is_cut_to_the_file() {
        const HUGE: &str = "99999999999999999999999999";
        for (range, run) in [
            ("bytes=0-9".to_owned(), Part::Run(0, 9)),
            ("Bytes=5-".to_owned(), Part::Run(5, 99)),
            ("BYTES=-5".to_owned(), Part::Run(95, 99)),
            ("bytes=-1000".to_owned(), Part::Run(0, 99)),
            (format!("bytes=0-{HUGE}"), Part::Run(0, 99)),
            (format!("bytes=-{HUGE}"), Part::Run(0, 99)),
            (format!("bytes={HUGE}-"), Part::None),
            ("bytes=100-".to_owned(), Part::None),
            ("bytes=-0".to_owned(), Part::None),
        ] {
            assert_eq!(part(&range, 100), run, "{range}");
        }
        assert_eq!((part("bytes=-5", 0), part("bytes=0-", 0)), (Part::None, Part::None));
    }

    #[test]
    fn only_a_run_of_bytes_is_a_range() {
        for range in ["bytes=-", "bytes=0-1,4-5", "lines=0-1", "bytes=a-b", "bytes=9-5", "bytes=+1-2", "bytes", ""] {
            assert_eq!(part(range, 100), Part::Whole, "{range}");
        }
    }
}
