//! The command line: its verbs and the flags that they share.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::{
    blueprint::{Stage, Target},
    commands, env_vars,
};

/// Provision a photo site in three stages of decoupling, on one machine or on AWS.
#[derive(Debug, Parser)]
#[command(name = "decouple", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// Flags of every verb.
    #[command(flatten)]
    pub common: Common,
    /// The verb.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Flags of every verb.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Common flags")]
pub struct Common {
    /// How far the site is decoupled [default: the blueprint's]
    #[arg(long, global = true, env = env_vars::STAGE, hide_env = true)]
    pub stage: Option<Stage>,
    /// Blueprint to read [default: decouple.yaml if there is one, else the stage's built-in blueprint]
    #[arg(long, global = true, env = env_vars::BLUEPRINT, hide_env = true, value_name = "FILE")]
    pub blueprint: Option<PathBuf>,
    /// Name of the environment
    #[arg(long, global = true, env = env_vars::ENV, hide_env = true, default_value = "dev", value_name = "NAME", value_parser = environment_name)]
    pub env: String,
    /// Where the site runs [default: the blueprint's, else local]
    #[arg(long, global = true, env = env_vars::TARGET, hide_env = true)]
    pub target: Option<Target>,
    /// AWS region [default: the SDK's; us-east-1 on the local target]
    #[arg(long, global = true, env = env_vars::REGION, hide_env = true, value_parser = region_name)]
    pub region: Option<String>,
    /// AWS profile
    #[arg(long, global = true, env = env_vars::PROFILE, hide_env = true)]
    pub profile: Option<String>,
    /// Form of the result
    #[arg(long, short, global = true, env = env_vars::OUTPUT, hide_env = true, default_value = "text")]
    pub output: Output,
    /// Answer every question with yes
    #[arg(long, short, global = true, env = env_vars::YES, hide_env = true, action = ArgAction::SetTrue)]
    pub yes: bool,
    /// Tell results and errors only
    #[arg(long, short, global = true, env = env_vars::QUIET, hide_env = true, action = ArgAction::SetTrue)]
    pub quiet: bool,
    /// Tell more of what is done
    #[arg(long, short, global = true, env = env_vars::VERBOSE, hide_env = true, action = ArgAction::SetTrue, conflicts_with = "quiet")]
    pub verbose: bool,
}

/// Form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One JSON document; for long-running verbs one JSON object a line, the result last.
    Json,
    /// `outputs` and `endpoint` only: shell commands that set environment variables.
    Env,
    /// `outputs` only: lines for the file that `GITHUB_OUTPUT` names.
    Github,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Check a blueprint: every mistake with its line, in one go
    Validate(commands::validate::Arguments),
    /// Provision, ship the worker, and wait until it is healthy
    Up(commands::up::Arguments),
    /// Show the live health of every part
    Status(commands::status::Arguments),
    /// Show where things are: URLs, names and ARNs
    Outputs(commands::outputs::Arguments),
    /// Show what workers log
    Logs(commands::logs::Arguments),
    /// List all environments
    List(commands::list::Arguments),
    /// Stop everything; keep data unless told otherwise
    Teardown(commands::teardown::Arguments),
    /// Write the plain CloudFormation, or print the IAM policy that is needed
    Export(commands::export::Arguments),
    /// Run S3, SQS and SNS alone, for the tests of any project
    Endpoint(commands::endpoint::Arguments),
    /// Print the JSON schema of blueprints
    Schema(commands::schema::Arguments),
    /// Print the completion script of a shell
    Completions(commands::completions::Arguments),
    /// Run an environment's background process
    #[command(hide = true)]
    Daemon(commands::daemon::Arguments),
}

/// An environment's name becomes a directory and a part of resource names.
fn environment_name(text: &str) -> Result<String, String> {
    let valid = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
    let begins = text.starts_with(|character: char| character.is_ascii_lowercase());
    // AWS's databases have no two hyphens in a row.
    if begins && text.len() <= 63 && text.chars().all(valid) && !text.ends_with('-') && !text.contains("--") {
        Ok(text.to_owned())
    } else {
        Err("a name is of at most 63 lower-case letters, digits and single hyphens, begins with a letter and does not end with a hyphen"
            .to_owned())
    }
}

fn region_name(text: &str) -> Result<String, String> {
    let valid = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
    if !text.is_empty() && text.len() <= 32 && text.chars().all(valid) {
        Ok(text.to_owned())
    } else {
        Err("a region is a name such as eu-central-1".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn names_that_would_leave_their_directory_are_refused() {
        for name in ["", "..", "a/b", "-a", "1a", "a-", "A", &"a".repeat(64)] {
            assert!(environment_name(name).is_err(), "{name} was taken");
        }
        assert_eq!(environment_name("pr-123"), Ok("pr-123".to_owned()));
    }
}
