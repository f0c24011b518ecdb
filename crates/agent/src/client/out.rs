//! The things that come out of the parts of a client, in their order.

use std::collections::VecDeque;

use quorate_types::message::Request;
use quorate_types::{Label, OperationBody, PublicKey, TaskId};

use super::asked::Asked;
use super::counters::ClientCounters;
use super::event::{ClientAction, ClientEvent};
use super::links::Links;

/// Collects what the parts of a client want done: requests, events, operations, and counts.
///
/// Requests and events stay in the order in which they came. A request gets its id when
/// [`Self::dispatch`] takes it. Operations wait until the account takes them.
#[derive(Debug, Default)]
pub(super) struct Out {
    effects: VecDeque<Effect>,
    operations: Vec<OperationBody>,
    actions: VecDeque<ClientAction>,
    counters: ClientCounters,
}

#[derive(Debug)]
enum Effect {
    Ask {
        to: PublicKey,
        request: Request,
        asked: Option<Asked>,
    },
    Event(ClientEvent),
}

impl Out {
    /// Tells the owner of the client about an event.
    pub(super) fn event(&mut self, event: ClientEvent) {
        self.effects.push_back(Effect::Event(event));
    }

    /// Sends a request. `asked` is the subject of its answer; `None` if none is awaited.
    pub(super) fn ask(&mut self, to: &PublicKey, request: Request, asked: Option<Asked>) {
        self.effects.push_back(Effect::Ask {
            to: *to,
            request,
            asked,
        });
    }

    /// Asks for the account of `agent`, which is the client.
    pub(super) fn ask_account(&mut self, to: &PublicKey, agent: PublicKey) {
        self.ask(to, Request::Account(agent), Some(Asked::Account));
    }

    /// Asks for the certificates of a task.
    pub(super) fn ask_certificates(&mut self, to: &PublicKey, task: TaskId) {
        let asked = Asked::Certificates(task);
        self.ask(to, Request::Certificates(task), Some(asked));
    }

    /// Asks for the open tasks of a market.
    pub(super) fn ask_open(&mut self, to: &PublicKey, market: &Label) {
        self.ask(to, Request::Open(market.clone()), Some(Asked::Open));
    }

    /// Has an operation with this body numbered, signed and sent.
    pub(super) fn operate(&mut self, body: OperationBody) {
        self.operations.push(body);
    }

    /// Returns the bodies of the operations since the last call, in their order.
    pub(super) fn take_operations(&mut self) -> Vec<OperationBody> {
        std::mem::take(&mut self.operations)
    }

    /// Gives the counters, to be raised.
    pub(super) fn count(&mut self) -> &mut ClientCounters {
        &mut self.counters
    }

    /// Returns the counters.
    pub(super) fn counters(&self) -> ClientCounters {
        self.counters
    }

    /// Makes actions of what was collected. The connections number the requests and note which
    /// answers are awaited.
    pub(super) fn dispatch(&mut self, links: &mut Links) {
        for effect in self.effects.drain(..) {
            self.actions.push_back(match effect {
                Effect::Event(event) => ClientAction::Event(event),
                Effect::Ask { to, request, asked } => {
                    let request = links.request(&to, request, asked);
                    ClientAction::Send { to, request }
                }
            });
        }
    }

    /// Returns the next action for the driver.
    pub(super) fn poll(&mut self) -> Option<ClientAction> {
        self.actions.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, validator};
    use super::*;

    #[test]
    fn actions_come_in_the_order_of_the_effects_and_requests_count_up() {
        let mut bench = Bench::new();
        let mut out = Out::default();
        out.ask_account(&validator(1), validator(9));
        out.event(ClientEvent::Ready);
        out.ask_account(&validator(2), validator(9));
        assert_eq!(out.poll(), None);

        out.dispatch(bench.links());
        let mut ids = Vec::new();
        while let Some(action) = out.poll() {
            match action {
                ClientAction::Send { request, .. } => ids.push(Some(request.id)),
                ClientAction::Event(_) => ids.push(None),
            }
        }
        assert_eq!(ids, [Some(1), None, Some(2)]);
    }
}
