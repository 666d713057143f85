//! Who calls is known from the peer's process: programs inside sessions are bound by `cross_session`.

use serde_json::{Value as Json, json};

use crate::support::{Daemon, Home, Host, Run, TERMI};

/// What a program inside a session gets for a call: its answer or its refusal, as it printed it.
///
/// The program is this very test binary, which finds in its environment what to do.
fn call_inside(host: &Host, own: &str, method: &str, params: &Json) -> Json {
    let me = std::env::current_exe().unwrap();
    let run = host.run(json!({
        "cmd": [me.to_str().unwrap(), "--exact", "callers::plays_a_program", "--ignored", "--nocapture"],
        "session": own,
        "env": {"TEST_METHOD": method, "TEST_PARAMS": params.to_string()},
        "size": {"rows": 24, "cols": 400},
    }));
    host.wait_exited(&run.run_id);
    let text = host.text(&run);
    let line = text.iter().find_map(|line| line.strip_prefix("ANSWER ")).unwrap_or_else(|| panic!("{text:#?}"));
    serde_json::from_str(line).unwrap()
}

#[test]
#[ignore = "started by other tests, as a program inside a session"]
fn plays_a_program() {
    use crate::support::Client;
    let stream = std::os::unix::net::UnixStream::connect(std::env::var("TERMI_SOCKET").unwrap()).unwrap();
    let client = Client::new(stream.try_clone().unwrap(), stream);
    client.initialize();
    let method = std::env::var("TEST_METHOD").unwrap();
    let params = serde_json::from_str(&std::env::var("TEST_PARAMS").unwrap()).unwrap();
    let answer = match client.call(&method, params) {
        Ok(_) => json!({"ok": true}),
        Err(failure) => json!({"code": failure.code, "message": failure.message, "data": failure.data}),
    };
    println!("\nANSWER {answer}");
}

struct Sessions {
    own: Run,
    friend: Run,
    stranger: Run,
}

fn start(host: &Host) -> Sessions {
    let run = |name: &str, group: &str| host.run(json!({"cmd": "exec sleep 1000", "name": name, "group": group}));
    Sessions { own: run("own", "web"), friend: run("friend", "web"), stranger: run("stranger", "other") }
}

#[test]
fn a_program_does_with_other_sessions_what_the_setting_says_and_with_its_own_everything() {
    let home = Home::new();
    let _daemon = Daemon::of(&home);
    let host = home.host().persist().start();
    let sessions = start(&host);
    let allowed = |run: &Run, method: &str| {
        let params = match method {
            "input" => json!({"run_id": run.run_id, "data": "x"}),
            "snapshot" => json!({"run_id": run.run_id}),
            "wait" => json!({"target": run.session_id, "until": {"idle_ms": 1}}),
            "rename" => json!({"target": run.session_id, "name": format!("n{}", &run.session_id[..8])}),
            "run" => json!({"session": run.session_id, "cmd": "true"}),
            _ => json!({"target": run.session_id}),
        };
        let answer = call_inside(&host, &sessions.own.session_id, method, &params);
        if answer["ok"] == true {
            return true;
        }
        assert_eq!(answer["code"], "forbidden", "{answer}");
        let message = answer["message"].as_str().unwrap();
        let needed = answer["data"]["needed"].as_str().unwrap();
        assert!(message.contains(&format!("set cross_session = {needed:?}")), "{message}");
        false
    };
    let reads = ["snapshot", "wait"];
    let writes = ["input", "rename", "run"];
    for (policy, friend, stranger) in [
        ("off", (false, false), (false, false)),
        ("read", (true, false), (true, false)),
        ("group", (true, true), (true, false)),
        ("full", (true, true), (true, true)),
    ] {
        host.ask("initialize", json!({"protocol": 1, "cross_session": policy}));
        for (run, (read, write)) in
            [(&sessions.own, (true, true)), (&sessions.friend, friend), (&sessions.stranger, stranger)]
        {
            for method in reads {
                assert_eq!(allowed(run, method), read, "{method} under {policy}");
            }
            for method in writes {
                assert_eq!(allowed(run, method), write, "{method} under {policy}");
            }
        }
        let all = call_inside(&host, &sessions.own.session_id, "kill", &json!({"target": "group:other"}));
        assert_eq!(all["ok"] == true, policy == "full", "{policy}: {all}");
        // Nobody but the owner sets the policy.
        let own = json!({"protocol": 1, "cross_session": "full"});
        call_inside(&host, &sessions.own.session_id, "initialize", &own);
    }
}

/// A template may name a session: its runs are typed commands in that session as much as any.
#[test]
fn a_run_of_a_template_is_judged_by_the_session_that_the_template_names() {
    let home = Home::new();
    let _daemon = Daemon::of(&home);
    let host = home.host().persist().start();
    let sessions = start(&host);
    host.ask(
        "templates",
        json!({"set": {
            "intruder": {"cmd": "true", "session": "stranger"},
            "by_name": {"cmd": "true", "name": "stranger"},
            "stranger": {"cmd": "true"},
            "inside": {"cmd": "true", "session": "own"},
            "friendly": {"cmd": "true", "session": "friend"},
            "fresh": {"cmd": "true"},
        }}),
    );
    let inside = |params: Json| call_inside(&host, &sessions.own.session_id, "run", &params);
    for template in ["intruder", "by_name", "stranger"] {
        let refused = inside(json!({"template": template}));
        assert_eq!(refused["data"]["needed"], "full", "{template}: {refused}");
        assert!(refused["message"].as_str().unwrap().contains("session \"stranger\""), "{refused}");
    }
    assert_eq!(inside(json!({"template": "friendly"}))["data"]["needed"], "group");
    let runs = |run: &Run| host.ask("sessions", json!({}))[&run.session_id]["run_ids"].as_array().unwrap().len();
    assert_eq!((runs(&sessions.stranger), runs(&sessions.friend)), (1, 1), "nothing ran there");
    // What is given wins over the template, in both directions.
    assert_eq!(inside(json!({"template": "intruder", "session": "own"})), json!({"ok": true}));
    assert_eq!(inside(json!({"template": "intruder", "name": "mine"})), json!({"ok": true}));
    assert_eq!(inside(json!({"template": "inside", "session": "stranger"}))["data"]["needed"], "full");
    assert_eq!(inside(json!({"template": "inside"})), json!({"ok": true}));
    assert_eq!(inside(json!({"template": "fresh"})), json!({"ok": true}));
    assert_eq!(inside(json!({"template": "nobody"}))["code"], "not_found");
    host.ask("initialize", json!({"protocol": 1, "cross_session": "group"}));
    assert_eq!(inside(json!({"template": "friendly"})), json!({"ok": true}));
    assert_eq!(inside(json!({"template": "intruder"}))["data"]["needed"], "full");
    host.ask("initialize", json!({"protocol": 1, "cross_session": "off"}));
    for (params, needed) in [
        (json!({"template": "stranger"}), "full"),
        (json!({"session": "new", "cmd": "true"}), "read"),
        (json!({"template": "fresh", "name": "newer"}), "read"),
        (json!({"cmd": "true"}), "read"),
    ] {
        assert_eq!(inside(params)["data"]["needed"], needed);
    }
    assert_eq!(inside(json!({"template": "inside"})), json!({"ok": true}));
}

#[test]
fn what_daemonized_below_a_session_is_still_a_program_of_it() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let host = home.host().persist().start();
    let sessions = start(&host);
    let me = std::env::current_exe().unwrap();
    let params = json!({"target": sessions.stranger.session_id});
    let line = format!(
        "mkfifo answer; (setsid sh -c 'setsid {} --exact callers::plays_a_program --ignored --nocapture >answer 2>&1 &' &); \
         grep ANSWER answer; rm answer",
        me.display()
    );
    let run = host.run(json!({
        "cmd": line,
        "env": {"TEST_METHOD": "kill", "TEST_PARAMS": params.to_string()},
        "size": {"rows": 24, "cols": 400},
    }));
    host.wait_exited(&run.run_id);
    assert!(host.text(&run).concat().contains("forbidden"), "{:?}", host.text(&run));
    // One outside of all sessions may.
    daemon.connect().ask("kill", json!({"target": sessions.stranger.session_id}));
    assert!(!TERMI.is_empty());
}

/// The embedded host's socket knows its own programs too.
#[test]
fn a_program_may_type_into_its_own_session_over_its_hosts_socket() {
    let host = Host::start();
    let own = host.run(json!({"cmd": "read x; echo \"got $x\"; exec sleep 1000", "name": "own"}));
    let other = host.run(json!({"cmd": "exec sleep 1000", "name": "other"}));
    let typed = json!({"run_id": own.run_id, "data": "hello\r"});
    assert_eq!(call_inside(&host, &own.session_id, "input", &typed), json!({"ok": true}));
    host.wait_pattern(&own, "^got hello$");
    let answer = call_inside(&host, &own.session_id, "kill", &json!({"target": other.session_id}));
    assert_eq!(answer["data"], json!({"setting": "cross_session", "is": "read", "needed": "full"}));
}
