//! Waits for the runs of a target: until all have ended, or the first of them prints or is silent as asked.

use std::time::Duration;

use futures::future::{join_all, select_all};

use super::{MAX_MS, Supervisor, access::Permit};
use crate::{
    protocol::{Code, Error, Result, WaitParams, WaitReason, WaitReply},
    session::{
        error::run_gone,
        message::{RunHandle, RunMessage},
        waits::waiter::Condition,
    },
};

impl Supervisor {
    /// Waits until all runs of the target have ended, or the first of them prints or is silent as asked.
    pub async fn wait(&self, params: WaitParams, permit: &Permit) -> Result<WaitReply> {
        let WaitParams { target, until, timeout_ms } = params;
        let condition = Condition::new(&until)?;
        let runs = self.resolve(target, permit).await?;
        self.wait_for_runs(&runs, condition, timeout_ms).await
    }

    pub(super) async fn wait_for_runs(
        &self,
        runs: &[RunHandle],
        condition: Condition,
        timeout_ms: Option<u64>,
    ) -> Result<WaitReply> {
        let all = matches!(condition, Condition::Exit);
        let is_first_of_several = !all && runs.len() > 1;
        let waits: Vec<_> = runs
            .iter()
            .map(|run| {
                let condition = condition.clone();
                Box::pin(async move {
                    let answer = run.call(|reply| RunMessage::Wait { condition, reply }).await?;
                    let run_id = is_first_of_several.then(|| run.run_id.clone());
                    Some(answer.map(|reply| WaitReply { run_id, ..reply }))
                })
            })
            .collect();
        if waits.is_empty() {
            return Err(Error::new(Code::NotFound, "there is no run to wait for"));
        }
        let done =
            async { if all { join_all(waits).await.into_iter().flatten().last() } else { first_answer(waits).await } };
        let timeout = timeout_ms.map_or(MAX_MS, |ms| ms.min(MAX_MS));
        match tokio::time::timeout(Duration::from_millis(timeout), done).await {
            Ok(Some(reply)) => reply,
            Ok(None) => Err(run_gone()),
            Err(_) => Ok(WaitReply::new(WaitReason::Timeout)),
        }
    }
}

/// The first answer of several that may come; none when none can come any more, as of runs that are gone.
async fn first_answer<T>(mut waits: Vec<impl Future<Output = Option<T>> + Unpin>) -> Option<T> {
    while !waits.is_empty() {
        let (answer, _, others) = select_all(waits).await;
        if answer.is_some() {
            return answer;
        }
        waits = others;
    }
    None
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, future};

    use super::*;

    #[test]
    fn a_run_that_is_gone_answers_for_none_of_the_others() {
        let wait = |answer: Option<Option<u8>>| match answer {
            Some(answer) => future::ready(answer).boxed(),
            None => future::pending().boxed(),
        };
        let first =
            |answers: Vec<Option<Option<u8>>>| first_answer(answers.into_iter().map(wait).collect()).now_or_never();
        assert_eq!(first(vec![Some(None), None]), None, "the other may still answer");
        assert_eq!(first(vec![Some(None), Some(Some(7)), None]), Some(Some(7)));
        assert_eq!(first(vec![Some(None), Some(None)]), Some(None), "all are gone");
    }
}
