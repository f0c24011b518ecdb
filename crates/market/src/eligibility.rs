//! Decides whether an agent may do a task: compares requirements with attested capabilities, in
//! integers only.

use quorate_types::{Amounts, Capabilities, Reason};

/// Checks that `attested` has every label that `required` names, and at least every amount.
///
/// # Errors
/// [`Reason::CapabilityNotAttested`] if a label or dimension is not attested at all;
/// [`Reason::AmountTooLow`] if an attested amount is below the threshold. If both apply it is the
/// former, whatever the names are.
pub fn check(required: &Capabilities, attested: &Capabilities) -> Result<(), Reason> {
    let labelled = required.labels.is_subset(&attested.labels);
    let mut names = required.amounts.keys();
    let measured = names.all(|name| attested.amounts.contains_key(name));

    // A missing attestation comes first: the reason must not depend on the order of names.
    if !labelled || !measured {
        return Err(Reason::CapabilityNotAttested);
    }

    let mut amounts = required.amounts.iter();
    let enough = amounts.all(|(name, least)| attested.get(name) >= *least);
    if !enough {
        return Err(Reason::AmountTooLow);
    }

    Ok(())
}

/// Checks whether `budget` covers `demand` in every dimension. A dimension that is not in the
/// budget counts as 0.
pub fn fits(demand: &Amounts, budget: &Amounts) -> bool {
    demand
        .iter()
        .all(|(name, amount)| budget.get(name).copied().unwrap_or(0) >= *amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capabilities(labels: &[&str], amounts: &[(&str, i64)]) -> Capabilities {
        let labelled = labels
            .iter()
            .try_fold(Capabilities::new(), |all, name| all.label(name));

        let all = amounts
            .iter()
            .try_fold(labelled.unwrap(), |all, (name, amount)| {
                all.amount(name, *amount)
            });

        all.unwrap()
    }

    #[test]
    fn requirements_hold_by_attestation_only() {
        let attested = capabilities(&["drone", "camera"], &[("payload_g", 500), ("wind", 0)]);
        let table = [
            (capabilities(&[], &[]), Ok(())),
            (capabilities(&["drone"], &[]), Ok(())),
            (
                capabilities(&["drone", "camera"], &[("payload_g", 500)]),
                Ok(()),
            ),
            (
                capabilities(&["boat"], &[]),
                Err(Reason::CapabilityNotAttested),
            ),
            (
                capabilities(&["drone"], &[("range_m", 0)]),
                Err(Reason::CapabilityNotAttested),
            ),
            (
                capabilities(&[], &[("payload_g", 501)]),
                Err(Reason::AmountTooLow),
            ),
            (capabilities(&[], &[("wind", 1)]), Err(Reason::AmountTooLow)),
            (
                capabilities(&["boat"], &[("payload_g", 501)]),
                Err(Reason::CapabilityNotAttested),
            ),
        ];

        for (required, expected) in table {
            assert_eq!(check(&required, &attested), expected, "{required:?}");
        }
    }

    #[test]
    fn a_budget_must_hold_each_amount() {
        let amounts = |entries| capabilities(&[], entries).amounts;
        let one = amounts(&[("slots", 1)]);
        let two = amounts(&[("slots", 2)]);

        assert!(fits(&one, &one));
        assert!(fits(&one, &two));
        assert!(!fits(&two, &one));
        assert!(!fits(&one, &Amounts::new()));
    }
}
