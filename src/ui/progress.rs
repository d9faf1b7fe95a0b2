//! Shows what a long-running operation tells.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{to_stderr, to_stdout};
use crate::reporter::{Event, Reporter, State};

/// How often a spinner turns.
const TURN: Duration = Duration::from_millis(100);
/// Names of parts are aligned to this width.
const NAME: usize = 18;

/// A line a part, on a terminal: what it waits for, and for how long.
pub struct Progress {
    all: MultiProgress,
    parts: Mutex<BTreeMap<String, ProgressBar>>,
    colour: bool,
}

impl Progress {
    /// Shows nothing until there is something to show.
    pub fn new(colour: bool) -> Self {
        Self { all: MultiProgress::new(), parts: Mutex::default(), colour }
    }

    fn bar(&self, part: &str) -> ProgressBar {
        let mut parts = lock(&self.parts);
        if let Some(bar) = parts.get(part) {
            return bar.clone();
        }
        let bar = self.all.add(ProgressBar::new_spinner());
        bar.set_style(style("{spinner} {prefix} {wide_msg} {elapsed}"));
        bar.set_prefix(format!("{part:<NAME$}"));
        bar.enable_steady_tick(TURN);
        parts.insert(part.to_owned(), bar.clone());
        bar
    }

    fn mark(&self, state: State) -> &'static str {
        match (state, self.colour) {
            (State::Failed, true) => "\x1b[31m✗\x1b[0m",
            (State::Failed, false) => "✗",
            (_, true) => "\x1b[32m✓\x1b[0m",
            (_, false) => "✓",
        }
    }
}

impl Reporter for Progress {
    fn report(&self, event: Event) {
        match event {
            Event::Part { part, state: State::Working, detail } => {
                let bar = self.bar(&part);
                if bar.is_finished() {
                    bar.reset();
                    bar.set_style(style("{spinner} {prefix} {wide_msg} {elapsed}"));
                }
                bar.set_message(first_line(&detail));
            }
            Event::Part { part, state, detail } => {
                let bar = self.bar(&part);
                bar.set_style(style(&format!("{} {{prefix}} {{wide_msg}} {{elapsed}}", self.mark(state))));
                bar.finish_with_message(first_line(&detail));
            }
            Event::Still { .. } => {}
            Event::Note { message } => {
                // Without a terminal there would be no `Progress`.
                drop(self.all.println(message));
            }
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates above are valid")
}

/// A reason may quote a log; progress has one line for it.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// A line an event, without a terminal. What repeats itself is told once.
pub(super) struct Lines {
    started: Instant,
    last: Mutex<BTreeMap<String, String>>,
    verbose: bool,
}

impl Lines {
    pub(super) fn new(verbose: bool) -> Self {
        Self { started: Instant::now(), last: Mutex::default(), verbose }
    }
}

impl Reporter for Lines {
    fn report(&self, event: Event) {
        match event {
            Event::Part { part, state, detail } => {
                let word = match state {
                    State::Working => "waiting",
                    State::Done => "done",
                    State::Failed => "failed",
                };
                // While a part is worked on, only that it is matters here, unless more was asked for.
                let said =
                    if state == State::Working && !self.verbose { word.to_owned() } else { format!("{word} {detail}") };
                let again = lock(&self.last).insert(part.clone(), said.clone()).is_some_and(|last| last == said);
                if !again {
                    let seconds = self.started.elapsed().as_secs_f32();
                    let detail = if state == State::Working { first_line(&detail) } else { detail };
                    to_stderr(&format!("{seconds:6.1} s  {word:<8} {part:<NAME$} {detail}\n"));
                }
            }
            Event::Still { message } | Event::Note { message } => to_stderr(&format!("{message}\n")),
        }
    }
}

/// An object a line on stdout, for scripts.
pub(super) struct JsonLines;

impl Reporter for JsonLines {
    fn report(&self, event: Event) {
        if let Ok(text) = serde_json::to_string(&event) {
            // A reader that has gone misses the rest.
            drop(to_stdout(&format!("{text}\n")));
        }
    }
}

/// What is shown stays showable, whatever became of the thread that held the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
