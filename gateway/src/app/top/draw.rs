//! The fleet as lines, section by section. Must not: know how many there is room for.

use super::paint::{Paint, millis, share};
use super::screen::{Section, Size, compose};
use crate::admin::clients::ClientView;
use crate::admin::fleet::{Fleet, FleetCircuit, Member};
use crate::admin::report::{LimitView, RouteView, Transition, UpstreamView};

/// Transitions shown.
const TRANSITIONS: usize = 6;
/// Clients shown of one limit.
const HOT: usize = 3;
/// More healthy endpoints of one upstream than this are a number.
const FEW_ENDPOINTS: usize = 4;
/// Columns of a name; a terminal of 80 has room for no more.
const NAME: usize = 28;

/// The picture, as much of it as fits.
pub(super) fn picture(fleet: &Fleet, paint: &Paint, size: Size) -> String {
    let sections = [
        replicas(&fleet.replicas, paint),
        circuits(&fleet.circuits, paint),
        routes(&fleet.routes, paint),
        upstreams(&fleet.upstreams, paint),
        limits(&fleet.limits, paint),
        transitions(&fleet.transitions, fleet.at),
    ];
    compose(&head(fleet, paint), &sections, paint, size)
}

fn head(fleet: &Fleet, paint: &Paint) -> [String; 2] {
    let traffic = &fleet.traffic;
    let store = if fleet.store.up {
        paint.good("up")
    } else {
        paint.bad("DOWN")
    };
    let one = fleet.replicas.len() == 1;
    [
        format!(
            "{}  {} {}, store {store}  (shown by {}{})",
            paint.bold("gateway"),
            fleet.replicas.len(),
            if one { "replica" } else { "replicas" },
            fleet.shown_by,
            if fleet.whole { "" } else { ", alone" },
        ),
        format!(
            "{:.0} req/s  errors {:.1} %  refused {:.1} %  in flight {}  p50 {} p95 {} p99 {} ms",
            traffic.requests,
            share(traffic.errors, traffic.requests),
            share(traffic.refusals, traffic.requests),
            traffic.in_flight,
            millis(traffic.latency.p50),
            millis(traffic.latency.p95),
            millis(traffic.latency.p99),
        ),
    ]
}

/// What `trouble` is said of comes first; else the order stays.
fn worst_first<T>(all: &[T], trouble: impl Fn(&T) -> bool) -> Vec<&T> {
    let (mut first, rest): (Vec<_>, Vec<_>) = all.iter().partition(|one| trouble(one));
    first.extend(rest);
    first
}

/// A name in its column.
fn name(text: &str) -> String {
    if text.chars().count() <= NAME {
        return format!("{text:<NAME$}");
    }
    let kept: String = text.chars().take(NAME - 1).collect();
    format!("{kept}…")
}

fn replicas(all: &[Member], paint: &Paint) -> Section {
    let is_odd = |one: &Member| one.replica.phase != "serving" || !one.store.up;
    let line = |one: &Member| {
        let phase = format!("{:<9}", one.replica.phase);
        format!(
            "{} {} {:>8.0} {:>8} {:>8}  {}",
            name(&one.replica.id),
            if one.replica.phase == "serving" {
                phase
            } else {
                paint.bad(&phase)
            },
            one.traffic.requests,
            millis(one.traffic.latency.p95),
            one.replica.memory / (1024 * 1024),
            if one.store.up {
                "up".to_owned()
            } else {
                paint.bad("lost")
            },
        )
    };
    Section {
        heading: format!(
            "{} {:<9} {:>8} {:>8} {:>8}  STORE",
            name("REPLICA"),
            "STATE",
            "REQ/S",
            "P95 MS",
            "MEM MIB"
        ),
        entries: each(worst_first(all, is_odd), line),
    }
}

fn circuits(all: &[FleetCircuit], paint: &Paint) -> Section {
    let is_calm =
        |one: &FleetCircuit| one.circuit.state == "closed" && one.circuit.forced.is_none();
    let line = |one: &FleetCircuit| {
        let circuit = &one.circuit;
        let state = format!("{:<9}", circuit.state.replace('_', "-"));
        let held = circuit.forced.as_ref();
        let held = held.map(|forced| format!("held by {}: {}", forced.by, forced.reason));
        format!(
            "{} {} {:>8.0} {:>8}  {}",
            name(&circuit.upstream),
            if circuit.state == "closed" {
                paint.good(&state)
            } else {
                paint.bad(&state)
            },
            circuit.rejections,
            format!("{}/{}", circuit.failures, circuit.threshold),
            held.unwrap_or_default(),
        )
    };
    Section {
        heading: format!(
            "{} {:<9} {:>8} {:>8}",
            name("CIRCUIT"),
            "STATE",
            "REF/S",
            "FAILURES"
        ),
        entries: each(worst_first(all, |one| !is_calm(one)), line),
    }
}

fn routes(all: &[RouteView], paint: &Paint) -> Section {
    // Those that fail, then the busiest: of routes there are many.
    let errors = |one: &RouteView| share(one.traffic.errors, one.traffic.requests);
    let mut sorted: Vec<_> = all.iter().collect();
    sorted.sort_by(|one, other| {
        let key = |route: &RouteView| errors(route) >= 5.0;
        let busier = other.traffic.requests.total_cmp(&one.traffic.requests);
        key(other).cmp(&key(one)).then(busier)
    });
    let line = |one: &RouteView| {
        let failed = format!("{:>7.1} %", errors(one));
        format!(
            "{} {:>9.0} {} {:>6.1} % {:>8} {:>8}",
            name(&one.name),
            one.traffic.requests,
            if errors(one) >= 5.0 {
                paint.bad(&failed)
            } else {
                failed
            },
            share(one.traffic.refusals, one.traffic.requests),
            one.traffic.in_flight,
            millis(one.traffic.latency.p95),
        )
    };
    Section {
        heading: format!(
            "{} {:>9} {:>9} {:>8} {:>8} {:>8}",
            name("ROUTE"),
            "REQ/S",
            "5XX",
            "429",
            "FLIGHT",
            "P95 MS"
        ),
        entries: each(sorted, line),
    }
}

fn upstreams(all: &[UpstreamView], paint: &Paint) -> Section {
    let line = |one: &UpstreamView| {
        format!(
            "{} {:>9.0} {:>7.1} % {:>8}  {}",
            name(&one.name),
            one.attempts,
            share(one.failures, one.attempts),
            millis(one.latency.p95),
            endpoints(one, paint),
        )
    };
    let is_short = |one: &UpstreamView| one.members.iter().any(|one| one.state != "healthy");
    Section {
        heading: format!(
            "{} {:>9} {:>9} {:>8}  ENDPOINTS",
            name("UPSTREAM"),
            "ATT/S",
            "FAILED",
            "P95 MS"
        ),
        entries: each(worst_first(all, is_short), line),
    }
}

/// Those in trouble by name; of the others how many there are where they are not a few.
fn endpoints(upstream: &UpstreamView, paint: &Paint) -> String {
    let (well, ill): (Vec<_>, Vec<_>) = upstream
        .members
        .iter()
        .partition(|one| one.state == "healthy");
    let ill = ill
        .iter()
        .map(|one| paint.bad(&format!("{} {}", one.url, one.state)));
    let well: Vec<String> = if well.len() <= FEW_ENDPOINTS {
        well.iter().map(|one| one.url.clone()).collect()
    } else {
        vec![format!("{} healthy", well.len())]
    };
    ill.chain(well).collect::<Vec<_>>().join(" ")
}

fn limits(all: &[LimitView], paint: &Paint) -> Section {
    let lines = |one: &LimitView| {
        let local = share(one.local, one.granted + one.denied);
        let own = format!(
            "{} {:>9.0} {:>9.0} {:>6.0} %  {:.0}",
            name(&one.name),
            one.granted,
            one.denied,
            local,
            one.asked,
        );
        let hot = one.clients.iter().take(HOT);
        let hot = hot.map(|client| hottest(one, client, paint));
        std::iter::once(own).chain(hot).collect()
    };
    Section {
        heading: format!(
            "{} {:>9} {:>9} {:>8}  STORE/S",
            name("LIMIT"),
            "GRANT/S",
            "DENY/S",
            "LOCAL"
        ),
        entries: all.iter().map(lines).collect(),
    }
}

/// Who is refused, or has least left.
fn hottest(limit: &LimitView, client: &ClientView, paint: &Paint) -> String {
    let left = if client.retry_after == 0 {
        format!("{} of {} left", client.remaining, limit.capacity)
    } else {
        let wait = client.retry_after.div_ceil(1_000);
        if limit.shadow {
            format!("would be refused, {wait} s")
        } else {
            paint.bad(&format!("refused, {wait} s"))
        }
    };
    format!("  {:<30} {left}, {:.0}/s", client.client, client.requests)
}

fn transitions(all: &[Transition], now: u64) -> Section {
    let line = |one: &Transition| {
        let ago = one.at.map_or(0, |at| now.saturating_sub(at) / 1_000);
        format!(
            "{ago:>6} s ago  {}: {} -> {} ({}, by {})",
            one.upstream, one.from, one.to, one.cause, one.by
        )
    };
    Section {
        heading: "LAST TRANSITIONS".to_owned(),
        entries: each(all.iter().take(TRANSITIONS), line),
    }
}

/// One line for each.
fn each<'a, T: 'a>(
    all: impl IntoIterator<Item = &'a T>,
    line: impl Fn(&T) -> String,
) -> Vec<Vec<String>> {
    all.into_iter().map(|one| vec![line(one)]).collect()
}
