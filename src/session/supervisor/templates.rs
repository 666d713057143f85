//! Runs of templates: one, or all that a project needs, in order.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use futures::future::join_all;
use tokio::sync::watch;
use tracing::info;

use super::{Supervisor, access::Permit, start::check_template, table::Table};
use crate::{
    protocol::{
        After, Code, DownParams, DownReply, Error, KillReply, ParseTemplatesParams, Result, RunId, RunParams, Started,
        Template, TemplatesParams, TemplatesReply, Until, UpFailure, UpParams, UpReply, WaitReason,
    },
    session::{
        client::Client,
        error::gone,
        message::RunHandle,
        program::{
            command,
            kill::{DEFAULT_GRACE, Kill},
        },
        waits::waiter::Condition,
    },
    template, units,
};

/// How long a template waits for what it comes after, if it does not say.
const DEFAULT_TIMEOUT_MS: u64 = 60_000;

/// A larger text is no file that a person wrote.
const MAX_FILE_BYTES: usize = 1 << 20;

/// How a template's start came out, once it has: its run, or that there is none.
type Outcome = watch::Receiver<Option<std::result::Result<RunId, ()>>>;

impl Supervisor {
    /// Makes templates known, all or none of them, and tells which are.
    ///
    /// # Errors
    /// `invalid_params` with the template's name and what is wrong with it.
    pub async fn templates(&self, params: TemplatesParams) -> Result<TemplatesReply> {
        self.with(move |table| {
            let mut all = if params.replace { BTreeMap::new() } else { table.templates.clone() };
            for (name, one) in params.set.unwrap_or_default() {
                template::check(&name, &one)
                    .and_then(|()| check_template(&name, &one))
                    .map_err(|error| Error { message: format!("template {name:?}: {}", error.message), ..error })?;
                all.insert(name, one);
            }
            template::check_room(&all)?;
            let order = template::order(&all)?;
            table.templates.clone_from(&all);
            Ok(TemplatesReply { templates: all, order })
        })
        .await?
    }

    /// Reads the text of a project's file.
    ///
    /// # Errors
    /// `invalid_params` with the line and column of what is wrong.
    pub async fn parse_templates(&self, params: ParseTemplatesParams) -> Result<TemplatesReply> {
        if params.text.len() > MAX_FILE_BYTES {
            return Err(Error::invalid("text", format!("{} bytes", params.text.len()), "at most 1 MiB"));
        }
        let known = self.with(|table| table.templates.clone()).await?;
        let path = Path::new(&params.path);
        let mut templates = template::parse(&params.text, path, &known, check_template)?;
        // A relative folder is so to the file's own, which is also where a run without one starts.
        for template in templates.values_mut() {
            let base = path.parent().unwrap_or(Path::new("/"));
            let cwd = template.cwd.as_deref().map_or_else(|| base.to_owned(), |cwd| command::folder(cwd, base));
            template.cwd = Some(cwd.to_string_lossy().into_owned());
        }
        // In the order of the file's own, whatever else they come after.
        let mut all = known;
        all.extend(templates.clone());
        let order = template::order(&all)?.into_iter().filter(|name| templates.contains_key(name)).collect();
        Ok(TemplatesReply { templates, order })
    }

    /// What a run's parameters are with its template's.
    pub(super) async fn with_template(&self, params: RunParams) -> Result<(RunParams, Option<Template>)> {
        let Some(name) = params.template.clone() else { return Ok((params, None)) };
        let found = self
            .with(move |table| {
                let found = table.templates.get(&name).cloned();
                found.ok_or_else(|| template::unknown(&name, table.templates.keys())).map(|found| (name, found))
            })
            .await??;
        Ok((template::apply(&found.0, &found.1, params), Some(found.1)))
    }

    /// Starts templates, each once what it comes after has come far enough. `client` follows those whose output is
    /// JSON lines.
    ///
    /// # Errors
    /// `not_found` and `invalid_params` with the names of templates that there are not or that wait for each other;
    /// what fails later is told in the answer.
    pub async fn up(&self, params: UpParams, client: Option<&Client>, permit: &Permit) -> Result<UpReply> {
        let (levels, all, running, _in_sequence) = self
            .with(move |table| {
                table.check_open()?;
                let names = chosen(table, params.group.as_deref(), params.templates.as_deref())?;
                let levels = template::levels(&table.templates, &names)?;
                let levels: Vec<Vec<String>> =
                    levels.into_iter().map(|level| level.into_iter().cloned().collect()).collect();
                let running: BTreeMap<String, RunId> = levels
                    .iter()
                    .flatten()
                    .filter_map(|name| Some((name.clone(), table.runs_of(name).first()?.run_id.clone())))
                    .collect();
                Ok::<_, Error>((levels, table.templates.clone(), running, Arc::clone(&table.sequences)))
            })
            .await??;
        let mut outcomes: BTreeMap<String, Outcome> = BTreeMap::new();
        let mut starts = Vec::new();
        for name in levels.into_iter().flatten() {
            let Some(template) = all.get(&name) else { continue };
            let (tell, told) = watch::channel(None);
            let waits: Vec<(After, Outcome)> = template
                .after
                .iter()
                .flat_map(|after| after.all())
                .filter_map(|after| Some((after.clone(), outcomes.get(&after.template)?.clone())))
                .collect();
            outcomes.insert(name.clone(), told);
            let already = running.get(&name).cloned();
            starts.push(async move {
                if let Some(run_id) = already {
                    tell.send_replace(Some(Ok(run_id)));
                    return (name, Ok(None));
                }
                let started = self.start_after(&name, waits, client, permit).await;
                tell.send_replace(Some(started.as_ref().map(|run| run.run_id.clone()).map_err(|_| ())));
                (name, started.map(Some))
            });
        }
        let mut answer = UpReply { started: Vec::new(), running: Vec::new(), failed: Vec::new() };
        for (template, outcome) in join_all(starts).await {
            match outcome {
                Ok(Some(run)) => answer.started.push(Started { template, run }),
                Ok(None) => answer.running.push(template),
                Err(error) => answer.failed.push(UpFailure { template, error }),
            }
        }
        Ok(answer)
    }

    async fn start_after(
        &self,
        name: &str,
        waits: Vec<(After, Outcome)>,
        client: Option<&Client>,
        permit: &Permit,
    ) -> Result<crate::protocol::RunReply> {
        for outcome in join_all(waits.into_iter().map(|(after, outcome)| self.wait_for(after, outcome))).await {
            outcome?;
        }
        info!("template {name:?} is started");
        let params = RunParams { template: Some(name.to_owned()), ..RunParams::default() };
        // Of a type that holds itself otherwise: a run of a template is a run.
        Box::pin(self.run(params, client, permit)).await
    }

    /// Waits until another template has come as far as it must.
    async fn wait_for(&self, after: After, mut outcome: Outcome) -> Result<()> {
        let failed = |why: String| {
            let message = format!("it comes after template {:?}, which {why}", after.template);
            Err(Error::new(Code::StartFailed, message).with_data(serde_json::json!({ "after": after.template })))
        };
        let run_id = match outcome.wait_for(Option::is_some).await.map_err(|_| gone())?.clone() {
            Some(Ok(run_id)) => run_id,
            _ => return failed("was not started".to_owned()),
        };
        let Some(until) = after.until.clone() else { return Ok(()) };
        let timeout_ms = after.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS);
        let run = self.one(run_id, &Permit::of_host()).await?;
        let reply = self.wait_for_runs(&[run], Condition::new(&until)?, Some(timeout_ms)).await?;
        let code = reply.exit.and_then(|exit| exit.code);
        let ended = match (code, reply.exit.and_then(|exit| exit.signal)) {
            (Some(code), _) => format!("ended with code {code}"),
            (None, Some(signal)) => format!("was ended by {}", crate::process::signal_name(signal)),
            (None, None) => "was lost".to_owned(),
        };
        let timeout = units::duration(timeout_ms);
        match (reply.reason, until) {
            (WaitReason::Exit, Until::Exit) if code == Some(0) => Ok(()),
            (WaitReason::Exit, Until::Exit) => failed(ended),
            (WaitReason::Exit, Until::Pattern(until)) => {
                failed(format!("{ended} before it printed {:?}", until.pattern))
            }
            (WaitReason::Exit, Until::State { .. }) => failed(format!("{ended} before it was in that state")),
            (WaitReason::Exit, Until::IdleMs(_)) => failed(format!("{ended} before it fell silent")),
            (WaitReason::Timeout, Until::Exit) => failed(format!("had not ended after {timeout}")),
            (WaitReason::Timeout, Until::Pattern(until)) => {
                failed(format!("had not printed {:?} after {timeout}", until.pattern))
            }
            (WaitReason::Timeout, Until::State { .. }) => failed(format!("was not in that state within {timeout}")),
            (WaitReason::Timeout, Until::IdleMs(ms)) => {
                failed(format!("was not silent for {} within {timeout}", units::duration(ms)))
            }
            (WaitReason::Pattern | WaitReason::Idle | WaitReason::State, _) => Ok(()),
        }
    }

    /// Ends the runs of templates, those first that come after others.
    ///
    /// # Errors
    /// `not_found` with the name of a template or group that there is not.
    pub async fn down(&self, params: DownParams) -> Result<DownReply> {
        type Level = Vec<(String, Vec<RunHandle>)>;
        let (levels, _in_sequence): (Vec<Level>, _) = self
            .with(move |table| {
                table.check_open()?;
                let names = chosen(table, params.group.as_deref(), params.templates.as_deref())?;
                let levels = template::levels(&table.templates, &names)?;
                let of = |name: &&String| names.contains(name).then(|| ((*name).clone(), table.runs_of(name)));
                let levels = levels.iter().map(|level| level.iter().filter_map(of).collect()).collect();
                Ok::<_, Error>((levels, Arc::clone(&table.sequences)))
            })
            .await??;
        let mut answer = DownReply { templates: Vec::new(), killed: KillReply::default() };
        for level in levels.into_iter().rev() {
            let (names, runs): (Vec<String>, Vec<Vec<RunHandle>>) =
                level.into_iter().filter(|(_, runs)| !runs.is_empty()).unzip();
            let killed = self.kill_runs(&runs.concat(), Kill { signal: None, grace: DEFAULT_GRACE }).await?;
            answer.killed.killed += killed.killed;
            answer.killed.total += killed.total;
            answer.killed.processes += killed.processes;
            answer.templates.extend(names);
        }
        Ok(answer)
    }
}

/// The templates of a group, or of these names, or all.
fn chosen(table: &Table, group: Option<&str>, names: Option<&[String]>) -> Result<Vec<String>> {
    for name in names.into_iter().flatten() {
        if !table.templates.contains_key(name) {
            let is_group = table.templates.values().any(|one| one.group.as_ref() == Some(name));
            let error = template::unknown(name, table.templates.keys());
            let hint =
                if is_group { format!("; {name:?} is a group of them, to be given as `group`") } else { String::new() };
            return Err(Error::new(error.code, error.message + &hint));
        }
    }
    let fits = |(name, one): &(&String, &Template)| {
        names.is_none_or(|names| names.contains(name)) && group.is_none_or(|group| one.group.as_deref() == Some(group))
    };
    let found: Vec<String> = table.templates.iter().filter(fits).map(|(name, _)| name.clone()).collect();
    match (found.is_empty(), group) {
        (true, Some(group)) => Err(Error::new(Code::NotFound, format!("no template is in a group {group:?}"))),
        (true, None) => Err(Error::new(
            Code::NotFound,
            "no template is known: neither a project's file (.termi.json) nor the client's configuration has any",
        )),
        _ => Ok(found),
    }
}

impl Table {
    /// The active runs of a template.
    fn runs_of(&self, template: &str) -> Vec<RunHandle> {
        let is_active =
            |run: &&RunHandle| run.template.as_deref() == Some(template) && !self.lifecycle.has_ended(&run.run_id);
        self.runs().filter(is_active).cloned().collect()
    }
}
