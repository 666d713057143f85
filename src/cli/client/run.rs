//! `termi run`.

use std::{collections::BTreeMap, process::ExitCode};

use super::{super::complain, Outcome, attach, connect_or_start, exit_code, output, target::one_run};
use crate::protocol::{CommandSpec, Limits, Run, RunParams, Target, Until, Wait, WaitParams};

#[derive(Debug, clap::Args)]
#[command(after_help = "One word alone is a line for your shell (termi run 'make && ./app'); several are a program \
    and its arguments as they stand (termi run make -j2). With --wait the exit code is the program's own (128 and the \
    number for a signal; 124 when a timeout ended it).")]
pub struct Args {
    /// What to run; nothing is your shell
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    cmd: Vec<String>,
    /// One more run in this session, by id, prefix or name
    #[arg(long, short)]
    session: Option<String>,
    /// The new session's name (default: the program's)
    #[arg(long, short)]
    name: Option<String>,
    /// A line for people, shown beside the name
    #[arg(long)]
    label: Option<String>,
    /// The new session's group
    #[arg(long, short)]
    group: Option<String>,
    /// The working folder (default: this one)
    #[arg(long, short = 'C')]
    cwd: Option<String>,
    /// A variable to set; KEY alone unsets it
    #[arg(long, short, value_name = "KEY=VALUE")]
    env: Vec<String>,
    /// A template's settings; options given here come before them
    #[arg(long, short)]
    template: Option<String>,
    /// Ends the run after so many seconds
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    timeout: Option<u64>,
    /// Ends it after so many seconds without output and input
    #[arg(long, value_name = "SECS", value_parser = seconds)]
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
    /// Waits for its end and exits as it did
    #[arg(long, short, conflicts_with = "attach")]
    wait: bool,
    /// Shows it on this terminal at once
    #[arg(long, short)]
    attach: bool,
    /// The answer as JSON: {session_id, run_id, pid, …}
    #[arg(long)]
    json: bool,
}

pub async fn run(args: Args) -> Outcome {
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
        ..RunParams::default()
    };
    let (client, inbox) = connect_or_start().await?;
    if let Some(untold) = crate::client::untold() {
        complain(&untold);
    }
    let started = client.call::<Run>(params).await?;
    if args.json {
        output::json(&started)?;
    } else if !args.attach {
        output::line(&format!("{}:{}", started.session_name, started.run_id.short()))?;
    }
    if args.attach {
        let watched = attach::Watched { run_id: started.run_id, name: started.session_name };
        return attach::show((client, inbox), watched, attach::DetachKey::default(), false).await;
    }
    if !args.wait {
        return Ok(ExitCode::SUCCESS);
    }
    // A session may be renamed meanwhile; its id stays.
    let target = Target::Run { session: started.session_id.to_string(), run: started.run_id.to_string() };
    let reply =
        client.call::<Wait>(WaitParams { target: target.clone(), until: Until::Exit, timeout_ms: None }).await?;
    let status = one_run(&client, &target).await.ok().map(|found| found.run.status);
    Ok(exit_code(status, reply.exit))
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

/// Seconds, with a fraction or a unit (`1.5`, `90s`, `10m`, `2h`), as milliseconds.
pub fn seconds(text: &str) -> Result<u64, String> {
    let rule = "seconds as 30 or 0.5, or with a unit: 90s, 10m, 2h, 500ms";
    let (number, factor) = [("ms", 1.0), ("s", 1e3), ("m", 60e3), ("h", 3600e3)]
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))
        .unwrap_or((text, 1e3));
    let ms = number.parse::<f64>().map_err(|_| rule.to_owned())? * factor;
    // Ten years; the host says so too.
    if !ms.is_finite() || !(1.0..=315_360_000_000.0).contains(&ms) {
        return Err(format!("{rule}; from 1 ms to 10 years"));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "its range was just checked")]
    Ok(ms.round() as u64)
}

/// Bytes, with or without a unit: `500M`, `2G`.
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
    fn times_and_sizes_are_read_with_their_units_and_refused_with_the_rule() {
        assert_eq!(
            ["30", "0.5", "90s", "10m", "2h", "500ms"].map(|text| seconds(text).unwrap()),
            [30_000, 500, 90_000, 600_000, 7_200_000, 500]
        );
        for bad in ["", "x", "-1", "0", "inf", "1e300", "5 apples"] {
            assert!(seconds(bad).unwrap_err().contains("500ms"), "{bad}");
        }
        assert_eq!(["7", "3K", "500MB", "2GiB"].map(|text| bytes(text).unwrap()), [7, 3072, 500 << 20, 2 << 30]);
        for bad in ["", "M", "5X", "-1", "99999999999999999999", "99999999999999G"] {
            assert!(bytes(bad).unwrap_err().contains("500M"), "{bad}");
        }
    }
}
