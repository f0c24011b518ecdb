//! Strongly connected components of the exchange graph (Tarjan, SIAM J. Comput. 1, 1972), split
//! further as nodes are settled.

use super::exchange::Exchange;

/// The component of a settled node, which is in none.
const SETTLED: u32 = u32::MAX;
/// Not visited by the split under way.
const NEW: u32 = u32::MAX;

/// Which nodes lie on common cycles.
pub(super) struct Components {
    component: Vec<u32>,
    /// Nodes of each component ever made; settled ones are left in it until the next split.
    members: Vec<Vec<usize>>,
    /// Scratch of a split: order of the visit and lowest order reached.
    order: Vec<u32>,
    low: Vec<u32>,
}

impl Components {
    pub(super) fn new(graph: &Exchange) -> Self {
        let nodes = graph.nodes();
        let mut components = Self {
            component: vec![0; nodes],
            members: vec![(0..nodes).collect()],
            order: vec![NEW; nodes],
            low: vec![NEW; nodes],
        };
        components.split(graph, 0);
        components
    }

    /// Whether some cycle passes through this node.
    pub(super) fn tied(&self, node: usize) -> bool {
        self.component[node] != SETTLED && self.members[self.component[node] as usize].len() > 1
    }

    /// Whether both are unsettled and in one component.
    pub(super) fn together(&self, one: usize, other: usize) -> bool {
        self.component[one] == self.component[other] && self.component[one] != SETTLED
    }

    /// Takes a node out of the graph.
    pub(super) fn settle(&mut self, node: usize) {
        self.component[node] = SETTLED;
    }

    /// Splits the component of `node` into the strongly connected components of what is left.
    /// Returns how many arcs it looked at.
    pub(super) fn split(&mut self, graph: &Exchange, node: usize) -> usize {
        let parent = self.component[node];
        let members = std::mem::take(&mut self.members[parent as usize]);
        for &member in &members {
            self.order[member] = NEW;
        }
        let mut visit = Visit {
            parent,
            visited: 0,
            steps: 0,
            stack: Vec::new(),
            path: Vec::new(),
        };
        for &member in &members {
            if self.component[member] == parent && self.order[member] == NEW {
                self.explore(graph, &mut visit, member);
            }
        }
        visit.steps.saturating_add(members.len())
    }

    /// Tarjan's depth-first visit with an explicit path.
    fn explore(&mut self, graph: &Exchange, visit: &mut Visit, root: usize) {
        self.enter(visit, root);
        while let Some((node, place)) = visit.path.last_mut() {
            let (node, at) = (*node, *place);
            *place += 1;
            visit.steps += 1;
            if at < graph.places(node) {
                let Some(to) = graph.arc(node, at) else {
                    continue;
                };
                if self.component[to] != visit.parent {
                    continue;
                }
                if self.order[to] == NEW {
                    self.enter(visit, to);
                } else {
                    self.low[node] = self.low[node].min(self.order[to]);
                }
            } else {
                visit.path.pop();
                if let Some(&(from, _)) = visit.path.last() {
                    self.low[from] = self.low[from].min(self.low[node]);
                }
                if self.low[node] == self.order[node] {
                    self.close(visit, node);
                }
            }
        }
    }

    fn enter(&mut self, visit: &mut Visit, node: usize) {
        self.order[node] = visit.visited;
        self.low[node] = visit.visited;
        visit.visited += 1;
        visit.stack.push(node);
        visit.path.push((node, 0));
    }

    /// Everything above `root` on the stack is one component.
    fn close(&mut self, visit: &mut Visit, root: usize) {
        let from = visit
            .stack
            .iter()
            .rposition(|&node| node == root)
            .unwrap_or(0);
        let members = visit.stack.split_off(from);
        for &member in &members {
            self.component[member] = self.members.len() as u32;
        }
        self.members.push(members);
    }
}

struct Visit {
    parent: u32,
    visited: u32,
    steps: usize,
    stack: Vec<usize>,
    path: Vec<(usize, usize)>,
}
