//! What must never be: the `use` lines of a module say what it depends on, and some dependencies would undo the design.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Returns every Rust file below a path, or the path itself where it is one.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())) {
        let path = entry.expect("an entry of a directory").path();
        if path.is_dir() {
            // Tests may look at anything.
            if path.file_name().is_some_and(|name| name != "tests") {
                found.extend(files(&path));
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// Returns the code of a file without its tests and comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Returns the places below `path` whose code holds one of the words.
fn holding(path: &str, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files(&root().join(path)) {
        let code = code(&file);
        let name = file.strip_prefix(root()).unwrap_or(&file).display().to_string();
        found.extend(words.iter().filter(|word| code.contains(*word)).map(|word| format!("{name} uses {word}")));
    }
    found.sort();
    found
}

#[test]
fn the_topology_imports_nothing_of_ours() {
    let ours = [
        "aws",
        "blueprint",
        "cli",
        "cloudformation",
        "commands",
        "error",
        "local",
        "reporter",
        "services",
        "status",
        "ui",
    ];
    let words: Vec<String> = ours.iter().flat_map(|name| [format!("crate::{name}"), format!("{name}::")]).collect();
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.push("decouple_");
    assert_eq!(holding("src/topology", &words), [""; 0]);
}

#[test]
fn domain_modules_know_no_terminal_and_no_command_line() {
    for module in
        ["aws", "blueprint", "bundle", "topology", "cloudformation", "local", "services", "status", "reporter.rs"]
    {
        let words = [
            "crate::ui",
            "crate::cli",
            "crate::commands",
            "indicatif",
            "println!",
            "eprintln!",
            "clap::Args",
            "clap::Parser",
        ];
        assert_eq!(holding(&format!("src/{module}"), &words), [""; 0]);
    }
}

#[test]
fn sdk_crates_stand_where_services_are_spoken_to() {
    for module in [
        "blueprint",
        "topology",
        "cloudformation",
        "local",
        "status",
        "commands",
        "ui",
        "cli.rs",
        "error.rs",
        "reporter.rs",
        "lib.rs",
    ] {
        assert_eq!(holding(&format!("src/{module}"), &["aws_sdk_", "aws_config"]), [""; 0]);
    }
    assert_eq!(holding("endpoint/src", &["aws_sdk_", "aws_config"]), [""; 0]);
}

#[test]
fn the_targets_do_not_know_each_other() {
    assert_eq!(
        holding("src/aws", &["crate::local", "crate::blueprint", "crate::topology", "crate::services"]),
        [""; 0]
    );
    assert_eq!(holding("src/cloudformation", &["crate::local", "crate::aws", "crate::blueprint"]), [""; 0]);
    assert_eq!(holding("src/local", &["crate::cloudformation", "crate::aws"]), [""; 0]);
}

#[test]
fn the_endpoint_knows_no_topology_and_the_worker_no_command_line() {
    assert_eq!(holding("endpoint/src", &["decouple_contract", "decouple_worker", "topology"]), [""; 0]);
    assert_eq!(holding("worker/src", &["decouple::", "decouple_endpoint", "clap"]), [""; 0]);
}

#[test]
fn nobody_listens_beyond_loopback() {
    for tree in ["src/local", "src/commands", "endpoint/src"] {
        assert_eq!(holding(tree, &["0.0.0.0", "UNSPECIFIED", "[::]"]), [""; 0]);
    }
}
