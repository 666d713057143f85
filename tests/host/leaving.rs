//! What a run is to know of, however much it is asked meanwhile: clients that have gone, its session's name.

use std::{net::Shutdown, os::unix::net::UnixStream};

use serde_json::json;

use crate::support::{Client, Host, Pending, eventually};

/// Calls that wait for a run's answer all the time: more than wait for one run at the most.
struct Crowd<'a> {
    clients: &'a [Client],
    asked: Vec<Pending<'a>>,
}

impl Crowd<'_> {
    const EACH: usize = 900;

    fn ask(&mut self, run_id: &str) {
        for client in self.clients {
            self.asked.extend((0..Self::EACH).map(|_| client.begin("prompts", json!({"run_id": run_id}))));
        }
    }

    fn be_answered(self) {
        for pending in self.asked {
            // More calls than may be under way are refused.
            let _ = pending.answer();
        }
    }
}

fn crowd(host: &Host) -> Vec<Client> {
    let clients: Vec<Client> = (0..2).map(|_| host.connect()).collect();
    clients.iter().for_each(|client| _ = client.initialize());
    clients
}

#[test]
fn a_client_that_goes_while_a_run_is_asked_much_leaves_no_view_behind() {
    let host = Host::start();
    let run = host.run(json!({"cmd": "read x", "size": {"rows": 24, "cols": 80}}));
    let clients = crowd(&host);
    for _ in 0..10 {
        let streams: Vec<UnixStream> = (0..4).map(|_| UnixStream::connect(host.socket()).unwrap()).collect();
        for stream in &streams {
            let guest = Client::new(stream.try_clone().unwrap(), stream.try_clone().unwrap());
            guest.initialize();
            guest.ask("attach", json!({"run_id": run.run_id, "format": "ansi", "size": {"rows": 10, "cols": 33}}));
        }
        let mut crowd = Crowd { clients: &clients, asked: Vec::new() };
        crowd.ask(&run.run_id);
        streams.iter().for_each(|stream| stream.shutdown(Shutdown::Both).unwrap());
        crowd.ask(&run.run_id);
        crowd.be_answered();
    }
    eventually("no client has a view", || host.info(&run)["attached"] == false);
    let viewer = json!({"run_id": run.run_id, "format": "ansi", "size": {"rows": 40, "cols": 120}});
    assert_eq!(host.ask("attach", viewer)["size"], json!({"rows": 40, "cols": 120}));
}

#[test]
fn a_busy_run_has_its_sessions_new_name_and_the_new_colors() {
    let host = Host::start();
    let script = "stty raw -echo; yes \"$(printf %0400d 0)\" | head -n 2000; echo all; head -c 1 >/dev/null; \
                  printf '\\033]11;?\\007'; head -c 24 | tr -d '\\033\\007'; echo; sleep 1000";
    let run = host.run(json!({"cmd": script, "name": "first"}));
    host.wait_pattern(&run, "all$");
    let clients = crowd(&host);
    // While it searches for these, it answers a few calls a second.
    let _waits: Vec<Pending<'_>> = (0..20)
        .map(|number| {
            let until = json!({"pattern": format!("(0{{1,40}}){{1,40}}c{number}")});
            host.begin("wait", json!({"target": run.run_id, "until": until}))
        })
        .collect();
    let mut crowd = Crowd { clients: &clients, asked: Vec::new() };
    crowd.ask(&run.run_id);
    host.ask("rename", json!({"target": run.session_id, "name": "second"}));
    host.ask("colors", json!({"background": "#123456"}));
    crowd.be_answered();
    host.input(&run.run_id, "x");
    host.wait_pattern(&run, "11;rgb:1212/3434/5656");
    host.ask("kill", json!({"target": run.run_id, "grace_ms": 0}));
    assert_eq!(host.wait_exited(&run.run_id)["session_name"], "second");
}
