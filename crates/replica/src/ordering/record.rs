//! The records of the log of a height, one for each input of the driver (N-21, N-32).

use quorate_consensus::{Input, Step, Verdict};
use quorate_crypto::{verify_quorum, verify_statement};
use quorate_types::{
    Block, BlockId, PublicKey, QuorumCertificate, Round, SignedStatement, ValidatorSet,
};
use serde::{Deserialize, Serialize};

/// One record of the write-ahead log, written in canonical CBOR.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogRecord {
    /// The height was started. The value is 0 and carries nothing.
    Start(u8),
    /// A statement that was counted.
    Statement(SignedStatement),
    /// A certificate that was counted.
    Certificate(QuorumCertificate),
    /// A verdict on a block: its id, whether it is valid, its builder, its build round, and whether
    /// it was timely.
    Verdict(BlockId, bool, PublicKey, Round, bool),
    /// A block of this node was built for a round.
    Built(Round, BlockId),
    /// A timeout fired, with its round and step (0 propose, 1 prevote, 2 precommit).
    Timeout(Round, u8),
    /// The body of a block that was judged valid, or that this node built.
    Block(Box<Block>),
}

/// The reason why a log cannot have been written by this replica. The value is the index of the
/// record, from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// A signature or quorum in the record does not hold.
    #[error("record {0} of the log does not verify: this node cannot have written it")]
    Unauthentic(usize),
    /// The step code in the record is not a valid step.
    #[error("record {0} of the log has a step code that is not 0, 1 or 2")]
    Malformed(usize),
}

impl LogRecord {
    pub(super) fn of_input(input: &Input) -> Self {
        match input {
            Input::Start => Self::Start(0),
            Input::Statement(signed) => Self::Statement((**signed).clone()),
            Input::Certificate(certificate) => Self::Certificate((**certificate).clone()),

            Input::Verdict(Verdict {
                block,
                valid,
                builder,
                build_round,
                timely,
            }) => Self::Verdict(*block, *valid, *builder, *build_round, *timely),

            Input::Built { round, block } => Self::Built(*round, *block),
            Input::Timeout { round, step } => Self::Timeout(*round, step_code(*step)),
        }
    }

    /// The input that this record, the one at index `at`, was written for; `None` for a body, which
    /// is no input. `validators` is the set of the height.
    ///
    /// # Errors
    /// [`RecoverError`] naming the record.
    pub(super) fn input(
        self,
        at: usize,
        validators: &ValidatorSet,
    ) -> Result<Option<Input>, RecoverError> {
        let unauthentic = RecoverError::Unauthentic(at);

        let input = match self {
            // A body waits among the candidates.
            Self::Block(_) => return Ok(None),

            Self::Start(_) => Input::Start,

            Self::Statement(signed) => {
                let held = verify_statement(signed).map_err(|_| unauthentic)?;
                Input::Statement(held)
            }

            Self::Certificate(certificate) => {
                let held = verify_quorum(certificate, validators, &|_| false);
                Input::Certificate(held.map_err(|_| unauthentic)?)
            }

            Self::Verdict(block, valid, builder, build_round, timely) => Input::Verdict(Verdict {
                block,
                valid,
                builder,
                build_round,
                timely,
            }),

            Self::Built(round, block) => Input::Built { round, block },

            Self::Timeout(round, code) => {
                let step = step_of(code).ok_or(RecoverError::Malformed(at))?;
                Input::Timeout { round, step }
            }
        };

        Ok(Some(input))
    }
}

fn step_code(step: Step) -> u8 {
    match step {
        Step::Unstarted | Step::Propose => 0,
        Step::Prevote => 1,
        Step::Precommit | Step::Decided => 2,
    }
}

fn step_of(code: u8) -> Option<Step> {
    match code {
        0 => Some(Step::Propose),
        1 => Some(Step::Prevote),
        2 => Some(Step::Precommit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use quorate_types::{Kind, cbor, limits};

    use super::*;
    use crate::testing::{Bench, public};

    #[test]
    fn n32_each_input_comes_back_from_its_record() {
        let bench = Bench::new();
        let block = bench.next_block();
        let id = block.header.id();
        let verdict = Verdict {
            block: id,
            valid: true,
            builder: public(2),
            build_round: 3,
            timely: false,
        };
        let steps = [Step::Propose, Step::Prevote, Step::Precommit];
        let timeouts = steps.map(|step| Input::Timeout { round: 4, step });
        let mut inputs = vec![
            Input::Start,
            Input::Statement(bench.statement(2, Kind::Prevote, None)),
            Input::Certificate(bench.certificate(Kind::Prevote, &block.header)),
            Input::Verdict(verdict),
            Input::Built {
                round: 5,
                block: id,
            },
        ];
        inputs.extend(timeouts);
        for input in inputs {
            let bytes = cbor::encode(&LogRecord::of_input(&input));
            let record: LogRecord = cbor::decode(&bytes, limits::BULK_FRAME_BYTES).unwrap();
            let validators = bench.ledger().validators();
            assert_eq!(record.input(0, validators), Ok(Some(input)));
        }
        let body = LogRecord::Block(Box::new(block.into_inner()));
        assert_eq!(body.input(0, bench.ledger().validators()), Ok(None));
    }

    #[test]
    fn n31_a_record_that_this_node_cannot_have_written_is_refused_by_its_index() {
        let bench = Bench::new();
        let mut signed = bench.statement(2, Kind::Prevote, None).into_inner();
        signed.signature.0[0] ^= 1;
        let block = bench.next_block();
        let certificate = bench.certificate(Kind::Prevote, &block.header);
        let mut certificate = certificate.into_inner();
        certificate.votes.pop();
        for (record, error) in [
            (LogRecord::Statement(signed), RecoverError::Unauthentic(7)),
            (
                LogRecord::Certificate(certificate),
                RecoverError::Unauthentic(7),
            ),
            (LogRecord::Timeout(0, 3), RecoverError::Malformed(7)),
        ] {
            assert_eq!(record.input(7, bench.ledger().validators()), Err(error));
        }
    }
}
