//! Pairs, and what they say: both sides run in turn, A B A B, and each ratio is one of two neighbours, because a
//! machine's speed drifts and the ratio of neighbours does not.

use std::time::Duration;

use crate::report::{Against, Row, Target};

/// The value in the middle.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The least value that a share of all are not above.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index")]
    let at = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len());
    sorted[at - 1]
}

pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A figure with its unit, and which of both sides' ratios counts.
#[derive(Clone, Copy)]
pub enum Ratio {
    /// Termi's figure by the other's.
    Own,
    /// The other's by Termi's: how many times better a time is.
    Other,
}

/// A row of two sides measured in turn.
pub fn paired(
    subject: &str,
    what: impl Into<String>,
    unit: &str,
    own: &[f64],
    (name, other): (&str, &[f64]),
    ratio: Ratio,
    target: Option<Target>,
) -> Row {
    let ratios: Vec<f64> = own
        .iter()
        .zip(other)
        .map(|(own, other)| match ratio {
            Ratio::Own => own / other,
            Ratio::Other => other / own,
        })
        .collect();
    let against = Against {
        name: name.to_owned(),
        value: median(other),
        ratio: median(&ratios),
        least: quantile(&ratios, 0.0),
        most: quantile(&ratios, 1.0),
    };
    Row { against: Some(against), ..single(subject, what, unit, own, target) }
}

/// A row of Termi alone.
pub fn single(subject: &str, what: impl Into<String>, unit: &str, values: &[f64], target: Option<Target>) -> Row {
    Row {
        subject: subject.to_owned(),
        what: what.into(),
        value: Some(median(values)),
        unit: unit.to_owned(),
        against: None,
        target,
        runs: values.len(),
        failure: None,
    }
}
