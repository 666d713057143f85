//! Templates: named settings of runs, and whole projects started in order and ended.

use serde_json::{Value as Json, json};

use crate::support::Host;

fn names(list: &Json) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|item| item["template"].as_str().unwrap_or_else(|| item.as_str().unwrap()))
        .collect()
}

/// The names of sessions whose run was told to have started or ended, in order.
fn told(host: &Host, kind: &str) -> Vec<String> {
    let state = host.state();
    let events = state.events.iter().filter(|event| event["type"] == kind);
    events.map(|event| event["session_name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_run_of_a_template_has_its_settings_and_what_is_given_wins() {
    let host = Host::start();
    host.ask(
        "templates",
        json!({"set": {"server": {
            "cmd": "echo \"$A $B\"; ulimit -n; exec sleep 1000", "group": "web", "label": "the server",
            "env": {"A": "one", "B": "two"}, "limits": {"open_files": 40}, "resume": "server --resume",
        }}}),
    );
    let run = host.run(json!({"template": "server", "env": {"B": "three"}}));
    host.wait_pattern(&run, "^40$");
    assert_eq!(host.text(&run)[0], "one three");
    assert_eq!(run.reply["session_name"], "server");
    let session = host.ask("sessions", json!({}))[&run.session_id].clone();
    assert_eq!((&session["group"], &session["label"]), (&json!("web"), &json!("the server")));
    let info = host.info(&run);
    assert_eq!((&info["template"], &info["resume"]), (&json!("server"), &json!("server --resume")));
    let other = host.run(json!({"template": "server", "cmd": "exit 5", "name": "mine"}));
    assert_eq!(other.reply["session_name"], "mine");
    assert_eq!(host.wait_exited(&other.run_id)["exit"]["code"], 5);
    assert_eq!(host.ask("history", json!({}))["records"][0]["template"], "server");
    let refusal = host.refusal("run", json!({"template": "nobody"}));
    assert_eq!(refusal.code, "not_found");
    assert!(refusal.message.contains("\"nobody\"") && refusal.message.contains("server"), "{}", refusal.message);
}

#[test]
fn a_project_starts_in_order_and_ends_in_reverse() {
    let host = Host::start();
    let gate = host.home().fifo("gate");
    host.ask("templates", json!({"set": {
        "client": {"cmd": "echo up; exec sleep 1000", "after": {"template": "server", "until": {"idle_ms": 50}}},
        "db": {"cmd": format!("read x <{}; echo ready to accept; exec sleep 1000", gate.display())},
        "migrate": {"cmd": "exit 0", "after": {"template": "db", "until": {"pattern": "ready"}}},
        "server": {"cmd": "echo listening; exec sleep 1000",
            "after": [{"template": "migrate", "until": "exit"}, {"template": "db", "until": {"pattern": "ready to \\w+"}}]},
    }}));
    let up = host.begin("up", json!({}));
    host.wait_event("the database", |event| event["type"] == "run_started" && event["session_name"] == "db");
    host.ask("sessions", json!({}));
    assert_eq!(told(&host, "run_started"), ["db"], "nothing before it is ready");
    assert!(!up.is_answered());
    host.home().release(&gate);
    let answer = up.answer().unwrap();
    assert_eq!(names(&answer["started"]), ["db", "migrate", "server", "client"], "{answer}");
    assert_eq!((&answer["failed"], &answer["running"]), (&json!([]), &json!([])));
    host.wait_event("the client", |event| event["type"] == "run_started" && event["session_name"] == "client");
    assert_eq!(told(&host, "run_started"), ["db", "migrate", "server", "client"]);
    // Again: what runs is left alone, what has ended is done again.
    let again = host.ask("up", json!({}));
    assert_eq!(names(&again["started"]), ["migrate"], "{again}");
    assert_eq!(names(&again["running"]), ["db", "server", "client"]);
    host.wait_exited(again["started"][0]["run_id"].as_str().unwrap());
    let down = host.ask("down", json!({}));
    assert_eq!(down["templates"], json!(["client", "server", "db"]));
    assert_eq!((&down["killed"], &down["total"]), (&json!(3), &json!(3)));
    host.wait_event("the last end", |event| event["type"] == "run_exited" && event["session_name"] == "db");
    assert_eq!(told(&host, "run_exited"), ["migrate", "migrate", "client", "server", "db"]);
    assert_eq!(host.ask("down", json!({}))["total"], 0, "nothing runs any more");
}

#[test]
fn what_cannot_start_is_told_with_all_that_waited_for_it() {
    let host = Host::start();
    host.ask("templates", json!({"set": {
        "bad": {"cmd": ["no-such-program"]},
        "after-bad": {"cmd": "true", "after": {"template": "bad"}},
        "fails": {"cmd": "exit 3"},
        "after-fails": {"cmd": "true", "after": {"template": "fails", "until": "exit"}},
        "silent": {"cmd": "exec sleep 1000"},
        "after-silent": {"cmd": "true", "after": {"template": "silent", "until": {"pattern": "never"}, "timeout_ms": 50}},
        "ends": {"cmd": "echo nothing"},
        "after-ends": {"cmd": "true", "after": {"template": "ends", "until": {"pattern": "something"}}},
        "fine": {"cmd": "true"},
    }}));
    let answer = host.ask("up", json!({}));
    let mut started = names(&answer["started"]);
    started.sort_unstable();
    assert_eq!(started, ["ends", "fails", "fine", "silent"]);
    let failure = |name: &str| {
        let failed = answer["failed"].as_array().unwrap();
        let found = failed.iter().find(|failure| failure["template"] == name).unwrap_or_else(|| panic!("{answer}"));
        (found["error"]["code"].as_str().unwrap().to_owned(), found["error"]["message"].as_str().unwrap().to_owned())
    };
    assert_eq!(failure("bad").0, "program_not_found");
    assert_eq!(failure("after-bad").1, "it comes after template \"bad\", which was not started");
    assert_eq!(failure("after-fails").1, "it comes after template \"fails\", which ended with code 3");
    assert_eq!(
        failure("after-silent").1,
        "it comes after template \"silent\", which had not printed \"never\" after 50ms"
    );
    assert_eq!(
        failure("after-ends").1,
        "it comes after template \"ends\", which ended with code 0 before it printed \"something\""
    );
}

#[test]
fn a_group_is_started_with_what_it_needs_and_ended_alone() {
    let host = Host::start();
    let stay = "exec sleep 1000";
    host.ask(
        "templates",
        json!({"set": {
            "db": {"cmd": stay, "group": "data"},
            "server": {"cmd": stay, "group": "web", "after": {"template": "db"}},
            "other": {"cmd": stay},
        }}),
    );
    let answer = host.ask("up", json!({"group": "web"}));
    assert_eq!(names(&answer["started"]), ["db", "server"]);
    assert_eq!(host.ask("down", json!({"group": "web"}))["templates"], json!(["server"]));
    assert_eq!(names(&host.ask("up", json!({"templates": ["server"]}))["running"]), ["db"]);
    for (method, params) in [("up", json!({"group": "none"})), ("down", json!({"templates": ["nobody"]}))] {
        assert_eq!(host.refusal(method, params).code, "not_found");
    }
}

#[test]
fn circles_unknown_names_and_typing_errors_are_refused_with_their_names() {
    let host = Host::start();
    let set = |templates: Json| host.refusal("templates", json!({"set": templates})).message;
    let circle = set(json!({"a": {"after": {"template": "b"}}, "b": {"after": {"template": "a"}}}));
    assert!(circle.contains("a → b → a"), "{circle}");
    let unknown = set(json!({"a": {"after": {"template": "nobody"}}}));
    assert!(unknown.contains("\"nobody\"") && unknown.contains("\"a\""), "{unknown}");
    assert!(set(json!({"a": {"cmdd": "x"}})).contains("cmdd"));
    assert!(set(json!({"../a": {}})).contains("../a"));
    assert!(set(json!({"a": {"limits": {"processes": 0}}})).starts_with("template \"a\": limits.processes is 0"));
    assert_eq!(host.ask("templates", json!({}))["templates"], json!({}), "none of them is known");
    assert_eq!(host.refusal("up", json!({})).code, "not_found");
}

#[test]
fn a_projects_file_is_read_as_text_or_refused_at_its_line() {
    let host = Host::start();
    let path = host.home().path().join(".termi.json");
    let text = "{\"templates\": {\n  \"db\": {\"cmd\": \"pwd\", \"cwd\": \"data\"},\n  \"web\": {\"cmd\": \"x\", \"after\": {\"template\": \"db\"}}\n}}";
    let read = |text: &str| host.call("parse_templates", json!({"text": text, "path": path}));
    let answer = read(text).unwrap();
    assert_eq!(answer["order"], json!(["db", "web"]));
    let home = host.home().path();
    assert_eq!(answer["templates"]["db"]["cwd"], home.join("data").to_str().unwrap());
    assert_eq!(answer["templates"]["web"]["cwd"], home.to_str().unwrap());
    assert_eq!(host.ask("templates", json!({}))["templates"], json!({}), "reading makes nothing known");
    // What was read can be made known as it is.
    std::fs::create_dir(home.join("data")).unwrap();
    host.ask("templates", json!({"set": answer["templates"]}));
    let run = host.run(json!({"template": "db"}));
    host.wait_exited(&run.run_id);
    assert_eq!(host.text(&run), [home.join("data").to_str().unwrap()]);
    let refusal = read("{\"templates\": {\n  \"db\": {\"cmd\": \"x\",\n    \"timeout\": 5}\n}}").unwrap_err();
    assert_eq!(refusal.code, "invalid_params");
    assert!(refusal.message.starts_with(&format!("{}:3:", path.display())), "{}", refusal.message);
    assert!(refusal.message.contains("unknown field `timeout`"), "{}", refusal.message);
    assert_eq!(refusal.data["line"], 3);
}

/// What all templates take together was without a bound, and then no client could read the answer that lists them.
#[test]
fn templates_are_kept_only_as_far_as_an_answer_can_list_them() {
    let host = Host::start();
    let large = |name: &str| json!({"set": {name: {"cmd": "true", "env": {"X": "x".repeat(900 << 10)}}}});
    host.ask("templates", large("one"));
    host.ask("templates", large("two"));
    let refusal = host.refusal("templates", large("three"));
    assert_eq!(refusal.code, "invalid_params");
    assert!(refusal.message.contains("at most 2 MiB") && refusal.message.contains("replace"), "{}", refusal.message);
    assert_eq!(host.ask("templates", json!({}))["order"], json!(["one", "two"]));
}
