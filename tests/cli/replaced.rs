//! Single commands while the daemon is replaced over and over: each is carried out, once, and says so.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use crate::home::{Home, eventually};

/// So often is the daemon replaced while the commands run.
const REPLACEMENTS: usize = 15;

/// The lines of a file that programs write.
fn lines(home: &Home, name: &str) -> Vec<String> {
    let text = fs::read_to_string(home.path().join(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// `1`, `2`, and so on.
fn numbers(count: usize) -> Vec<String> {
    (1..=count).map(|number| number.to_string()).collect()
}

/// Of 60 `termi ls` during replacements, 6 ended with 125: the daemon closed the connection before it answered.
#[test]
fn single_commands_are_carried_out_once_while_the_daemon_is_replaced() {
    let home = &Home::new();
    home.done(&["run", "-n", "sink", "stty -echo; echo ready; while read -r line; do echo \"$line\" >>sent; done"]);
    home.done(&["wait", "sink", "--pattern", "ready"]);
    home.done(&["run", "-n", "again", "echo start >>restarts; exec sleep 1000"]);
    eventually("it is started", || lines(home, "restarts").len() == 1);
    fs::write(home.path().join(".termi.json"), r#"{"templates": {"t": {"cmd": "echo up >>ups; exec sleep 1000"}}}"#)
        .unwrap();
    let over = &AtomicBool::new(false);
    let each = |mut act: Box<dyn FnMut(usize) + Send>| {
        move || {
            let mut count = 0;
            while !over.load(Ordering::SeqCst) {
                count += 1;
                act(count);
            }
            count
        }
    };
    let counts = thread::scope(|scope| {
        let reads = each(Box::new(|_| {
            assert!(home.done(&["ls"]).contains("sink"));
            home.done(&["stats"]);
            home.done(&["history"]);
            home.done(&["tail", "-n", "1", "sink"]);
        }));
        let sends = each(Box::new(|count| _ = home.done(&["send", "--enter", "sink", &count.to_string()])));
        let runs = each(Box::new(|count| {
            home.done(&["run", &format!("echo {count} >>runs")]);
        }));
        let kills = each(Box::new(|count| {
            let name = format!("kill-{count}");
            home.done(&["run", "-n", &name, "exec sleep 1000"]);
            home.done(&["rename", &name, &format!("{name}-now")]);
            assert_eq!(home.done(&["kill", &format!("{name}-now")]), "Killed 1/1 processes");
            assert_eq!(home.done(&["rm", &format!("{name}-now")]), "Removed 1 run");
        }));
        let restarts = each(Box::new(|count| {
            home.done(&["restart", "again"]);
            // The next one would end it before it has said so.
            eventually("it is started", || lines(home, "restarts").len() > count);
        }));
        let ups = each(Box::new(|_| {
            assert!(home.done(&["up"]).starts_with("t: started"));
            assert_eq!(home.done(&["down"]), "Killed 1/1 processes");
        }));
        let piped = each(Box::new(|count| {
            let mut sh = home.command("sh");
            let line = format!("seq {count}00 {count}20 | $T run -n piped-{count} --wait 'cat >>piped'");
            let status = sh.args(["-c", &line]).status().unwrap();
            assert!(status.success(), "{status}");
        }));
        let workers: Vec<_> = vec![
            scope.spawn(reads),
            scope.spawn(sends),
            scope.spawn(runs),
            scope.spawn(kills),
            scope.spawn(restarts),
            scope.spawn(ups),
            scope.spawn(piped),
        ];
        let replacing = scope.spawn(|| (0..REPLACEMENTS).for_each(|_| _ = home.done(&["daemon", "--replace"])));
        let replaced = replacing.join();
        over.store(true, Ordering::SeqCst);
        let counts: Vec<usize> = workers.into_iter().map(|worker| worker.join().unwrap()).collect();
        replaced.unwrap();
        counts
    });
    let [_, sent, runs, _, restarts, ups, piped] = counts[..] else { panic!("{counts:?}") };
    home.done(&["send", "--enter", "sink", "over"]);
    eventually("the last line is there", || lines(home, "sent").last().is_some_and(|line| line == "over"));
    assert_eq!(lines(home, "sent")[..sent], numbers(sent), "each line that was sent, once");
    eventually("the last run has ended", || lines(home, "runs").len() >= runs);
    assert_eq!(lines(home, "runs").into_iter().collect::<std::collections::BTreeSet<_>>().len(), runs);
    assert_eq!(lines(home, "runs").len(), runs, "each run was started once");
    assert_eq!(lines(home, "restarts").len(), restarts + 1, "once when it was first run, and once for each restart");
    assert!(lines(home, "ups").len() <= ups, "no more than were asked for: {ups}");
    let all = |count: usize| (1..=count).flat_map(|n| (n * 100..=n * 100 + 20).map(|n| n.to_string()));
    assert_eq!(lines(home, "piped"), all(piped).collect::<Vec<_>>(), "all of standard input");
}
