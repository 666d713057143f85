//! Who calls is known from the peer's process: programs inside sessions are bound by `cross_session`.

use rmpv::Value;
use serde_json::{Value as Json, json};

use crate::{
    inside::client_inside,
    support::{Daemon, Failure, Home, Host, Run, TERMI, eventually, from_json},
};

/// What a program inside a session gets for a call: its answer or its refusal, as it printed it.
///
/// The program is this very test binary, which finds in its environment what to do.
fn call_inside(host: &Host, own: &str, method: &str, params: &Json) -> Json {
    let me = std::env::current_exe().unwrap();
    let run = host.run(json!({
        "cmd": [me.to_str().unwrap(), "--exact", "access::plays_a_program", "--ignored", "--nocapture"],
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
        // The setting that a refusal names is one that would do, also where it must not tell whether there is one.
        if policy == "off" {
            for (method, needed) in [("restart", "full"), ("snapshot", "read")] {
                let target = json!({"target": sessions.stranger.session_id, "run_id": sessions.stranger.run_id});
                let refused = call_inside(&host, &sessions.own.session_id, method, &target);
                assert_eq!(refused["data"]["needed"], needed, "{method}: {refused}");
            }
        }
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
        // Sessions of others and such as there are none look alike: which there are is not told.
        (json!({"template": "stranger"}), "read"),
        (json!({"session": "stranger", "cmd": "true"}), "read"),
        (json!({"session": "new", "cmd": "true"}), "read"),
        (json!({"template": "fresh", "name": "newer"}), "read"),
        (json!({"cmd": "true"}), "read"),
    ] {
        assert_eq!(inside(params)["data"]["needed"], needed);
    }
    assert_eq!(inside(json!({"template": "inside"})), json!({"ok": true}));
}

/// A report says of which run it is by the process that makes it, not by what it says of itself.
#[test]
fn a_program_reports_as_an_agent_on_its_own_run_alone() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let host = home.host().persist().start();
    let stranger = host.run(json!({"cmd": "exec sleep 1000", "name": "stranger"}));
    let (first, of_first) = client_inside(&host, json!({"name": "own"}));
    let (second, of_second) = client_inside(&host, json!({"session": "own"}));
    assert_eq!(first.session_id, second.session_id);
    let state = |run: &Run| host.info(run)["agent"]["state"].clone();
    of_first.ask("agent_report", json!({"app": "claude-code", "state": "working", "run_id": first.run_id}));
    of_second
        .ask("agent_report", json!({"app": "codex", "state": "blocked", "kind": "question", "message": "a\u{7}b"}));
    assert_eq!((state(&first), state(&second)), (json!("working"), json!("blocked")));
    let agent = host.info(&second)["agent"].clone();
    assert_eq!((&agent["kind"], &agent["message"]), (&json!("question"), &json!("ab")));
    assert_eq!(host.info(&first)["agent"]["app"], "claude");
    // Whatever the setting says of other things.
    for policy in ["off", "full"] {
        host.ask("initialize", json!({"protocol": 1, "cross_session": policy}));
        for other in [&second, &stranger] {
            let refused = of_first.refusal("agent_report", json!({"state": "done", "run_id": other.run_id}));
            assert_eq!(refused.code, "forbidden");
            let (own, other) = (&first.run_id[..8], &other.run_id);
            assert!(refused.message.contains(own) && refused.message.contains(other.as_str()), "{}", refused.message);
        }
        of_first.ask("agent_report", json!({"state": "working"}));
    }
    for client in [&daemon.connect(), &*host] {
        let refused = client.refusal("agent_report", json!({"state": "done", "run_id": first.run_id}));
        assert_eq!(refused.code, "forbidden");
        assert!(refused.message.contains("inside a session"), "{}", refused.message);
    }
    assert_eq!((state(&first), state(&second), state(&stranger)), (json!("working"), json!("blocked"), Json::Null));
    // What it said is taken back, and an agent that is not known is to be named.
    of_second.ask("agent_report", json!({"state": "clear"}));
    assert_eq!(state(&second), Json::Null);
    let unnamed = of_second.refusal("agent_report", json!({"state": "done"}));
    assert_eq!(unnamed.code, "invalid_params");
    assert!(unnamed.message.starts_with("app "), "{}", unnamed.message);
    let long = json!({"app": "x".repeat(100_000), "state": "error", "message": "é".repeat(100_000)});
    of_second.ask("agent_report", long);
    let agent = host.info(&second)["agent"].clone();
    let count = |key: &str| agent[key].as_str().unwrap().chars().count();
    assert_eq!((count("app"), count("message")), (64, 500));
    for params in [json!({"app": "x", "state": "asleep"}), json!({"app": "x", "state": "done", "kind": "x"})] {
        assert_eq!(of_second.refusal("agent_report", params).code, "invalid_params");
    }
}

/// However often a program reports, clients are told no more often than they are of anything else.
#[test]
fn a_flood_of_reports_is_no_flood_of_events() {
    let home = Home::new();
    let _daemon = Daemon::of(&home);
    let host = home.host().persist().start();
    let (run, inside) = client_inside(&host, json!({}));
    for at in 0..2000 {
        let state = ["working", "done"][at % 2];
        inside.ask("agent_report", json!({"app": "x", "state": state}));
    }
    inside.ask("agent_report", json!({"app": "x", "state": "error", "message": "last"}));
    let of_run = |event: &Json| event["type"] == "agent_state" && event["run_id"] == run.run_id.as_str();
    host.wait_event("the last", |event| of_run(event) && event["agent"]["message"] == "last");
    let told = host.state().events.iter().filter(|event| of_run(event)).count() as u64;
    let most = host.info(&run)["duration_ms"].as_u64().unwrap() / 100 + 2;
    assert!(told <= most, "{told} in {most} tenths of a second");
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
        "mkfifo answer; (setsid sh -c 'setsid {} --exact access::plays_a_program --ignored --nocapture >answer 2>&1 &' &); \
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

/// Access is decided on what the handler reads: serde takes a msgpack *bin* for a text, and so did the handlers, while
/// what decided looked for a *str*. An id sent as bin was everybody's.
#[test]
fn an_id_is_judged_in_each_type_that_the_handler_takes() {
    let home = Home::new();
    let _daemon = Daemon::of(&home);
    let host = home.host().persist().start();
    let victim = host.run(json!({"cmd": "echo secret; exec cat", "name": "victim"}));
    host.wait_pattern(&victim, "secret");
    host.ask("templates", json!({"set": {"intruder": {"cmd": "true", "session": "victim"}}}));
    let (own, inside) = client_inside(&host, json!({"name": "own"}));
    let call = |method: &str, bytes: &[(&str, &str)], rest: Json| {
        let Value::Map(mut params) = from_json(&rest) else { panic!("{rest}") };
        params.extend(bytes.iter().map(|(key, value)| (Value::from(*key), Value::Binary(value.as_bytes().to_vec()))));
        inside.begin_with(method, Value::Array(vec![Value::Map(params)])).answer()
    };
    let forbidden = |method: &str, bytes: &[(&str, &str)], rest: Json| match call(method, bytes, rest) {
        Err(Failure { code, .. }) if code == "forbidden" => {}
        other => panic!("{method} {bytes:?}: {other:?}"),
    };
    let (run_id, session_id) = (victim.run_id.as_str(), victim.session_id.as_str());
    // As text and as bytes, what may be read is read.
    assert!(call("snapshot", &[("run_id", run_id)], json!({})).is_ok());
    for session in ["victim", session_id, &session_id[..6]] {
        forbidden("run", &[("session", session)], json!({"cmd": "true"}));
        forbidden("send", &[("target", session), ("data", "OWNED")], json!({}));
        forbidden("rename", &[("target", session), ("name", "mine")], json!({}));
        for method in ["kill", "restart", "remove"] {
            forbidden(method, &[("target", session)], json!({}));
        }
    }
    forbidden("run", &[("template", "intruder")], json!({}));
    forbidden("resize", &[("run_id", run_id)], json!({"rows": 3, "cols": 3}));
    forbidden("input", &[("run_id", run_id), ("data", "OWNED")], json!({}));
    host.ask("initialize", json!({"protocol": 1, "cross_session": "off"}));
    for method in ["snapshot", "lines", "prompts", "attach", "subscribe", "detach"] {
        forbidden(method, &[("run_id", run_id)], json!({"format": "ansi"}));
    }
    forbidden("wait", &[("target", run_id)], json!({"until": "exit"}));
    assert!(call("snapshot", &[("run_id", &own.run_id)], json!({})).is_ok());
    assert_eq!(host.text(&victim), ["secret"]);
}

/// A target that was looked up once to be judged and again to be acted on meant two sessions, if one was renamed in
/// between: 2,552 of 79,020 lines went to the other.
#[test]
fn no_rename_comes_between_the_judgement_and_the_deed() {
    let home = Home::new();
    let _daemon = Daemon::of(&home);
    let host = home.host().persist().start();
    let victim = host.run(json!({"cmd": "exec cat", "name": "victim"}));
    let (own, first) = client_inside(&host, json!({"name": "own"}));
    let (_, second) = client_inside(&host, json!({"session": "own"}));
    let rounds = if cfg!(debug_assertions) { 500 } else { 3000 };
    std::thread::scope(|scope| {
        // Both sessions have the name in turn.
        for (client, id, other) in [(&*host, &victim.session_id, "away"), (&first, &own.session_id, "own")] {
            scope.spawn(move || {
                for round in 0..rounds {
                    let name = if round % 2 == 0 { "victim" } else { other };
                    let _ = client.call("rename", json!({"target": id, "name": name}));
                }
            });
        }
        for _ in 0..rounds {
            let _ = second.call("send", json!({"target": "victim", "data": "OWNED", "enter": true}));
        }
    });
    // What was typed before this came before it.
    host.ask("send", json!({"target": victim.run_id, "data": "the end", "enter": true}));
    // Once by the terminal's echo, once by `cat`.
    let ends = || host.text(&victim).iter().filter(|line| *line == "the end").count();
    eventually("the end is printed", || ends() == 2);
    assert_eq!(host.text(&victim), ["the end", "the end"]);
}

/// Under the policy `group` the programs of a group may do everything to each other, so that being in one is a right.
#[test]
fn no_program_starts_a_session_into_a_group_that_it_may_not_write_to() {
    let home = Home::new();
    let _daemon = Daemon::of(&home);
    let host = home.host().persist().start();
    let sessions = start(&host);
    host.ask("templates", json!({"set": {"joins": {"cmd": "true", "group": "other"}}}));
    let (_, inside) = client_inside(&host, json!({"session": "own"}));
    let needed = |params: Json| match inside.call("run", params) {
        Ok(_) => Json::Null,
        Err(failure) => failure.data["needed"].clone(),
    };
    for (policy, own, other, empty) in [
        ("read", json!("group"), json!("full"), Json::Null),
        ("group", Json::Null, json!("full"), json!("full")),
        ("full", Json::Null, Json::Null, Json::Null),
    ] {
        host.ask("initialize", json!({"protocol": 1, "cross_session": policy}));
        let join = |group: &str| needed(json!({"cmd": "true", "group": group, "name": format!("{policy}-{group}")}));
        assert_eq!((join("web"), join("other"), join("empty")), (own, other.clone(), empty), "{policy}");
        assert_eq!(needed(json!({"template": "joins", "name": format!("{policy}-joins")})), other, "{policy}");
        assert_eq!(needed(json!({"cmd": "true"})), Json::Null, "{policy}");
    }
    assert!(!sessions.stranger.run_id.is_empty());
}

/// To read changes nothing, the terminal's size neither.
#[test]
fn a_reader_that_attaches_with_a_size_does_not_size_the_program() {
    let home = Home::new();
    let _daemon = Daemon::of(&home);
    let host = home.host().persist().start();
    let victim =
        host.run(json!({"cmd": "trap 'stty size' WINCH; while :; do read -r line && echo \"got $line\"; done"}));
    let (_, inside) = client_inside(&host, json!({"name": "own"}));
    let attach = json!({"run_id": victim.run_id, "format": "ansi", "size": {"rows": 7, "cols": 30}});
    assert_eq!(inside.ask("attach", attach)["size"], json!({"rows": 24, "cols": 80}));
    inside.wait_for("a frame", |state| state.views.get(&victim.run_id).map(|_| ()));
    assert_eq!(inside.refusal("resize", json!({"run_id": victim.run_id, "rows": 7, "cols": 30})).code, "forbidden");
    host.ask("send", json!({"target": victim.run_id, "data": "line", "enter": true}));
    host.wait_pattern(&victim, "^got line$");
    assert_eq!(host.text(&victim), ["line", "got line"]);
    assert_eq!(host.ask("snapshot", json!({"run_id": victim.run_id}))["size"], json!({"rows": 24, "cols": 80}));
}

/// The setting holds from the moment that it is made, for who is there already too.
#[test]
fn what_was_opened_to_a_program_is_closed_with_the_setting() {
    let home = Home::new();
    let _daemon = Daemon::of(&home);
    let host = home.host().persist().start();
    let victim = host.run(json!({"cmd": "exec cat", "name": "victim"}));
    let (own, inside) = client_inside(&host, json!({"name": "own"}));
    inside.ask("attach", json!({"run_id": victim.run_id, "format": "ansi"}));
    inside.wait_for("a frame", |state| state.views.get(&victim.run_id).map(|_| ()));
    host.ask("initialize", json!({"protocol": 1, "cross_session": "off"}));
    host.ask("send", json!({"target": victim.run_id, "data": "secret", "enter": true}));
    host.wait_pattern(&victim, "^secret$");
    host.ask("rename", json!({"target": "victim", "name": "unheard"}));
    host.ask("rename", json!({"target": own.session_id, "name": "heard"}));
    inside.wait_event("its own new name", |event| event["session_name"] == "heard");
    assert!(!inside.state().events.iter().any(|event| event["session_name"] == "unheard"));
    for (method, params) in [
        ("health", json!({})),
        ("history", json!({})),
        ("stats", json!({})),
        ("restorable", json!({})),
        ("wait", json!({"target": "all", "until": "exit"})),
        ("wait", json!({"target": "group:web", "until": "exit"})),
    ] {
        assert_eq!(inside.refusal(method, params).code, "forbidden", "{method}");
    }
    let sessions = inside.ask("sessions", json!({}));
    assert_eq!(sessions.as_object().unwrap().keys().collect::<Vec<_>>(), [&own.session_id]);
    assert!(!inside.state().views[&victim.run_id].screen().concat().contains("secret"));
    // And is open again with it.
    host.ask("initialize", json!({"protocol": 1, "cross_session": "read"}));
    inside.ask("attach", json!({"run_id": victim.run_id, "format": "ansi"}));
    inside.wait_screen(&victim.run_id, "what was typed meanwhile", |screen| screen.concat().contains("secret"));
    host.ask("rename", json!({"target": "unheard", "name": "heard-of"}));
    inside.wait_event("another's new name", |event| event["session_name"] == "heard-of");
    // Who looked on because of the policy alone types when the policy allows it, and was told before that it did not.
    let typed = json!({"target": victim.run_id, "data": "typed", "enter": true});
    assert_eq!(inside.refusal("send", typed.clone()).data["needed"], "full");
    host.ask("initialize", json!({"protocol": 1, "cross_session": "full"}));
    inside.ask("send", typed);
    inside.wait_screen(&victim.run_id, "it was typed", |screen| screen.concat().contains("typed"));
}

/// Whose process has gone by the time that the host looks, may be a program of any session: it gets what the least of
/// them gets, and under the strictest policy nothing.
#[test]
fn a_caller_that_cannot_be_placed_is_a_stranger_to_every_session() {
    let home = Home::new();
    let daemon = Daemon::of(&home);
    let host = home.host().persist().start();
    let victim = host.run(json!({"cmd": "echo secret; exec cat", "name": "victim"}));
    host.wait_pattern(&victim, "secret");
    for (policy, reads) in [("off", false), ("read", true), ("group", true), ("full", true)] {
        host.ask("initialize", json!({"protocol": 1, "cross_session": policy}));
        let pid = daemon.pid();
        // It connects while the host cannot look, passes the stream on, and ends.
        crate::support::proc::signal(pid, nix::sys::signal::Signal::SIGSTOP);
        let stream = crate::inside::connect_and_end(&daemon.socket());
        crate::support::proc::signal(pid, nix::sys::signal::Signal::SIGCONT);
        let client = crate::support::Client::new(stream.try_clone().unwrap(), stream);
        client.initialize();
        let read = client.call("snapshot", json!({"run_id": victim.run_id}));
        assert_eq!(read.is_ok(), reads, "{policy}: {read:?}");
        let sessions = client.ask("sessions", json!({}));
        assert_eq!(sessions.as_object().unwrap().is_empty(), !reads, "{policy}");
        for (method, params) in [("kill", json!({"target": "victim"})), ("run", json!({"cmd": "true"}))] {
            assert_eq!(client.refusal(method, params).code, "forbidden", "{method} under {policy}");
        }
    }
    eventually("the victim runs", || host.info(&victim)["status"] == "active");
}
