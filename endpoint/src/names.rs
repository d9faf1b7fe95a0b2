//! ARNs and queue URLs, both ways, and ids.

/// Who and where this endpoint is, as it appears in names.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) region: String,
    pub(crate) account: String,
}

impl Names {
    pub(crate) fn queue_arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:{}:{}:{name}", self.region, self.account)
    }

    pub(crate) fn topic_arn(&self, name: &str) -> String {
        format!("arn:aws:sns:{}:{}:{name}", self.region, self.account)
    }

    pub(crate) fn queue_url(&self, authority: &str, name: &str) -> String {
        format!("http://{authority}/{}/{name}", self.account)
    }

    /// The queue's name in an ARN of this account, in whatever region.
    pub(crate) fn queue_in_arn<'a>(&self, arn: &'a str) -> Option<&'a str> {
        self.resource(arn, "sqs").filter(|name| !name.contains(':'))
    }

    /// What follows the account in a topic's or a subscription's ARN.
    pub(crate) fn topic_in_arn<'a>(&self, arn: &'a str) -> Option<&'a str> {
        self.resource(arn, "sns")
    }

    fn resource<'a>(&self, arn: &'a str, service: &str) -> Option<&'a str> {
        let mut parts = arn.splitn(6, ':');
        let mut next = || parts.next();
        let known =
            next()? == "arn" && next().is_some() && next()? == service && next().is_some() && next()? == self.account;
        next().filter(|name| known && !name.is_empty())
    }

    /// The queue's name in a URL, or in the path alone: the host is whatever the client calls us.
    pub(crate) fn queue_in_url<'a>(&self, url: &'a str) -> Option<&'a str> {
        let path = url.split_once("://").map_or(url, |(_, rest)| rest);
        let mut segments = path.trim_end_matches('/').rsplit('/');
        let name = segments.next().filter(|name| !name.is_empty())?;
        (segments.next()? == self.account).then_some(name)
    }
}

/// A random id of a message or a request. Its bytes come from the thread's own generator, not from a system call each.
pub(crate) fn random_id() -> String {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        let names = Names { region: "us-east-1".into(), account: "000000000000".into() };
        assert_eq!(names.queue_in_arn(&names.queue_arn("q")), Some("q"));
        assert_eq!(names.queue_in_url(&names.queue_url("127.0.0.1:1", "q")), Some("q"));
        assert_eq!(names.queue_in_url("/000000000000/q"), Some("q"));
        assert_eq!(names.topic_in_arn("arn:aws:sns:eu-west-1:000000000000:t:uuid"), Some("t:uuid"));
        for broken in [
            "",
            "arn",
            "arn:aws:sqs:us-east-1:000000000000:",
            "arn:aws:sns:us-east-1:000000000000:q",
            "arn:aws:sqs:r:1:q",
        ] {
            assert_eq!(names.queue_in_arn(broken), None, "{broken}");
        }
        for broken in ["", "/", "q", "http://h/1/q", "http://h"] {
            assert_eq!(names.queue_in_url(broken), None, "{broken}");
        }
    }
}
