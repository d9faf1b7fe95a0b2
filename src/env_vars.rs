//! Names of the environment variables that the command line reads. Those of workers stand in the contract.

/// Directory that holds the local environments.
pub const HOME: &str = "DECOUPLE_HOME";
/// The built-in worker's program, where it does not stand beside `decouple`.
pub const WORKER: &str = "DECOUPLE_WORKER";
/// `--stage`.
pub const STAGE: &str = "DECOUPLE_STAGE";
/// `--blueprint`.
pub const BLUEPRINT: &str = "DECOUPLE_BLUEPRINT";
/// `--env`. Workers are told the environment's name in the same variable.
pub const ENV: &str = "DECOUPLE_ENV";
/// `--target`.
pub const TARGET: &str = "DECOUPLE_TARGET";
/// `--region`.
pub const REGION: &str = "DECOUPLE_REGION";
/// `--profile`.
pub const PROFILE: &str = "DECOUPLE_PROFILE";
/// `--output`.
pub const OUTPUT: &str = "DECOUPLE_OUTPUT";
/// `--yes`.
pub const YES: &str = "DECOUPLE_YES";
/// `--quiet`.
pub const QUIET: &str = "DECOUPLE_QUIET";
/// `--verbose`.
pub const VERBOSE: &str = "DECOUPLE_VERBOSE";
