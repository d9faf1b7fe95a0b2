//! Checksums of content: as they are sent, calculated, kept, and joined for the parts of a multipart upload.

use base64::{Engine, prelude::BASE64_STANDARD};
use crc_fast::{CrcAlgorithm, checksum_combine};
use s3s::{
    checksum::ChecksumHasher,
    crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256},
};
use serde::{Deserialize, Serialize};

use super::error::Failure;

/// The algorithms that S3 knows. The last is what it uses when nobody chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Sha1,
    Sha256,
    Crc64Nvme,
}

/// Whether a checksum is of the whole content or of the checksums of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    FullObject,
    Composite,
}

/// A checksum, its value in base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checksum {
    pub(super) algorithm: Algorithm,
    pub(super) kind: Kind,
    pub(super) value: String,
}

impl Algorithm {
    pub(super) const ALL: [Algorithm; 5] =
        [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Sha1, Algorithm::Sha256, Algorithm::Crc64Nvme];

    /// The name in requests and answers.
    pub(super) fn name(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "CRC32",
            Algorithm::Crc32c => "CRC32C",
            Algorithm::Sha1 => "SHA1",
            Algorithm::Sha256 => "SHA256",
            Algorithm::Crc64Nvme => "CRC64NVME",
        }
    }

    pub(super) fn parse(name: &str) -> Result<Algorithm, Failure> {
        let found = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            let reason = "Checksum algorithm provided is unsupported. Please try again with any of the valid types: \
                          [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]";
            Failure::InvalidRequest(reason.into())
        })
    }

    /// The algorithm of a header such as `x-amz-checksum-crc32`.
    pub(super) fn of_header(header: &str) -> Option<Algorithm> {
        let name = header.trim().to_ascii_lowercase();
        Algorithm::parse(name.strip_prefix("x-amz-checksum-")?).ok()
    }

    pub(super) fn header(self) -> String {
        format!("x-amz-checksum-{}", self.name().to_ascii_lowercase())
    }

    fn length(self) -> usize {
        match self {
            Algorithm::Crc32 | Algorithm::Crc32c => 4,
            Algorithm::Crc64Nvme => 8,
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 => 32,
        }
    }

    /// The parameters of a checksum that can be joined from those of its parts.
    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Algorithm::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Algorithm::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Algorithm::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Algorithm::Sha1 | Algorithm::Sha256 => None,
        }
    }

    /// What a multipart upload has that does not choose a kind.
    pub(super) fn default_kind(self) -> Kind {
        if self == Algorithm::Crc64Nvme { Kind::FullObject } else { Kind::Composite }
    }

    pub(super) fn allows(self, kind: Kind) -> bool {
        match kind {
            Kind::FullObject => self.crc().is_some(),
            Kind::Composite => self != Algorithm::Crc64Nvme,
        }
    }

    /// Checks that `value` can be one of this algorithm.
    pub(super) fn check(self, value: &str) -> Result<(), Failure> {
        match BASE64_STANDARD.decode(value) {
            Ok(bytes) if bytes.len() == self.length() => Ok(()),
            _ => Err(Failure::InvalidRequest(format!("Value for {} header is invalid.", self.header()))),
        }
    }
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::FullObject => "FULL_OBJECT",
            Kind::Composite => "COMPOSITE",
        }
    }

    pub(super) fn parse(name: &str) -> Result<Kind, Failure> {
        match name {
            "FULL_OBJECT" => Ok(Kind::FullObject),
            "COMPOSITE" => Ok(Kind::Composite),
            other => Err(Failure::InvalidRequest(format!("Value for x-amz-checksum-type header is invalid: {other}"))),
        }
    }
}

/// Calculates the entity tag and checksums of content that passes by.
pub(super) struct Digests {
    md5: Md5,
    hasher: ChecksumHasher,
}

/// What was calculated of content.
pub(super) struct Sums {
    pub(super) md5: [u8; 16],
    values: s3s::dto::Checksum,
}

impl Digests {
    pub(super) fn new(algorithms: &[Algorithm]) -> Self {
        let mut hasher = ChecksumHasher::default();
        for algorithm in algorithms {
            match algorithm {
                Algorithm::Crc32 => hasher.crc32 = Some(Crc32::new()),
                Algorithm::Crc32c => hasher.crc32c = Some(Crc32c::new()),
                Algorithm::Sha1 => hasher.sha1 = Some(Sha1::new()),
                Algorithm::Sha256 => hasher.sha256 = Some(Sha256::new()),
                Algorithm::Crc64Nvme => hasher.crc64nvme = Some(Crc64Nvme::new()),
            }
        }
        Digests { md5: Md5::new(), hasher }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.hasher.update(bytes);
    }

    pub(super) fn finish(self) -> Sums {
        Sums { md5: self.md5.finalize(), values: self.hasher.finalize() }
    }
}

impl Sums {
    /// The checksum of one of the algorithms that were asked for.
    pub(super) fn checksum(&self, algorithm: Algorithm) -> Checksum {
        let value = match algorithm {
            Algorithm::Crc32 => &self.values.checksum_crc32,
            Algorithm::Crc32c => &self.values.checksum_crc32c,
            Algorithm::Sha1 => &self.values.checksum_sha1,
            Algorithm::Sha256 => &self.values.checksum_sha256,
            Algorithm::Crc64Nvme => &self.values.checksum_crc64nvme,
        };
        Checksum { algorithm, kind: Kind::FullObject, value: value.clone().unwrap_or_default() }
    }
}

/// The checksum of an object made of parts, given theirs with their sizes.
pub(super) fn join(algorithm: Algorithm, kind: Kind, parts: &[(String, u64)]) -> Checksum {
    let decoded = parts.iter().map(|(value, size)| (BASE64_STANDARD.decode(value).unwrap_or_default(), *size));
    let value = if let (Kind::FullObject, Some(crc)) = (kind, algorithm.crc()) {
        let number = |bytes: &[u8]| bytes.iter().fold(0u64, |number, byte| (number << 8) | u64::from(*byte));
        let sums = decoded.map(|(bytes, size)| (number(&bytes), size));
        let joined =
            sums.reduce(|(first, length), (second, more)| (checksum_combine(crc, first, second, more), length + more));
        let bytes = joined.map_or(0, |(sum, _)| sum).to_be_bytes();
        BASE64_STANDARD.encode(&bytes[bytes.len() - algorithm.length()..])
    } else {
        let mut digests = Digests::new(&[algorithm]);
        decoded.for_each(|(bytes, _)| digests.update(&bytes));
        format!("{}-{}", digests.finish().checksum(algorithm).value, parts.len())
    };
    Checksum { algorithm, kind, value }
}

/// Puts a checksum where an output has the field for its algorithm.
macro_rules! set_checksum {
    ($output:expr, $checksum:expr) => {
        if let Some(checksum) = $checksum {
            let value = Some(checksum.value.clone());
            match checksum.algorithm {
                $crate::s3::checksums::Algorithm::Crc32 => $output.checksum_crc32 = value,
                $crate::s3::checksums::Algorithm::Crc32c => $output.checksum_crc32c = value,
                $crate::s3::checksums::Algorithm::Sha1 => $output.checksum_sha1 = value,
                $crate::s3::checksums::Algorithm::Sha256 => $output.checksum_sha256 = value,
                $crate::s3::checksums::Algorithm::Crc64Nvme => $output.checksum_crc64nvme = value,
            }
        }
    };
}

/// The checksums that an input has, by algorithm.
macro_rules! given_checksums {
    ($input:expr) => {
        [
            ($crate::s3::checksums::Algorithm::Crc32, $input.checksum_crc32.clone()),
            ($crate::s3::checksums::Algorithm::Crc32c, $input.checksum_crc32c.clone()),
            ($crate::s3::checksums::Algorithm::Sha1, $input.checksum_sha1.clone()),
            ($crate::s3::checksums::Algorithm::Sha256, $input.checksum_sha256.clone()),
            ($crate::s3::checksums::Algorithm::Crc64Nvme, $input.checksum_crc64nvme.clone()),
        ]
    };
}

pub(super) use {given_checksums, set_checksum};

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(algorithm: Algorithm, content: &[u8]) -> String {
        let mut digests = Digests::new(&[algorithm]);
        digests.update(content);
        digests.finish().checksum(algorithm).value
    }

    #[test]
    fn joined_checksums_are_those_of_the_whole() {
        let (first, second): (&[u8], &[u8]) = (b"123456789", b"abcdef");
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            let parts = [(sum(algorithm, first), 9), (sum(algorithm, second), 6)];
            assert_eq!(join(algorithm, Kind::FullObject, &parts).value, sum(algorithm, b"123456789abcdef"));
        }
        assert_eq!(sum(Algorithm::Crc32, b"123456789"), "y/Q5Jg==");
    }

    #[test]
    fn composite_checksums_are_of_checksums() {
        let parts = [(sum(Algorithm::Sha256, b"a"), 1), (sum(Algorithm::Sha256, b"b"), 1)];
        let joined = join(Algorithm::Sha256, Kind::Composite, &parts).value;
        assert!(joined.ends_with("-2"), "{joined}");
    }

    #[test]
    fn values_must_be_of_the_right_length() {
        assert!(Algorithm::Crc32.check("y/Q5Jg==").is_ok());
        assert!(Algorithm::Sha256.check("y/Q5Jg==").is_err());
        assert!(Algorithm::Crc32.check("?").is_err());
        assert_eq!(Algorithm::of_header("X-Amz-Checksum-Crc64nvme"), Some(Algorithm::Crc64Nvme));
    }
}
