//! `termi run`.

use std::{collections::BTreeMap, process::ExitCode};

use clap_complete::engine::ArgValueCompleter;

use super::{
    super::{completion::Program, print_error},
    Failure, Outcome, attach, candidates,
    connection::Connection,
    duration, exit_code, manage, output, stdin, tail,
    target::one_run,
};
use crate::{
    client::ClientError,
    protocol::{
        Code, CommandSpec, Empty, Error, Limits, Remove, RemoveParams, Run, RunParams, RunReply, Sessions, Status,
        Target, Until, Wait, WaitParams,
    },
};

#[derive(Debug, clap::Args)]
#[command(after_help = "One word alone is a line for your shell (termi run 'make && ./app'); several are a program \
    and its arguments as they stand (termi run make -j2). Options stand before it; `--` ends them. With --wait, what the \
    program prints goes to standard output line by line, standard input goes to the program unless it is a terminal, \
    and the exit status is the program's own (128 plus the number of a signal; 124 when a timeout ended it; 125 when \
    Termi could not run it). A session of the same --name that has ended is replaced.")]
pub struct Args {
    /// What to run; nothing is your shell
    #[arg(trailing_var_arg = true, add = ArgValueCompleter::new(Program))]
    cmd: Vec<String>,
    /// One more run in this session, by id, prefix or name
    #[arg(long, short, add = candidates::sessions())]
    session: Option<String>,
    /// The new session's name (default: the program's)
    #[arg(long, short)]
    name: Option<String>,
    /// A line for people, shown beside the name
    #[arg(long)]
    label: Option<String>,
    /// The new session's group
    #[arg(long, short, add = candidates::groups())]
    group: Option<String>,
    /// The working directory (default: this one)
    #[arg(long, short = 'C', value_hint = clap::ValueHint::DirPath)]
    cwd: Option<String>,
    /// A variable to set; KEY alone unsets it
    #[arg(long, short, value_name = "KEY=VALUE")]
    env: Vec<String>,
    /// A template's settings; options given here come before them
    #[arg(long, short, add = candidates::templates())]
    template: Option<String>,
    /// End the run after this long: 30 (seconds), 500ms, 10m
    #[arg(long, value_name = duration::VALUE, value_parser = duration::parse)]
    timeout: Option<u64>,
    /// End it after this long without output and input
    #[arg(long, value_name = duration::VALUE, value_parser = duration::parse)]
    idle: Option<u64>,
    /// Memory that its whole process tree may take, as 500M or 2G
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    memory: Option<u64>,
    /// Processor seconds that its whole process tree may use
    #[arg(long, value_name = "SECS")]
    cpu: Option<u64>,
    /// How many processes it may have
    #[arg(long, value_name = "COUNT")]
    processes: Option<u64>,
    /// Print its output, wait for its end, and exit as it did
    #[arg(long, short, conflicts_with = "attach")]
    wait: bool,
    /// With --wait, print SESSION:RUN instead of the program's output
    #[arg(long, short, conflicts_with_all = ["attach", "json"])]
    quiet: bool,
    /// Shows it on this terminal at once
    #[arg(long, short)]
    attach: bool,
    /// The answer as JSON: {session_id, run_id, pid, …}
    #[arg(long)]
    json: bool,
}

pub async fn run(args: Args) -> Outcome {
    if args.cwd.is_none() && args.session.is_none() {
        check_directory()?;
    }
    let piped = args.wait && stdin::is_piped();
    let params = RunParams {
        cmd: match args.cmd.as_slice() {
            [] => None,
            [line] => Some(CommandSpec::Line(line.clone())),
            _ => Some(CommandSpec::Argv(args.cmd)),
        },
        cwd: args.cwd,
        session: args.session,
        name: args.name,
        label: args.label,
        group: args.group,
        env: args.env.into_iter().map(variable).collect::<BTreeMap<_, _>>(),
        template: args.template,
        timeout_ms: args.timeout,
        idle_timeout_ms: args.idle,
        limits: limits(args.memory, args.cpu, args.processes),
        size: attach::tty_size(std::io::stdout()),
        // What is passed on is not to be among what is printed.
        echo: piped.then_some(false),
        ..RunParams::default()
    };
    if args.attach {
        attach::check_terminal()?;
    }
    let (mut connection, started) = start(&params).await?;
    if args.json {
        output::json(&started)?;
    } else if args.quiet || !args.wait && !args.attach {
        output::line(&output::run_name(&started))?;
    }
    if args.attach {
        let watched = attach::AttachedRun { run_id: started.run_id, name: started.session_name };
        return attach::show(connection.into_parts(), watched, attach::DetachKey::default(), false).await;
    }
    if !args.wait {
        return Ok(ExitCode::SUCCESS);
    }
    let run_id = started.run_id.clone();
    if piped {
        tokio::spawn(stdin::pass_on(Connection::open().await?, run_id.clone()));
    }
    if !args.quiet && !args.json {
        tail::follow(&mut connection, run_id.clone(), None, |reply| output::lines(&reply.lines)).await?;
    }
    // A session may be renamed meanwhile; its id stays.
    let target = Target::Run { session: started.session_id.to_string(), run: run_id.to_string() };
    let params = || WaitParams { target: target.clone(), until: Until::Exit, timeout_ms: None };
    let reply = connection.read::<Wait>(params).await?;
    let status = one_run(&mut connection, &target).await.ok().map(|found| found.run.status);
    Ok(exit_code(status, reply.exit))
}

/// Looks whether the run can be where this is.
fn check_directory() -> Result<(), Failure> {
    let advice = "change to another directory, or name one with --cwd";
    let here = std::env::current_dir()
        .map_err(|error| Failure::Asked(format!("cannot determine the current directory: {error}; {advice}")))?;
    match here.to_str() {
        Some(_) => Ok(()),
        None => Err(Failure::Asked(format!("the current directory {} is not UTF-8; {advice}", here.display()))),
    }
}

/// Starts it, at a daemon that is not about to end. A session of the wanted name that has ended gives way.
async fn start(params: &RunParams) -> Result<(Connection, RunReply), Failure> {
    let mut connection = Connection::open_or_start().await?;
    if let Some(untold) = crate::client::untold() {
        print_error(&untold);
    }
    loop {
        match connection.attempt::<Run>(|| params.clone()).await? {
            Ok(started) => return Ok((connection.without_start(), started)),
            Err(error) if error.code == Code::NameTaken => make_way(&mut connection, params, error).await?,
            Err(error) => return Err(ClientError::Refused(error).into()),
        }
    }
}

/// Removes the session that has the wanted name, if it has ended and nothing of it lives on.
async fn make_way(connection: &mut Connection, params: &RunParams, taken: Error) -> Result<(), Failure> {
    let sessions = connection.read::<Sessions>(|| Empty {}).await?;
    let named = sessions.values().find(|session| Some(&session.name) == params.name.as_ref());
    let is_named = named.is_some();
    let left: usize = named.iter().flat_map(|session| &session.processes).map(|run| run.left_running).sum();
    let is_active = named.is_some_and(|session| session.processes.iter().any(|run| run.status == Status::Active));
    let ended = sessions
        .into_iter()
        .filter(|(_, session)| Some(&session.name) == params.name.as_ref())
        .find_map(|(id, session)| Some((id, manage::has_ended(&session)?)));
    let Some((id, how)) = ended else {
        let name = params.name.as_deref().unwrap_or_default();
        return Err(Failure::Asked(match taken.code {
            Code::NameTaken if left > 0 && !is_active => format!(
                "the session {name:?} has ended, but processes that it started live on (`termi ls`); `termi rm --force \
                 {name}` ends them and makes the name free"
            ),
            Code::NameTaken if is_named => format!(
                "another session is named {name:?}; choose another name, or start the run in that one (--session {name})"
            ),
            _ => taken.message,
        }));
    };
    let target = Target::Session(id.to_string());
    connection.change::<Remove>(|| RemoveParams { target: target.clone(), force: false }).await?;
    print_error(&format!(
        "replaced the session {:?}, which had ended ({how})",
        params.name.as_deref().unwrap_or_default()
    ));
    Ok(())
}

fn variable(text: String) -> (String, Option<String>) {
    match text.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (text, None),
    }
}

fn limits(memory_bytes: Option<u64>, cpu_seconds: Option<u64>, processes: Option<u64>) -> Option<Limits> {
    let limits = Limits { memory_bytes, cpu_seconds, processes, ..Limits::default() };
    (limits != Limits::default()).then_some(limits)
}

/// Bytes, with or without a unit: `500M`, `2G`. `units::bytes` is the way back.
fn bytes(text: &str) -> Result<u64, String> {
    let rule = "bytes, or with a unit: 300K, 500M, 2G";
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: u64 = match text[digits.len()..].trim_end_matches(['b', 'B', 'i']) {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        _ => return Err(rule.to_owned()),
    };
    digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(|| rule.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units_and_refused_with_the_rule() {
        assert_eq!(["7", "3K", "500MB", "2GiB"].map(|text| bytes(text).unwrap()), [7, 3072, 500 << 20, 2 << 30]);
        for bad in ["", "M", "5X", "-1", "99999999999999999999", "99999999999999G"] {
            assert!(bytes(bad).unwrap_err().contains("500M"), "{bad}");
        }
    }
}
