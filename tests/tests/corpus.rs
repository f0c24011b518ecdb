//! What fuzzing found worth keeping, once through every target: a bug that was found stays fixed.

use quorate_fuzz::{corpus, targets};
use quorate_tests::Checked;

#[test]
fn every_committed_input_holds() -> Checked {
    for target in targets() {
        for (line, input) in corpus::read(target)?.iter().enumerate() {
            // The test's output names the input that panics.
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
        assert!(!seeds.is_empty(), "{} starts from nothing", target.name);
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
