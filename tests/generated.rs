//! Files that are generated and committed: completions. `UPDATE_GENERATED=1` writes them anew.
//!
//! The schema and the reference of blueprints are checked where they are generated.

use std::{env, fs, path::Path};

use clap_complete::Shell;
use decouple::commands::completions::script;

#[test]
fn completions_are_those_of_the_command_line() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    for (shell, name) in [
        (Shell::Bash, "decouple.bash"),
        (Shell::Elvish, "decouple.elv"),
        (Shell::Fish, "decouple.fish"),
        (Shell::PowerShell, "_decouple.ps1"),
        (Shell::Zsh, "_decouple"),
    ] {
        let path = directory.join(name);
        let generated = script(shell);
        if env::var_os("UPDATE_GENERATED").is_some() {
            fs::write(&path, &generated).expect("the file can be written");
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == generated,
            "{} is out of date; write it anew: UPDATE_GENERATED=1 cargo test --test integration completions",
            path.display()
        );
    }
}
