//! Names of what is provisioned: the site, the environment and the part, never longer than the service allows.

use sha2::{Digest, Sha256};

/// Names the resources of one environment.
#[derive(Debug, Clone)]
pub struct Names {
    prefix: String,
}

/// Longest name of an SQS queue; `-dead` is added to it for the dead-letter queue.
const QUEUE: usize = 80;
/// Longest name of a bucket.
const BUCKET: usize = 63;
/// Longest name of an SNS topic.
const TOPIC: usize = 256;
/// Longest name of a stack. CloudFormation takes 128; names of resources that begin with it need room.
const STACK: usize = 64;

impl Names {
    /// Begins every name with the site and the environment.
    pub fn new(site: &str, environment: &str) -> Self {
        Self { prefix: format!("{site}-{environment}") }
    }

    /// Names a stack.
    pub fn stack(&self) -> String {
        shorten(&self.prefix, STACK)
    }

    /// Names a queue.
    pub fn queue(&self, name: &str) -> String {
        shorten(&format!("{}-{name}", self.prefix), QUEUE - "-dead".len())
    }

    /// Names the dead-letter queue of a queue.
    pub fn dead_letters(&self, name: &str) -> String {
        format!("{}-dead", self.queue(name))
    }

    /// Names a topic.
    pub fn topic(&self, name: &str) -> String {
        shorten(&format!("{}-{name}", self.prefix), TOPIC)
    }

    /// Names a bucket.
    pub fn bucket(&self, name: &str) -> String {
        shorten(&format!("{}-{name}", self.prefix), BUCKET)
    }
}

/// Shortens a name to `longest` bytes: what is cut off is replaced by a hash of the whole, so that two long names that
/// begin alike stay apart, and the same name gives the same result for ever.
pub fn shorten(name: &str, longest: usize) -> String {
    const HASH: usize = 8;
    if name.len() <= longest {
        return name.to_owned();
    }
    let digest = Sha256::digest(name.as_bytes());
    let hash = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    let mut end = longest.saturating_sub(HASH + 1);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}-{hash:08x}", name[..end].trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_stay_and_long_ones_stay_apart() {
        assert_eq!(shorten("photos-dev-web", 63), "photos-dev-web");
        let one = shorten(&format!("{}-one", "a".repeat(80)), 63);
        let two = shorten(&format!("{}-two", "a".repeat(80)), 63);
        assert_ne!(one, two);
        assert!(one.len() <= 63 && two.len() <= 63, "{one} {two}");
        assert_eq!(one, shorten(&format!("{}-one", "a".repeat(80)), 63));
    }

    #[test]
    fn a_cut_never_falls_inside_a_character() {
        assert!(shorten(&"é".repeat(60), 63).len() <= 63);
    }

    #[test]
    fn a_dead_letter_queue_fits_as_well() {
        let names = Names::new(&"s".repeat(32), &"e".repeat(60));
        assert!(names.dead_letters("resize").len() <= 80);
        assert_eq!(Names::new("photos", "dev").dead_letters("tag"), "photos-dev-tag-dead");
    }
}
