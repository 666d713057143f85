//! Waiting for a pattern: every line is looked at, however fast it passes by, and no pattern holds up anybody else.

use serde_json::json;

use crate::support::{Host, Pending, eventually};

#[test]
fn a_line_in_a_flood_is_found_wherever_it_comes() {
    let host = Host::start();
    // More on either side than the transcript keeps.
    let run = host.run_line("read x; yes | head -c 8000000; echo 'the needle'; yes | head -c 8000000; read x");
    let until = json!({"pattern": "^the n.*le$"});
    let waits: Vec<Pending<'_>> =
        (0..5).map(|_| host.begin("wait", json!({"target": run.run_id, "until": until}))).collect();
    host.input(&run.run_id, "\r");
    for wait in waits {
        assert_eq!(wait.answer().unwrap()["line"], "the needle");
    }
}

/// doc/faults.md row 39: a run that prints pays for one wait, however many there are, and they are no more than so many.
#[test]
fn a_thousand_that_wait_for_one_run_are_each_answered_with_their_own_line() {
    let host = Host::start();
    let line = "read x; seq 100000; i=1024; while [ $i -ge 0 ]; do echo \"line $i: é\"; i=$((i-1)); done; read x";
    let run = host.run_line(line);
    let other = host.connect();
    other.initialize();
    let wait = |number: usize| json!({"target": run.run_id, "until": {"pattern": format!(r"^line {number}\b.*é$")}});
    let pending: Vec<Pending<'_>> = (0..1025)
        .map(|number| if number < 1000 { host.begin("wait", wait(number)) } else { other.begin("wait", wait(number)) })
        .collect();
    // Calls are carried out side by side: whichever comes last is one too many, once all others wait.
    eventually("one is refused", || pending.iter().any(Pending::is_answered));
    host.input(&run.run_id, "\r");
    let mut refused = 0;
    for (number, wait) in pending.into_iter().enumerate() {
        match wait.answer() {
            Ok(answer) => assert_eq!(
                (&answer["reason"], &answer["line"]),
                (&json!("pattern"), &json!(format!("line {number}: é")))
            ),
            Err(refusal) => {
                refused += 1;
                assert_eq!(refusal.code, "resource_exhausted");
                assert!(refusal.message.starts_with("1024 calls wait for this run already"), "{}", refusal.message);
            }
        }
    }
    assert_eq!(refused, 1);
    // They have made room.
    assert_eq!(other.ask("wait", wait(7))["line"], "line 7: é");
}

#[test]
fn text_that_wraps_is_found_on_the_screen_and_over_its_edge() {
    let host = Host::start();
    // The needle stands over the border of two rows; the second line's also over that of transcript and screen.
    for before in [77, 36 * 80 - 3] {
        let print = format!("print('x' * {before} + 'NEEDLE' + 'y' * 800 + 'END', end='', flush=True)");
        let script = format!("stty -echo; read x; python3 -c \"{print}\"; read x; seq 100; read x");
        let run = host.run(json!({"cmd": ["sh", "-c", script]}));
        let until = |pattern: &str| json!({"target": run.run_id, "until": {"pattern": pattern}});
        let wait = host.begin("wait", until("xNEEDLEy"));
        let never = host.begin("wait", until("never"));
        host.input(&run.run_id, "\r");
        assert_eq!(wait.answer().unwrap()["reason"], "pattern", "asked before");
        host.wait_pattern(&run, "^x+NEEDLEy+END$");
        host.input(&run.run_id, "\r");
        host.wait_pattern(&run, "^100$");
        let line = host.wait_pattern(&run, "xNEEDLEy");
        assert!(line.starts_with(&"x".repeat(before)) && line.contains("yEND"), "asked when it has left the screen");
        host.ask("kill", json!({"target": run.run_id, "grace_ms": 0}));
        assert_eq!(never.answer().unwrap()["reason"], "exit");
    }
}

#[test]
fn a_line_that_comes_bit_by_bit_is_found_where_it_crosses_the_screens_edge() {
    let host = Host::start();
    let script = "stty -echo; printf ready; while read x; do printf %s \"$x\"; done";
    let run = host.run(json!({"cmd": script, "size": {"rows": 3, "cols": 20}}));
    host.wait_pattern(&run, "ready");
    let until = json!({"pattern": "b{25}c"});
    let wait = host.begin("wait", json!({"target": run.run_id, "until": until}));
    for (text, seen) in [("a".repeat(55), "a{55}"), ("b".repeat(25), "b{25}"), ("c".repeat(50), "c{50}")] {
        host.input(&run.run_id, format!("{text}\r"));
        host.wait_pattern(&run, seen);
    }
    assert_eq!(wait.answer().unwrap()["reason"], "pattern");
}

#[test]
fn patterns_that_take_too_long_are_given_up_and_hold_up_nobody() {
    let mut host = Host::start();
    let run = host.run_line("yes \"$(printf %0400d 0)\" | head -n 2000; echo all; read x; exec sleep 1000");
    host.wait_pattern(&run, "^all$");
    let waits: Vec<Pending<'_>> = (0..20)
        .map(|number| {
            let until = json!({"pattern": format!("(0{{1,40}}){{1,40}}c{number}")});
            host.begin("wait", json!({"target": run.run_id, "until": until}))
        })
        .collect();
    assert!(!host.ask("sessions", json!({})).as_object().unwrap().is_empty());
    assert_eq!(host.ask("kill", json!({"target": run.run_id, "grace_ms": 0, "signal": "KILL"}))["killed"], 1);
    let mut refused = 0;
    for (number, wait) in waits.into_iter().enumerate() {
        // Or everything had been looked at before the run ended.
        match wait.answer() {
            Ok(reply) => assert_eq!(reply["reason"], "exit"),
            Err(refusal) => {
                refused += 1;
                assert_eq!(refusal.code, "resource_exhausted");
                let said = format!("c{number}");
                assert!(refusal.message.contains(&said) && refusal.message.contains("simpler"), "{}", refusal.message);
            }
        }
    }
    assert!(refused > 0, "none was given up");
    host.close();
    host.wait_end();
}

#[test]
fn what_is_no_pattern_is_refused_in_one_line_with_what_is_wrong() {
    let host = Host::start();
    let run = host.run_line("read x");
    for (pattern, said) in
        [("(", "unclosed group"), ("(a{1,100}){1,100}c", "fewer repetitions"), (r"\w{1,200}", r"(?-u:\w)")]
    {
        let refusal = host.refusal("wait", json!({"target": run.run_id, "until": {"pattern": pattern}}));
        assert_eq!(refusal.code, "invalid_params");
        let message = refusal.message;
        assert!(message.contains(said) && message.starts_with("pattern is") && !message.contains('\n'), "{message}");
    }
}

#[test]
fn what_was_printed_before_does_not_count_where_only_what_comes_is_waited_for() {
    let host = Host::start();
    let run = host.run_line("stty -echo; echo ready; while read x; do echo \"$x\"; done");
    let until = |after: Option<serde_json::Value>| match after {
        Some(after) => json!({"target": run.run_id, "until": {"pattern": "ready", "after": after}}),
        None => json!({"target": run.run_id, "until": {"pattern": "ready"}}),
    };
    assert_eq!(host.ask("wait", until(None))["line"], "ready");
    let now = host.begin("wait", until(Some(json!("now"))));
    let none =
        host.ask("wait", json!({"target": run.run_id, "until": {"pattern": "ready", "after": "now"}, "timeout_ms": 1}));
    assert_eq!(none["reason"], "timeout");
    let seq = host.ask("send", json!({"target": run.run_id, "data": "first", "enter": true}))["seq"].clone();
    host.ask("wait", json!({"target": run.run_id, "until": {"pattern": "first", "after": seq}}));
    assert!(!now.is_answered());
    let seq = host.ask("send", json!({"target": run.run_id, "data": "ready again", "enter": true}))["seq"].clone();
    assert_eq!(host.ask("wait", until(Some(seq)))["line"], "ready again");
    assert_eq!(now.answer().unwrap()["line"], "ready again");
    let why = host.call("wait", until(Some(json!("then")))).unwrap_err();
    assert!(
        why.code == "invalid_params" && why.message.contains("\"then\"") && why.message.contains("\"now\" or a number"),
        "{}",
        why.message
    );
}
