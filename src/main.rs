//! See the library's documentation for the map of the code.

use std::process::ExitCode;

fn main() -> ExitCode {
    termi::cli::main(std::env::args_os().collect())
}
