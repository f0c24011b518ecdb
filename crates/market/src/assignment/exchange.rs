//! The graph of exchanges that lead from one optimum to another.
//!
//! Its nodes are the rows, then the columns, then one node for the outside. Its arcs say what can
//! follow:
//!
//! - A row takes a column over a tight edge that is not in the matching.
//! - A column drops the row that has it.
//! - A row of price 0 may go outside, and a row that is outside may come in.
//! - A column at the skip price may be left to the outside, and a column that is there may be
//!   taken.

use super::blocks::BLOCK;
use super::components::{Components, Graph};
use super::matching::Matching;
use super::prices::Prices;
use super::problem::{Problem, starts_of};

/// The graph. It follows the matching as that changes.
pub(super) struct Exchange {
    matching: Matching,
    /// The tight columns of each row, flat. Those of row `r` begin at `starts[r]`; the first
    /// `left[r]` of them may still be on a cycle with the row.
    tight: Vec<u32>,
    starts: Vec<usize>,
    left: Vec<usize>,
    /// The same edges by column: the rows that can take it.
    takers: Vec<u32>,
    takers_from: Vec<usize>,
    /// For each row, then for each column: whether it may go without.
    optional: Vec<bool>,
    /// The node from which each node was reached, and the walk that reached it.
    reached_by: Vec<usize>,
    walk_of: Vec<u32>,
    walks: u32,
    /// For each row: the last walk for whose goal it can make room.
    frees_goal: Vec<u32>,
    goal: usize,
    queue: Vec<usize>,
    /// The number of arcs that walks looked at since [`Self::take_steps`] was called.
    steps: usize,
}

impl Exchange {
    /// Builds the graph of a matching that is optimal by these prices.
    pub(super) fn new(problem: &Problem, matching: Matching, prices: &Prices) -> Self {
        let (tight, starts) = tight_edges(problem, prices);

        // The last step of a walk is looked for from the column.
        let (takers, takers_from) = by_column(&tight, &starts, problem.columns());
        let optional = optional_ends(problem, prices);
        let nodes = optional.len() + 1;

        Self {
            matching,
            tight,
            left: starts.windows(2).map(|two| two[1] - two[0]).collect(),
            starts,
            takers,
            takers_from,
            optional,
            reached_by: vec![0; nodes],
            walk_of: vec![0; nodes],
            walks: 0,
            frees_goal: vec![0; problem.rows()],
            goal: 0,
            queue: Vec::new(),
            steps: 0,
        }
    }

    /// Returns how many arcs the walks looked at since the last call.
    pub(super) fn take_steps(&mut self) -> usize {
        std::mem::take(&mut self.steps)
    }

    pub(super) fn into_matching(self) -> Matching {
        self.matching
    }

    /// Returns the node of a column.
    pub(super) fn column(&self, column: u32) -> usize {
        self.rows() + column as usize
    }

    /// Checks whether a pair is in the matching.
    pub(super) fn matched(&self, row: u32, column: u32) -> bool {
        self.matching.column_of[row as usize] == Some(column)
    }

    /// Returns all tight edges, as row and column.
    pub(super) fn tight_edges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        (0..self.rows()).flat_map(|row| self.tight_of(row).iter().map(move |&c| (row as u32, c)))
    }

    /// Returns the node to which the arc in this place of a row leads.
    #[inline]
    fn arc_of_row(&self, row: usize, place: usize) -> Option<usize> {
        let has = self.matching.column_of[row];

        // The place after the tight columns is for going outside.
        match self.tight_of(row).get(place) {
            Some(&column) => (has != Some(column)).then(|| self.column(column)),
            None => (has.is_some() && self.optional[row]).then(|| self.outside()),
        }
    }

    /// Returns the node of the row that has a column, or the outside.
    #[inline]
    fn owner(&self, column: usize) -> usize {
        self.matching.row_of[column].map_or(self.outside(), |row| row as usize)
    }

    /// Checks whether an arc leads from the outside to this node: the outside takes optional
    /// columns, and lets in the rows that it has.
    #[inline]
    fn has_arc_from_outside(&self, node: usize) -> bool {
        match self.kind(node) {
            Kind::Row(row) => self.matching.column_of[row].is_none(),
            Kind::Column(column) => self.matching.row_of[column].is_some() && self.optional[node],
            Kind::Outside => false,
        }
    }

    /// Brings the edge into the matching by walking a cycle through it, within its component.
    /// Returns false, and changes nothing, if there is no such cycle.
    pub(super) fn walk(&mut self, components: &Components, row: u32, column: u32) -> bool {
        let start = self.column(column);
        let goal = row as usize;

        self.walks += 1;
        self.walk_of[start] = self.walks;
        self.goal = goal;
        self.mark_last_steps(components, goal);

        let mut queue = std::mem::take(&mut self.queue);
        queue.clear();

        // The row that has the column, or the outside, must go on from here.
        self.enter(components, start, self.owner(column as usize), &mut queue);

        // The walk is breadth first, so that it finds a shortest cycle.
        let mut next = 0;
        while let Some(&node) = queue.get(next) {
            next += 1;
            self.go_on(components, node, &mut queue);
            if self.is_reached(goal) {
                break;
            }
        }

        // The buffer serves all walks.
        self.queue = queue;

        let found = self.is_reached(goal);
        if found {
            self.rotate(start, goal);
        }
        found
    }

    /// Checks whether this walk has reached a node.
    #[inline]
    fn is_reached(&self, node: usize) -> bool {
        self.walk_of[node] == self.walks
    }

    /// Goes on from a node to all nodes that can follow.
    fn go_on(&mut self, components: &Components, node: usize, queue: &mut Vec<usize>) {
        if let Kind::Row(row) = self.kind(node) {
            self.steps += self.left[row] + 1;
            self.leave(components, row, queue);
            return;
        }

        // Only the outside has more than one place, and the walk comes there at most once.
        let places = self.places(node);
        self.steps += places;

        for place in 0..places {
            if let Some(to) = self.arc(node, place) {
                self.follow(components, node, to, queue);
            }
        }
    }

    /// Marks the rows that may take the goal's column. A walk that comes to one of them is done,
    /// and need not come to the column itself.
    fn mark_last_steps(&mut self, components: &Components, goal: usize) {
        let Some(column) = self.matching.column_of[goal] else {
            return;
        };

        if !components.together(goal, self.column(column)) {
            return;
        }

        let column = column as usize;
        let takers = &self.takers[self.takers_from[column]..self.takers_from[column + 1]];
        self.steps += takers.len();
        for &row in takers {
            self.frees_goal[row as usize] = self.walks;
        }

        // The goal has this column already, so it cannot make room by taking it.
        self.frees_goal[goal] = 0;
    }

    /// Goes on from a row to all columns that it may take.
    fn leave(&mut self, components: &Components, row: usize, queue: &mut Vec<usize>) {
        let mut at = 0;

        while at < self.left[row] {
            let column = self.tight[self.starts[row] + at];
            let node = self.column(column);

            if !components.together(row, node) {
                self.drop_tight(row, at);
                continue;
            }
            at += 1;

            // Columns that this walk has reached, and the row's own column, lead nowhere new.
            if self.is_reached(node) || self.matched(row as u32, column) {
                continue;
            }

            self.follow(components, row, node, queue);
            if self.is_reached(self.goal) {
                return;
            }
        }

        if self.optional[row] && self.matching.column_of[row].is_some() {
            self.enter(components, row, self.outside(), queue);
        }
    }

    /// Drops the tight column in this place of a row, which shares no cycle with the row. It never
    /// will, because components only split.
    #[inline]
    fn drop_tight(&mut self, row: usize, at: usize) {
        let start = self.starts[row];
        self.left[row] -= 1;

        // The column moves behind those that are left.
        self.tight.swap(start + at, start + self.left[row]);
    }

    /// Takes the last two steps of a walk: to the goal's column, and to the goal.
    fn step(&mut self, row: usize, goal: usize) {
        if let Some(column) = self.matching.column_of[goal] {
            let column = self.column(column);
            self.note(row, column);
            self.note(column, goal);
        }
    }

    /// Notes that this walk reached the node `to` from the node `from`.
    #[inline]
    fn note(&mut self, from: usize, to: usize) {
        self.walk_of[to] = self.walks;
        self.reached_by[to] = from;
    }

    /// Goes to `to`. If that is a column, it goes on at once to the only successor, so that a goal
    /// in sight is seen.
    fn follow(&mut self, components: &Components, from: usize, to: usize, queue: &mut Vec<usize>) {
        let Kind::Column(column) = self.kind(to) else {
            return self.enter(components, from, to, queue);
        };

        if self.is_reached(to) || !components.together(from, to) {
            return;
        }

        self.note(from, to);

        // The column drops the row that has it.
        let owner = self.owner(column);
        self.enter(components, to, owner, queue);
    }

    /// Notes how a row or the outside was reached, unless this walk has been there or it belongs to
    /// another component.
    fn enter(&mut self, components: &Components, from: usize, to: usize, queue: &mut Vec<usize>) {
        if self.is_reached(to) || !components.together(from, to) {
            return;
        }

        self.note(from, to);
        queue.push(to);

        // The goal is in sight: the row takes its column.
        if self.frees_goal.get(to) == Some(&self.walks) {
            self.step(to, self.goal);
        }
    }

    /// Applies the cycle from `start` (a column) to `goal` (the row that takes it).
    fn rotate(&mut self, start: usize, goal: usize) {
        let arcs = self.cycle(start, goal);

        for (from, to) in arcs {
            self.pass(from, to);
        }
    }

    /// Applies one arc of a cycle.
    fn pass(&mut self, from: usize, to: usize) {
        match (self.kind(from), self.kind(to)) {
            // An arc from a row to a column is a new pair.
            (Kind::Row(row), Kind::Column(column)) => {
                self.matching.column_of[row] = Some(column as u32);
                self.matching.row_of[column] = Some(row as u32);
            }

            // An arc to or from the outside leaves a row or a column open.
            (Kind::Row(row), Kind::Outside) => self.matching.column_of[row] = None,
            (Kind::Outside, Kind::Column(column)) => self.matching.row_of[column] = None,

            _ => {}
        }
    }

    /// Returns the arcs of the cycle that the walk has found, the last one first.
    fn cycle(&self, start: usize, goal: usize) -> Vec<(usize, usize)> {
        let mut arcs = vec![(goal, start)];

        // `reached_by` leads from the goal back to the start.
        let mut node = goal;
        while node != start {
            let from = self.reached_by[node];
            arcs.push((from, node));
            node = from;
        }

        arcs
    }

    /// Returns the tight columns of a row that may still be on a cycle with it.
    #[inline]
    fn tight_of(&self, row: usize) -> &[u32] {
        &self.tight[self.starts[row]..self.starts[row] + self.left[row]]
    }

    fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    fn outside(&self) -> usize {
        self.optional.len()
    }

    fn kind(&self, node: usize) -> Kind {
        if node < self.rows() {
            Kind::Row(node)
        } else if node < self.outside() {
            Kind::Column(node - self.rows())
        } else {
            Kind::Outside
        }
    }
}

impl Graph for Exchange {
    fn nodes(&self) -> usize {
        self.optional.len() + 1
    }

    fn places(&self, node: usize) -> usize {
        match self.kind(node) {
            Kind::Row(row) => self.tight_of(row).len() + 1,
            Kind::Column(_) => 1,
            Kind::Outside => self.outside(),
        }
    }

    fn arc(&self, node: usize, place: usize) -> Option<usize> {
        match self.kind(node) {
            Kind::Row(row) => self.arc_of_row(row, place),
            Kind::Column(column) => Some(self.owner(column)),
            Kind::Outside => self.has_arc_from_outside(place).then_some(place),
        }
    }
}

/// Returns the tight columns of all rows, and the index at which those of each row begin. No others
/// are arcs, because every optimum uses tight edges only.
fn tight_edges(problem: &Problem, prices: &Prices) -> (Vec<u32>, Vec<usize>) {
    let mut tight = Vec::new();
    let mut starts = vec![0];

    for (row, &price) in prices.rows.iter().enumerate() {
        let (columns, costs) = problem.by_row().of(row);
        let is_full = columns.len() == prices.columns.len();

        // A row with all columns is looked through by blocks, which is faster.
        if is_full {
            push_tight_of_all(&mut tight, costs, price, &prices.columns);
        } else {
            push_tight(&mut tight, columns, costs, price, &prices.columns);
        }

        starts.push(tight.len());
    }

    (tight, starts)
}

/// Adds the columns whose edge costs exactly the row's price plus the column's. No edge costs less.
fn push_tight(tight: &mut Vec<u32>, columns: &[u32], costs: &[i64], price: i64, prices: &[i64]) {
    let is_tight = |(column, cost): &(&u32, &i64)| **cost == price + prices[**column as usize];
    let pairs = columns.iter().zip(costs);
    tight.extend(pairs.filter(is_tight).map(|(column, _)| *column));
}

/// Adds the same columns for a row that has all of them.
fn push_tight_of_all(tight: &mut Vec<u32>, costs: &[i64], price: i64, prices: &[i64]) {
    let blocks = costs.chunks(BLOCK).zip(prices.chunks(BLOCK));

    for (at, (costs, prices)) in blocks.enumerate() {
        // Few blocks have a tight edge.
        if !has_tight(costs, price, prices) {
            continue;
        }

        // The row has all columns, so their indices follow from the place in the row.
        let first = (at * BLOCK) as u32;
        let edges = costs.iter().zip(prices);

        for (column, (cost, other)) in (first..).zip(edges) {
            if *cost == price + other {
                tight.push(column);
            }
        }
    }
}

/// Checks whether one of these edges is tight.
#[inline]
fn has_tight(costs: &[i64], price: i64, prices: &[i64]) -> bool {
    // Each slack is 0 or more, so the result is negative if one of them is 0.
    let edges = costs.iter().zip(prices);
    edges.fold(0, |all, (cost, other)| all | (cost - other - price - 1)) < 0
}

/// Returns for each row, then for each column, whether an optimum may leave it out: those that are
/// priced as if they were left out.
fn optional_ends(problem: &Problem, prices: &Prices) -> Vec<bool> {
    let skip = problem.skip_price();
    let rows = prices.rows.iter().map(|&price| price == 0);
    let columns = prices.columns.iter().map(|&price| price == skip);
    rows.chain(columns).collect()
}

/// Turns edges by row into edges by column.
fn by_column(tight: &[u32], starts: &[usize], columns: usize) -> (Vec<u32>, Vec<usize>) {
    let from = starts_of(columns, tight.iter().copied());

    // The next free place of each column. The rows are taken in order, so they ascend in it.
    let mut next = from.clone();
    let mut rows = vec![0; tight.len()];

    for (row, ends) in starts.windows(2).enumerate() {
        let columns = ends[0]..ends[1];

        for &column in &tight[columns] {
            let next = &mut next[column as usize];
            rows[*next] = row as u32;
            *next += 1;
        }
    }

    (rows, from)
}

/// A node by its kind; rows and columns with their index.
enum Kind {
    Row(usize),
    Column(usize),
    Outside,
}
