//! A connection of a program inside a session, for a test to speak over.

use std::{
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    thread,
};

use serde_json::json;

use crate::support::{Client, Host, Run};

/// Starts a program in a session (a new one, or that of the parameters) that connects to its host, and hands the stream
/// on: to the host, whatever the test sends comes from that program.
pub fn stream_inside(host: &Host, mut params: serde_json::Value) -> (Run, UnixStream) {
    let folder = tempfile::tempdir_in(host.home().path()).unwrap();
    let path = folder.path().join("relay");
    let listener = UnixListener::bind(&path).unwrap();
    let me = std::env::current_exe().unwrap();
    params["cmd"] = json!([me.to_str().unwrap(), "--exact", "inside::relays", "--ignored", "--nocapture"]);
    params["env"] = json!({"TEST_RELAY": path.to_str().unwrap()});
    let run = host.run(params);
    (run, listener.accept().unwrap().0)
}

/// The same with a client that has introduced itself.
pub fn client_inside(host: &Host, params: serde_json::Value) -> (Run, Client) {
    let (run, stream) = stream_inside(host, params);
    let client = Client::new(stream.try_clone().unwrap(), stream);
    client.initialize();
    (run, client)
}

/// A connection of a process that has ended since: its child goes on with the stream.
pub fn connect_and_end(socket: &std::path::Path) -> UnixStream {
    let program = "import os, socket, sys, threading
host = socket.socket(socket.AF_UNIX)
host.connect(sys.argv[1])
if os.fork():
    os._exit(0)
test = socket.socket(fileno=0)
def pump(take, give):
    while (data := take.recv(65536)):
        give.sendall(data)
threading.Thread(target=pump, args=(test, host), daemon=True).start()
pump(host, test)";
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut python = std::process::Command::new("python3");
    python.args(["-c", program]).arg(socket).stdin(std::os::fd::OwnedFd::from(theirs));
    assert!(python.status().unwrap().success());
    ours
}

#[test]
#[ignore = "started by other tests, as a program inside a session"]
fn relays() {
    let host = UnixStream::connect(std::env::var("TERMI_SOCKET").unwrap()).unwrap();
    let test = UnixStream::connect(std::env::var("TEST_RELAY").unwrap()).unwrap();
    let (from, to) = (test.try_clone().unwrap(), host.try_clone().unwrap());
    let out = thread::spawn(move || copy(from, to));
    copy(host, test);
    let _ = out.join();
}

fn copy(mut from: UnixStream, mut to: UnixStream) {
    let mut buffer = vec![0; 65536];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(std::net::Shutdown::Both), to.shutdown(std::net::Shutdown::Both));
}
