//! From events of a stack's resources to what is told of the topology's parts.

use std::collections::BTreeMap;

use super::{changes::Changes, events::StackEvent};
use crate::reporter::{Reporter, ReporterExt as _, State};

/// How far each part is.
pub(super) struct Progress {
    /// Part and description of each resource, by logical id.
    words: BTreeMap<String, (String, String)>,
    parts: BTreeMap<String, Part>,
}

#[derive(Debug, Default)]
struct Part {
    /// Resources that are worked on or will be, and those that are done.
    open: Vec<String>,
    done: usize,
    failed: bool,
}

impl Progress {
    /// Expects these changes.
    pub(super) fn of(changes: &Changes) -> Self {
        let mut words = BTreeMap::new();
        let mut parts: BTreeMap<String, Part> = BTreeMap::new();
        for change in &changes.resources {
            words.insert(change.resource.clone(), (change.part.clone(), change.description.clone()));
            parts.entry(change.part.clone()).or_default().open.push(change.resource.clone());
        }
        Self { words, parts }
    }

    /// Takes one event, and tells what it means for its part.
    pub(super) fn take(&mut self, event: &StackEvent, reporter: &dyn Reporter) {
        if event.is_of_the_stack() {
            return;
        }
        // What was not expected, such as a tag that is laid on everything, is no news.
        let Some((name, description)) = self.words.get(&event.logical_id).cloned() else { return };
        let part = self.parts.entry(name.clone()).or_default();
        let said = part.take(event, &description);
        reporter.part(&name, said.0, said.1);
    }

    /// Returns the resources that are still worked on, in people's words.
    pub(super) fn open(&self) -> Vec<&str> {
        let open = self.parts.values().flat_map(|part| &part.open);
        open.filter_map(|id| Some(self.words.get(id)?.1.as_str())).collect()
    }
}

impl Part {
    fn take(&mut self, event: &StackEvent, description: &str) -> (State, String) {
        let StackEvent { logical_id, status, reason, .. } = event;
        if status.ends_with("_COMPLETE") || status == "DELETE_SKIPPED" {
            let before = self.open.len();
            self.open.retain(|id| id != logical_id);
            self.done += before - self.open.len();
        } else if status.ends_with("_FAILED") {
            self.failed = true;
            let reason = if reason.is_empty() { status } else { reason };
            return (State::Failed, format!("{description}: {reason}"));
        }
        let total = self.done + self.open.len();
        let plural = if total == 1 { "resource" } else { "resources" };
        if self.failed {
            return (State::Failed, format!("{}: {description}", doing(status)));
        }
        if self.open.is_empty() {
            return (State::Done, format!("{total} {plural}"));
        }
        (State::Working, format!("{} {description} ({} of {total} {plural})", doing(status), self.done))
    }
}

/// CloudFormation's word as people say it.
fn doing(status: &str) -> &'static str {
    match status {
        "CREATE_IN_PROGRESS" => "creating",
        "CREATE_COMPLETE" => "created",
        "UPDATE_IN_PROGRESS" => "changing",
        "UPDATE_COMPLETE" => "changed",
        "DELETE_IN_PROGRESS" => "deleting",
        "DELETE_COMPLETE" => "deleted",
        "DELETE_SKIPPED" => "kept",
        _ => "working on",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::{
        aws::changes::{Action, Change},
        reporter::Event,
    };

    #[derive(Default)]
    struct Told(Mutex<Vec<String>>);

    impl Reporter for Told {
        fn report(&self, event: Event) {
            if let Event::Part { part, state, detail } = event {
                self.0.lock().unwrap().push(format!("{state:?} {part}: {detail}"));
            }
        }
    }

    fn event(logical_id: &str, status: &str, reason: &str) -> StackEvent {
        StackEvent {
            id: String::new(),
            logical_id: logical_id.to_owned(),
            physical_id: String::new(),
            kind: "AWS::SQS::Queue".to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            operation: None,
        }
    }

    #[test]
    fn parts_are_told_of_in_peoples_words_with_resource_counts() {
        let change = |resource: &str, description: &str| Change {
            part: "queue/tag".to_owned(),
            description: description.to_owned(),
            resource: resource.to_owned(),
            kind: "AWS::SQS::Queue".to_owned(),
            action: Action::Create,
            fate: None,
            properties: Vec::new(),
            follows: false,
            unguarded: false,
        };
        let resources = vec![change("TagQueue", "the queue tag"), change("TagDead", "its dead letters")];
        let mut progress = Progress::of(&Changes { fresh: true, resources });
        let told = Told::default();
        for (id, status, reason) in [
            ("TagDead", "CREATE_IN_PROGRESS", ""),
            ("TagDead", "CREATE_COMPLETE", ""),
            ("TagQueue", "CREATE_IN_PROGRESS", ""),
            ("TagQueue", "CREATE_COMPLETE", ""),
            ("TagQueue", "CREATE_FAILED", "no"),
            ("TagDead", "DELETE_IN_PROGRESS", ""),
        ] {
            progress.take(&event(id, status, reason), &told);
        }
        insta::assert_snapshot!(told.0.into_inner().unwrap().join("\n"), @r"
        Working queue/tag: creating its dead letters (0 of 2 resources)
        Working queue/tag: created its dead letters (1 of 2 resources)
        Working queue/tag: creating the queue tag (1 of 2 resources)
        Done queue/tag: 2 resources
        Failed queue/tag: the queue tag: no
        Failed queue/tag: deleting: its dead letters
        ");
    }
}
