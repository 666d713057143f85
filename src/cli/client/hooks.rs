//! `termi hooks`: how the hooks of a coding agent are set up to call Termi.

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;

use super::{Failure, Outcome, output};
use crate::{
    agent::{hook_setup, set_up_agents},
    process::own_executable,
    session::quoted,
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "With hooks, an agent itself tells what it does, which is exact where its screen is a guess. They \
    call `termi hook`, which does nothing outside of Termi's sessions."
)]
pub struct Args {
    /// The agent
    #[arg(value_parser = PossibleValuesParser::new(set_up_agents()))]
    agent: String,
    /// Print the JSON alone
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Outcome {
    let binary = own_executable();
    let termi = binary.to_str().map(quoted);
    let termi = termi.ok_or_else(|| Failure::Asked(format!("the path of this binary is not UTF-8: {binary:?}")))?;
    let setup = hook_setup(&args.agent, &termi, |name| std::env::var(name).ok());
    let setup = setup.ok_or_else(|| Failure::Asked(format!("{:?} is no agent that hooks are known of", args.agent)))?;
    if !args.json {
        let path = output::one_line(&setup.path.to_string_lossy());
        let merge = if setup.path.exists() { " (the file exists: add to what it has)" } else { "" };
        output::line(&format!("Put this into {path}{merge}:\n"))?;
    }
    output::line(&setup.json)?;
    if !args.json {
        output::line(&format!("\n{}", setup.note))?;
    }
    Ok(ExitCode::SUCCESS)
}
