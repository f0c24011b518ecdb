//! Strongly connected components of the exchange graph (Tarjan, SIAM J. Comput. 1, 1972). They are
//! split further as nodes are settled.

/// The mark of a settled node, which is in no component.
const SETTLED: u32 = u32::MAX;
/// The mark of a node that the split under way has not visited.
const NEW: u32 = u32::MAX;

/// A directed graph. Its nodes are numbered from 0.
pub(super) trait Graph {
    /// Returns the number of nodes.
    fn nodes(&self) -> usize;

    /// Returns how many places for arcs a node has. Some of them are empty.
    fn places(&self, node: usize) -> usize;

    /// Returns the node to which the arc in this place leads, or `None` if the place is empty.
    fn arc(&self, node: usize, place: usize) -> Option<usize>;
}

/// Tells which nodes lie on common cycles.
pub(super) struct Components {
    /// The component of each node, or [`SETTLED`].
    component: Vec<u32>,
    /// The nodes of each component ever made. Settled nodes stay in it until the next split.
    members: Vec<Vec<usize>>,
    /// Scratch space of a split: the order of the visit, and the lowest order reached.
    order: Vec<u32>,
    low: Vec<u32>,
}

impl Components {
    pub(super) fn new(graph: &impl Graph) -> Self {
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

    /// Checks whether some cycle passes through this node.
    pub(super) fn tied(&self, node: usize) -> bool {
        self.component[node] != SETTLED && self.members[self.component[node] as usize].len() > 1
    }

    /// Checks whether both nodes are unsettled and in one component.
    pub(super) fn together(&self, one: usize, other: usize) -> bool {
        self.component[one] == self.component[other] && self.component[one] != SETTLED
    }

    /// Takes a node out of the graph.
    pub(super) fn settle(&mut self, node: usize) {
        self.component[node] = SETTLED;
    }

    /// Splits the component of `node` into the strongly connected components of what is left of it.
    /// Returns how many arcs it looked at.
    pub(super) fn split(&mut self, graph: &impl Graph, node: usize) -> usize {
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

    /// Tarjan's depth-first visit, with an explicit path in place of recursion.
    fn explore(&mut self, graph: &impl Graph, visit: &mut Visit, root: usize) {
        self.enter(visit, root);

        while let Some((node, place)) = visit.path.last_mut() {
            let node = *node;
            let at = *place;

            // The next time the visit is at this node it takes the arc after this one.
            *place += 1;
            visit.steps += 1;

            if at < graph.places(node) {
                if let Some(to) = graph.arc(node, at) {
                    self.follow(visit, node, to);
                }
            } else {
                self.leave(visit, node);
            }
        }
    }

    /// Follows an arc from the current node.
    fn follow(&mut self, visit: &mut Visit, node: usize, to: usize) {
        // Settled nodes, and those that have a new component already, no longer count.
        if self.component[to] != visit.parent {
            return;
        }

        if self.order[to] == NEW {
            self.enter(visit, to);
        } else {
            // The arc leads back to a node on the stack, so there is a cycle.
            self.low[node] = self.low[node].min(self.order[to]);
        }
    }

    /// Begins the visit of a node.
    fn enter(&mut self, visit: &mut Visit, node: usize) {
        self.order[node] = visit.visited;
        self.low[node] = visit.visited;
        visit.visited += 1;
        visit.stack.push(node);
        visit.path.push((node, 0));
    }

    /// Goes back from the current node, all of whose arcs were followed.
    fn leave(&mut self, visit: &mut Visit, node: usize) {
        visit.path.pop();

        // The node above reaches what this one reaches.
        if let Some(&(from, _)) = visit.path.last() {
            self.low[from] = self.low[from].min(self.low[node]);
        }

        // Nothing below this node leads above it, so it is the root of a component.
        if self.low[node] == self.order[node] {
            self.close(visit, node);
        }
    }

    /// Makes one component of `root` and everything above it on the stack.
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

/// The state of a split under way.
struct Visit {
    parent: u32,
    visited: u32,
    steps: usize,
    /// The visited nodes that are in no new component yet.
    stack: Vec<usize>,
    /// The nodes from the root to the current one, each with the place of its next arc.
    path: Vec<(usize, usize)>,
}
