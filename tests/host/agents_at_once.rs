//! Twenty coding agents at once, nobody attached: recordings of real ones, each begun somewhere, some without what
//! would make it easy.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value as Json, json};

use crate::support::{Home, Run, eventually_some};

/// A change of what is true is to be seen after this long, in seconds.
const LATENCY: f64 = 1.0;
/// How much of each recording is played, in seconds.
const PLAYED: f64 = 25.0;

/// How many of each, and between which times of it one may begin.
const AGENTS: [(&str, &str, u32, f64, f64); 5] = [
    ("claude", "claude-hidden", 5, 7.5, 55.0),
    ("claude", "claude2-visible-b", 6, 5.0, 65.0),
    ("codex", "codex-visible", 6, 4.5, 55.0),
    ("copilot", "copilot-visible", 2, 8.5, 75.0),
    ("opencode", "opencode-visible", 1, 75.0, 90.0),
];

struct Player {
    run: Run,
    log: std::path::PathBuf,
    said: String,
}

/// One entry of a player's log.
struct Passed {
    at: f64,
    kind: String,
    text: String,
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn log(player: &Player) -> Vec<Passed> {
    let text = fs::read_to_string(&player.log).unwrap_or_default();
    let read = |line: &str| {
        let (at, kind, text) = serde_json::from_str(line).ok()?;
        Some(Passed { at, kind, text })
    };
    text.lines().filter_map(read).collect()
}

/// What was true at a moment, if that is known and was so for long enough.
fn truth(log: &[Passed], at: f64) -> Option<&str> {
    let (mut truth, mut since) = (None, 0.0);
    for passed in log.iter().take_while(|passed| passed.at <= at) {
        match passed.kind.as_str() {
            "state" if truth != Some(passed.text.as_str()) => (truth, since) = (Some(passed.text.as_str()), passed.at),
            // An answer is given: what it brings about is not known before the next entry.
            "i" if passed.text.ends_with('\r') => truth = None,
            _ => {}
        }
    }
    truth.filter(|_| at >= since + LATENCY)
}

fn is_right(truth: &str, state: &Json) -> bool {
    match truth {
        "blocked" | "working" => state == truth,
        _ => ["ready", "done", "error", "starting"].iter().any(|other| state == other),
    }
}

#[test]
fn of_twenty_agents_at_once_nineteen_are_right_at_each_second() {
    let home = Home::new();
    let host = home.host().start();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/agents");
    let folder = home.path().join("agents");
    fs::create_dir_all(&folder).unwrap();
    let mut seed = u64::from(std::process::id()) ^ SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    println!("seed {seed}");
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(seed >> 33).unwrap()) / f64::from(1_u32 << 31)
    };
    let mut players = Vec::new();
    for (name, recording, count, first, last) in AGENTS {
        let program = folder.join(name);
        fs::write(&program, include_str!("../support/agent_player.py")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        for number in 0..count {
            let begin = first + random() * (last - first);
            // Three have no titles, two do not report.
            let without = match (recording, number) {
                ("claude-hidden", 0) | ("codex-visible" | "copilot-visible", 1) => "titles",
                ("claude2-visible-b" | "codex-visible", 2) => "reports",
                _ => "",
            };
            let log = home.path().join(format!("{recording}-{number}.log"));
            let path = fixtures.join(format!("tui-{recording}.jsonl"));
            let (from, to) = (begin.to_string(), (begin + PLAYED).to_string());
            let run = host.run(json!({
                "cmd": [program, path, from, to, log, without],
                "size": {"rows": 60, "cols": 200},
            }));
            let said = format!("{recording} {number} from {begin:.2} without {without:?}");
            players.push(Player { run, log, said });
        }
    }
    assert_eq!(players.len(), 20);
    for player in &players {
        eventually_some("each has begun", || log(player).first().map(|_| ()));
    }
    // What a person types is typed as the recording says; the players do not read it.
    let mut typed = vec![0; players.len()];
    let mut samples: Vec<(f64, Json)> = Vec::new();
    loop {
        let logs: Vec<Vec<Passed>> = players.iter().map(log).collect();
        for ((player, log), typed) in players.iter().zip(&logs).zip(&mut typed) {
            for passed in &log[*typed..] {
                if passed.kind == "i" && !passed.text.starts_with('\x1b') {
                    host.input(&player.run.run_id, "x");
                }
            }
            *typed = log.len();
        }
        if logs.iter().all(|log| log.last().is_some_and(|last| last.kind == "end")) {
            break;
        }
        if samples.last().is_none_or(|(at, _)| now() >= at + 1.0) {
            let at = now();
            samples.push((at, host.ask("sessions", json!({}))));
        }
        thread::sleep(Duration::from_millis(20));
    }
    let logs: Vec<Vec<Passed>> = players.iter().map(log).collect();
    let (mut judged, mut blocked) = (0, 0);
    for (at, sessions) in &samples {
        let mut wrong = Vec::new();
        for (player, log) in players.iter().zip(&logs) {
            let ended = log.last().is_none_or(|last| *at > last.at);
            let Some(truth) = truth(log, *at).filter(|_| !ended) else { continue };
            let session = &sessions[&player.run.session_id];
            let agent = &session["processes"][0]["agent"];
            judged += 1;
            blocked += usize::from(truth == "blocked");
            if !is_right(truth, &agent["state"]) {
                wrong.push(format!("{}: {truth}, shown {agent}", player.said));
            }
        }
        assert!(wrong.len() <= 1, "at {at:.2}: {wrong:#?}");
    }
    assert!(judged > 100 && blocked > 0, "{judged} of {} samples, {blocked} of them blocked", samples.len());
    println!("{judged} samples, {blocked} of them blocked");
}
