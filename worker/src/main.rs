//! The `decouple` command line.
fn main() {}
