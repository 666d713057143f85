//! Input: every byte, in order, to the program that reads; bounded and reported for the one that does not.

use serde_json::json;

use crate::support::{Host, Run, eventually};

const MEGABYTE: usize = 1 << 20;
/// What the host holds for a program that does not read; see `input_dropped`'s `limit_bytes`.
const LIMIT: usize = 4 << 20;

/// A program that copies what is typed into a file, byte by byte, until it has `bytes` of them.
fn recorder(host: &Host, bytes: usize) -> Run {
    let run = host.run_line(&format!("stty raw -echo; echo ready; head -c {bytes} >typed; echo done"));
    host.wait_pattern(&run, "ready");
    run
}

fn typed(host: &Host) -> Vec<u8> {
    std::fs::read(host.home().path().join("typed")).unwrap()
}

/// A terminal that nobody reads from and that does not even echo.
fn deaf(host: &Host) -> Run {
    let run = host.run_line("stty raw -echo; echo ready; exec sleep 1000");
    host.wait_pattern(&run, "ready");
    run
}

#[test]
fn what_is_typed_arrives_in_order_also_when_it_had_to_wait() {
    let host = Host::start();
    let go = host.home().fifo("go");
    let chunk = |n: u32| format!("{n},").repeat(50).into_bytes();
    let expected: Vec<u8> = (0..2000).flat_map(chunk).collect();
    // The program reads only when it is told to: by then much more is typed than a terminal holds.
    let line = format!("stty raw -echo; echo ready; read go <go; head -c {} >typed", expected.len());
    let run = host.run_line(&line);
    host.wait_pattern(&run, "ready");
    for n in 0..2000 {
        host.input(&run.run_id, chunk(n));
    }
    // An answer that comes from the run itself: it has taken in all of it.
    host.info(&run);
    host.home().release(&go);
    host.wait_exited(&run.run_id);
    assert!(typed(&host) == expected, "what was typed is not what was read");
}

#[test]
fn every_byte_can_be_typed() {
    let host = Host::start();
    let expected: Vec<u8> = (0..=255).collect();
    let run = recorder(&host, 256);
    host.input(&run.run_id, &expected);
    host.wait_exited(&run.run_id);
    assert_eq!(typed(&host), expected);
}

#[test]
fn keys_are_the_terminals_own() {
    let host = Host::start();
    let run = host.run_line("trap 'echo interrupted' INT; echo ready; while :; do sleep 0.02; done");
    host.wait_pattern(&run, "ready");
    host.input(&run.run_id, "\u{3}");
    host.wait_pattern(&run, "interrupted");
    let cat = host.run_line("cat; echo end of file");
    host.input(&cat.run_id, "line\r\u{4}");
    host.wait_exited(&cat.run_id);
    assert_eq!(host.text(&cat), ["line", "line", "end of file"]);
}

#[test]
fn a_paste_is_bracketed_when_the_program_asked_and_cannot_break_out() {
    let host = Host::start();
    let script = "stty raw -echo; printf '\\033[?2004h'; echo ready; head -c 18 >typed";
    let run = host.run_line(script);
    host.wait_pattern(&run, "ready");
    host.notify("input", json!({"run_id": run.run_id, "data": "a\nb\u{1b}[201~c\r\nd", "paste": true}));
    host.wait_exited(&run.run_id);
    assert_eq!(String::from_utf8(typed(&host)).unwrap(), "\u{1b}[200~a\rbc\rd\u{1b}[201~");
    let run = recorder(&host, 3);
    host.notify("input", json!({"run_id": run.run_id, "data": "a\nb", "paste": true}));
    host.wait_exited(&run.run_id);
    assert_eq!(typed(&host), b"a\rb");
}

#[test]
fn what_is_pasted_into_a_shell_is_not_carried_out_whatever_is_in_it() {
    let host = Host::start();
    let params = json!({"cmd": ["bash", "--norc", "--noprofile", "-i"], "env": {"PS1": "$n>", "n": "ready"}});
    let run = host.run(params);
    host.wait_pattern(&run, "^ready>$");
    let controls = ["\u{3}", "\u{4}", "\u{f}", "\u{15}", "\u{18}\u{5}", "\u{1a}", "\u{1c}", "\u{7f}", "\u{9b}201~"];
    // An end bracket that is left when one is taken out, several deep, and cut by one that begins.
    let brackets = [
        "\u{1b}[201~",
        "\u{1b}[20\u{1b}[201~1~",
        "\u{1b}[2\u{1b}[2\u{1b}[201~01~01~",
        "\u{1b}[20\u{1b}[200~1~",
        "\u{1b}\u{0}[201~",
    ];
    for (index, attack) in brackets.iter().chain(&controls).enumerate() {
        for method in ["send", "input"] {
            let file = format!("{method}{index}");
            let data = format!("echo a{attack}\r touch {file}\r");
            if method == "send" {
                host.ask("send", json!({"target": run.run_id, "data": data, "paste": true}));
            } else {
                host.notify("input", json!({"run_id": run.run_id, "data": data, "paste": true}));
            }
            host.wait_pattern(&run, &format!("touch {file}"));
            // Erases what was pasted (an interrupt is lost while bash draws), and has the shell carry out another line
            // after all that came before. Its prompt says that it asks for brackets again.
            host.input(&run.run_id, format!("\u{15}\rn=after-{file}\r"));
            host.wait_pattern(&run, &format!("^after-{file}>$"));
            let is_there = host.home().path().join(&file).exists();
            assert!(!is_there, "{attack:?} by {method} was carried out:\n{}", host.text(&run).join("\n"));
        }
    }
}

#[test]
fn a_megabyte_into_a_program_that_reads_arrives_whole() {
    let host = Host::start();
    let expected: Vec<u8> = (0..MEGABYTE).map(|n| b"0123456789abcdef\r"[n % 17]).collect();
    let run = recorder(&host, expected.len());
    host.input(&run.run_id, &expected);
    host.wait_exited(&run.run_id);
    assert!(typed(&host) == expected, "{} of {} bytes", typed(&host).len(), expected.len());
    let told = |kind: &str| host.state().events.iter().any(|event| event["type"] == kind);
    assert!(!told("input_stalled") && !told("input_dropped"), "nothing was wrong");
}

#[test]
fn a_megabyte_into_a_program_that_does_not_read_is_told_and_the_host_goes_on() {
    let host = Host::start();
    let run = deaf(&host);
    host.input(&run.run_id, vec![b'x'; MEGABYTE]);
    let event = host.wait_event("input_stalled", |event| event["type"] == "input_stalled");
    assert_eq!(event["run_id"], run.run_id.as_str());
    let pending = event["pending_bytes"].as_u64().unwrap();
    assert!(pending > 900_000 && pending <= MEGABYTE as u64, "{event}");
    // Another run is typed into meanwhile.
    let other = host.run_seen("read x; echo \"got $x\"; exec sleep 1000");
    host.input(&other.run_id, "fine\r");
    host.wait_screen(&other.run_id, "the other's echo", |screen| screen.contains(&"got fine".to_owned()));
    assert_eq!(host.ask("kill", json!({"target": run.run_id}))["killed"], 1);
    assert_eq!(host.wait_exited(&run.run_id)["exit"]["signal"], 1);
}

#[test]
fn beyond_the_limit_input_is_refused_whole_and_told() {
    let host = Host::start();
    let run = deaf(&host);
    for _ in 0..6 {
        host.input(&run.run_id, vec![b'x'; MEGABYTE]);
    }
    let event = host.wait_event("input_dropped", |event| event["type"] == "input_dropped");
    assert_eq!(event["run_id"], run.run_id.as_str());
    assert_eq!(event["dropped_bytes"], MEGABYTE);
    assert_eq!(event["limit_bytes"], LIMIT);
    assert_eq!(host.info(&run)["status"], "active");
    assert_eq!(host.ask("kill", json!({"target": run.run_id}))["killed"], 1);
    let memory = crate::support::proc::resident_bytes(host.pid());
    assert!(memory < 200 << 20, "{memory} bytes");
}

#[test]
fn ctrl_c_stops_a_program_that_does_not_read_what_waits_before_it() {
    let host = Host::start();
    let run = host.run_line("echo ready; exec sleep 1000");
    host.wait_pattern(&run, "ready");
    host.input(&run.run_id, vec![b'x'; MEGABYTE]);
    host.input(&run.run_id, "\u{3}");
    assert_eq!(host.wait_exited(&run.run_id)["exit"]["signal"], 2);
}

#[test]
fn typing_into_a_run_that_has_ended_is_nobodys_harm() {
    let host = Host::start();
    let run = host.run_line("exit 0");
    host.wait_exited(&run.run_id);
    host.input(&run.run_id, "too late\r");
    host.ask("input", json!({"run_id": run.run_id, "data": "too late"}));
    eventually("the host answers", || host.info(&run)["status"] == "exited");
}

#[test]
fn what_is_typed_in_one_run_echoes_while_another_floods() {
    let host = Host::start();
    let flood = host.run_seen("yes flood");
    let shell = host.run_seen("while read x; do echo \"got $x\"; done");
    host.wait_screen(&flood.run_id, "the flood", |screen| screen.len() > 20);
    for n in 0..20 {
        host.input(&shell.run_id, format!("{n}\r"));
        host.wait_screen(&shell.run_id, "the echo", |screen| screen.contains(&format!("got {n}")));
    }
    host.input(&flood.run_id, "\u{3}");
    assert_eq!(host.wait_exited(&flood.run_id)["exit"]["signal"], 2);
    assert_eq!(host.info(&shell)["status"], "active");
}
