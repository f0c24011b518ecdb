//! Reads the number files of OR-Library (J. E. Beasley): assignment, dense and sparse, and
//! generalised assignment, with one problem or several in a file.
//!
//! Such a file does not say what it is, so the count of its numbers must tell. If several forms
//! fit, the first of these is taken, unless `--format` names another: dense and square, one
//! generalised problem, dense and rectangular, several generalised problems, sparse.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use quorate_types::{Amounts, Label};

use super::instance::{Agent, Form, Instance, InstanceOffer, Task, one_slot};

/// The greatest number of agents, and of tasks.
const MAX_SIDE: usize = quorate_market::assignment::MAX_SIDE;

/// Parses the problems of a file.
pub(super) fn parse(text: &str, form: Option<Form>) -> Result<Vec<Instance>> {
    let numbers = numbers(text)?;
    ensure!(!numbers.is_empty(), "no numbers in the file");

    match form {
        Some(Form::Dense) => dense(&numbers),
        Some(Form::Sparse) => sparse(&numbers),
        Some(Form::Gap) => gap(&numbers),
        _ => guess(&numbers),
    }
}

/// Finds the form that fits the numbers, and reads them in it.
fn guess(numbers: &[i64]) -> Result<Vec<Instance>> {
    let count = numbers.len();
    let first = numbers[0];
    let second = number_at(numbers, 1);
    let is = |expected: Option<usize>| expected == Some(count);

    // A square table may read as edges too. It is taken as edges then, unless it has three rows: so
    // short a table reads as edges easily.
    if is(square(first)) && !(is_sparse(numbers) && first != 3) {
        return dense(numbers);
    }

    if is(single_gap(first, second)) {
        return gap(numbers);
    }

    if is(rectangle(first, second)) {
        return dense(numbers);
    }

    // The forms above have an exact count of numbers. The two below do not, so they come last.
    if let Ok(problems) = gap(numbers) {
        return Ok(problems);
    }

    if is_sparse(numbers) {
        return sparse(numbers);
    }

    bail!(
        "{count} numbers that begin with {first} {second} fit no known form of OR-Library; give \
         the form with --format dense, sparse or gap, and the error says what is missing"
    )
}

/// The number at a place, or 0 if there are fewer numbers.
fn number_at(numbers: &[i64], place: usize) -> i64 {
    numbers.get(place).copied().unwrap_or(0)
}

fn numbers(text: &str) -> Result<Vec<i64>> {
    let mut numbers = Vec::new();

    for (line, content) in text.lines().enumerate() {
        for word in content.split_whitespace() {
            numbers.push(number(word).with_context(|| format!("line {}", line + 1))?);
        }
    }

    Ok(numbers)
}

/// Parses a whole number, which some of these files write as `12.` or `12.0`.
fn number(word: &str) -> Result<i64> {
    let whole = match word.split_once('.') {
        Some((whole, rest)) if rest.bytes().all(|digit| digit == b'0') => whole,
        _ => word,
    };

    whole
        .parse()
        .with_context(|| format!("`{word}` is not a whole number"))
}

/// The number as a count of agents or tasks, if it is in the range of these.
fn size(number: i64) -> Option<usize> {
    usize::try_from(number)
        .ok()
        .filter(|size| (1..=MAX_SIDE).contains(size))
}

/// How many numbers a dense file has that begins with `n`.
fn square(n: i64) -> Option<usize> {
    let n = size(n)?;
    Some(1 + n * n)
}

/// How many numbers a dense file has that begins with `m n`.
fn rectangle(m: i64, n: i64) -> Option<usize> {
    Some(2 + size(m)? * size(n)?)
}

/// How many numbers a generalised problem has that begins with `m n`.
fn single_gap(m: i64, n: i64) -> Option<usize> {
    let m = size(m)?;
    let n = size(n)?;
    Some(2 + 2 * m * n + m)
}

/// Whether all numbers after the first are triples of two places and a cost, and no pair of places
/// occurs twice.
fn is_sparse(numbers: &[i64]) -> bool {
    let Some(n) = size(numbers[0]) else {
        return false;
    };

    let place = |number: i64| size(number).is_some_and(|place| place <= n);
    let mut seen = BTreeSet::new();
    let rest = &numbers[1..];
    if rest.is_empty() || !rest.len().is_multiple_of(3) {
        return false;
    }

    rest.chunks(3).all(|edge| {
        let row = edge[0];
        let column = edge[1];
        place(row) && place(column) && seen.insert((row, column))
    })
}

/// Reads the one problem of a dense file.
fn dense(numbers: &[i64]) -> Result<Vec<Instance>> {
    let (agents, tasks) = dense_sides(numbers)?;

    // Costs come last, after one or two numbers for the sides.
    let costs = &numbers[numbers.len() - agents * tasks..];

    Ok(vec![Instance {
        form: Form::Dense,
        agents: numbered(agents),
        tasks: (1..=tasks).map(task).collect(),
        offers: offers_by_row(costs, tasks),
    }])
}

/// The numbers of agents and of tasks in a dense file.
fn dense_sides(numbers: &[i64]) -> Result<(usize, usize)> {
    let count = numbers.len();
    let first = numbers[0];
    let second = number_at(numbers, 1);
    let side = |number| size(number).unwrap_or_default();

    // The square form is the usual one, so it is tried first.
    if square(first) == Some(count) {
        return Ok((side(first), side(first)));
    }

    if rectangle(first, second) == Some(count) {
        return Ok((side(first), side(second)));
    }

    // A file that fits neither form is compared with the square one.
    let expected = square(first).with_context(|| wrong_size(first))?;
    bail!("{expected} numbers would be n and n times n costs for n = {first}; there are {count}")
}

/// Reads the one problem of a sparse file.
fn sparse(numbers: &[i64]) -> Result<Vec<Instance>> {
    let n = size(numbers[0]).with_context(|| wrong_size(numbers[0]))?;

    let rest = &numbers[1..];
    ensure!(
        rest.len().is_multiple_of(3),
        "after n there must be triples `i j cost`, but {} numbers are not a multiple of 3",
        rest.len()
    );

    let edges = (1..).zip(rest.chunks(3));
    let offers: Result<Vec<_>> = edges
        .map(|(number, triple)| edge_offer(number, triple, n))
        .collect();

    // The edges of a file stand in any order.
    let mut instance = Instance {
        form: Form::Sparse,
        agents: numbered(n),
        tasks: (1..=n).map(task).collect(),
        offers: offers?,
    };
    instance.sort_offers();

    Ok(vec![instance])
}

/// Reads the offer of an edge `i j cost`, with places from 1 to `n`.
fn edge_offer(edge: usize, triple: &[i64], n: usize) -> Result<InstanceOffer> {
    let place = |number: i64, what: &str| {
        let place = size(number).filter(|place| *place <= n);
        place.with_context(|| format!("edge {edge}: {what} is {number}, not 1 to {n}"))
    };

    // Places in the file count from 1.
    Ok(InstanceOffer {
        agent: place(triple[0], "i")? - 1,
        task: place(triple[1], "j")? - 1,
        price: triple[2],
        demand: None,
    })
}

/// Reads one problem; or the number of problems, and then each of them.
fn gap(numbers: &[i64]) -> Result<Vec<Instance>> {
    if single_gap(numbers[0], number_at(numbers, 1)) == Some(numbers.len()) {
        return Ok(vec![one_gap(numbers)]);
    }

    let problems = size(numbers[0]).with_context(|| wrong_size(numbers[0]))?;
    let mut rest = &numbers[1..];
    let mut all = Vec::new();

    // The problems stand one after the other, without a mark between them.
    for problem in 1..=problems {
        let length = next_gap(rest, problem, problems)?;
        all.push(one_gap(&rest[..length]));
        rest = &rest[length..];
    }

    ensure!(
        rest.is_empty(),
        "{} numbers are left after problem {problems}",
        rest.len()
    );

    Ok(all)
}

/// How many numbers the next problem has. It begins with its own `m n`.
fn next_gap(rest: &[i64], problem: usize, problems: usize) -> Result<usize> {
    let m = number_at(rest, 0);
    let n = number_at(rest, 1);

    // There is no length either if m or n is out of range.
    let length = single_gap(m, n).filter(|length| *length <= rest.len());
    length.with_context(|| {
        format!(
            "problem {problem} of {problems} would have {m} agents and {n} tasks; their costs, \
             resources and capacities do not fit into the {} numbers that are left",
            rest.len()
        )
    })
}

/// Reads one problem from exactly its numbers.
fn one_gap(numbers: &[i64]) -> Instance {
    let side = |number| size(number).unwrap_or_default();
    let m = side(numbers[0]);
    let n = side(numbers[1]);

    // Costs and resources stand row by row, with a row for each agent.
    let (costs, rest) = numbers[2..].split_at(m * n);
    let (resources, capacities) = rest.split_at(m * n);

    // Capacities and resources are amounts of one dimension.
    let mut agents = numbered(m);
    for (agent, capacity) in agents.iter_mut().zip(capacities) {
        agent.budget = capacity_of(*capacity);
    }

    let mut offers = offers_by_row(costs, n);
    for (offer, resource) in offers.iter_mut().zip(resources) {
        offer.demand = Some(capacity_of(*resource));
    }

    Instance {
        form: Form::Gap,
        agents,
        tasks: (1..=n).map(task).collect(),
        offers,
    }
}

/// The offers of a table of costs that has a row for each agent and a column for each task.
fn offers_by_row(costs: &[i64], tasks: usize) -> Vec<InstanceOffer> {
    let offer = |(place, price): (usize, &i64)| InstanceOffer {
        agent: place / tasks,
        task: place % tasks,
        price: *price,
        demand: None,
    };

    costs.iter().enumerate().map(offer).collect()
}

fn capacity_of(amount: i64) -> Amounts {
    let name: Option<Label> = "capacity".parse().ok();
    name.into_iter().map(|name| (name, amount)).collect()
}

fn numbered(count: usize) -> Vec<Agent> {
    (1..=count)
        .map(|number| Agent {
            name: number.to_string(),
            budget: one_slot(),
        })
        .collect()
}

fn task(number: usize) -> Task {
    let name = number.to_string();
    Task {
        requester: name.clone(),
        name,
        limit: None,
        demand: one_slot(),
    }
}

fn wrong_size(number: i64) -> String {
    format!("it begins with {number}, which is not a size from 1 to {MAX_SIDE}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<Instance>> {
        parse(text, None)
    }

    #[test]
    fn what_a_file_is_follows_from_its_numbers() {
        let table = [
            ("2  1 2  3 4", Form::Dense, 1, (2, 2, 4)),
            ("2 3  1 2 3  4 5 6", Form::Dense, 1, (2, 3, 6)),
            ("4\n1 2 7\n2 1 9\n", Form::Sparse, 1, (4, 4, 2)),
            ("1 2  5 6  1 1  2", Form::Gap, 1, (1, 2, 2)),
            ("2  1 2 5 6 1 1 2  1 1 9 1 1", Form::Gap, 2, (1, 2, 2)),
        ];
        for (text, form, problems, sizes) in table {
            let instances = of(text).unwrap();
            assert_eq!(instances.len(), problems, "{text}");
            let one = &instances[0];
            assert_eq!(one.form, form, "{text}");
            assert_eq!(
                (one.agents.len(), one.tasks.len(), one.offers.len()),
                sizes,
                "{text}"
            );
        }
    }

    #[test]
    fn places_and_costs_are_where_the_file_has_them() {
        let one = &of("2 3  1 2 3  4 5 6").unwrap()[0];
        let five = one.offers.iter().find(|offer| offer.price == 5).unwrap();
        assert_eq!((five.agent, five.task), (1, 1));
        let one = &of("1 2  5 6  7 8  9").unwrap()[0];
        assert_eq!(one.agents[0].budget, capacity_of(9));
        assert_eq!(one.offers[1].demand, Some(capacity_of(8)));
        assert!(one.is_pairwise());
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let table = [
            ("", None, "no numbers"),
            ("2 1 2\n3 x", None, "line 2"),
            ("2 1.5", None, "`1.5` is not a whole number"),
            ("3 2 9 5", None, "4 numbers that begin with 3 2"),
            ("3 2 9 5", Some(Form::Dense), "there are 4"),
            ("2 1 2 3 4 5 6 7", Some(Form::Sparse), "multiple of 3"),
            ("2 1 3 5", Some(Form::Sparse), "edge 1: j is 3, not 1 to 2"),
            ("-1 1 3 5", Some(Form::Sparse), "begins with -1"),
            ("2 1 1 5 1 9 7 7 1", Some(Form::Gap), "problem 2 of 2"),
        ];
        for (text, form, part) in table {
            let error = format!("{:#}", parse(text, form).unwrap_err());
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }
}
