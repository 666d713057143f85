//! The plugin in real Neovims, the oldest and the newest that it supports, as a person sees it.
//!
//! Each test is one body that runs in both. A body types, looks at the screen, and waits for what it expects there;
//! afterwards no error may have been shown and no process may be left.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and explain itself")]
#![allow(dead_code, reason = "what supports the tests is shared with other test binaries")]

mod driver;
mod home;
mod machine;
#[path = "../support/tmux.rs"]
mod tmux;

/// Makes each body two tests, named after it: one in the oldest Neovim and one in the newest. What precedes the body
/// in `with` is how the Neovim is started.
macro_rules! in_each_neovim {
    ($($(#[$meta:meta])* fn $name:ident($editor:ident $(, $start:ident => $with:expr)?) $body:block)*) => { $(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "not every body needs what its file imports")]
            use super::*;

            #[allow(unused_mut, unused_assignments, reason = "most start as usual")]
            fn run(version: crate::driver::Version) {
                let start = crate::driver::Start::new(version);
                $( let start = { let $start = start; $with }; )?
                crate::driver::Editor::test(start, |$editor: &mut crate::driver::Editor| $body);
            }

            #[test]
            fn neovim_0_10() {
                run(crate::driver::Version::Oldest);
            }

            #[test]
            fn neovim_0_12() {
                run(crate::driver::Version::Newest);
            }
        }
    )* };
}

mod agents;
mod aids;
mod api;
mod asking;
mod ends;
mod following;
mod hosts;
mod install;
mod law;
mod list;
mod messages;
mod persist;
mod pipes;
mod programs;
mod projects;
mod reading;
mod run;
mod screen;
mod snippets;
mod specs;
mod starting;
mod typing;
