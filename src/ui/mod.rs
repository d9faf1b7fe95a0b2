//! The terminal: results on stdout, everything else on stderr. The only place that writes to either.

pub mod diagnostics;
mod progress;

use std::{
    env,
    fmt::Display,
    io::{self, IsTerminal, Write},
    sync::Arc,
};

use serde::Serialize;

use crate::{
    blueprint::Diagnostic,
    cli::{Common, Output},
    error::{Error, Kind},
    reporter::{Nobody, Reporter},
};

pub use progress::Progress;

/// How to speak to whoever runs the command.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the terminal")]
#[derive(Debug, Clone, Copy)]
pub struct Ui {
    output: Output,
    quiet: bool,
    verbose: bool,
    /// Whether stderr is a terminal on which the cursor may move.
    live: bool,
    /// Whether stderr shows colours.
    colour: bool,
}

impl Ui {
    /// Looks at the flags, at the terminal, and at `NO_COLOR` and `CI`.
    pub fn new(common: &Common) -> Self {
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let terminal = io::stderr().is_terminal();
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            output: common.output,
            quiet: common.quiet,
            verbose: common.verbose,
            live: terminal && !set("CI") && !dumb,
            colour: terminal && !set("NO_COLOR") && !dumb,
        }
    }

    /// Prints the result of a verb, as text or as one JSON document.
    pub fn result(&self, value: &(impl Display + Serialize)) -> Result<(), Error> {
        match self.output {
            Output::Json => self.json(value),
            _ => self.line(value),
        }
    }

    /// Prints one line, or several, of a result as text.
    pub fn line(&self, text: &impl Display) -> Result<(), Error> {
        to_stdout(&format!("{text}\n"))
    }

    /// Prints one JSON document on one line.
    pub fn json(&self, value: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string(value)
            .map_err(|error| Error::new(Kind::Bug, format!("the result is not JSON: {error}")))?;
        to_stdout(&format!("{text}\n"))
    }

    /// Tells whether results are JSON.
    pub const fn is_json(&self) -> bool {
        matches!(self.output, Output::Json)
    }

    /// Tells something that is worth knowing and no result.
    pub fn note(&self, text: &str) {
        if !self.quiet && !self.is_json() {
            to_stderr(&format!("{text}\n"));
        }
    }

    /// Tells what only those want to know who ask for more.
    pub fn detail(&self, text: &str) {
        if self.verbose {
            self.note(text);
        }
    }

    /// Shows the warnings of a blueprint.
    pub fn warn(&self, warnings: &[Diagnostic]) {
        if !self.quiet && !warnings.is_empty() {
            to_stderr(&format!("{}\n", diagnostics::render(warnings, self.colour)));
        }
    }

    /// Shows an error: on stderr for people, as an object on stdout for scripts.
    pub fn error(&self, error: &Error) {
        if self.is_json() {
            // A reader that has gone cannot be told.
            drop(self.json(error));
            return;
        }
        if !error.diagnostics.is_empty() {
            to_stderr(&format!("{}\n\n", diagnostics::render(&error.diagnostics, self.colour)));
        }
        let (red, plain) = if self.colour { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        to_stderr(&format!("{red}error{plain}: {}\n", error.message));
        for hint in &error.hints {
            to_stderr(&format!("  - {hint}\n"));
        }
    }

    /// Returns who shows the progress of a long-running verb: live on a terminal, lines without one, JSON lines with
    /// `--output json`, nobody with `--quiet`.
    pub fn progress(&self) -> Arc<dyn Reporter> {
        match (self.output, self.quiet) {
            (Output::Json, _) => Arc::new(progress::JsonLines),
            (_, true) => Arc::new(Nobody),
            _ if self.live => Arc::new(Progress::new(self.colour)),
            _ => Arc::new(progress::Lines::new(self.verbose)),
        }
    }

    /// Asks before something is lost. Without a terminal nothing is asked: it fails and names the flag. Ctrl-C is a no.
    pub async fn confirm(&self, yes: bool, question: &str) -> Result<(), Error> {
        if yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(Error::new(Kind::Usage, format!("{question} There is no terminal to ask on."))
                .hint("say yes beforehand: --yes"));
        }
        to_stderr(&format!("{question} Type yes to go on: "));
        // Once anything has listened for Ctrl-C, it no longer ends the program by itself.
        let answer = tokio::select! {
            answer = line_of_stdin() => answer?,
            _ = tokio::signal::ctrl_c() => String::new(),
        };
        if answer.trim() == "yes" {
            Ok(())
        } else {
            Err(Error::new(Kind::Cancelled, "not confirmed: nothing was changed"))
        }
    }
}

/// Reads a line in a thread of its own, which nobody waits for at the end.
async fn line_of_stdin() -> Result<String, Error> {
    let (told, answer) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        drop(told.send(io::stdin().read_line(&mut line).map(|_| line)));
    });
    let read = answer.await.unwrap_or_else(|_| Err(io::ErrorKind::UnexpectedEof.into()));
    read.map_err(|error| Error::new(Kind::Usage, format!("the answer cannot be read: {error}")))
}

/// A reader that closes early, as `head` does, has had what it wants: that is no error of ours.
fn to_stdout(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(Kind::Failed, format!("the result cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// There is nowhere left to say that stderr is gone.
fn to_stderr(text: &str) {
    drop(io::stderr().lock().write_all(text.as_bytes()));
}
