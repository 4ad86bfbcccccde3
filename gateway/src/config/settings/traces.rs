//! `[traces]`.

use super::super::path::KeyPath;
use super::super::raw::{SamplerName, Text, Traces};
use super::Check;
use crate::policy::units::Micros;
use crate::telemetry::traces::settings::{ExportSettings, Root, SamplerSettings, Settings};

/// More requests than a collector that is away could ever catch up with.
const MAX_QUEUE: u32 = 1_000_000;

/// Traces.
pub(super) fn traces(check: &mut Check<'_>, raw: Traces) -> Option<Settings> {
    let at = KeyPath::default().key("traces");
    let ratio = check.set(&at, "ratio", raw.ratio);
    let ratio = ratio.and_then(|ratio| share(check, &at, ratio));
    let sampler = check.set(&at, "sampler", raw.sampler.clone());
    let export = export(check, &at, raw);
    Some(Settings {
        sampler: sampled(sampler?.0, ratio?),
        export: export?,
    })
}

fn share(check: &mut Check<'_>, at: &KeyPath, ratio: f64) -> Option<f64> {
    if (0.0..=1.0).contains(&ratio) {
        return Some(ratio);
    }
    let message = format!("`{ratio}` is not a share: write 0 to 1");
    check.problem(&at.key("ratio"), &message)
}

fn sampled(name: SamplerName, ratio: f64) -> SamplerSettings {
    let (root, follows_parent) = match name {
        SamplerName::AlwaysOn => (Root::Always, false),
        SamplerName::AlwaysOff => (Root::Never, false),
        SamplerName::Ratio => (Root::Share(ratio), false),
        SamplerName::ParentAlwaysOn => (Root::Always, true),
        SamplerName::ParentAlwaysOff => (Root::Never, true),
        SamplerName::ParentRatio => (Root::Share(ratio), true),
    };
    SamplerSettings {
        root,
        follows_parent,
    }
}

/// Where spans go; an inner none: nowhere.
fn export(check: &mut Check<'_>, at: &KeyPath, raw: Traces) -> Option<Option<ExportSettings>> {
    let protocol = check.set(at, "protocol", raw.protocol);
    let timeout = check.timeout(at, "timeout", raw.timeout);
    let delay = check.span(at, "delay", raw.delay);
    let service = check.set(at, "service", raw.service);
    let queue = check.count(at, "queue", raw.queue);
    if let Some(queue) = queue.filter(|queue| *queue > MAX_QUEUE) {
        let message = format!("`{queue}` is more than the {MAX_QUEUE} allowed");
        return check.problem(&at.key("queue"), &message);
    }
    let Some(endpoint) = raw.endpoint else {
        return Some(None);
    };
    let endpoint = url(check, at, endpoint);
    let headers = raw.headers.unwrap_or_default().into_iter();
    let attributes = raw.attributes.unwrap_or_default().into_iter();
    Some(Some(ExportSettings {
        endpoint: endpoint?,
        protocol: protocol?.0,
        headers: headers
            .map(|(name, value)| (name, text(&value.0)))
            .collect(),
        timeout: timeout?,
        service: service?,
        attributes: attributes.map(|(name, value)| (name, value.0)).collect(),
        queue: usize::try_from(queue?).ok()?,
        delay: delay.map(Micros::to_duration)?,
    }))
}

fn text(value: &Text<super::super::secret::Password>) -> String {
    value.0.expose().to_owned()
}

fn url(check: &mut Check<'_>, at: &KeyPath, endpoint: String) -> Option<String> {
    let parsed = endpoint.parse::<http::Uri>().ok();
    let scheme = parsed.as_ref().and_then(http::Uri::scheme_str);
    if matches!(scheme, Some("http" | "https")) {
        return Some(endpoint);
    }
    let message = "this is not a collector's URL: write one like `http://127.0.0.1:4318/v1/traces`";
    check.problem(&at.key("endpoint"), message)
}
