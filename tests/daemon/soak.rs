//! Everything at once, at random: attach, detach, kill, resize, flood, wait, rename, scripts that wait for their
//! program's code, editors that leave or are killed, the socket's directory wiped, and the daemon's binary replaced. At
//! the end nothing is left: no process, no descriptor, no memory beyond the limits; and each script had its code.
//!
//! Short by default; `TERMI_SOAK_SECONDS=600` makes it as long, `TERMI_SOAK_SEED` repeats one.

use std::{
    os::unix::net::UnixStream,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{Client, Daemon, Home, Host, eventually, proc};

const PROGRAMS: [&str; 5] = [
    "cat",
    "yes",
    "i=0; while :; do printf '\\033[3%dmline %d\\033[m\\n' $((i % 8)) $i; i=$((i+1)); sleep 0.01; done",
    "setsid -f sleep 1000; sleep 1000 & trap '' HUP; read x; exit 3",
    "seq 20000; exec sleep 1000",
];

/// What a second life of the same length may add to what the allocator keeps from the first: a leak grows with each.
const GROWTH: u64 = 64 << 20;

/// What the sessions of scripts are called, each with its number.
const SCRIPT: &str = "script-";

/// What a life has at least.
const STEPS: u64 = 75;

struct Random(u64);

impl Random {
    fn below(&mut self, count: usize) -> usize {
        // Xorshift (Marsaglia 2003): it needs to be mixed, not good.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % count as u64).unwrap()
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The sessions and runs that random things may happen to.
fn runs(client: &Client) -> Vec<(String, String)> {
    let sessions = client.ask("sessions", json!({}));
    let mut found = Vec::new();
    for (id, session) in sessions.as_object().unwrap() {
        if session["name"].as_str().is_some_and(|name| name.starts_with(SCRIPT)) {
            continue;
        }
        for run in session["run_ids"].as_array().unwrap() {
            found.push((id.clone(), run.as_str().unwrap().to_owned()));
        }
    }
    found
}

/// A script that runs a program and waits for its code, through whatever happens to the daemon.
struct Script {
    code: i32,
    child: Child,
}

impl Script {
    fn start(daemon: &Daemon, number: u64, code: i32) -> Self {
        let line = format!("read x < /dev/null; sleep 0.{}; echo said; exit {code}", number % 7);
        let name = format!("{SCRIPT}{number}");
        let mut command = daemon.command(&["run", "--wait", "--name", &name, "sh", "-c", &line]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { code, child: command.spawn().unwrap() }
    }

    fn end(self) {
        let output = self.child.wait_with_output().unwrap();
        let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!((output.status.code(), said.trim()), (Some(self.code), "said"), "{errors}");
    }
}

#[test]
fn after_a_long_life_of_everything_at_once_nothing_is_left() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let pid = daemon.pid();
    // Each life is half of it; a machine takes as many steps in that time as it can.
    let least = Duration::from_secs(number("TERMI_SOAK_SECONDS", 0)) / 2;
    let seed = number("TERMI_SOAK_SEED", u64::from(std::process::id()) << 8 | 1);
    println!("TERMI_SOAK_SEED={seed}");
    let mut random = Random(seed);
    let mut client = daemon.connect();
    let mut editors: Vec<Host> = Vec::new();
    let mut scripts: Vec<Script> = Vec::new();
    let descriptors = proc::descriptors(pid).len();
    let (mut memory, mut steps) = (Vec::new(), 0);
    for life in 0..2 {
        let begun = Instant::now();
        for step in (0..).take_while(|step| *step < STEPS || begun.elapsed() < least) {
            steps += 1;
            let known = runs(&client);
            let pick = |random: &mut Random| known.get(random.below(known.len().max(1))).cloned();
            match random.below(16) {
                0 | 1 if known.len() < 30 => {
                    let line = PROGRAMS[random.below(PROGRAMS.len())];
                    client.ask("run", json!({"cmd": line, "attach": "ansi"}));
                }
                2 if editors.len() < 6 => editors.push(home.host().persist().start()),
                3 if !editors.is_empty() => {
                    let mut editor = editors.swap_remove(random.below(editors.len()));
                    if random.below(2) == 0 {
                        editor.kill_9();
                    }
                }
                4 | 5 => {
                    if let (Some((_, run)), false) = (pick(&mut random), editors.is_empty()) {
                        let size = json!({"rows": random.below(60), "cols": random.below(200)});
                        let editor = &editors[random.below(editors.len())];
                        let _ = editor.call("attach", json!({"run_id": run, "format": "ansi", "size": size}));
                    }
                }
                6 => {
                    if let (Some((_, run)), false) = (pick(&mut random), editors.is_empty()) {
                        editors[random.below(editors.len())].notify("detach", json!({"run_id": run}));
                    }
                }
                7 | 8 => {
                    if let Some((_, run)) = pick(&mut random) {
                        let (rows, cols) = (random.below(70_000), random.below(300));
                        client.notify("resize", json!({"run_id": run, "rows": rows, "cols": cols}));
                        client.input(&run, "typed at random\r\u{3}");
                    }
                }
                9 => {
                    if let Some((session, _)) = pick(&mut random) {
                        let _ = client.call("kill", json!({"target": session, "grace_ms": 50}));
                        let _ = client.call("remove", json!({"target": session}));
                    }
                }
                10 => {
                    if let Some((_, run)) = pick(&mut random) {
                        let _ = client.call("restart", json!({"target": run}));
                    }
                }
                11 if step % 4 == 0 => {
                    let output = daemon.command(&["daemon", "--replace"]).output().unwrap();
                    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                    for mut editor in editors.drain(..) {
                        assert_eq!(editor.wait_end().code(), Some(75));
                    }
                    client = daemon.connect();
                }
                12 => {
                    if let Some((_, run)) = pick(&mut random) {
                        let pattern = ["line 9+$", "never (said|seen)", "exit", "typed"][random.below(4)];
                        let timeout_ms = 50 * random.below(20);
                        let until = json!({"pattern": pattern});
                        let params = json!({"target": run, "until": until, "timeout_ms": timeout_ms});
                        let waiting = client.begin("wait", params);
                        client.forget(waiting.id());
                    }
                }
                13 if scripts.len() < 8 => {
                    scripts.push(Script::start(&daemon, steps, i32::try_from(random.below(100)).unwrap()));
                }
                14 => {
                    if let Some((session, run)) = pick(&mut random) {
                        for (method, params) in [
                            ("rename", json!({"target": session, "name": format!("named-{steps}")})),
                            ("send", json!({"target": run, "data": "said at random", "enter": true})),
                        ] {
                            if let Err(failure) = client.call(method, params) {
                                assert_ne!(failure.code, "invalid_params", "{failure:?}");
                            }
                        }
                    }
                }
                15 if step % 8 == 0 => {
                    // What has just connected to it may have been told nothing yet.
                    scripts.drain(..).for_each(Script::end);
                    std::fs::remove_dir_all(home.runtime()).unwrap();
                    eventually("the socket is made again", || UnixStream::connect(daemon.socket()).is_ok());
                }
                _ => scripts.drain(..scripts.len() / 4).for_each(Script::end),
            }
        }
        editors.clear();
        scripts.drain(..).for_each(Script::end);
        client.ask("kill", json!({"target": "all", "grace_ms": 50}));
        eventually("every run has ended", || {
            client.ask("remove", json!({"target": "all"}));
            client.ask("sessions", json!({})) == json!({})
        });
        assert_eq!(daemon.pid(), pid, "it is the process that it was");
        eventually("no program is left", || home.processes() == [pid]);
        eventually("no descriptor is left", || proc::descriptors(pid).len() <= descriptors);
        eventually("no zombie either", || proc::below(pid).is_empty());
        memory.push(proc::resident_bytes(pid));
        println!("life {life}: {steps} steps so far, {} bytes resident", memory[life]);
    }
    let grown = memory[1].saturating_sub(memory[0]);
    assert!(grown < GROWTH, "the daemon has grown by {grown} bytes");
    client.close();
}
