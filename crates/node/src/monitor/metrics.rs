//! The page `/metrics`: Prometheus text exposition, version 0.0.4. The book's chapter on running a
//! node describes each metric.

use std::fmt::{Display, Write};

use quorate_network::{Lane, LaneCounters};
use quorate_replica::VotingStatus;
use quorate_types::Millis;

use super::tally::{BOUNDS, Histogram};
use super::view::View;

/// Renders all metrics, one family after the other, each under its HELP and TYPE.
pub(super) fn render(view: &View) -> String {
    let mut page = Page(String::with_capacity(16 * 1024));
    info(&mut page, view);
    standing(&mut page, view);
    committee(&mut page, view);
    markets(&mut page, view);
    commits(&mut page, view);
    contents(&mut page, view);
    refused(&mut page, view);
    lanes(&mut page, view);
    links(&mut page, view);
    page.0
}

fn info(page: &mut Page, view: &View) {
    let version = env!("CARGO_PKG_VERSION");
    let swarm = view.swarm.to_string();
    let key = view.me.to_string();

    page.family(
        "quorate_info",
        Kind::Gauge,
        "Always 1; the labels hold version, swarm and key.",
    );
    page.sample(
        "quorate_info",
        &[("version", version), ("swarm", &swarm), ("key", &key)],
        1,
    );
}

fn standing(page: &mut Page, view: &View) {
    let ledger = &view.ledger;
    let status = &view.status;

    page.gauge(
        "process_start_time_seconds",
        "Unix time at which the validator was started.",
        seconds(view.started.0),
    );
    page.gauge(
        "quorate_height",
        "Height of the last decided block.",
        ledger.height,
    );
    page.gauge(
        "quorate_round",
        "Round of the height being decided.",
        status.round,
    );

    let votes = u8::from(status.standing == VotingStatus::Votes);
    page.gauge(
        "quorate_voting",
        "1, or 0 while the key of this validator may not sign.",
        votes,
    );

    page.gauge(
        "quorate_block_time_seconds",
        "Unix time of the last decided block, by its builder's clock.",
        seconds(ledger.block_time.0),
    );
    page.gauge(
        "quorate_pool_operations",
        "Operations waiting for a block.",
        status.pool,
    );
}

fn committee(page: &mut Page, view: &View) {
    let set = &view.ledger.validators;

    page.gauge(
        "quorate_validators",
        "Validators of the height being decided.",
        set.len(),
    );
    page.gauge(
        "quorate_validators_connected",
        "Connected validators, this one included.",
        view.present.len(),
    );
    page.gauge(
        "quorate_validators_benched",
        "Validators passed over as proposers because they missed their turns.",
        view.ledger.benched.len(),
    );

    page.gauge(
        "quorate_power",
        "Voting power of all validators.",
        set.total(),
    );
    page.gauge(
        "quorate_power_connected",
        "Voting power of the connected validators; a quorum is more than two thirds of all.",
        view.power_present(),
    );
    page.gauge(
        "quorate_peers_connected",
        "Peers connected: validators and agents.",
        view.peers,
    );
}

fn markets(page: &mut Page, view: &View) {
    let windows = &view.ledger.windows;
    let name = "quorate_market_open_tasks";
    page.family(name, Kind::Gauge, "Tasks that are open for bids.");
    for window in windows {
        page.sample(
            name,
            &[("market", window.market.as_str())],
            window.open_tasks,
        );
    }

    let name = "quorate_market_live_bids";
    page.family(name, Kind::Gauge, "Live bids on open tasks.");
    for window in windows {
        page.sample(
            name,
            &[("market", window.market.as_str())],
            window.live_bids,
        );
    }
}

fn commits(page: &mut Page, view: &View) {
    let tally = &view.tally;

    page.counter(
        "quorate_commits_total",
        "Blocks committed since the start.",
        tally.commits,
    );
    page.counter(
        "quorate_commits_late_total",
        "Blocks decided in a round above 0: a proposer was late or dead.",
        tally.late,
    );
    page.counter(
        "quorate_commits_uncounted_total",
        "Blocks whose round, time, operations and outcomes are not in these counters.",
        tally.uncounted,
    );
    page.histogram(
        "quorate_commit_seconds",
        "Time from when this node began to build a block, or received it, to its commit here; \
         without blocks that were fetched.",
        &tally.took,
    );
}

fn contents(page: &mut Page, view: &View) {
    let tally = &view.tally;

    let name = "quorate_operations_total";
    page.family(
        name,
        Kind::Counter,
        "Operations in committed blocks, by kind.",
    );
    for (kind, count) in &tally.operations {
        page.sample(name, &[("kind", kind)], count);
    }

    let name = "quorate_outcomes_total";
    page.family(
        name,
        Kind::Counter,
        "Outcomes of committed blocks, by kind.",
    );
    for (kind, count) in &tally.outcomes {
        page.sample(name, &[("kind", kind)], count);
    }

    let name = "quorate_refusals_total";
    page.family(
        name,
        Kind::Counter,
        "Operations and offers refused in committed blocks.",
    );
    for (reason, count) in &tally.refusals {
        let code = reason.code().to_string();
        page.sample(name, &[("code", &code), ("reason", reason.name())], count);
    }
}

fn refused(page: &mut Page, view: &View) {
    let counters = &view.status.counters;
    for (name, help, count) in [
        (
            "quorate_statements_dropped_total",
            "Proposals and votes of another height, swarm or set, from strangers, or held already.",
            counters.statements_dropped,
        ),
        (
            "quorate_stranger_messages_total",
            "Messages that only validators may send, received from others.",
            counters.strangers,
        ),
        (
            "quorate_unauthentic_total",
            "Messages whose signature or quorum did not hold.",
            counters.unauthentic,
        ),
        (
            "quorate_blocks_dropped_total",
            "Blocks that were not asked for.",
            counters.blocks_dropped,
        ),
        (
            "quorate_blocks_invalid_total",
            "Blocks judged invalid.",
            counters.blocks_invalid,
        ),
        (
            "quorate_operations_dropped_total",
            "Operations that were known, too old, too far ahead, or did not fit.",
            counters.operations_dropped,
        ),
        (
            "quorate_equivocations_total",
            "Equivocations and bad blocks seen.",
            counters.evidence,
        ),
        (
            "quorate_evidence_dropped_total",
            "Evidence that convicts nobody here, or that was not asked for.",
            counters.evidence_dropped,
        ),
        (
            "quorate_signatures_total",
            "Signatures checked.",
            counters.signatures,
        ),
        (
            "quorate_undecodable_frames_total",
            "Frames that are not a message of the protocol.",
            view.status.undecodable,
        ),
    ] {
        page.counter(name, help, count);
    }
}

/// The name and description of a metric, and the counter that it shows.
type LaneMetric = (&'static str, &'static str, fn(&LaneCounters) -> u64);

const LANES: [LaneMetric; 7] = [
    (
        "quorate_sent_frames_total",
        "Frames handed to streams.",
        |lane| lane.sent_frames,
    ),
    ("quorate_sent_bytes_total", "Bytes sent.", |lane| {
        lane.sent_bytes
    }),
    (
        "quorate_received_frames_total",
        "Frames received.",
        |lane| lane.received_frames,
    ),
    ("quorate_received_bytes_total", "Bytes received.", |lane| {
        lane.received_bytes
    }),
    (
        "quorate_dropped_frames_total",
        "Frames refused because they were too large or the queue full, or lost with a peer.",
        |lane| lane.dropped_frames,
    ),
    (
        "quorate_streams_opened_total",
        "Streams opened by this node.",
        |lane| lane.streams_opened,
    ),
    (
        "quorate_streams_refused_total",
        "Streams closed because their peer announced too long a frame or sent none in time.",
        |lane| lane.streams_refused,
    ),
];

fn lanes(page: &mut Page, view: &View) {
    for (name, help, read) in LANES {
        page.family(name, Kind::Counter, help);
        for lane in Lane::ALL {
            page.sample(
                name,
                &[("lane", lane.name())],
                read(view.traffic.lane(lane)),
            );
        }
    }
}

fn links(page: &mut Page, view: &View) {
    let traffic = &view.traffic;
    let gossip = &traffic.gossip;

    for (name, help, count) in [
        (
            "quorate_gossip_published_total",
            "Gossip messages published.",
            gossip.published,
        ),
        (
            "quorate_gossip_unpublished_total",
            "Gossip messages not published: queue full, too large, duplicate, or no peer.",
            gossip.unpublished,
        ),
        (
            "quorate_gossip_received_total",
            "Gossip messages received for the first time.",
            gossip.received,
        ),
        (
            "quorate_gossip_received_bytes_total",
            "Bytes of gossip messages received for the first time.",
            gossip.received_bytes,
        ),
        (
            "quorate_gossip_dropped_total",
            "Gossip messages dropped because the node was behind.",
            gossip.dropped,
        ),
        (
            "quorate_connections_total",
            "Connections established.",
            traffic.connections,
        ),
        (
            "quorate_connections_refused_total",
            "Connections refused: limit, ban, failed handshake.",
            traffic.refused_connections,
        ),
        (
            "quorate_dials_failed_total",
            "Attempts to connect that failed.",
            traffic.failed_dials,
        ),
        (
            "quorate_peers_refused_total",
            "Peers refused because they are of another swarm or did not say of which.",
            traffic.refused_peers,
        ),
    ] {
        page.counter(name, help, count);
    }
}

/// Converts milliseconds to seconds with a fraction, the unit of time in PromQL.
fn seconds(millis: Millis) -> f64 {
    millis as f64 / 1e3
}

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// The page as it grows. Its label values are keys, labels and names from this code, none of which
/// needs escaping.
struct Page(String);

impl Page {
    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, Kind::Gauge, help);
        self.sample(name, &[], value);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, Kind::Counter, help);
        self.sample(name, &[], value);
    }

    /// Writes a histogram. Its buckets are cumulative, as the format requires.
    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.family(name, Kind::Histogram, help);
        let bucket = format!("{name}_bucket");
        let mut within = 0;

        for (bound, count) in BOUNDS.iter().zip(histogram.buckets) {
            within += count;
            let bound = (*bound as f64 / 1e6).to_string();
            self.sample(&bucket, &[("le", &bound)], within);
        }

        self.sample(&bucket, &[("le", "+Inf")], histogram.count);
        self.sample(&format!("{name}_sum"), &[], histogram.sum as f64 / 1e6);
        self.sample(&format!("{name}_count"), &[], histogram.count);
    }

    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{value}\""))
            .collect();

        match labels.is_empty() {
            true => self.line(format_args!("{name} {value}\n")),
            false => self.line(format_args!("{name}{{{}}} {value}\n", labels.join(","))),
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.0.write_fmt(line);
    }
}
