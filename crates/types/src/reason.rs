//! The reason codes of refusals. The registry is `protocols/reason-codes.md`.
//!
//! A new reason is one line here and one there, which a test compares; a number that was ever used
//! is not used again. An operation refuses by an `Err` of it, as a whole, or puts it beside a task
//! into its `Items`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Defines the codes once: number, name on the wire, and text for people.
macro_rules! reasons {
    ($($code:literal $variant:ident $name:literal $text:literal,)*) => {
        /// The reason why an operation, an offer or a bid was refused. It is committed and
        /// certified like an award.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = $text] $variant = $code,)*
        }

        impl Reason {
            /// All reasons, ascending by code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the short name, as in `late_bid`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns one sentence for a person.
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

reasons! {
    100 AlreadyAdmitted "already_admitted" "The agent is a member already.",
    101 UnknownAttester "unknown_attester" "The attestation is not from an attester of this swarm.",
    102 AttestationSubject "attestation_subject"
        "The attestation speaks of another agent or swarm.",
    103 AttestationSignature "attestation_signature" "The attester's signature is wrong.",
    104 AttestationExpired "attestation_expired" "The attestation is expired or not yet valid.",
    105 AttestationRevoked "attestation_revoked" "The attestation was revoked.",
    106 NotIssuer "not_issuer" "Only the issuer revokes an attestation.",
    107 AdmissionClosed "admission_closed" "This swarm admits no further agents.",
    200 UnknownMarket "unknown_market" "There is no market of this name.",
    201 TaskNumber "task_number" "Task numbers do not continue the requester's.",
    202 TaskMalformed "task_malformed" "The task is out of the limits.",
    203 QuotaExceeded "quota_exceeded" "The agent has too many of these open.",
    204 UnknownTask "unknown_task" "There is no such task.",
    205 NotRequester "not_requester" "Only the requester cancels a task.",
    206 TaskEnded "task_ended" "The task has ended.",
    300 LateBid "late_bid"
        "The task, or the window for bids on it, was not open when the bid came.",
    301 BidMalformed "bid_malformed" "Offers or pairs unsorted, repeated, or out of the limits.",
    302 BudgetExceeded "budget_exceeded" "The budget exceeds the attested capacity that is free.",
    303 NoBid "no_bid" "There is no such live bid.",
    304 WrongMarket "wrong_market" "The task belongs to another market.",
    305 WrongForm "wrong_form" "The market takes bids of the other form, open or sealed.",
    306 Barred "barred" "The agent left commitments unopened and is out for a while.",
    307 NotOpening "not_opening" "Commitments of this window are not opened now.",
    308 WrongOpening "wrong_opening" "The opening is not what was committed to.",
    309 WithdrawLate "withdraw_late" "The window takes no more bids: those there are stand.",
    310 NotSolving "not_solving" "Solutions for this window are not taken now.",
    311 NotBetter "not_better" "A solution that is as good or better is there.",
    400 CapabilityNotAttested "capability_not_attested"
        "No valid attestation gives the agent a required label.",
    401 AmountTooLow "amount_too_low" "An attested amount is below what the task requires.",
    402 OverBudget "over_budget" "The task demands more than the agent's budget.",
    403 PriceTooHigh "price_too_high" "The price exceeds the task's or the market's limit.",
    404 ExcludedAfterFailure "excluded_after_failure"
        "The agent failed, declined or lapsed on this task before.",
    405 DeadlinePassed "deadline_passed" "The task's deadline has passed.",
    406 AttemptsUsedUp "attempts_used_up" "The task had all its assignments without success.",
    407 Unopened "unopened" "The commitment was not opened in time.",
    500 StaleToken "stale_token" "The fencing token is not the one in force.",
    501 NotAssignee "not_assignee" "The task is assigned to another agent.",
    502 WrongState "wrong_state" "The task is not in a state that allows this.",
    503 ResultMalformed "result_malformed" "The result is out of the limits.",
    600 LeaseRunning "lease_running" "The lease is not over.",
    601 SuspicionsTooFew "suspicions_too_few"
        "Valid, recent suspicions do not reach more than two thirds of the power.",
    602 SuspicionSignature "suspicion_signature" "A suspicion is not signed by a validator.",
}

impl Reason {
    /// Returns the number in the registry.
    pub fn code(self) -> u16 {
        self as u16
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.code())
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = u16::deserialize(deserializer)?;

        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.code() == code)
            .ok_or_else(|| {
                serde::de::Error::custom(format_args!("reason code {code} is not in the registry"))
            })
    }
}
