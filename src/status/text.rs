//! Reports and outputs as text for people. Colour is the `ui`'s business.

use std::fmt;

use super::{Detail, GroupDetail, Health, Outputs, Part, Report};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { env, stage, target, health, reason, .. } = self;
        write!(f, "{env}  {stage} on {target}: {}", health.name())?;
        match reason {
            Some(reason) => writeln!(f, " ({reason})")?,
            None => writeln!(f)?,
        }
        for part in &self.parts {
            writeln!(f)?;
            part.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match &self.detail {
            // The numbers of what cannot be seen say nothing.
            _ if self.health == Health::Unknown => String::new(),
            Detail::Balancer { url, targets, healthy } => format!("{url}  {healthy} of {targets} targets healthy"),
            Detail::Group(group) => group.to_string(),
            Detail::Queue { visible, in_flight, oldest_seconds, dead } => {
                format!("{visible} waiting, {in_flight} in work, oldest {oldest_seconds} s, {dead} dead letters")
            }
            Detail::Topic { subscriptions } => format!("{subscriptions} subscriptions"),
            Detail::Bucket {} => String::new(),
            Detail::Catalog { engine } => engine.clone(),
        };
        let kind = self.detail.kind();
        write!(f, "{:<9} {kind:<9} {:<12} {words}", self.health.name(), self.name)?;
        if let Some(reason) = &self.reason {
            write!(f, "  ({reason})")?;
        }
        if let Detail::Group(group) = &self.detail {
            for instance in &group.instances {
                write!(f, "\n{:<9} {:<9} {:<12} {}", instance.health.name(), "", instance.id, instance.market)?;
                write!(f, " in {}", instance.zone)?;
                if let Some(pid) = instance.pid {
                    write!(f, ", pid {pid}")?;
                }
                write!(f, ", since {}", instance.since)?;
                if let Some(reason) = &instance.reason {
                    write!(f, "  ({reason})")?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for GroupDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { desired, healthy, min, max, .. } = self;
        write!(f, "{healthy} of {desired} healthy ({min} to {max})")
    }
}

impl fmt::Display for Outputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "url           {}", self.url)?;
        if self.endpoint_url.is_empty() {
            write!(f, "\nregion        {}", self.region)?;
        } else {
            write!(f, "\nendpoint_url  {}  ({})", self.endpoint_url, self.region)?;
        }
        write!(f, "\nbucket        {}", self.bucket)?;
        if let Some(arn) = &self.topic_arn {
            write!(f, "\ntopic_arn     {arn}")?;
        }
        for (name, url) in &self.queue_urls {
            write!(f, "\nqueue         {url}  ({name})")?;
        }
        if let Some(url) = &self.dashboard_url {
            write!(f, "\ndashboard     {url}")?;
        }
        Ok(())
    }
}
