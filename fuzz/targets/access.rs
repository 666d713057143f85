//! Whatever a program inside a session calls: it sees and changes what the policy says. See the model.
//!
//! A host in this process, real programs, and the model's connections over socket pairs.
#![no_main]

use std::{os::unix::net::UnixStream, sync::OnceLock};

use libfuzzer_sys::fuzz_target;
use termi::{
    protocol::{Access, SessionId},
    rpc::{self, Host, Transport},
    server,
    session::{Caller, Settings, Supervisor},
};
use tokio::runtime::Runtime;

#[path = "../model/access.rs"]
mod model;

/// One for all inputs: what the last one started is reaped in it.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let _ = server::prepare();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        runtime.block_on(async {
            server::reap_children().expect("children are reaped");
            // Rust's own start ignores it, which the fuzzer's does not have: a handler that stays does as well.
            let _ = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::pipe()).expect("SIGPIPE is handled");
        });
        runtime
    })
}

/// A connection of a caller.
fn connect(host: &Host, caller: Caller) -> UnixStream {
    let (ours, theirs) = UnixStream::pair().expect("a socket pair");
    theirs.set_nonblocking(true).expect("a socket does not block");
    let host = host.clone();
    runtime().spawn(async move {
        let stream = tokio::net::UnixStream::from_std(theirs).expect("a socket");
        let (reader, writer) = stream.into_split();
        rpc::serve(host, Transport::Msgpack, reader, Box::new(writer), caller).await;
    });
    ours
}

fuzz_target!(
    init: {
        // The host starts its programs through its own executable.
        let args: Vec<_> = std::env::args_os().collect();
        if args.get(1).is_some_and(|arg| arg == termi::shim::SUBCOMMAND) {
            let _ = termi::cli::main(args);
            std::process::exit(0);
        }
    },
    |data: &[u8]| {
        let _entered = runtime().enter();
        let mut settings = Settings::new(0o022, 1024);
        settings.state = None;
        let host = Host::new(Supervisor::start(settings), None);
        let program = |own: &str| connect(&host, Caller::program(SessionId::from(own.to_owned())));
        model::Model::new(connect(&host, Access::Write.into()), program).run(data);
        let ended = runtime().block_on(host.supervisor.shutdown(server::SHUTDOWN_GRACE));
        assert!(ended.is_ok());
    }
);
