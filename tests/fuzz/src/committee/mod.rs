//! Target for a committee of four of which one member lies. Three replicas run as they are. The
//! bytes decide what the fourth member says and to whom, in which order messages arrive, which
//! timers fire, and which replicas crash.
//!
//! For all bytes: no replica panics or halts. No two replicas decide different blocks or come to
//! different states at one height. No correct key signs twice for one step, not even across
//! crashes. No correct validator is convicted. Messages that nobody signed change nothing. And if
//! the first byte asks for it, the committee goes on deciding once the liar is silent.

mod cluster;
mod forge;
mod liar;
pub(crate) mod recover;

use quorate_replica::Event;
use quorate_types::message::{
    ClientRequest, FetchDossier, Follow, Heartbeat, PeerMessage, Request, StatusRequest,
};
use quorate_types::{BlockId, Hash, TaskId, cbor, limits};

use crate::choices::{Choices, edit};
use crate::swarm::{AGENTS, jobs, public};
use cluster::{Cluster, LIAR, NODES};

/// The most decisions of one run.
const STEPS: usize = 256;
/// The most things that happen in their usual order between the decisions of one run.
const FLOW: usize = 3_000;
/// The number of things within which a committee whose liar is silent decides a block.
const HEALING: usize = 6_000;

/// Runs a committee as the bytes decide.
pub(crate) fn run(data: &[u8]) {
    // The memo is never dropped, so each signature is checked once in the life of this thread. That
    // is right because the check is a pure function.
    std::mem::forget(quorate_crypto::SignatureMemo::start());
    let mut choices = Choices::new(data);
    let mode = choices.byte();
    let mut cluster = Cluster::new(mode & 1 == 0);
    let mut flow = FLOW;
    for _ in 0..STEPS {
        if choices.is_over() {
            break;
        }
        step(&mut cluster, &mut choices, &mut flow);
    }
    if mode & 2 != 0 {
        heal(&mut cluster);
    }
}

fn step(cluster: &mut Cluster, choices: &mut Choices<'_>, flow: &mut usize) {
    let at = choices.below(NODES);
    match choices.below(32) {
        0..=7 => {
            let count = (1 + choices.below(64)).min(*flow);
            *flow -= count;
            (0..count).for_each(|_| cluster.flow());
        }
        8 => drop(cluster.deliver(choices.below(cluster.queue.len()))),
        9 => drop(cluster.queue.remove(choices.below(cluster.queue.len()))),
        10 => cluster.complete(at, choices.below(cluster.pending(at))),
        11 => cluster.fire(at),
        12 if cluster.nodes[at].is_up => cluster.crash(at),
        12 => cluster.restart(at),
        13 => cluster.handle(at, Event::Disconnected(public(choices.below(5) as u8))),
        14 | 15 => ask(cluster, at, choices),
        16..=18 => submit(cluster, at, choices),
        19 | 20 => unauthentic(cluster, at, choices),
        21 => altered(cluster, at, choices),
        22 => {
            let message = choices.pick(cluster.heard.make_contiguous()).cloned();
            message
                .into_iter()
                .for_each(|message| say(cluster, at, message));
        }
        _ => liar::lie(cluster, at, choices),
    }
}

/// Lets the liar send a message to one of the others.
fn say(cluster: &mut Cluster, at: usize, message: PeerMessage) {
    cluster.hear(&message);
    cluster.handle(
        at,
        Event::Peer {
            from: public(LIAR),
            message,
        },
    );
}

/// Lets a client send a request.
fn ask(cluster: &mut Cluster, at: usize, choices: &mut Choices<'_>) {
    let agent = public(AGENTS[choices.below(AGENTS.len())]);
    let task = TaskId {
        requester: public(AGENTS[0]),
        number: choices.number(0),
    };
    let request = match choices.below(8) {
        0 => Request::Heartbeat(Heartbeat {
            height: choices.number(1),
            block: BlockId([1; 32]),
        }),
        1 => Request::Follow(Follow {
            from: choices.number(1),
        }),
        2 => Request::Account(agent),
        3 => Request::Task(task),
        4 => Request::Open(jobs()),
        5 => Request::Certificates(task),
        6 => Request::Status(StatusRequest::Summary),
        _ => match (Hash([choices.byte(); 32]), choices.number(0)) {
            (clearing, 0) => Request::Clearing(clearing),
            (clearing, from) => Request::Dossier(FetchDossier { clearing, from }),
        },
    };
    let request = ClientRequest {
        id: choices.number(1),
        request,
    };
    cluster.handle(
        at,
        Event::Client {
            from: agent,
            request,
        },
    );
}

/// Lets a client submit an operation: often the next one of its agent, sometimes any other.
fn submit(cluster: &mut Cluster, at: usize, choices: &mut Choices<'_>) {
    let operation = liar::operation(cluster, at, choices).into_inner();
    let request = Request::Submit(Box::new(operation.clone()));
    let request = ClientRequest { id: 1, request };
    cluster.handle(
        at,
        Event::Client {
            from: operation.signer,
            request,
        },
    );
}

/// Repeats an earlier message with a signature or a body that does not hold. It must change nothing
/// but counters.
fn unauthentic(cluster: &mut Cluster, at: usize, choices: &mut Choices<'_>) {
    let Some(mut message) = choices.pick(cluster.heard.make_contiguous()).cloned() else {
        return;
    };
    if !cluster.nodes[at].is_up || !forge::forge(&mut message, choices) {
        return;
    }

    cluster.fire_due(at);
    let before = cluster.snapshot(at);
    let pending = cluster.pending(at);
    cluster.handle(
        at,
        Event::Peer {
            from: public(LIAR),
            message: message.clone(),
        },
    );
    while cluster.pending(at) > pending {
        cluster.complete(at, pending);
    }
    assert_eq!(
        before,
        cluster.snapshot(at),
        "a message that nobody signed changed the state: {message:?}"
    );
}

/// Lets the liar send an earlier message with changed bytes, if it still decodes.
fn altered(cluster: &mut Cluster, at: usize, choices: &mut Choices<'_>) {
    let Some(message) = choices.pick(cluster.heard.make_contiguous()) else {
        return;
    };
    let mut bytes = cbor::encode(message);
    let edits: Vec<u8> = (0..3 * (1 + choices.below(4)))
        .map(|_| choices.byte())
        .collect();
    edit(&mut bytes, &mut Choices::new(&edits));
    if let Ok(message) = cbor::decode(&bytes, limits::BULK_FRAME_BYTES) {
        say(cluster, at, message);
    }
}

/// Checks that the committee decides another block once the liar is silent, all replicas are up and
/// nothing is lost.
fn heal(cluster: &mut Cluster) {
    for at in 0..NODES {
        if !cluster.nodes[at].is_up {
            cluster.restart(at);
        }
    }
    let height = |cluster: &Cluster, at: usize| cluster.nodes[at].replica.height();
    let target = (0..NODES).map(|at| height(cluster, at)).max().unwrap_or(0) + 1;
    for _ in 0..HEALING {
        if (0..NODES).all(|at| height(cluster, at) >= target) {
            return;
        }
        cluster.flow();
    }
    let heights: Vec<_> = (0..NODES).map(|at| cluster.snapshot(at)).collect();
    panic!("the committee decides nothing: {heights:?}");
}

/// Seeds: the life of a task with work done at once and with work that waits; a run with every kind
/// of decision; runs of random decisions.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let calm = [&[2][..], &life(1)].concat();
    let busy = [&[3][..], &life(3)].concat();
    let sorts = (0..32u8).flat_map(|sort| [sort % 3, sort, sort, 1, 0, sort, 2, 0, 0, 20]);
    let mixed = [&life(1)[..24], &sorts.collect::<Vec<_>>()].concat();
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut roll = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    let mut wild: Vec<Vec<u8>> = (0..24)
        .map(|_| (0..240).map(|_| roll()).collect())
        .collect();
    wild.extend([calm, busy, mixed]);
    wild
}

/// The decisions by which two agents are admitted, one submits a task, and the other bids, accepts
/// and completes. After each the replicas go on as usual.
fn life(flows: usize) -> Vec<u8> {
    let operations: [&[u8]; 6] = [
        &[0, 16, 0, 0],
        &[1, 16, 1, 0],
        &[0, 16, 0, 0, 0, 0, 0, 0],
        &[1, 16, 1, 2, 0, 0, 0, 0, 0],
        &[2, 16, 1, 5, 0, 0, 0, 0, 0],
        &[0, 16, 1, 6, 0, 0, 0, 0, 0],
    ];
    let flow = [0u8, 0, 47].repeat(flows);
    operations
        .iter()
        .flat_map(|operation| [*operation, &flow[..]].concat())
        .collect()
}
