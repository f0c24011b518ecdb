//! The builder of a bad block is convicted, and once (N-24, L-22). The builder of a good block
//! never is, whatever it is accused of.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::common;
use crate::common::{Bend, Cluster, key};
use quorate_crypto::SecretKey;
use quorate_ledger::EvidenceError;
use quorate_types::message::PeerMessage;
use quorate_types::{
    BadBlock, Block, BlockId, Evidence, Header, Kind, PublicKey, SignedStatement, Statement, limits,
};

/// The node that builds bad blocks, and its key.
const CULPRIT: usize = 3;

fn culprit() -> SecretKey {
    key(4)
}

/// Spoils the blocks of the culprit on their way to others, and makes its proposals name the
/// spoiled blocks. These proposals do not come back to the culprit: with those that it signed
/// itself, they would convict it of a conflict.
fn spoiling(spoil: impl Fn(&mut Block) + 'static) -> Bend {
    let mut spoiled: BTreeMap<BlockId, BlockId> = BTreeMap::new();
    Box::new(move |from, to, mut message| {
        match &mut message {
            PeerMessage::Statement(signed)
                if to == CULPRIT && signed.signer == culprit().public_key() =>
            {
                return None;
            }
            PeerMessage::Block(block)
                if from == CULPRIT && block.header.builder == culprit().public_key() =>
            {
                let good = block.header.id();
                spoil(block);
                spoiled.insert(good, block.header.id());
            }
            PeerMessage::Statement(signed)
                if from == CULPRIT && signed.statement.kind == Kind::Proposal =>
            {
                let named = signed
                    .statement
                    .block
                    .and_then(|good| spoiled.get(&good))
                    .copied();
                if let Some(bad) = named {
                    let statement = Statement {
                        block: Some(bad),
                        ..signed.statement.clone()
                    };
                    *signed = culprit().sign_statement(statement).into_inner();
                }
            }
            _ => {}
        }
        Some(message)
    })
}

fn wrong_root(block: &mut Block) {
    block.header.state.0[0] ^= 1;
}

fn proposal(header: &Header, by: &SecretKey) -> SignedStatement {
    let statement = Statement {
        swarm: header.swarm,
        height: header.height,
        round: header.missed_turns,
        kind: Kind::Proposal,
        block: Some(header.id()),
        validators: header.validators,
        pol_round: None,
    };
    by.sign_statement(statement).into_inner()
}

/// Evidence against the builder of the block, after `spoil` has changed it. It is true or false.
fn accusation(mut block: Block, spoil: impl Fn(&mut Block)) -> Evidence {
    spoil(&mut block);
    let proposal = proposal(&block.header, &key_of(block.header.builder));
    Evidence::bad_block(proposal, block).unwrap()
}

fn key_of(public: PublicKey) -> SecretKey {
    (1..=4)
        .map(key)
        .find(|key| key.public_key() == public)
        .unwrap()
}

/// All evidence in the blocks that a node holds.
fn committed(cluster: &Cluster, at: usize) -> Vec<(u64, Evidence)> {
    let blocks = cluster.nodes[at].disk.blocks.iter().map(|(block, _)| block);
    let evidence = blocks.flat_map(|block| {
        block
            .evidence
            .iter()
            .map(|evidence| (block.header.height, evidence.clone()))
    });
    evidence.collect()
}

/// Runs until the culprit is removed, and some blocks more. Then checks that it was convicted once,
/// and lost its power two heights later (L-20, N-25).
fn assert_convicted_once(cluster: &mut Cluster) {
    let who = culprit().public_key();
    cluster.until(100_000, |c| {
        (0..3).all(|at| c.ledger(at).validators().get(&who).is_none())
    });
    let after = cluster.ledger(0).height() + 4;
    cluster.until(100_000, |c| (0..3).all(|at| c.ledger(at).height() >= after));
    cluster.assert_agreement();
    let all = committed(cluster, 0);
    assert_eq!(all.len(), 1, "committed once");
    let (height, evidence) = &all[0];
    assert_eq!(evidence.culprit(), who);
    assert!(matches!(evidence, Evidence::BadBlock(_)));
    let set_at = |height: u64| {
        let (block, _) = &cluster.nodes[0].disk.blocks[height as usize - 1];
        block.header.validators
    };
    let before = cluster.genesis.validators.hash();
    assert_eq!([set_at(*height), set_at(height + 1)], [before; 2]);
    assert_eq!(set_at(height + 2), cluster.ledger(0).validators().hash());
    assert!(cluster.ledger(0).validators().len() == 3);
    assert!(
        cluster.nodes[..3]
            .iter()
            .all(|node| node.replica.counters().evidence == 1)
    );
}

#[test]
fn n24_the_builder_of_a_block_with_a_wrong_root_is_convicted_once_and_the_others_go_on() {
    let mut cluster = Cluster::new(4);
    cluster.bend = spoiling(wrong_root);
    let admission = cluster.admission(&key(50), &[]);
    cluster.submit(0, admission);
    assert_convicted_once(&mut cluster);
    assert!(cluster.ledger(1).knows_agent(&key(50).public_key()));
    let idle = cluster.ledger(0).height();
    cluster.run_for(30_000);
    let most = idle + 30_000 / cluster.genesis.parameters.max_block_interval_ms + 2;
    assert!(
        cluster.ledger(0).height() <= most,
        "evidence starts no further heights"
    );
}

#[test]
fn a_forged_signature_in_a_block_convicts_its_builder_too() {
    let mut cluster = Cluster::new(4);
    cluster.bend = spoiling(|block| {
        let Some(commit) = &mut block.previous_commit else {
            return;
        };
        let mut forged = commit.certificate().clone();
        forged.votes[0].signature.0[7] ^= 1;
        *commit = forged.into();
        block.header.previous_commit = commit.hash();
    });
    assert_convicted_once(&mut cluster);
}

#[test]
fn who_alone_got_the_bad_block_tells_those_who_build_the_next_ones() {
    let mut cluster = Cluster::new(4);
    let mut spoil = spoiling(wrong_root);
    cluster.bend = Box::new(move |from, to, message| {
        let theirs = matches!(message, PeerMessage::Block(_) | PeerMessage::Statement(_));
        let teller = key(2).public_key();
        let own = matches!(&message, PeerMessage::Block(of) if of.header.builder == teller);
        let bent = spoil(from, to, message)?;
        // Only node 1 hears the culprit, and the blocks that node 1 builds do not arrive.
        let lost = (from == CULPRIT && to != 1 && theirs) || (from == 1 && own);
        (!lost).then_some(bent)
    });
    let who = culprit().public_key();
    cluster.until(200_000, |c| c.ledger(0).validators().get(&who).is_none());
    assert_eq!(committed(&cluster, 0).len(), 1);
    let (height, _) = committed(&cluster, 0)[0];
    let (block, _) = &cluster.nodes[0].disk.blocks[height as usize - 1];
    assert_ne!(block.header.builder, key(2).public_key());
}

/// A true proposal with its block, as they were sent.
fn overheard(cluster: &mut Cluster) -> BadBlock {
    let heard: Rc<RefCell<(Option<Block>, Option<SignedStatement>)>> = Rc::default();
    let ears = Rc::clone(&heard);
    cluster.bend = Box::new(move |from, _, message| {
        let mut heard = ears.borrow_mut();
        match &message {
            PeerMessage::Block(block) if from == 0 && heard.0.is_none() => {
                heard.0 = Some((**block).clone());
            }
            PeerMessage::Statement(signed)
                if from == 0 && heard.1.is_none() && signed.statement.kind == Kind::Proposal =>
            {
                heard.1 = Some(signed.clone());
            }
            _ => {}
        }
        Some(message)
    });
    let done = Rc::clone(&heard);
    cluster.until(100_000, |_| {
        done.borrow().0.is_some() && done.borrow().1.is_some()
    });
    let height = heard.borrow().0.as_ref().unwrap().header.height;
    cluster.until(100_000, |c| {
        (0..4).all(|at| c.ledger(at).height() >= height)
    });
    cluster.bend = Box::new(|_, _, message| Some(message));
    let (block, proposal) = heard.take();
    BadBlock {
        proposal: proposal.unwrap(),
        block: block.unwrap(),
    }
}

#[test]
fn n24_no_accusation_convicts_a_correct_builder() {
    type Forge = fn(&BadBlock) -> BadBlock;
    let table: [(&str, Forge); 6] = [
        ("a valid block", |heard| heard.clone()),
        ("another body", |heard| {
            let mut block = heard.block.clone();
            block.previous_commit = None;
            block.operations.clear();
            block
                .evidence
                .push(Evidence::BadBlock(Box::new(heard.clone())));
            BadBlock {
                block,
                ..heard.clone()
            }
        }),
        ("a changed header under the old proposal", |heard| {
            let mut block = heard.block.clone();
            wrong_root(&mut block);
            BadBlock {
                block,
                ..heard.clone()
            }
        }),
        ("a changed header signed by another", |heard| {
            let mut block = heard.block.clone();
            wrong_root(&mut block);
            BadBlock {
                proposal: proposal(&block.header, &key(4)),
                block,
            }
        }),
        ("a changed header in the builder's name", |heard| {
            let mut block = heard.block.clone();
            wrong_root(&mut block);
            let mut proposal = proposal(&block.header, &key(4));
            proposal.signer = block.header.builder;
            BadBlock { proposal, block }
        }),
        ("a vote for a proposal", |heard| {
            let mut proposal = heard.proposal.clone();
            proposal.statement.kind = Kind::Prevote;
            BadBlock {
                proposal,
                block: heard.block.clone(),
            }
        }),
    ];
    for (name, forge) in table {
        let mut cluster = Cluster::new(4);
        let heard = overheard(&mut cluster);
        let forged = Evidence::BadBlock(Box::new(forge(&heard)));
        let before = cluster.ledger(1).height();
        for _ in 0..3 {
            for to in 0..3 {
                cluster.say(3, to, PeerMessage::Evidence(Box::new(forged.clone())));
            }
        }
        let after = before + 6;
        cluster.until(100_000, |c| (0..4).all(|at| c.ledger(at).height() >= after));
        for at in 0..4 {
            assert!(committed(&cluster, at).is_empty(), "{name}");
            assert_eq!(cluster.ledger(at).next_validators().len(), 4, "{name}");
        }
        let counters = cluster.nodes[1].replica.counters();
        assert_eq!(counters.evidence, 0, "{name}");
        assert!(
            counters.evidence_dropped + counters.unauthentic >= 3,
            "{name}: {counters:?}"
        );
        assert!(
            cluster.now.saturating_since(common::START) > 5 * 9_000,
            "{name}: it starts no heights"
        );
    }
}

#[test]
fn blocks_on_another_parent_and_of_old_heights_accuse_nobody() {
    let mut cluster = Cluster::new(4);
    cluster.until(400_000, |c| (0..4).all(|at| c.ledger(at).height() >= 14));
    let decided: Vec<Block> = cluster.nodes[0]
        .disk
        .blocks
        .iter()
        .map(|(block, _)| block.clone())
        .collect();
    let ledger = cluster.ledger(0);
    let verdict = |evidence: &Evidence| ledger.judge(evidence).unwrap_err();
    let next = ledger.height() + 1;
    let oldest = next - limits::BAD_BLOCK_HEIGHTS;
    let at = |height: u64| decided[height as usize - 1].clone();
    let stale = accusation(at(oldest - 1), wrong_root);
    assert_eq!(verdict(&stale), EvidenceError::Expired(oldest - 1));
    assert_eq!(ledger.judge(&accusation(at(oldest), wrong_root)), Ok(()));
    let fork = accusation(at(oldest), |block| block.header.previous.0[0] ^= 1);
    assert!(matches!(verdict(&fork), EvidenceError::Parent(_)));
    let good = accusation(at(next - 1), |_| {});
    assert!(matches!(verdict(&good), EvidenceError::Valid(_)));
    for evidence in [stale, fork, good] {
        cluster.say(3, 0, PeerMessage::Evidence(Box::new(evidence)));
    }
    cluster.until(100_000, |c| c.ledger(0).height() >= next + 2);
    assert!(committed(&cluster, 0).is_empty());
}

#[test]
fn a_restarted_node_judges_and_holds_the_same() {
    let mut cluster = Cluster::new(4);
    cluster.until(200_000, |c| (0..4).all(|at| c.ledger(at).height() >= 6));
    for at in 0..3 {
        cluster.crash(at);
        cluster.restart(at);
    }
    // A bad block that was built three heights ago and is only found now.
    let (block, _) = &cluster.nodes[0].disk.blocks[3];
    let mut block = block.clone();
    wrong_root(&mut block);
    let who = block.header.builder;
    let evidence = Evidence::bad_block(proposal(&block.header, &key_of(who)), block).unwrap();
    let teller = (0..4)
        .find(|at| cluster.nodes[*at].key.public_key() != who)
        .unwrap();
    let hearer = (0..3).find(|at| *at != teller).unwrap();
    cluster.say(teller, hearer, PeerMessage::Evidence(Box::new(evidence)));
    cluster.until(200_000, |c| {
        (0..4).all(|at| c.ledger(at).validators().get(&who).is_none())
    });
    let target = cluster.heights().into_iter().max().unwrap() + 1;
    cluster.until(200_000, |c| {
        (0..4).all(|at| c.ledger(at).height() >= target)
    });
    let roots = |cluster: &Cluster| {
        let root = |at: usize| (cluster.ledger(at).height(), cluster.ledger(at).state_root());
        (0..4).map(root).collect::<Vec<_>>()
    };
    let before = roots(&cluster);
    for at in 0..4 {
        cluster.crash(at);
        cluster.restart(at);
    }
    assert_eq!(roots(&cluster), before);
    let all: BTreeSet<_> = (0..4).map(|at| committed(&cluster, at)).collect();
    assert_eq!(all.len(), 1);
    assert_eq!(all.first().unwrap().len(), 1);
    cluster.until(200_000, |c| {
        (0..4).all(|at| c.ledger(at).height() >= target + 3)
    });
    cluster.assert_agreement();
}
