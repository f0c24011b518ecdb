//! The graph of exchanges between optima.
//!
//! Nodes: the rows, then the columns, then one node for the outside. Arcs say what follows:
//! a row takes a column over a tight edge that is not in the matching; a column drops the row
//! that has it. A row of price 0 may go outside, and a row that is outside may come in; a column
//! at the skip price may be left to the outside, and one that is there may be taken.

use super::Matching;
use super::components::Components;
use super::prices::Prices;
use super::problem::Problem;

/// The graph, which follows the matching as that changes.
pub(super) struct Exchange {
    matching: Matching,
    /// Tight columns of each row, flat; those of row `r` lie at `starts[r]..starts[r + 1]`.
    tight: Vec<u32>,
    starts: Vec<usize>,
    /// Per row, then per column: whether it may go without.
    optional: Vec<bool>,
    /// How each node was reached in the walk under way, and in which walk.
    reached_by: Vec<usize>,
    walk_of: Vec<u32>,
    walks: u32,
}

impl Exchange {
    pub(super) fn new(problem: &Problem, matching: Matching, prices: &Prices) -> Self {
        let mut tight = Vec::new();
        let mut starts = vec![0];
        for (row, price) in prices.rows.iter().enumerate() {
            let (columns, costs) = problem.by_row().of(row);
            let edges = columns.iter().zip(costs);
            let is_tight =
                |&(&column, &cost): &(&u32, &i64)| price + prices.columns[column as usize] == cost;
            tight.extend(edges.filter(is_tight).map(|(&column, _)| column));
            starts.push(tight.len());
        }
        let skip = problem.skip_price();
        let rows = prices.rows.iter().map(|&price| price == 0);
        let optional: Vec<bool> =
            rows.chain(prices.columns.iter().map(|&price| price == skip)).collect();
        let nodes = optional.len() + 1;
        let (reached_by, walk_of) = (vec![0; nodes], vec![0; nodes]);
        Self { matching, tight, starts, optional, reached_by, walk_of, walks: 0 }
    }

    pub(super) fn into_matching(self) -> Matching {
        self.matching
    }

    /// Number of nodes.
    pub(super) fn nodes(&self) -> usize {
        self.optional.len() + 1
    }

    /// The node of a column.
    pub(super) fn column(&self, column: u32) -> usize {
        self.rows() + column as usize
    }

    pub(super) fn matched(&self, row: u32, column: u32) -> bool {
        self.matching.column_of[row as usize] == Some(column)
    }

    /// All tight edges as row and column.
    pub(super) fn tight_edges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        (0..self.rows()).flat_map(|row| self.tight_of(row).iter().map(move |&c| (row as u32, c)))
    }

    /// How many places for arcs a node has; some are empty.
    pub(super) fn places(&self, node: usize) -> usize {
        match self.kind(node) {
            Kind::Row(row) => self.tight_of(row).len() + 1,
            Kind::Column(_) => 1,
            Kind::Outside => self.outside(),
        }
    }

    /// The node to which the arc in this place leads.
    pub(super) fn arc(&self, node: usize, place: usize) -> Option<usize> {
        let outside = self.outside();
        match self.kind(node) {
            Kind::Row(row) => {
                let has = self.matching.column_of[row];
                match self.tight_of(row).get(place) {
                    Some(&column) => (has != Some(column)).then(|| self.column(column)),
                    None => (has.is_some() && self.optional[node]).then_some(outside),
                }
            }
            Kind::Column(column) => {
                Some(self.matching.row_of[column].map_or(outside, |row| row as usize))
            }
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

    /// Brings the edge into the matching by walking a shortest cycle through it within its
    /// component. False, and nothing changed, if there is none.
    pub(super) fn walk(&mut self, components: &Components, row: u32, column: u32) -> bool {
        let (start, goal) = (self.column(column), row as usize);
        self.walks += 1;
        self.walk_of[start] = self.walks;
        let mut queue = vec![start];
        let mut next = 0;
        while let Some(&node) = queue.get(next) {
            next += 1;
            for place in 0..self.places(node) {
                let Some(to) = self.arc(node, place) else { continue };
                let Some(to) = self.enter(components, node, to) else { continue };
                if to == goal {
                    self.rotate(start, goal);
                    return true;
                }
                queue.push(to);
            }
        }
        false
    }

    /// Notes how `to` was reached, and goes on at once from a column to its only successor, so
    /// that a goal in sight is seen. `None` where the walk has been, or leaves the component.
    fn enter(&mut self, components: &Components, from: usize, to: usize) -> Option<usize> {
        if self.walk_of[to] == self.walks || !components.together(from, to) {
            return None;
        }
        self.walk_of[to] = self.walks;
        self.reached_by[to] = from;
        match self.kind(to) {
            Kind::Column(_) => self.enter(components, to, self.arc(to, 0)?),
            Kind::Row(_) | Kind::Outside => Some(to),
        }
    }

    /// Applies the cycle from `start` (a column) to `goal` (the row that takes it).
    fn rotate(&mut self, start: usize, goal: usize) {
        let mut arcs = vec![(goal, start)];
        let mut node = goal;
        while node != start {
            let from = self.reached_by[node];
            arcs.push((from, node));
            node = from;
        }
        for &(from, to) in &arcs {
            match (self.kind(from), self.kind(to)) {
                (Kind::Row(row), Kind::Outside) => self.matching.column_of[row] = None,
                (Kind::Outside, Kind::Column(column)) => self.matching.row_of[column] = None,
                _ => {}
            }
        }
        for &(from, to) in &arcs {
            if let (Kind::Row(row), Kind::Column(column)) = (self.kind(from), self.kind(to)) {
                self.matching.column_of[row] = Some(column as u32);
                self.matching.row_of[column] = Some(row as u32);
            }
        }
    }

    fn tight_of(&self, row: usize) -> &[u32] {
        &self.tight[self.starts[row]..self.starts[row + 1]]
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

enum Kind {
    Row(usize),
    Column(usize),
    Outside,
}
