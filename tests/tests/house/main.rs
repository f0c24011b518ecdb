//! Tests of the repository itself: its style, the walls between its crates, the clauses of its
//! protocols, and the inputs that fuzzing kept.

mod builds;
mod circles;
mod clauses;
mod corpus;
mod seam;
mod tidy;
mod walls;
