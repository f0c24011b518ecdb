//! Target for a replica that comes back to a log or to blocks that it did not write. It returns an
//! error or goes on, and does not panic.

use quorate_replica::{LogRecord, Now};
use quorate_types::{cbor, limits};

use super::cluster::{BOOT, Cluster, Node, replica};
use crate::choices::{Choices, edit};

/// The most steps of a run before the crash.
const BEFORE: usize = 255;

/// Runs a committee and restarts one replica on a changed disk. The first two bytes say how far the
/// committee runs and which replica it is; the rest says how the disk is changed.
pub(crate) fn run(data: &[u8]) {
    std::mem::forget(quorate_crypto::SignatureMemo::start());
    let mut choices = Choices::new(data);
    let mut cluster = Cluster::new(true);
    (0..choices.below(BEFORE)).for_each(|_| cluster.flow());
    let at = choices.below(cluster.nodes.len());
    restart(&cluster.nodes[at], &mut choices);
}

fn restart(node: &Node, choices: &mut Choices<'_>) {
    let mut replica = replica(node.seed, BOOT);
    let lost = choices.below(node.blocks.len() + 1);
    for (block, commit) in &node.blocks[..node.blocks.len() - lost] {
        replica.restore(block.clone(), commit.clone()).unwrap();
    }
    if let Some((block, commit)) = node.blocks.get(choices.below(node.blocks.len() + 1)) {
        let next = block.header.height == replica.height();
        assert_eq!(
            replica.restore(block.clone(), commit.clone()).is_ok(),
            next,
            "only a block of the next height may be restored"
        );
    }
    let mut records: Vec<_> = node
        .log()
        .iter()
        .map(|(_, record)| record.clone())
        .collect();
    while !choices.is_over() && !records.is_empty() {
        alter(&mut records, choices);
    }
    if replica.recover(records).is_ok() {
        while replica.poll_action().is_some() {}
        replica.handle_timeout(Now {
            monotonic: BOOT.monotonic + 10_000,
            unix: BOOT.unix + 10_000,
        });
        while replica.poll_action().is_some() {}
    }
}

/// Drops, repeats, swaps or changes a record, or cuts the log there.
fn alter(records: &mut Vec<LogRecord>, choices: &mut Choices<'_>) {
    let (at, to) = (choices.below(records.len()), choices.below(records.len()));
    match choices.below(5) {
        0 => drop(records.remove(at)),
        1 => records.insert(to, records[at].clone()),
        2 => records.swap(at, to),
        3 => records.truncate(at),
        _ => {
            let mut bytes = cbor::encode(&records[at]);
            let edits: Vec<u8> = (0..3).map(|_| choices.byte()).collect();
            edit(&mut bytes, &mut Choices::new(&edits));
            if let Ok(record) = cbor::decode(&bytes, limits::BULK_FRAME_BYTES) {
                records[at] = record;
            }
        }
    }
}

/// Seeds: the disk as it was written, and with a change of each kind, after runs of three lengths.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let alterations: [&[u8]; 7] = [
        &[],
        &[0, 0, 1, 2, 0],
        &[0, 0, 1, 2, 1],
        &[0, 0, 3, 0, 2],
        &[1, 0, 9, 0, 3],
        &[0, 1, 2, 0, 4, 9, 0, 1],
        &[2, 1, 7, 7, 1, 5, 2, 2, 4, 4, 2],
    ];
    let runs = [20u8, 90, 250];
    let all = runs
        .into_iter()
        .flat_map(|flow| alterations.map(|by| [&[flow, 0][..], by].concat()));
    all.collect()
}
