//! Everything at once, at random: attach, detach, kill, resize, flood, editors that leave or are killed, and the
//! daemon's binary replaced. At the end nothing is left: no process, no descriptor, no memory beyond the limits.
//!
//! Short by default; `TERMI_SOAK_SECONDS=600` makes it as long, `TERMI_SOAK_SEED` repeats one.

use std::time::{Duration, Instant};

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

fn runs(client: &Client) -> Vec<(String, String)> {
    let sessions = client.ask("sessions", json!({}));
    let mut found = Vec::new();
    for (id, session) in sessions.as_object().unwrap() {
        for run in session["run_ids"].as_array().unwrap() {
            found.push((id.clone(), run.as_str().unwrap().to_owned()));
        }
    }
    found
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
    let descriptors = proc::descriptors(pid).len();
    let (mut memory, mut steps) = (Vec::new(), 0);
    for life in 0..2 {
        let begun = Instant::now();
        for step in (0..).take_while(|step| *step < STEPS || begun.elapsed() < least) {
            steps += 1;
            let known = runs(&client);
            let pick = |random: &mut Random| known.get(random.below(known.len().max(1))).cloned();
            match random.below(12) {
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
                _ => {}
            }
        }
        editors.clear();
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
