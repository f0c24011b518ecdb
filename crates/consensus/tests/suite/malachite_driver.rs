//! The scenarios of malachite 4e8bb7d, `core-driver/tests/it`, by name. Each shows what the rules
//! of the paper give here.

use quorate_consensus::Input;
use quorate_types::Kind;

use crate::harness::Shows::{self, Moot, Script, Test};
use crate::harness::{Bench, Committee, HEIGHT, block, run_all};

#[test]
fn scenarios_of_malachites_driver() {
    run_all(SCENARIOS);
}

const SCHEDULE: &str = "a proposer schedule always names a proposer, by construction";

pub const SCENARIOS: &[(&str, Shows)] = &[
    // basic.rs
    (
        "driver_steps_proposer",
        Script(
            Some(0),
            "start                  -> enter 0, timer 0 propose, build 0
             built 0 A              -> propose 0 A, check A
             valid A                -> prevote 0 A
             prevote 0 A by 1 2     -> polka 0 A, precommit 0 A
             precommit 0 A by 1 2   -> decide 0 A",
        ),
    ),
    (
        "driver_steps_proposer_timeout_get_value",
        Script(
            Some(0),
            "start                  -> enter 0, timer 0 propose, build 0
             timeout 0 propose      -> prevote 0 nil
             built 0 A
             state                  -> 0 prevote none none",
        ),
    ),
    (
        "driver_steps_not_proposer_valid",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             valid A                -> prevote 0 A
             prevote 0 A by 0 1     -> polka 0 A, precommit 0 A
             precommit 0 A by 0 1   -> decide 0 A",
        ),
    ),
    (
        "driver_steps_not_proposer_invalid",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             invalid A              -> prevote 0 nil
             prevote 0 nil by 0 1   -> precommit 0 nil
             precommit 0 nil by 0 1 -> timer 0 precommit",
        ),
    ),
    (
        "driver_steps_not_proposer_other_height",
        Test(other_heights_are_ignored),
    ),
    (
        "driver_steps_not_proposer_other_round",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 1 B1
             timeout 0 propose      -> prevote 0 nil",
        ),
    ),
    (
        "driver_steps_not_proposer_timeout_multiple_rounds",
        Script(
            Some(2),
            "start                  -> enter 0, timer 0 propose
             timeout 0 propose      -> prevote 0 nil
             prevote 0 nil by 0 1   -> precommit 0 nil
             precommit 0 nil by 0 1 -> timer 0 precommit
             timeout 0 precommit    -> enter 1, timer 1 propose
             timeout 1 propose      -> prevote 1 nil
             prevote 1 nil by 0 1   -> precommit 1 nil
             precommit 1 nil by 0 1 -> timer 1 precommit
             timeout 1 precommit    -> enter 2, timer 2 propose, build 2",
        ),
    ),
    (
        "driver_steps_no_value_to_propose",
        Script(
            Some(0),
            "start                  -> enter 0, timer 0 propose, build 0
             timeout 0 propose      -> prevote 0 nil",
        ),
    ),
    ("driver_steps_proposer_not_found", Moot(SCHEDULE)),
    (
        "driver_preserves_round_state_when_proposer_not_found",
        Moot(SCHEDULE),
    ),
    (
        "driver_steps_validator_not_found",
        Test(strangers_are_ignored),
    ),
    (
        "driver_steps_skip_round_skip_threshold",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             timeout 0 propose      -> prevote 0 nil
             prevote 1 A by 1
             prevote 1 A by 2       -> enter 1, timer 1 propose",
        ),
    ),
    (
        "driver_steps_skip_round_quorum_threshold",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             timeout 0 propose      -> prevote 0 nil
             polka 1 A by 0 1 2     -> polka 1 A, enter 1, timer 1 propose, check A",
        ),
    ),
    (
        "driver_skip_round_clears_scheduled_timeouts",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             precommit 0 nil by 0 1 2 -> timer 0 precommit
             prevote 1 nil by 0 1   -> enter 1, timer 1 propose
             timeout 0 propose
             timeout 0 precommit
             timeout 1 precommit
             state                  -> 1 propose none none",
        ),
    ),
    // extra.rs
    (
        "driver_steps_decide_current_with_no_locked_no_valid",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             precommit 0 A by 0 1 2 -> check A, timer 0 precommit
             proposal 0 A
             valid A                -> decide 0 A",
        ),
    ),
    (
        "driver_steps_decide_previous_with_no_locked_no_valid",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             timeout 0 propose      -> prevote 0 nil
             precommit 0 A by 0
             prevote 1 nil by 0 1   -> enter 1, timer 1 propose
             precommit 0 A by 1 2   -> check A
             valid A                -> decide 0 A",
        ),
    ),
    (
        "driver_steps_decide_previous_with_locked_and_valid",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             valid A                -> prevote 0 A
             prevote 0 A by 0 1     -> polka 0 A, precommit 0 A
             prevote 1 nil by 0 1   -> enter 1, timer 1 propose
             precommit 0 A by 0 1   -> decide 0 A
             state                  -> 1 decided A@0 A@0",
        ),
    ),
    (
        "driver_steps_polka_previous_with_locked",
        Script(
            Some(3),
            "locked
             proposal 1 A pol 0     -> prevote 1 A",
        ),
    ),
    (
        "driver_steps_polka_previous_not_locked_vote_last_l30",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 0 A by 0 1
             prevote 1 nil by 0 1   -> enter 1, timer 1 propose
             proposal 1 A pol 0     -> check A
             valid A
             prevote 0 A by 2       -> polka 0 A, prevote 1 A, timer 1 prevote",
        ),
    ),
    (
        "driver_steps_polka_previous_locked_vote_last_l32",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 0 A by 0 1
             prevote 1 nil by 0 1   -> enter 1, timer 1 propose
             proposal 1 B1          -> check B1
             valid B1               -> prevote 1 B1, timer 1 prevote
             prevote 1 B1 by 2
             polka 1 B1 by 2 0 3    -> evidence 0 1 prevote, polka 1 B1, precommit 1 B1
             prevote 2 nil by 0 1   -> enter 2, timer 2 propose
             proposal 2 A pol 0     -> check A
             valid A
             prevote 0 A by 2       -> polka 0 A, prevote 2 nil, precommit 2 nil",
        ),
    ),
    (
        "driver_steps_polka_previous_invalid_proposal",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 0 A by 0 1 2   -> polka 0 A, check A
             prevote 1 nil by 0 1   -> enter 1, timer 1 propose
             invalid A
             proposal 1 A pol 0     -> prevote 1 nil, precommit 1 nil",
        ),
    ),
    (
        "driver_steps_polka_previous_new_proposal",
        Script(
            Some(3),
            "locked
             proposal 1 B1          -> check B1
             valid B1               -> prevote 1 nil
             state                  -> 1 prevote A@0 A@0",
        ),
    ),
    (
        "driver_steps_polka_previous_with_no_locked",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             timeout 0 propose      -> prevote 0 nil
             prevote 0 A by 0 1 2   -> timer 0 prevote, polka 0 A, check A
             timeout 0 prevote      -> precommit 0 nil
             valid A
             precommit 0 nil by 0 1 -> timer 0 precommit
             timeout 0 precommit    -> enter 1, timer 1 propose
             proposal 1 A pol 0     -> prevote 1 A
             prevote 1 A by 0 1     -> polka 1 A, precommit 1 A
             state                  -> 1 precommit A@1 A@1",
        ),
    ),
    (
        "driver_steps_polka_nil_and_timeout_propose",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 0 nil by 0 1 2
             timeout 0 propose      -> prevote 0 nil, precommit 0 nil",
        ),
    ),
    (
        "driver_steps_polka_value_then_proposal",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 0 A by 0 1 2   -> polka 0 A, check A
             proposal 0 A
             valid A                -> prevote 0 A, precommit 0 A",
        ),
    ),
    (
        "driver_steps_polka_any_then_proposal_other",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 0 A by 0
             prevote 0 nil by 1 2
             proposal 0 B           -> check B
             valid B                -> prevote 0 B, timer 0 prevote",
        ),
    ),
    (
        "driver_equivocate_vote",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 0 A by 0
             prevote 0 B by 0       -> evidence 0 0 prevote
             prevote 0 nil by 0
             prevote 0 A by 0
             precommit 0 A by 0
             precommit 0 nil by 0   -> evidence 0 0 precommit",
        ),
    ),
    (
        "driver_equivocating_proposer_others_vote_first",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             proposal 0 B           -> evidence 0 0 proposal
             valid A                -> prevote 0 A
             prevote 0 A by 1 2     -> polka 0 A, precommit 0 A
             precommit 0 A by 1 2   -> decide 0 A",
        ),
    ),
    (
        "driver_equivocating_proposer_others_vote_second",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             proposal 0 B           -> evidence 0 0 proposal
             valid A                -> prevote 0 A
             prevote 0 B by 0 1 2   -> timer 0 prevote, polka 0 B, check B
             valid B                -> precommit 0 B
             precommit 0 B by 1 2   -> decide 0 B",
        ),
    ),
    (
        "driver_equivocating_proposer_valid_value",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             proposal 0 B           -> evidence 0 0 proposal
             valid A                -> prevote 0 A
             timeout 0 prevote
             prevote 0 B by 1
             prevote 0 nil by 0     -> timer 0 prevote
             timeout 0 prevote      -> precommit 0 nil
             polka 0 B by 0 1 2     -> evidence 0 0 prevote, polka 0 B, check B
             valid B
             state                  -> 0 precommit none B@0",
        ),
    ),
    (
        "driver_equivocating_proposer_valid_value_with_polka_cert",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             proposal 0 B           -> evidence 0 0 proposal
             valid A                -> prevote 0 A
             polka 0 B by 0 1 2     -> polka 0 B, check B, timer 0 prevote
             valid B                -> precommit 0 B
             state                  -> 0 precommit B@0 B@0",
        ),
    ),
    (
        "driver_conflicting_proposal_panic",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             proposal 0 B           -> evidence 0 0 proposal
             proposal 0 C
             proposal 0 A
             valid B
             valid C
             valid A                -> prevote 0 A",
        ),
    ),
    (
        "driver_step_change_mux_with_proposal",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 1 B1
             valid B1
             precommit 0 nil by 0 1 2 -> timer 0 precommit
             timeout 0 precommit    -> enter 1, timer 1 propose, prevote 1 B1",
        ),
    ),
    (
        "driver_step_change_mux_with_proposal_and_polka",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 1 B1
             valid B1
             prevote 1 B1 by 0
             prevote 1 B1 by 1      -> enter 1, timer 1 propose, prevote 1 B1, polka 1 B1, \
             precommit 1 B1",
        ),
    ),
    (
        "proposal_mux_with_polka",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 0 A by 0 1     
             proposal 0 A           -> check A
             valid A                -> prevote 0 A, polka 0 A, precommit 0 A",
        ),
    ),
    (
        "proposal_mux_with_commit_quorum",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             precommit 0 A by 0 1 2 -> check A, timer 0 precommit
             proposal 0 A
             valid A                -> decide 0 A",
        ),
    ),
    (
        "no_precommit_after_polka_and_proposal_different_values",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             valid A                -> prevote 0 A
             prevote 0 B by 0 1 2   -> timer 0 prevote, polka 0 B, check B
             state                  -> 0 prevote none none",
        ),
    ),
    (
        "no_valid_update_after_polka_and_proposal_different_values",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             valid A                -> prevote 0 A
             prevote 0 nil by 0 1   -> timer 0 prevote
             timeout 0 prevote      -> precommit 0 nil
             polka 0 B by 0 1 2     -> evidence 0 0 prevote, evidence 1 0 prevote, polka 0 B, \
             check B
             state                  -> 0 precommit none none",
        ),
    ),
    (
        "no_prevote_for_proposal_with_polka_for_different_value",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 0 A by 0 1 2   -> polka 0 A, check A
             prevote 1 nil by 0 1   -> enter 1, timer 1 propose
             proposal 1 B pol 0     -> check B
             valid B
             valid A
             timeout 1 propose      -> prevote 1 nil, precommit 1 nil",
        ),
    ),
    (
        "no_prevote_for_proposal_with_polka_for_different_value_via_certificate",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 1 nil by 0 1   -> enter 1, timer 1 propose
             proposal 1 B pol 0     -> check B
             polka 0 A by 0 1 2     -> polka 0 A
             valid B
             timeout 1 propose      -> prevote 1 nil, precommit 1 nil",
        ),
    ),
    (
        "no_prevote_for_invalid_proposal_with_polka_for_different_value",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 0 A by 0 1 2   -> polka 0 A, check A
             prevote 1 nil by 0 1   -> enter 1, timer 1 propose
             proposal 1 B pol 0     -> check B
             invalid B
             state                  -> 1 propose none none",
        ),
    ),
    (
        "no_prevote_for_invalid_proposal_with_polka_for_different_value_via_certificate",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 1 nil by 0 1   -> enter 1, timer 1 propose
             proposal 1 B pol 0     -> check B
             polka 0 A by 0 1 2     -> polka 0 A
             invalid B
             state                  -> 1 propose none none",
        ),
    ),
    (
        "prevote_and_precommit_upon_proposal_and_polka_cert",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             polka 0 A by 0 1 2     -> polka 0 A, check A
             proposal 0 A
             valid A                -> prevote 0 A, precommit 0 A",
        ),
    ),
    (
        "polka_nil_and_prevote_step_precommit_nil",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             valid A                -> prevote 0 A
             polka 0 nil by 0 1 2   -> precommit 0 nil",
        ),
    ),
    (
        "polka_any_and_prevote_step_timeout_prevote",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             valid A                -> prevote 0 A
             prevote 0 A by 0
             prevote 0 nil by 1     -> timer 0 prevote",
        ),
    ),
    (
        "polka_value_no_proposal_and_prevote_step_timeout_prevote",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             timeout 0 propose      -> prevote 0 nil
             polka 0 A by 0 1 2     -> polka 0 A, check A, timer 0 prevote
             timeout 0 prevote      -> precommit 0 nil",
        ),
    ),
    (
        "polka_any_precommit_any_future_round",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 2 A by 0
             precommit 2 nil by 1   -> enter 2, timer 2 propose
             prevote 2 nil by 1
             prevote 2 B by 2
             precommit 2 A by 0
             precommit 2 B by 2     -> timer 2 precommit
             timeout 2 propose      -> prevote 2 nil, timer 2 prevote",
        ),
    ),
    (
        "polka_nil_precommit_any_future_round",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             polka 2 nil by 0 1 2   -> enter 2, timer 2 propose
             precommit 2 nil by 0 1
             precommit 2 A by 2     -> timer 2 precommit
             timeout 2 propose      -> prevote 2 nil, precommit 2 nil
             state                  -> 2 precommit none none",
        ),
    ),
    (
        "proposal_invalid_value_and_matching_pol_certificate",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             invalid A              -> prevote 0 nil
             polka 0 A by 0 1 2     -> polka 0 A, timer 0 prevote
             timeout 0 prevote      -> precommit 0 nil
             state                  -> 0 precommit none none",
        ),
    ),
    (
        "invalid_proposal_becomes_valid_decision_via_proposal",
        Test(invalid_stays_invalid),
    ),
    (
        "invalid_proposal_becomes_valid_decision_via_votes",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             invalid A              -> prevote 0 nil
             precommit 0 A by 0 1 2 -> timer 0 precommit, contradiction 0 A
             valid A",
        ),
    ),
    (
        "invalid_proposal_becomes_valid_decision_via_certificate",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             invalid A              -> prevote 0 nil
             commit 0 A by 0 1 2    -> timer 0 precommit, contradiction 0 A
             commit 0 A by 0 1 2",
        ),
    ),
    (
        "sync_decision_certificate_then_proposal",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             commit 0 A by 0 1 2    -> check A, timer 0 precommit
             proposal 0 A
             valid A                -> decide 0 A",
        ),
    ),
    (
        "round_1_decision_during_round_0",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             valid B1
             proposal 1 B1
             precommit 1 B1 by 0
             precommit 1 B1 by 1    -> enter 1, timer 1 propose, prevote 1 B1
             precommit 1 B1 by 2    -> decide 1 B1",
        ),
    ),
    (
        // A decision comes before a skip (N-17): round 1 is never entered.
        "round_1_decision_during_round_0_via_certificate",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 1 B1
             valid B1
             commit 1 B1 by 0 1 2   -> decide 1 B1
             state                  -> 0 decided none none",
        ),
    ),
    (
        "round_1_invalid_decision_during_round_0",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 1 B1
             invalid B1
             precommit 1 B1 by 0 1 2 -> enter 1, timer 1 propose, prevote 1 nil, \
             timer 1 precommit, contradiction 1 B1
             timeout 1 precommit    -> enter 2, timer 2 propose",
        ),
    ),
    (
        "round_1_invalid_decision_during_round_0_via_certificate",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 1 B1
             invalid B1
             commit 1 B1 by 0 1 2   -> enter 1, timer 1 propose, prevote 1 nil, \
             timer 1 precommit, contradiction 1 B1",
        ),
    ),
    (
        "round_1_decision_via_votes_proposal_arrives_later",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             precommit 1 B1 by 0 1 2 -> enter 1, timer 1 propose, check B1, timer 1 precommit
             proposal 1 B1
             valid B1               -> decide 1 B1",
        ),
    ),
    (
        "round_1_decision_via_certificate_proposal_arrives_later",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             commit 1 B1 by 0 1 2   -> check B1, enter 1, timer 1 propose, timer 1 precommit
             proposal 1 B1
             valid B1               -> decide 1 B1",
        ),
    ),
    (
        "round_certificate_stored_on_precommit_value_fallback_to_skip_round",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             precommit 1 B1 by 0 1 2 -> enter 1, timer 1 propose, check B1, timer 1 precommit
             timeout 1 precommit    -> enter 2, timer 2 propose
             valid B1               -> decide 1 B1",
        ),
    ),
    (
        "round_certificate_stored_on_commit_certificate_fallback_to_skip_round",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             commit 1 B1 by 0 1 2   -> check B1, enter 1, timer 1 propose, timer 1 precommit
             timeout 1 precommit    -> enter 2, timer 2 propose
             valid B1               -> decide 1 B1",
        ),
    ),
    (
        "commit_certificate_from_driver_verifies_after_reapplied_votes_from_round_certificate",
        Test(a_commit_verifies_after_votes_came_again),
    ),
    // evidence.rs
    (
        "test_proposal_evidence_deduplication",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             proposal 0 B           -> evidence 0 0 proposal
             proposal 0 B
             proposal 0 A
             proposal 0 C",
        ),
    ),
    // height_updates.rs
    (
        "move_to_height_preserves_validator_set",
        Moot("a driver is one height: the next one gets its own validators in its configuration"),
    ),
    (
        "move_to_height_updates_validator_set",
        Test(each_height_has_its_validators),
    ),
];

fn other_heights_are_ignored() {
    let mut bench = Bench::new(&[1; 4], Some(3));
    bench.run("start", "start -> enter 0, timer 0 propose");
    let mut said = bench
        .committee
        .statement(Kind::Proposal, 0, Some(block("A")));
    said.height = HEIGHT + 1;
    for who in 0..4 {
        let signed = bench.committee.sign(who, said.clone());
        assert!(!bench.driver.wants(&signed));
        assert_eq!(bench.driver.handle(Input::Statement(signed)), []);
    }
}

fn strangers_are_ignored() {
    let mut bench = Bench::new(&[1; 4], Some(3));
    bench.run("start", "start -> enter 0, timer 0 propose");
    let said = bench.committee.statement(Kind::Precommit, 0, None);
    for seed in 10..20 {
        let key = quorate_crypto::SecretKey::from_seed(&[seed; 32]);
        let signed = key.sign_statement(said.clone());
        assert!(!bench.driver.wants(&signed));
        assert_eq!(bench.driver.handle(Input::Statement(signed)), []);
    }
}

/// A verdict is final (N-26), so a second one is ignored. A commit for the block takes more than a
/// third of faulty power, and is reported.
fn invalid_stays_invalid() {
    let script = "start                  -> enter 0, timer 0 propose
                  proposal 0 A           -> check A
                  invalid A              -> prevote 0 nil
                  valid A
                  precommit 0 A by 0 1 2 -> timer 0 precommit, contradiction 0 A
                  proposal 0 A
                  state                  -> 0 prevote none none";
    Bench::new(&[1; 4], Some(3)).run("invalid stays invalid", script);
}

fn a_commit_verifies_after_votes_came_again() {
    let mut bench = Bench::new(&[1; 4], Some(3));
    bench.run(
        "votes twice, then one more",
        "start                    -> enter 0, timer 0 propose
         precommit 0 A by 0 1
         precommit 0 nil by 2     -> timer 0 precommit
         timeout 0 precommit      -> enter 1, timer 1 propose
         precommit 0 A by 0 1
         precommit 0 nil by 2
         valid A
         precommit 0 A by 3       -> decide 0 A",
    );
    let commit = bench.driver.catch_up(0).certificates.remove(0);
    let set = &bench.committee.set;
    assert!(quorate_crypto::verify_quorum(commit, set, &|_| false).is_ok());
}

fn each_height_has_its_validators() {
    let (four, seven) = (Committee::new(&[1; 4]), Bench::new(&[1; 7], Some(3)));
    let foreign = four.sign(0, four.statement(Kind::Prevote, 0, None));
    let own = seven.committee.statement(Kind::Prevote, 0, None);
    assert!(!seven.driver.wants(&foreign));
    assert!(seven.driver.wants(&seven.committee.sign(0, own)));
}
