//! The dimension `slots`, the number of tasks at one time, which counts where it is not named
//! (M-9).

use crate::{Amounts, Label};

/// The name of the dimension.
pub const SLOTS: &str = "slots";

/// Returns [`SLOTS`] as a label.
#[expect(
    clippy::expect_used,
    reason = "the constant is a label, as a test shows"
)]
pub fn slots() -> Label {
    SLOTS.parse().expect("`slots` is a label")
}

/// Returns the amounts that a task takes from a budget: its demand, or one slot if it names none.
pub fn demand_or_slot(demand: &Amounts) -> Amounts {
    if demand.is_empty() {
        Amounts::from([(slots(), 1)])
    } else {
        demand.clone()
    }
}

/// Adds one slot to the amounts of an agent, if they name none.
pub fn ensure_slots(amounts: &mut Amounts) {
    amounts.entry(slots()).or_insert(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amounts(name: &str, amount: i64) -> Amounts {
        Amounts::from([(name.parse().unwrap(), amount)])
    }

    #[test]
    fn m9_no_demand_is_one_slot() {
        assert_eq!(demand_or_slot(&Amounts::new()), amounts("slots", 1));

        for demand in [amounts("slots", 2), amounts("payload_g", 500)] {
            assert_eq!(demand_or_slot(&demand), demand);
        }
    }

    #[test]
    fn m9_an_agent_that_names_no_slots_has_one() {
        for (mut named, slot) in [
            (Amounts::new(), 1),
            (amounts("payload_g", 500), 1),
            (amounts("slots", 0), 0),
            (amounts("slots", 3), 3),
        ] {
            ensure_slots(&mut named);
            assert_eq!(named.get(&slots()), Some(&slot), "{named:?}");
        }
    }
}
