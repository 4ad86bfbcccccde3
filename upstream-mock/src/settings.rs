//! How a mock behaves from its start. Must not: read the process's environment by itself, the caller hands it in.

use std::time::Duration;

use crate::parameters::LONGEST_WAIT;

/// What a mock does to every request that is not one of its controls.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The share of requests answered with 500, from 0 to 1.
    pub fail_rate: f64,
    /// How much later than necessary every answer begins.
    pub latency: Duration,
    /// Whether it starts as if after `POST /simulate-failure`.
    pub failing: bool,
    /// Makes the failures the same ones on every run.
    pub seed: Option<u64>,
    /// Whether requests are kept for the [`Recorder`](crate::Recorder). Off for load: it costs a lock per request.
    pub recording: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            fail_rate: 0.0,
            latency: Duration::ZERO,
            failing: false,
            seed: None,
            recording: true,
        }
    }
}

/// A variable that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}={value}: must be {expected}")]
pub struct SettingsError {
    variable: &'static str,
    value: String,
    expected: &'static str,
}

impl Settings {
    /// The defaults, changed by the variables that `lookup` knows: `EXTERNAL_FAIL_RATE` (or its alias
    /// `EXTERNAL_SERVICE_FAILURE_RATE`) and `EXTERNAL_LATENCY_MS`. An empty variable counts as unset.
    ///
    /// # Errors
    /// When a rate is not a number from 0 to 1, or a latency not a number of milliseconds up to five minutes.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        let set = |name| lookup(name).filter(|value| !value.trim().is_empty());
        for variable in ["EXTERNAL_SERVICE_FAILURE_RATE", "EXTERNAL_FAIL_RATE"] {
            if let Some(value) = set(variable) {
                settings.fail_rate = rate(variable, value)?;
            }
        }
        if let Some(value) = set("EXTERNAL_LATENCY_MS") {
            settings.latency = latency("EXTERNAL_LATENCY_MS", value)?;
        }
        Ok(settings)
    }
}

fn rate(variable: &'static str, value: String) -> Result<f64, SettingsError> {
    match value.trim().parse() {
        Ok(rate) if (0.0..=1.0).contains(&rate) => Ok(rate),
        _ => Err(SettingsError {
            variable,
            value,
            expected: "a number from 0 to 1",
        }),
    }
}

fn latency(variable: &'static str, value: String) -> Result<Duration, SettingsError> {
    match value.trim().parse().map(Duration::from_millis) {
        Ok(latency) if latency <= LONGEST_WAIT => Ok(latency),
        _ => Err(SettingsError {
            variable,
            value,
            expected: "milliseconds from 0 to 300000",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_variables(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn without_variables_nothing_fails_and_nothing_waits() {
        assert_eq!(given(&[]), Ok(Settings::default()));
        assert_eq!(
            given(&[("EXTERNAL_FAIL_RATE", " ")]),
            Ok(Settings::default())
        );
    }

    #[test]
    fn variables_set_the_rate_and_the_latency() {
        let settings = given(&[
            ("EXTERNAL_FAIL_RATE", "0.25"),
            ("EXTERNAL_LATENCY_MS", "40"),
        ])
        .unwrap();
        assert_eq!(settings.fail_rate, 0.25);
        assert_eq!(settings.latency, Duration::from_millis(40));
    }

    #[test]
    fn the_short_name_wins_over_its_alias() {
        let alias = ("EXTERNAL_SERVICE_FAILURE_RATE", "0.5");
        assert_eq!(given(&[alias]).unwrap().fail_rate, 0.5);
        assert_eq!(
            given(&[alias, ("EXTERNAL_FAIL_RATE", "1")])
                .unwrap()
                .fail_rate,
            1.0
        );
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (variable, value) in [
            ("EXTERNAL_FAIL_RATE", "1.5"),
            ("EXTERNAL_FAIL_RATE", "NaN"),
            ("EXTERNAL_SERVICE_FAILURE_RATE", "often"),
            ("EXTERNAL_LATENCY_MS", "-1"),
            ("EXTERNAL_LATENCY_MS", "300001"),
        ] {
            let error = given(&[(variable, value)]).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{variable}={value}: must be ")),
                "{error}"
            );
        }
    }
}
