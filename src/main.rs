//! The `decouple` command line: it only starts what the library does.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    decouple::run(std::env::args_os()).await
}
