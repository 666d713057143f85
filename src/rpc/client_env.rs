//! A client's environment: what the runs that it starts inherit.

use std::collections::BTreeMap;

use crate::{
    protocol::{JoinParams, RunParams},
    session::is_inherited,
};

/// A client's directory, environment, umask and nice value, as it told with `join`.
#[derive(Clone, Default)]
pub struct ClientEnv {
    cwd: Option<String>,
    umask: Option<u32>,
    nice: Option<i32>,
    /// Variables to set, and with none those of the daemon's own that the client does not have.
    env: BTreeMap<String, Option<String>>,
}

impl ClientEnv {
    /// As a client told it.
    #[must_use]
    pub fn new(params: JoinParams) -> Self {
        let mut env = BTreeMap::new();
        if let Some(theirs) = params.env {
            let ours = std::env::vars_os().filter_map(|(key, _)| key.into_string().ok());
            env.extend(ours.map(|key| (key, None)));
            env.extend(theirs.into_iter().map(|(key, value)| (key, Some(value))));
            env.retain(|key, _| is_inherited(key));
        }
        Self {
            cwd: params.cwd.filter(|cwd| cwd.starts_with('/')),
            umask: params.umask.map(|umask| umask & 0o777),
            nice: params.nice.map(|nice| nice.clamp(-20, 19)),
            env,
        }
    }

    /// Completes a wish with what the client has: what it says itself comes first.
    pub fn complete(&self, params: &mut RunParams) {
        match (&self.cwd, &params.cwd) {
            (Some(base), Some(named)) if !named.starts_with(['/', '~']) => {
                params.cwd = Some(format!("{}/{named}", base.trim_end_matches('/')));
            }
            _ => {}
        }
        params.origin_cwd.clone_from(&self.cwd);
        (params.origin_umask, params.origin_nice) = (self.umask, self.nice);
        let asked = std::mem::take(&mut params.env);
        params.env = self.env.clone();
        params.env.extend(asked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_gets_its_clients_folder_and_variables_where_it_names_none() {
        let env = [("PATH", "/theirs"), ("TERM", "dumb"), ("TERMI_SESSION", "x"), ("NVIM", "/their/nvim")];
        let env = env.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let client_env = ClientEnv::new(JoinParams {
            cwd: Some("/work/".into()),
            env: Some(BTreeMap::from(env)),
            ..JoinParams::default()
        });
        let mut params = RunParams { cwd: Some("sub".into()), ..RunParams::default() };
        params.env.insert("PATH".into(), Some("/asked".into()));
        client_env.complete(&mut params);
        assert_eq!(params.cwd.as_deref(), Some("/work/sub"));
        assert_eq!(params.env["PATH"], Some("/asked".to_owned()));
        assert_eq!(params.env["NVIM"], Some("/their/nvim".to_owned()));
        assert!(!params.env.contains_key("TERM") && !params.env.contains_key("TERMI_SESSION"), "Termi's own");
        assert_eq!(params.env["HOME"], None, "the daemon has it, the client not");

        let mut params = RunParams::default();
        client_env.complete(&mut params);
        assert_eq!(
            (params.cwd, params.origin_cwd.as_deref()),
            (None, Some("/work/")),
            "a new session has it, an old one its own"
        );
    }
}
