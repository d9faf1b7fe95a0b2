//! The worker's environment, parsed once and whole before anything is bound.

use std::{fmt, net::SocketAddr, str::FromStr, time::Duration};

use decouple_contract::{Renditions, Role, Tagging, env};
use serde::de::DeserializeOwned;

/// What a killed worker held comes again after this long at the latest, though the queue may hide it for longer.
const LONGEST_LEASE: Duration = Duration::from_secs(30);

/// Everything that a worker is told.
pub struct Config {
    /// What this worker does.
    pub role: Role,
    /// Name of the environment.
    pub environment: String,
    /// This instance's id.
    pub instance: String,
    /// The bucket of originals and renditions.
    pub bucket: String,
    /// The queue to send to or to receive from.
    pub queue_url: Option<String>,
    /// The topic to publish to.
    pub topic_arn: Option<String>,
    /// `sqlite:` or `postgres:` URL of the catalog. It may hold a password.
    pub catalog_url: String,
    /// ARN of the secret that holds the catalog's login, where it is not in the URL.
    pub catalog_secret: Option<String>,
    /// Address to serve HTTP on.
    pub listen: SocketAddr,
    /// Largest upload in bytes.
    pub max_upload_bytes: usize,
    /// Most connections at once.
    pub max_connections: usize,
    /// Memory that photos may take together while they are decoded, in MiB; one that takes more is refused.
    pub photo_memory_mib: Option<u32>,
    /// Longest that one job may take.
    pub job_timeout: Duration,
    /// How long a received task is this worker's before it must be extended.
    pub visibility: Duration,
    /// The sizes in which photos are offered.
    pub renditions: Renditions,
    /// How photos are tagged.
    pub tagging: Tagging,
    /// What waits for a terminating instance to finish, on AWS.
    pub termination_hook: Option<TerminationHook>,
}

/// A hook of an Auto Scaling group on which its terminating instances wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerminationHook {
    /// Name of the group.
    pub group: String,
    /// Name of the hook.
    pub name: String,
}

/// The catalog's URL may hold a password, and debug output ends in logs.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("role", &self.role).field("instance", &self.instance).finish_non_exhaustive()
    }
}

/// Every variable that is missing or wrong, a line each.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment is not what a worker needs:\n{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

impl Config {
    /// Reads the configuration through `get`, which returns a variable's value. Every mistake is told at once.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut read = Reader { get: &get, mistakes: Vec::new() };
        let role = read.required::<Role>(env::ROLE, "one of all, web, process, resize, tag");
        let config = Self {
            role: role.unwrap_or(Role::All),
            environment: read.text(env::ENV).unwrap_or_else(|| "dev".to_owned()),
            instance: read.text(env::INSTANCE).unwrap_or_else(|| format!("pid-{}", std::process::id())),
            bucket: read.required(env::BUCKET, "the name of the bucket").unwrap_or_default(),
            queue_url: read.text(env::QUEUE_URL),
            topic_arn: read.text(env::TOPIC_ARN),
            catalog_url: read.catalog_url(),
            catalog_secret: read.text(env::CATALOG_SECRET_ARN),
            listen: read.or(env::LISTEN, SocketAddr::from(([127, 0, 0, 1], 8080)), "an address such as 127.0.0.1:8080"),
            max_upload_bytes: read.or(env::MAX_UPLOAD_BYTES, 25_000_000, "a number of bytes"),
            max_connections: read.or(env::MAX_CONNECTIONS, 1000, "a number of connections"),
            photo_memory_mib: read.optional(env::PHOTO_MEMORY_MIB, "a number of MiB"),
            job_timeout: read.seconds(env::JOB_TIMEOUT_SECONDS, 60),
            visibility: read.seconds(env::VISIBILITY_SECONDS, 120).min(LONGEST_LEASE),
            renditions: read.json(env::RENDITIONS),
            tagging: read.json(env::TAGGING),
            termination_hook: read.termination_hook(),
        };
        if let Some(role) = role {
            read.check_destination(role, &config);
        }
        if read.mistakes.is_empty() { Ok(config) } else { Err(ConfigError(read.mistakes)) }
    }
}

struct Reader<'a, F> {
    get: &'a F,
    mistakes: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Reader<'_, F> {
    /// An empty variable is as good as none.
    fn text(&self, name: &str) -> Option<String> {
        (self.get)(name).filter(|value| !value.is_empty())
    }

    fn required<T: FromStr>(&mut self, name: &str, right: &str) -> Option<T> {
        match self.text(name) {
            None => {
                self.mistakes.push(format!("{name} is not set; it is {right}"));
                None
            }
            Some(value) => self.parse(name, &value, right),
        }
    }

    fn optional<T: FromStr>(&mut self, name: &str, right: &str) -> Option<T> {
        let value = self.text(name)?;
        self.parse(name, &value, right)
    }

    fn or<T: FromStr>(&mut self, name: &str, default: T, right: &str) -> T {
        self.optional(name, right).unwrap_or(default)
    }

    fn parse<T: FromStr>(&mut self, name: &str, value: &str, right: &str) -> Option<T> {
        let parsed = value.parse().ok();
        if parsed.is_none() {
            self.mistakes.push(format!("{name} is `{value}`, which is not {right}"));
        }
        parsed
    }

    fn seconds(&mut self, name: &str, default: u64) -> Duration {
        let seconds: u64 = self.or(name, default, "a number of seconds");
        if seconds == 0 {
            self.mistakes.push(format!("{name} is 0; it is a number of seconds from 1 on"));
        }
        Duration::from_secs(seconds.max(1))
    }

    fn json<T: DeserializeOwned + Default>(&mut self, name: &str) -> T {
        let Some(text) = self.text(name) else { return T::default() };
        serde_json::from_str(&text).unwrap_or_else(|error| {
            self.mistakes.push(format!("{name} is not the JSON that it should be: {error}"));
            T::default()
        })
    }

    /// The URL is not repeated in a mistake: it may hold a password.
    fn catalog_url(&mut self) -> String {
        match self.text(env::CATALOG_URL) {
            Some(url) if ["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme)) => url,
            Some(_) => {
                self.mistakes.push(format!("{} does not begin with sqlite: or postgres:", env::CATALOG_URL));
                String::new()
            }
            None => {
                self.mistakes.push(format!("{} is not set; it is a sqlite: or postgres: URL", env::CATALOG_URL));
                String::new()
            }
        }
    }

    fn termination_hook(&mut self) -> Option<TerminationHook> {
        match (self.text(env::AUTO_SCALING_GROUP), self.text(env::TERMINATION_HOOK)) {
            (Some(group), Some(name)) => Some(TerminationHook { group, name }),
            (None, None) => None,
            (group, _) => {
                let (set, missing) = if group.is_some() {
                    (env::AUTO_SCALING_GROUP, env::TERMINATION_HOOK)
                } else {
                    (env::TERMINATION_HOOK, env::AUTO_SCALING_GROUP)
                };
                self.mistakes.push(format!("{missing} is not set, but {set} is: a hook is one of a group"));
                None
            }
        }
    }

    fn check_destination(&mut self, role: Role, config: &Config) {
        if role.consumes() && config.queue_url.is_none() {
            self.mistakes.push(format!("{} is not set; role `{role}` receives from it", env::QUEUE_URL));
        }
        if role == Role::Web && config.queue_url.is_none() && config.topic_arn.is_none() {
            self.mistakes.push(format!(
                "neither {} nor {} is set; role `web` sends to one of them",
                env::QUEUE_URL,
                env::TOPIC_ARN
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_env(|name| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn every_mistake_is_told_at_once_and_no_password_is_repeated() {
        let error = read(&[
            (env::ROLE, "tagger"),
            (env::CATALOG_URL, "mysql://photos:secret@host/db"),
            (env::LISTEN, "8080"),
            (env::JOB_TIMEOUT_SECONDS, "0"),
            (env::RENDITIONS, "{\"widths\":"),
            (env::TERMINATION_HOOK, "drain"),
        ])
        .unwrap_err();
        insta::assert_snapshot!(error, @r"
        the environment is not what a worker needs:
        DECOUPLE_ROLE is `tagger`, which is not one of all, web, process, resize, tag
        DECOUPLE_BUCKET is not set; it is the name of the bucket
        DECOUPLE_CATALOG_URL does not begin with sqlite: or postgres:
        DECOUPLE_LISTEN is `8080`, which is not an address such as 127.0.0.1:8080
        DECOUPLE_JOB_TIMEOUT_SECONDS is 0; it is a number of seconds from 1 on
        DECOUPLE_RENDITIONS is not the JSON that it should be: EOF while parsing a value at line 1 column 10
        DECOUPLE_AUTO_SCALING_GROUP is not set, but DECOUPLE_TERMINATION_HOOK is: a hook is one of a group
        ");
    }

    #[test]
    fn a_role_that_sends_or_receives_needs_to_know_where() {
        let common = [(env::BUCKET, "b"), (env::CATALOG_URL, "sqlite::memory:")];
        for role in ["web", "process", "resize", "tag"] {
            let variables = [&common[..], &[(env::ROLE, role)]].concat();
            assert_eq!(read(&variables).unwrap_err().0.len(), 1, "{role}");
        }
        assert!(read(&[&common[..], &[(env::ROLE, "all")]].concat()).is_ok());
    }
}
