//! Runs every fuzzing target on the inputs that were kept, so that a bug once found stays fixed.

use quorate_fuzz::{corpus, targets};
use quorate_tests::Checked;

/// Among the clauses that the targets check are W-1 (a message that decodes encodes to the same
/// bytes), C-5 and C-15 (a proof that holds shows only what is there), N-6 (a certificate counts
/// only if its signatures verify), N-34 (a forged decided block changes nothing) and W-11 (a client
/// believes certificates alone).
#[test]
fn every_committed_input_holds() -> Checked {
    for target in targets() {
        for (line, input) in corpus::read(target)?.iter().enumerate() {
            // If the target panics, the output of the test ends with its input.
            println!("{}, input {line}: {}", target.name, hex(input));
            (target.run)(input);
        }
    }
    Ok(())
}

#[test]
fn every_target_has_a_corpus_that_begins_with_correct_messages() -> Checked {
    for target in targets() {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        seeds.iter().for_each(|seed| (target.run)(seed));
        assert!(
            !corpus::read(target)?.is_empty(),
            "{} has no corpus",
            target.name
        );
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
