//! Properties of whole terminals.

mod bulk_equivalence;
mod hostile_streams;
mod terminal;
