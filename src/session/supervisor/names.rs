//! Names that Termi makes.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::protocol::{RunId, SessionId, check_session_name};

/// A name for a session that was given none: its program's, with a number when that is taken.
pub fn session_name(program: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let kept: String = program.chars().filter(|c| c.is_alphanumeric() || "._-+@#".contains(*c)).take(40).collect();
    let base = kept.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '_');
    let base = if check_session_name("name", base).is_ok() { base } else { "session" };
    if !is_taken(base) {
        return base.to_owned();
    }
    // Some number is free: there are fewer sessions than numbers.
    (2_u64..).map(|n| format!("{base}-{n}")).find(|name| !is_taken(name)).unwrap_or_default()
}

/// `{program}:Session {session id, first 8}:{run id, first 8}`.
pub fn process_name(program: &str, session: &SessionId, run: &RunId) -> String {
    format!("{program}:Session {}:{}", session.short(), run.short())
}

/// `termi-session-{session id}-{unix ms}`, unique in the life of a host: `last` is the last one's time, and is moved on.
pub fn terminal_name(session: &SessionId, last: &mut u128) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
    *last = now.max(*last + 1);
    format!("termi-session-{session}-{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_from_programs_and_never_twice() {
        assert_eq!(session_name("bash", |_| false), "bash");
        assert_eq!(session_name("bash", |name| matches!(name, "bash" | "bash-2")), "bash-3");
        assert_eq!(session_name("-weird/:*name", |_| false), "weirdname");
        assert_eq!(session_name("\u{1b}[", |_| false), "session");
        assert_eq!(session_name("all", |_| false), "session");
        assert_eq!(session_name("20261130", |_| false), "session", "an id could begin so");
        for program in ["..", "a b", "日本", &"x".repeat(500)] {
            assert!(check_session_name("name", &session_name(program, |_| false)).is_ok(), "{program}");
        }
    }

    #[test]
    fn terminal_names_of_the_same_millisecond_differ() {
        let id = SessionId::new();
        let mut last = 0;
        let names: std::collections::HashSet<_> = (0..1000).map(|_| terminal_name(&id, &mut last)).collect();
        assert_eq!(names.len(), 1000);
    }
}
