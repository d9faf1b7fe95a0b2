//! What workers log, read back from CloudWatch Logs.

use std::collections::HashSet;

use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;

use super::{Error, Session, error::Call, stack::StackResource};

/// Lines may come late by this much, so each look begins a little earlier than the last one ended.
const LATE_MILLISECONDS: i64 = 10_000;

/// One line that a worker logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The group.
    pub group: String,
    /// The instance.
    pub instance: String,
    /// When, milliseconds since 1970.
    pub at: i64,
    /// What.
    pub text: String,
}

/// Reads the log groups of an environment, each line once.
pub struct Reader {
    session: Session,
    /// Names of groups and of their log groups.
    groups: Vec<(String, String)>,
    since: i64,
    known: HashSet<String>,
}

impl Reader {
    /// Reads from a time on, milliseconds since 1970.
    pub fn new(session: &Session, groups: Vec<(String, String)>, since: i64) -> Self {
        Self { session: session.clone(), groups, since, known: HashSet::new() }
    }

    /// Returns what was logged since the last look, oldest first.
    pub async fn next_lines(&mut self) -> Result<Vec<Line>, Error> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        for (group, log_group) in &self.groups {
            for event in self.events(log_group).await? {
                let id = event.event_id.unwrap_or_default();
                seen.insert(id.clone());
                if self.known.contains(&id) {
                    continue;
                }
                found.push(Line {
                    group: group.clone(),
                    instance: event.log_stream_name.unwrap_or_default(),
                    at: event.timestamp.unwrap_or_default(),
                    text: event.message.unwrap_or_default().trim_end().to_owned(),
                });
            }
        }
        found.sort_by_key(|line| line.at);
        // What is older than the next look begins will not come again.
        self.known = seen;
        if let Some(newest) = found.last() {
            self.since = self.since.max(newest.at - LATE_MILLISECONDS);
        }
        Ok(found)
    }

    async fn events(&self, log_group: &str) -> Result<Vec<FilteredLogEvent>, Error> {
        let request = self.session.logs().filter_log_events().log_group_name(log_group).start_time(self.since);
        let mut pages = request.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(Call::new("logs", "FilterLogEvents", log_group).failed())?;
            found.extend(page.events.unwrap_or_default());
        }
        Ok(found)
    }
}

/// Returns the log groups of a stack: the group's name, and that of its log group, whose last word is the group's name.
pub fn groups(resources: &[StackResource]) -> Vec<(String, String)> {
    let logs = resources.iter().filter(|one| one.kind == "AWS::Logs::LogGroup" && !one.physical_id.is_empty());
    logs.map(|one| (one.physical_id.rsplit('/').next().unwrap_or_default().to_owned(), one.physical_id.clone()))
        .collect()
}
