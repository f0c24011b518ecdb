//! Proptest strategies for values of each type, within their limits.

#![allow(dead_code, reason = "each test binary uses its part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use quorate_types::attestation::Claims;
use quorate_types::cose::Owned;
use quorate_types::genesis::{Admission, Attester, Parameters};
use quorate_types::operation::*;
use quorate_types::outcome::*;
use quorate_types::*;

macro_rules! bytes_of {
    ($($name:ident -> $type:ident,)*) => {
        $(pub fn $name() -> impl Strategy<Value = $type> {
            any::<[u8; 32]>().prop_map($type)
        })*
    };
}

bytes_of! {
    hash -> Hash,
    swarm -> SwarmId,
    block_id -> BlockId,
    operation_id -> OperationId,
    key -> PublicKey,
}

pub fn signature() -> impl Strategy<Value = Signature> {
    vec(any::<u8>(), 64).prop_map(|bytes| Signature(bytes.try_into().unwrap()))
}

pub fn label() -> impl Strategy<Value = Label> {
    "[a-z0-9_.-]{1,32}".prop_map(|text| text.parse().unwrap())
}

pub fn amounts() -> impl Strategy<Value = Amounts> {
    btree_map(label(), any::<i64>(), 0..5)
}

pub fn capabilities() -> impl Strategy<Value = Capabilities> {
    (btree_set(label(), 0..5), amounts())
        .prop_map(|(labels, amounts)| Capabilities { labels, amounts })
}

fn opaque() -> impl Strategy<Value = Owned> {
    vec(any::<u8>(), 0..60).prop_map(Owned)
}

pub fn task() -> impl Strategy<Value = TaskId> {
    (key(), any::<u64>()).prop_map(|(requester, number)| TaskId { requester, number })
}

pub fn task_spec() -> impl Strategy<Value = TaskSpec> {
    let parts = (
        label(),
        capabilities(),
        amounts(),
        option::of(any::<i64>()),
        option::of(any::<u64>()),
        opaque(),
    );
    parts.prop_map(
        |(market, requires, demand, max_price, deadline, payload)| TaskSpec {
            market,
            requires,
            demand,
            max_price,
            deadline: deadline.map(UnixMillis),
            payload,
        },
    )
}

fn signed<T: Signable + std::fmt::Debug>(
    payload: impl Strategy<Value = T>,
) -> impl Strategy<Value = Sign1<T>> {
    (key(), payload, signature()).prop_map(|(signer, payload, signature)| {
        Sign1::from(Signed {
            signer,
            payload,
            signature,
        })
    })
}

pub fn attestation() -> impl Strategy<Value = Attestation> {
    let parts = (
        key(),
        key(),
        swarm(),
        any::<[u64; 3]>(),
        vec(any::<u8>(), 0..17),
        capabilities(),
    );
    signed(parts.prop_map(
        |(issuer, subject, audience, times, id, capabilities)| Claims {
            issuer,
            subject,
            audience,
            expires: times[0],
            not_before: times[1],
            issued_at: times[2],
            id,
            capabilities,
        },
    ))
}

pub fn suspicion() -> impl Strategy<Value = Sign1<Suspicion>> {
    let parts = (swarm(), task(), any::<u64>(), any::<u64>());
    signed(parts.prop_map(|(swarm, task, token, height)| Suspicion {
        swarm,
        task,
        token: FencingToken(token),
        height,
    }))
}

fn report() -> impl Strategy<Value = TaskReport> {
    (task(), any::<u64>(), opaque()).prop_map(|(task, token, detail)| TaskReport {
        task,
        token: FencingToken(token),
        detail,
    })
}

fn bid() -> impl Strategy<Value = Bid> {
    let offers = vec((task(), any::<i64>()), 0..4);
    (label(), amounts(), offers).prop_map(|(market, budget, offers)| {
        let offers = offers
            .into_iter()
            .map(|(task, price)| Offer { task, price })
            .collect();
        Bid {
            market,
            budget,
            offers,
        }
    })
}

fn seal() -> impl Strategy<Value = Seal> {
    let offers = vec((task(), hash()), 0..4);
    (label(), any::<u64>(), amounts(), offers).prop_map(|(market, window, budget, offers)| {
        let offers = offers
            .into_iter()
            .map(|(task, commitment)| SealedOffer { task, commitment })
            .collect();
        Seal {
            market,
            window,
            budget,
            offers,
        }
    })
}

fn reveal() -> impl Strategy<Value = Reveal> {
    let openings = vec((task(), any::<i64>(), any::<[u8; 32]>()), 0..4);
    (label(), any::<u64>(), openings).prop_map(|(market, window, openings)| {
        let open = |(task, price, nonce)| Opening {
            task,
            price,
            nonce: Nonce(nonce),
        };
        Reveal {
            market,
            window,
            openings: openings.into_iter().map(open).collect(),
        }
    })
}

fn pairs() -> impl Strategy<Value = Vec<Pair>> {
    vec(
        (task(), key()).prop_map(|(task, agent)| Pair { task, agent }),
        0..4,
    )
}

fn solve() -> impl Strategy<Value = Solve> {
    (label(), any::<u64>(), pairs()).prop_map(|(market, window, pairs)| Solve {
        market,
        window,
        pairs,
    })
}

fn lapse() -> impl Strategy<Value = Lapse> {
    (task(), any::<u64>(), vec(suspicion(), 0..3)).prop_map(|(task, token, suspicions)| Lapse {
        task,
        token: FencingToken(token),
        suspicions,
    })
}

pub fn body() -> impl Strategy<Value = OperationBody> {
    let attest = || attestation().prop_map(|attestation| Attest { attestation });
    let revoke = (key(), hash());
    let submit = (any::<u64>(), vec(task_spec(), 0..3));
    prop_oneof![
        attest().prop_map(OperationBody::Admit),
        attest().prop_map(OperationBody::Attest),
        revoke.prop_map(|(subject, attestation)| OperationBody::Revoke(Revoke {
            subject,
            attestation
        })),
        task().prop_map(|task| OperationBody::Cancel(Cancel { task })),
        label().prop_map(|market| OperationBody::Withdraw(Withdraw { market })),
        submit.prop_map(|(first, tasks)| OperationBody::Submit(Submit { first, tasks })),
        bid().prop_map(OperationBody::Bid),
        seal().prop_map(OperationBody::Seal),
        reveal().prop_map(OperationBody::Reveal),
        solve().prop_map(OperationBody::Solve),
        report().prop_map(OperationBody::Accept),
        report().prop_map(OperationBody::Decline),
        report().prop_map(OperationBody::Complete),
        report().prop_map(OperationBody::Fail),
        lapse().prop_map(OperationBody::Lapse),
    ]
}

pub fn operation() -> impl Strategy<Value = SignedOperation> {
    signed(
        (swarm(), key(), any::<u64>(), body()).prop_map(|(swarm, agent, sequence, body)| {
            Operation {
                swarm,
                agent,
                sequence,
                body,
            }
        }),
    )
}

pub fn statement() -> impl Strategy<Value = Statement> {
    let said = prop_oneof![
        (block_id(), option::of(any::<u32>())).prop_map(|(block, pol_round)| (
            Kind::Proposal,
            Some(block),
            pol_round
        )),
        option::of(block_id()).prop_map(|block| (Kind::Prevote, block, None)),
        option::of(block_id()).prop_map(|block| (Kind::Precommit, block, None)),
    ];
    (swarm(), any::<u64>(), any::<u32>(), said, hash()).prop_map(
        |(swarm, height, round, said, validators)| {
            let (kind, block, pol_round) = said;
            Statement {
                swarm,
                height,
                round,
                kind,
                block,
                validators,
                pol_round,
            }
        },
    )
}

pub fn signed_statement() -> impl Strategy<Value = SignedStatement> {
    (statement(), key(), signature()).prop_map(|(statement, signer, signature)| SignedStatement {
        statement,
        signer,
        signature,
    })
}

pub fn quorum_certificate() -> impl Strategy<Value = QuorumCertificate> {
    (statement(), btree_map(key(), signature(), 0..5)).prop_map(|(statement, votes)| {
        let votes = votes
            .into_iter()
            .map(|(signer, signature)| Vote { signer, signature });
        QuorumCertificate {
            statement,
            votes: votes.collect(),
        }
    })
}

fn conflict() -> impl Strategy<Value = Evidence> {
    (signed_statement(), signed_statement())
        .prop_map(|(first, second)| Evidence::Conflict(Box::new(Conflict { first, second })))
}

fn bad_block() -> impl Strategy<Value = Evidence> {
    (signed_statement(), block_with(vec(conflict(), 0..2)))
        .prop_map(|(proposal, block)| Evidence::BadBlock(Box::new(BadBlock { proposal, block })))
}

pub fn evidence() -> impl Strategy<Value = Evidence> {
    prop_oneof![conflict(), bad_block()]
}

pub fn header() -> impl Strategy<Value = Header> {
    let numbers = (
        any::<u8>(),
        swarm(),
        any::<[u64; 3]>(),
        block_id(),
        key(),
        any::<u32>(),
    );
    (numbers, proptest::array::uniform8(hash())).prop_map(|(numbers, hashes)| {
        let (version, swarm, times, previous, builder, missed_turns) = numbers;
        let [
            previous_commit,
            validators,
            next_validators,
            parameters,
            operations,
            state,
            outcomes,
            evidence,
        ] = hashes;
        Header {
            version,
            swarm,
            height: times[0],
            active_time: ActiveMillis(times[1]),
            block_time: UnixMillis(times[2]),
            previous,
            previous_commit,
            validators,
            next_validators,
            parameters,
            builder,
            missed_turns,
            operations,
            state,
            outcomes,
            evidence,
        }
    })
}

pub fn block() -> impl Strategy<Value = Block> {
    block_with(vec(evidence(), 0..2))
}

fn block_with(evidence: impl Strategy<Value = Vec<Evidence>>) -> impl Strategy<Value = Block> {
    let commit = option::of(quorum_certificate().prop_map(CommitProof::from));
    (header(), vec(operation(), 0..3), evidence, commit).prop_map(
        |(header, operations, evidence, previous_commit)| Block {
            header,
            operations,
            evidence,
            previous_commit,
        },
    )
}

fn reason() -> impl Strategy<Value = Reason> {
    proptest::sample::select(Reason::ALL)
}

fn assignment() -> impl Strategy<Value = Assignment> {
    let who = (task(), key(), label(), operation_id(), any::<[i64; 2]>());
    (who, any::<[u64; 3]>(), hash(), hash(), vec(hash(), 0..3)).prop_map(
        |(who, numbers, spec, clearing, attestations)| {
            let (task, agent, market, bid, [price, charge]) = who;
            let [token, assigned_at, lease] = numbers;
            Assignment {
                task,
                token: FencingToken(token),
                agent,
                market,
                price,
                charge,
                bid,
                spec,
                attestations,
                assigned_at: ActiveMillis(assigned_at),
                lease,
                clearing,
            }
        },
    )
}

pub fn clearing() -> impl Strategy<Value = ClearingRecord> {
    let rule = (label(), label(), any::<u16>(), option::of(any::<i64>()));
    let found = (any::<i64>(), option::of(operation_id()));
    (rule, any::<[u64; 3]>(), found, hash()).prop_map(|(rule, numbers, found, inputs)| {
        let (market, mechanism, version, reserve) = rule;
        let [window, input_count, assigned] = numbers;
        let (total, solution) = found;
        ClearingRecord {
            market,
            window,
            mechanism,
            version,
            reserve,
            inputs,
            input_count,
            assigned,
            total,
            solution,
        }
    })
}

pub fn clearing_input() -> impl Strategy<Value = ClearingInput> {
    let task_input = (task(), hash(), amounts(), any::<i64>());
    let bid = (
        task(),
        key(),
        option::of(any::<i64>()),
        operation_id(),
        option::of(reason()),
    );
    prop_oneof![
        task_input.prop_map(|(task, spec, demand, limit)| {
            ClearingInput::Task(TaskInput {
                task,
                spec,
                demand,
                limit,
            })
        }),
        (key(), amounts())
            .prop_map(|(agent, budget)| ClearingInput::Bidder(BidderInput { agent, budget })),
        bid.prop_map(|(task, agent, price, operation, excluded)| {
            ClearingInput::Bid(BidInput {
                task,
                agent,
                price,
                operation,
                excluded,
            })
        }),
        (key(), operation_id(), pairs()).prop_map(|(agent, operation, pairs)| {
            ClearingInput::Solution(SolutionInput {
                agent,
                operation,
                pairs,
            })
        }),
    ]
}

pub fn outcome() -> impl Strategy<Value = Outcome> {
    let receipt = (task(), any::<u64>(), option::of(key()), operation());
    let refusal = (
        operation_id(),
        key(),
        vec((option::of(task()), reason()), 0..4),
    );
    prop_oneof![
        assignment().prop_map(Outcome::Assignment),
        clearing().prop_map(Outcome::Clearing),
        receipt.prop_map(|(task, token, agent, operation)| {
            Outcome::Receipt(Box::new(Receipt {
                task,
                token: FencingToken(token),
                agent,
                operation,
            }))
        }),
        refusal.prop_map(|(operation, agent, items)| {
            Outcome::Refusal(Refusal {
                operation,
                agent,
                items,
            })
        }),
        (task(), any::<u64>(), reason()).prop_map(|(task, token, reason)| Outcome::Expiry(
            Expiry {
                task,
                token: FencingToken(token),
                reason
            }
        )),
    ]
}

pub fn validators() -> impl Strategy<Value = ValidatorSet> {
    btree_map(key(), (1u64..1 << 50, label()), 1..6).prop_map(|members| {
        let members = members.into_iter();
        let validators = members.map(|(key, (power, operator))| Validator {
            key,
            power,
            operator,
        });
        ValidatorSet::new(validators.collect()).unwrap()
    })
}

fn market() -> impl Strategy<Value = (Label, Market)> {
    let rule = (
        label(),
        option::of(0..=limits::PRICE),
        any::<bool>(),
        label(),
    );
    let some = || option::of(1u64..1_000_000);
    let times = (1u64..1_000_000, some(), some(), 1u64..1_000_000);
    (rule, 1u64..=1000, times).prop_map(|((name, reserve, trusted, mechanism), attempts, times)| {
        let (lease_ms, solve_ms, reveal_ms, window_ms) = times;
        let key = name.clone();
        let market = Market {
            name,
            reserve,
            trusted,
            attempts,
            lease_ms,
            solve_ms,
            mechanism,
            reveal_ms,
            window_ms,
        };
        (key, market)
    })
}

/// A genesis that passes its own check. Its times fit into the signed integers of TOML.
pub fn genesis() -> impl Strategy<Value = Genesis> {
    let markets = vec(market(), 0..4).prop_map(|markets| {
        let markets: BTreeMap<_, _> = markets.into_iter().collect();
        markets.into_values().collect::<Vec<_>>()
    });
    let attesters = btree_map(key(), label(), 0..4).prop_map(|attesters| {
        attesters
            .into_iter()
            .map(|(key, name)| Attester { key, name })
            .collect::<Vec<_>>()
    });
    let admission = prop_oneof![Just(Admission::Attestation), Just(Admission::Closed)];
    let parameters = (1u64..=3_600_000, 1u64..=3_600_000).prop_map(|(step, interval)| Parameters {
        max_step_ms: step,
        max_block_interval_ms: interval,
    });
    (
        label(),
        0..1u64 << 62,
        markets,
        admission,
        attesters,
        parameters,
        validators(),
    )
        .prop_map(
            |(name, created, markets, admission, attesters, parameters, validators)| Genesis {
                name,
                created: UnixMillis(created),
                markets,
                version: PROTOCOL_VERSION,
                admission,
                attesters,
                parameters,
                validators,
            },
        )
}

pub fn labels(texts: &[&str]) -> BTreeSet<Label> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}
