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

use super::Matching;
use super::components::Components;
use super::paths::BLOCK;
use super::prices::Prices;
use super::problem::Problem;

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
    pub(super) fn new(problem: &Problem, matching: Matching, prices: &Prices) -> Self {
        let mut tight = Vec::new();
        let mut starts = vec![0];

        // Every optimum uses tight edges only, so no others are arcs.
        for (row, price) in prices.rows.iter().enumerate() {
            let (columns, costs) = problem.by_row().of(row);
            push_tight(&mut tight, (columns, costs), *price, &prices.columns);
            starts.push(tight.len());
        }

        // An optimum may leave out the rows and columns that are priced as if they were left out.
        let skip = problem.skip_price();
        let rows = prices.rows.iter().map(|&price| price == 0);
        let optional: Vec<bool> = rows
            .chain(prices.columns.iter().map(|&price| price == skip))
            .collect();

        let nodes = optional.len() + 1;
        let (reached_by, walk_of) = (vec![0; nodes], vec![0; nodes]);

        let left = starts.windows(2).map(|two| two[1] - two[0]).collect();

        // The last step of a walk is looked for from the column.
        let (takers, takers_from) = by_column(&tight, &starts, problem.columns());

        Self {
            matching,
            tight,
            left,
            takers,
            takers_from,
            optional,
            reached_by,
            walk_of,
            walks: 0,
            frees_goal: vec![0; starts.len() - 1],
            goal: 0,
            starts,
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

    /// Returns the number of nodes.
    pub(super) fn nodes(&self) -> usize {
        self.optional.len() + 1
    }

    /// Returns the node of a column.
    pub(super) fn column(&self, column: u32) -> usize {
        self.rows() + column as usize
    }

    pub(super) fn matched(&self, row: u32, column: u32) -> bool {
        self.matching.column_of[row as usize] == Some(column)
    }

    /// Returns all tight edges, as row and column.
    pub(super) fn tight_edges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        (0..self.rows()).flat_map(|row| self.tight_of(row).iter().map(move |&c| (row as u32, c)))
    }

    /// Returns how many places for arcs a node has. Some of them are empty.
    pub(super) fn places(&self, node: usize) -> usize {
        match self.kind(node) {
            Kind::Row(row) => self.tight_of(row).len() + 1,
            Kind::Column(_) => 1,
            Kind::Outside => self.outside(),
        }
    }

    /// Returns the node to which the arc in this place leads, or `None` if the place is empty.
    pub(super) fn arc(&self, node: usize, place: usize) -> Option<usize> {
        let outside = self.outside();

        match self.kind(node) {
            Kind::Row(row) => {
                let has = self.matching.column_of[row];

                // The place after the tight columns is for going outside.
                match self.tight_of(row).get(place) {
                    Some(&column) => (has != Some(column)).then(|| self.column(column)),
                    None => (has.is_some() && self.optional[node]).then_some(outside),
                }
            }

            Kind::Column(column) => {
                Some(self.matching.row_of[column].map_or(outside, |row| row as usize))
            }

            // The outside takes optional columns, and lets in the rows that it has.
            Kind::Outside => match self.kind(place) {
                Kind::Row(row) => self.matching.column_of[row].is_none().then_some(place),
                Kind::Column(column) => {
                    let taken = self.matching.row_of[column].is_some();
                    (taken && self.optional[place]).then_some(place)
                }
                Kind::Outside => None,
            },
        }
    }

    /// Brings the edge into the matching by walking a cycle through it, within its component.
    /// Returns false, and changes nothing, if there is no such cycle.
    pub(super) fn walk(&mut self, components: &Components, row: u32, column: u32) -> bool {
        let (start, goal) = (self.column(column), row as usize);
        self.walks += 1;
        self.walk_of[start] = self.walks;
        self.goal = goal;
        self.mark_last_steps(components, goal);

        let mut queue = std::mem::take(&mut self.queue);
        queue.clear();

        // The row that has the column, or the outside, must go on from here.
        if let Some(owner) = self.arc(start, 0) {
            self.enter(components, (start, owner), &mut queue);
        }

        // The walk is breadth first, so that it finds a shortest cycle.
        let mut next = 0;
        while let Some(&node) = queue.get(next) {
            next += 1;
            match self.kind(node) {
                Kind::Row(row) => {
                    self.steps += self.left[row] + 1;
                    self.leave(components, row, &mut queue);
                }

                Kind::Column(_) | Kind::Outside => {
                    self.steps += self.places(node);
                    for place in 0..self.places(node) {
                        if let Some(to) = self.arc(node, place) {
                            self.follow(components, node, to, &mut queue);
                        }
                    }
                }
            }

            if self.walk_of[goal] == self.walks {
                break;
            }
        }

        self.queue = queue;
        let found = self.walk_of[goal] == self.walks;
        if found {
            self.rotate(start, goal);
        }
        found
    }

    /// Marks the rows that may take the goal's column. A walk that comes to one of them is done,
    /// and need not come to the column itself.
    fn mark_last_steps(&mut self, components: &Components, goal: usize) {
        let Some(column) = self.matching.column_of[goal] else {
            return;
        };

        if components.together(goal, self.column(column)) {
            let column = column as usize;
            let takers = &self.takers[self.takers_from[column]..self.takers_from[column + 1]];
            self.steps += takers.len();
            for &row in takers {
                self.frees_goal[row as usize] = self.walks;
            }

            // The goal has this column already, so it cannot make room by taking it.
            self.frees_goal[goal] = 0;
        }
    }

    /// Goes on from a row to all columns that it may take. Columns that share no cycle with it are
    /// never looked at again, because components only split.
    fn leave(&mut self, components: &Components, row: usize, queue: &mut Vec<usize>) {
        let (start, mut at) = (self.starts[row], 0);
        while at < self.left[row] {
            let column = self.tight[start + at];
            let node = self.column(column);

            if components.together(row, node) {
                at += 1;

                // Columns that this walk has reached, and the row's own column, lead nowhere new.
                if self.walk_of[node] != self.walks && !self.matched(row as u32, column) {
                    self.follow(components, row, node, queue);
                    if self.walk_of[self.goal] == self.walks {
                        return;
                    }
                }
            } else {
                // The column moves behind those that are left.
                self.left[row] -= 1;
                self.tight.swap(start + at, start + self.left[row]);
            }
        }

        if self.optional[row] && self.matching.column_of[row].is_some() {
            self.enter(components, (row, self.outside()), queue);
        }
    }

    /// Takes the last two steps of a walk: to the goal's column, and to the goal.
    fn step(&mut self, row: usize, goal: usize) {
        if let Some(column) = self.matching.column_of[goal] {
            let column = self.column(column);
            (self.reached_by[column], self.reached_by[goal]) = (row, column);
            (self.walk_of[column], self.walk_of[goal]) = (self.walks, self.walks);
        }
    }

    /// Goes to `to`. If that is a column, it goes on at once to the only successor, so that a goal
    /// in sight is seen.
    fn follow(&mut self, components: &Components, from: usize, to: usize, queue: &mut Vec<usize>) {
        let Kind::Column(column) = self.kind(to) else {
            return self.enter(components, (from, to), queue);
        };

        if self.walk_of[to] != self.walks && components.together(from, to) {
            self.walk_of[to] = self.walks;
            self.reached_by[to] = from;
            let owner = self.matching.row_of[column].map_or(self.outside(), |row| row as usize);
            self.enter(components, (to, owner), queue);
        }
    }

    /// Notes how a row or the outside was reached, unless this walk has been there or it belongs to
    /// another component.
    fn enter(&mut self, of: &Components, (from, to): (usize, usize), queue: &mut Vec<usize>) {
        if self.walk_of[to] != self.walks && of.together(from, to) {
            self.walk_of[to] = self.walks;
            self.reached_by[to] = from;
            queue.push(to);

            if self.frees_goal.get(to) == Some(&self.walks) {
                self.step(to, self.goal);
            }
        }
    }

    /// Applies the cycle from `start` (a column) to `goal` (the row that takes it).
    fn rotate(&mut self, start: usize, goal: usize) {
        // `reached_by` leads from the goal back to the start.
        let mut arcs = vec![(goal, start)];
        let mut node = goal;
        while node != start {
            let from = self.reached_by[node];
            arcs.push((from, node));
            node = from;
        }

        // An arc to or from the outside leaves a row or a column open.
        for &(from, to) in &arcs {
            match (self.kind(from), self.kind(to)) {
                (Kind::Row(row), Kind::Outside) => self.matching.column_of[row] = None,
                (Kind::Outside, Kind::Column(column)) => self.matching.row_of[column] = None,
                _ => {}
            }
        }

        // Every arc from a row to a column is a new pair.
        for &(from, to) in &arcs {
            if let (Kind::Row(row), Kind::Column(column)) = (self.kind(from), self.kind(to)) {
                self.matching.column_of[row] = Some(column as u32);
                self.matching.row_of[column] = Some(row as u32);
            }
        }
    }

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

/// Turns edges by row into edges by column.
fn by_column(tight: &[u32], starts: &[usize], columns: usize) -> (Vec<u32>, Vec<usize>) {
    // A counting sort: first the places where the rows of each column begin,
    let mut from = vec![0; columns + 1];
    tight
        .iter()
        .for_each(|column| from[*column as usize + 1] += 1);

    for column in 0..columns {
        from[column + 1] += from[column];
    }

    // then the rows, which ascend in each column.
    let (mut next, mut rows) = (from.clone(), vec![0; tight.len()]);
    for (row, ends) in starts.windows(2).enumerate() {
        for &column in &tight[ends[0]..ends[1]] {
            rows[next[column as usize]] = row as u32;
            next[column as usize] += 1;
        }
    }

    (rows, from)
}

/// Adds the columns whose edge costs exactly the row's price plus the column's. No edge costs less.
fn push_tight(
    tight: &mut Vec<u32>,
    (columns, costs): (&[u32], &[i64]),
    price: i64,
    prices: &[i64],
) {
    let is_full = columns.len() == prices.len();

    for (at, (columns, costs)) in columns.chunks(BLOCK).zip(costs.chunks(BLOCK)).enumerate() {
        let slack = |(cost, other): (&i64, &i64)| cost - other - price;
        let (start, length) = (at * BLOCK, costs.len());

        // Each slack of a block is 0 or more; `none` is true if all are 1 or more.
        let none = is_full && {
            let prices = &prices[start..start + length];
            costs
                .iter()
                .zip(prices)
                .fold(0, |all, pair| all | (slack(pair) - 1))
                >= 0
        };

        if !none {
            let pairs = columns.iter().zip(costs);
            let is_tight =
                |(column, cost): &(&u32, &i64)| slack((*cost, &prices[**column as usize])) == 0;

            tight.extend(pairs.filter(is_tight).map(|(column, _)| column));
        }
    }
}

/// A node by its kind; rows and columns with their index.
enum Kind {
    Row(usize),
    Column(usize),
    Outside,
}
