//! Whether programs and libraries can run on instances: their processor, and the versions of the C libraries that they were
//! linked against. One that cannot would be found out at the first boot, a quarter of an hour later.

use std::{fs::File, path::Path};

use object::{
    Endianness, ReadCache, ReadRef,
    elf::{EM_AARCH64, EM_X86_64, FileHeader64},
    read::elf::{FileHeader as _, SectionHeader as _, VerneedIterator},
};

use super::BundleError;

/// The newest symbols of the C and C++ libraries of Amazon Linux 2023: of glibc 2.34 and GCC 11.
const NEWEST: [(&str, &[u32]); 3] = [("GLIBC_", &[2, 34]), ("GLIBCXX_", &[3, 4, 29]), ("CXXABI_", &[1, 3, 13])];
/// How a program or a library begins. Scripts are run by what is on the instance.
const MAGIC: &[u8] = b"\x7fELF";

/// What a program needs of the machine that it runs on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Needs {
    /// Processor architecture, as instances call it; none that is known otherwise.
    architecture: Option<&'static str>,
    /// Versions of symbols, such as `GLIBC_2.28`.
    versions: Vec<String>,
}

/// Checks a file that instances run or load.
pub(super) fn check(file: &Path, architecture: &str) -> Result<(), BundleError> {
    let Some(needs) = read(file)? else { return Ok(()) };
    if needs.architecture != Some(architecture) {
        return Err(BundleError::Architecture {
            path: file.to_owned(),
            found: needs.architecture.unwrap_or("another processor"),
            wanted: architecture.to_owned(),
        });
    }
    match too_new(&needs.versions) {
        Some((needs, has)) => Err(BundleError::TooNew { path: file.to_owned(), needs, has }),
        None => Ok(()),
    }
}

/// Reads what a file needs; nothing where it is not a program or a library.
fn read(file: &Path) -> Result<Option<Needs>, BundleError> {
    let opened = File::open(file).map_err(BundleError::at(file))?;
    let cache = ReadCache::new(opened);
    if (&cache).read_bytes_at(0, MAGIC.len() as u64) != Ok(MAGIC) {
        return Ok(None);
    }
    let malformed = |error| BundleError::Malformed { path: file.to_owned(), why: error };
    needs(&cache).map(Some).map_err(malformed)
}

fn needs<'data>(data: impl ReadRef<'data>) -> object::Result<Needs> {
    let header = FileHeader64::<Endianness>::parse(data)?;
    let endian = header.endian()?;
    let architecture = match header.e_machine(endian) {
        EM_X86_64 => Some("x86_64"),
        EM_AARCH64 => Some("arm64"),
        _ => None,
    };
    let mut versions = Vec::new();
    let sections = header.sections(endian, data)?;
    for section in sections.iter() {
        let Some((needed, strings)) = section.gnu_verneed(endian, data)? else { continue };
        let strings = sections.strings(endian, data, strings)?;
        let mut libraries: VerneedIterator<'_, FileHeader64<Endianness>> = needed;
        while let Some((_, mut symbols)) = libraries.next()? {
            while let Some(symbol) = symbols.next()? {
                versions.push(String::from_utf8_lossy(symbol.name(endian, strings)?).into_owned());
            }
        }
    }
    Ok(Needs { architecture, versions })
}

/// Returns the first version that Amazon Linux 2023 does not have, and the newest that it has.
fn too_new(versions: &[String]) -> Option<(String, String)> {
    versions.iter().find_map(|version| {
        let (prefix, newest) = NEWEST.iter().find(|(prefix, _)| version.starts_with(prefix))?;
        let number: Option<Vec<u32>> = version[prefix.len()..].split('.').map(|part| part.parse().ok()).collect();
        // `GLIBC_PRIVATE` and `GLIBC_ABI_DT_RELR` are no numbers; the latter is of 2.36.
        let lacks = number.is_none_or(|number| number.as_slice() > *newest);
        let has = newest.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
        lacks.then(|| (version.clone(), format!("{prefix}{has}")))
    })
}

#[cfg(test)]
mod tests {
    use std::env;

    use super::*;

    #[test]
    fn a_newer_library_than_amazon_linux_has_is_noticed() {
        let too_new = |versions: &[&str]| too_new(&versions.iter().map(|&version| version.into()).collect::<Vec<_>>());
        assert_eq!(too_new(&["GLIBC_2.2.5", "GLIBC_2.34", "GLIBCXX_3.4.29", "CXXABI_1.3.13", "GCC_4.2.0"]), None);
        let told = |needs: &str, has: &str| Some((needs.to_owned(), has.to_owned()));
        assert_eq!(too_new(&["GLIBC_2.9", "GLIBC_2.38"]), told("GLIBC_2.38", "GLIBC_2.34"));
        assert_eq!(too_new(&["GLIBCXX_3.4.30"]), told("GLIBCXX_3.4.30", "GLIBCXX_3.4.29"));
        assert_eq!(too_new(&["GLIBC_ABI_DT_RELR"]), told("GLIBC_ABI_DT_RELR", "GLIBC_2.34"));
    }

    #[test]
    fn a_real_program_says_what_it_needs() {
        let needs = read(&env::current_exe().unwrap()).unwrap().unwrap();
        assert!(needs.architecture.is_some());
        assert!(needs.versions.iter().any(|version| version.starts_with("GLIBC_2.")), "{needs:?}");
    }

    #[test]
    fn the_runtime_of_the_model_starts_on_amazon_linux() {
        // The library that bundles have is beside the programs: `scripts/setup onnxruntime` puts it there.
        let library = env::current_exe().unwrap().ancestors().nth(2).unwrap().join("libonnxruntime.so");
        let architecture = read(&library).unwrap().unwrap().architecture.unwrap();
        check(&library, architecture).unwrap();
        let other = if architecture == "arm64" { "x86_64" } else { "arm64" };
        assert!(matches!(check(&library, other), Err(BundleError::Architecture { .. })));
    }

    #[test]
    fn what_only_begins_as_a_program_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("worker");
        std::fs::write(&file, b"\x7fELF and no more").unwrap();
        assert!(matches!(check(&file, "arm64"), Err(BundleError::Malformed { .. })));
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        check(&file, "arm64").unwrap();
    }
}
