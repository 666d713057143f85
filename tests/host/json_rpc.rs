//! JSON-RPC 2.0: the same protocol, written otherwise.

use serde_json::{Value as Json, json};

use crate::support::{Home, Host, Speech, json_rpc::framed, proc};

fn json_host() -> Host {
    Home::new().host().json().start()
}

#[test]
fn a_whole_life_over_json() {
    let mut host = Home::new().host().json().start_silent();
    let introduced = host.initialize();
    assert_eq!(introduced["protocol"], 1);
    assert_eq!(introduced["pid"], host.pid());
    let run = host.run_seen("while read line; do echo \"got $line\"; stty size; done");
    host.notify("resize", json!({"run_id": run.run_id, "rows": 30, "cols": 90}));
    host.input(&run.run_id, "hello\r");
    host.wait_screen(&run.run_id, "its answer", |screen| {
        screen.contains(&"got hello".into()) && screen.contains(&"30 90".into())
    });
    let snapshot = host.ask("snapshot", json!({"run_id": run.run_id}));
    assert_eq!(snapshot["size"], json!({"rows": 30, "cols": 90}));
    assert_eq!(host.info(&run)["status"], "active");
    assert_eq!(host.ask("kill", json!({"target": run.session_id}))["killed"], 1);
    assert_eq!(host.ask("wait", json!({"target": run.run_id, "until": "exit"}))["reason"], "exit");
    host.wait_exited(&run.run_id);
    assert_eq!(host.ask("shutdown", json!({})), json!({}));
    assert!(host.wait_end().success());
    assert!(proc::gone(run.pid));
}

#[test]
fn frames_of_rows_come_over_json() {
    let host = json_host();
    let run = host.run(json!({"cmd": "printf '\\033[31mred\\033[m plain'; exec sleep 1000", "attach": "spans"}));
    host.wait_for("a frame with the text", |state| {
        let frame = &state.views.get(&run.run_id)?.last;
        frame.to_string().contains("red plain").then_some(())
    });
    assert_eq!(host.state().views[&run.run_id].last["format"], "spans");
}

#[test]
fn an_answer_comes_before_the_first_frame_and_the_events_of_its_run() {
    let host = json_host();
    for _ in 0..50 {
        let call = host.begin("run", json!({"cmd": ["true"], "attach": "ansi"}));
        let id = call.id();
        let run = call.answer().unwrap()["run_id"].clone();
        host.wait_exited(run.as_str().unwrap());
        let state = host.state();
        let at = |what: &str, fits: &dyn Fn(&Json) -> bool| {
            state.arrivals.iter().position(fits).unwrap_or_else(|| panic!("no {what}"))
        };
        let answer = at("answer", &|arrival| arrival["answer"] == id);
        assert!(answer < at("start", &|arrival| arrival["type"] == "run_started" && arrival["run_id"] == run));
        assert!(answer < at("frame", &|arrival| arrival["frame"] == run));
    }
}

#[test]
fn every_byte_can_be_typed() {
    let host = json_host();
    let run = host.run_line("stty raw -echo; echo ready; head -c 512 >typed; echo done");
    host.wait_pattern(&run, "ready");
    let all: Vec<u8> = (0..=255).collect();
    host.input(&run.run_id, &all);
    for byte in 0..=127_u8 {
        host.input(&run.run_id, [byte]);
    }
    host.input(&run.run_id, "ä".repeat(64));
    host.wait_exited(&run.run_id);
    let typed = std::fs::read(host.home().path().join("typed")).unwrap();
    let expected = [&all[..], &all[..128], "ä".repeat(64).as_bytes()].concat();
    assert!(typed == expected, "what was typed is not what was read");
}

#[test]
fn typing_as_a_request_stays_in_order_too() {
    let host = json_host();
    let run = host.run_line("stty raw -echo; echo ready; head -c 2890 >typed");
    host.wait_pattern(&run, "ready");
    let calls: Vec<_> =
        (0..1000).map(|n| host.begin("input", json!({"run_id": run.run_id, "data": n.to_string()}))).collect();
    for call in calls {
        assert_eq!(call.answer(), Ok(json!({})));
    }
    host.wait_exited(&run.run_id);
    let typed = std::fs::read_to_string(host.home().path().join("typed")).unwrap();
    assert_eq!(typed, (0..1000).map(|n| n.to_string()).collect::<String>());
}

#[test]
fn a_neovim_is_told_to_speak_msgpack() {
    let host = Home::new().host().json().start_silent();
    let refusal = host.refusal("initialize", json!({"protocol": 1, "frontend": "nvim"}));
    assert_eq!(refusal.code, "invalid_params");
    assert!(refusal.message.contains("--rpc msgpack"), "{}", refusal.message);
    host.initialize();
}

#[test]
fn refusals_have_the_standards_codes_and_termis_own() {
    let host = json_host();
    let code = |content: &str| {
        // With an id that the client does not give itself, the answer is left for the test.
        host.send_bytes(&framed(content));
        let failure = host.wait_for("the answer", |state| {
            let answered = state.answer(1_000_000).cloned();
            answered.map(Result::unwrap_err).or_else(|| state.refusals.last().cloned())
        });
        host.state().refusals.clear();
        (failure.code, failure.message)
    };
    assert!(code("{").1.contains("not JSON"));
    assert!(code("{\"jsonrpc\": \"2.0\", \"id\": 1000000}").1.contains("method"));
    host.forget(1_000_000);
    assert_eq!(host.refusal("start", json!({})).code, "unknown_method");
    assert_eq!(host.refusal("kill", json!({})).code, "invalid_params");
    assert_eq!(host.refusal("kill", json!({"target": "nobody"})).code, "not_found");
    for params in ["5", "\"text\"", "[1]", "[{}]", "true"] {
        let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":1000000,\"method\":\"kill\",\"params\":{params}}}");
        let refusal = code(&line);
        assert_eq!(refusal.0, "invalid_params", "{params}: {}", refusal.1);
        host.forget(1_000_000);
    }
    assert_eq!(host.begin_with("sessions", rmpv::Value::Nil).answer(), Ok(json!({})));
}

#[test]
fn a_batch_is_answered_by_one_message_of_all_answers() {
    let home = Home::new();
    let mut host = home.host().json().command();
    let mut host = host.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (host.stdin.take().unwrap(), std::io::BufReader::new(host.stdout.take().unwrap()));
    let mut exchange = |content: &str| -> Json {
        std::io::Write::write_all(&mut input, &framed(content)).unwrap();
        serde_json::from_slice(&crate::support::json_rpc::read_content(&mut output).unwrap()).unwrap()
    };
    let answers = exchange(
        r#"[{"jsonrpc":"2.0","id":"a","method":"sessions"}, {"jsonrpc":"2.0","method":"$/ignored"}, 5,
            {"jsonrpc":"2.0","method":"nothing"}, {"jsonrpc":"2.0","id":2,"method":"kill","params":{"target":"x"}}]"#,
    );
    let shape: Vec<_> = answers.as_array().unwrap().iter().map(|one| (&one["id"], &one["error"]["code"])).collect();
    assert_eq!(shape, [(&json!("a"), &Json::Null), (&Json::Null, &json!(-32600)), (&json!(2), &json!(-32000))]);
    // Of notifications alone nothing comes: the next answer is the next call's.
    std::io::Write::write_all(&mut input, &framed(r#"[{"jsonrpc":"2.0","method":"nothing"}]"#)).unwrap();
    let mut exchange = |content: &str| -> Json {
        std::io::Write::write_all(&mut input, &framed(content)).unwrap();
        serde_json::from_slice(&crate::support::json_rpc::read_content(&mut output).unwrap()).unwrap()
    };
    assert_eq!(exchange("[]")["error"]["code"], -32600);
    assert_eq!(
        exchange(r#"{"jsonrpc":"2.0","id":1.5,"method":"sessions"}"#),
        json!({"jsonrpc": "2.0", "id": 1.5, "result": {}})
    );
    drop(input);
    assert!(host.wait().unwrap().success());
}

#[test]
fn over_the_hosts_socket_one_may_speak_either() {
    let host = Host::start();
    let run = host.run_line("echo seen by both; exec sleep 1000");
    host.wait_pattern(&run, "seen");
    for speech in [Speech::Msgpack, Speech::Json] {
        let guest = host.outsider_speaking(speech);
        guest.initialize();
        assert!(guest.ask("sessions", json!({})).get(&run.session_id).is_some());
        assert_eq!(guest.refusal("kill", json!({"target": "all"})).code, "forbidden");
        guest.ask("attach", json!({"run_id": run.run_id, "format": "ansi"}));
        guest.wait_screen(&run.run_id, "the text", |screen| screen == ["seen by both"]);
    }
}
