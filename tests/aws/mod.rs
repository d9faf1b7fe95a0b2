//! The target `aws`: a whole life of an environment against an emulator, and what no emulator does against answers that
//! were written down.

mod answers;
mod emulated;
mod emulator;
mod failures;
mod interrupted;
mod replay;
mod replayed;
