//! Quantities as people write them: `90s`, `4h`, `25MB`.

use std::{fmt, str::FromStr, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A length of time in whole seconds, written as `30s`, `5m`, `4h`, `7d`, or several together as in `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, with = "String", extend("pattern" = r"^([0-9]{1,9}[smhd])+$", "patternErrorMessage" = "must be a length of time such as 30s, 5m, 4h or 7d"), example = "30s", example = "5m", example = "4h")]
pub struct Span(u64);

impl Span {
    /// Returns a span of that many seconds.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Returns the whole span in seconds.
    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// Returns the span as the standard library's type.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

/// A text that is not a quantity of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct ParseQuantityError {
    text: String,
    expected: &'static str,
}

const SPAN: &str = "a length of time such as 30s, 5m, 4h or 7d";
const BYTES: &str = "a size such as 500KB, 25MB or 1GB";

impl FromStr for Span {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseQuantityError { text: text.to_owned(), expected: SPAN };
        let mut total = 0_u64;
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let count: u64 = rest[..digits].parse().map_err(|_| error())?;
            let unit = match rest.as_bytes().get(digits) {
                Some(b's') => 1,
                Some(b'm') => 60,
                Some(b'h') => 3_600,
                Some(b'd') => 86_400,
                _ => return Err(error()),
            };
            total = count.checked_mul(unit).and_then(|part| total.checked_add(part)).ok_or_else(error)?;
            rest = &rest[digits + 1..];
        }
        if text.is_empty() { Err(error()) } else { Ok(Self(total)) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, name) in [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')] {
            if rest >= unit {
                write!(f, "{}{name}", rest / unit)?;
                rest %= unit;
            }
        }
        Ok(())
    }
}

/// A number of bytes, written as `500KB`, `25MB` or `1GB` (powers of 1,000) or `25MiB` (powers of 1,024).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, with = "String", extend("pattern" = r"^[0-9]{1,10}(B|KB|MB|GB|KiB|MiB|GiB)$", "patternErrorMessage" = "must be a size such as 500KB, 25MB or 1GB"), example = "25MB")]
pub struct Bytes(u64);

const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

impl Bytes {
    /// Returns the number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl FromStr for Bytes {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseQuantityError { text: text.to_owned(), expected: BYTES };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let count: u64 = text[..digits].parse().map_err(|_| error())?;
        let unit = UNITS.iter().find(|(name, _)| *name == &text[digits..]).ok_or_else(error)?.1;
        count.checked_mul(unit).map(Self).ok_or_else(error)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimal = UNITS.iter().filter(|(_, unit)| unit % 10 == 0 || *unit == 1);
        let (name, unit) =
            decimal.into_iter().find(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit)).unwrap_or(&("B", 1));
        write!(f, "{}{name}", self.0 / unit)
    }
}

macro_rules! as_string {
    ($quantity:ty) => {
        impl TryFrom<String> for $quantity {
            type Error = ParseQuantityError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$quantity> for String {
            fn from(quantity: $quantity) -> Self {
                quantity.to_string()
            }
        }
    };
}

as_string!(Span);
as_string!(Bytes);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_write_alike() {
        for (text, seconds) in [("0s", 0), ("45s", 45), ("3m", 180), ("1h30m", 5_400), ("14d", 1_209_600)] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.seconds(), span.to_string().as_str()), (seconds, text));
        }
        for text in ["", "30", "s", "1w", "-5s", "1.5h", "99999999999999999999s", "18446744073709551615d", "5 m", "٣s"]
        {
            assert!(text.parse::<Span>().is_err(), "{text} was taken");
        }
    }

    #[test]
    fn sizes_read_and_write_alike() {
        for (text, bytes) in [("0B", 0), ("500KB", 500_000), ("25MB", 25_000_000), ("1GB", 1_000_000_000)] {
            let size: Bytes = text.parse().unwrap();
            assert_eq!((size.get(), size.to_string().as_str()), (bytes, text));
        }
        assert_eq!("25MiB".parse::<Bytes>().unwrap().get(), 26_214_400);
        for text in ["", "25", "MB", "25mb", "1TB", "1.5MB", "18446744073709551615GB"] {
            assert!(text.parse::<Bytes>().is_err(), "{text} was taken");
        }
    }
}
