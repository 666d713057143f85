//! A program's output, from bytes to what it asks of the screen.
//!
//! [`string_filter`] takes strings out, of which [`osc`] reads one kind; the rest goes through [`parser`] to the screen.

mod osc;
mod parser;
mod pending;
mod sgr;
mod string_filter;
mod utf8;

pub use osc::{Chunks, Osc};
pub use parser::Parser;
#[cfg(test)]
pub use parser::ReferenceParser;
pub use sgr::{Sgr, Unread};
pub use string_filter::{CLIPBOARD_MAX, Sink, StringFilter};
