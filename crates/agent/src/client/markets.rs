//! The client's half of the markets: calls for bids, commitments, and data that is fetched.

use quorate_types::message::Call;
use quorate_types::operation::{Bid, Seal};
use quorate_types::outcome::{Assignment, Refusal};
use quorate_types::{Label, OperationBody, PublicKey, Reason, Stage, TaskSpec};

use super::asked::{Answered, Wanted};
use super::calls::Calls;
use super::config::ClientConfig;
use super::cx::Cx;
use super::event::ClientEvent;
use super::fetches::Fetches;
use super::out::Out;
use super::seals::Seals;

/// The knowledge that the client has of the markets, and its own commitments in them.
#[derive(Debug)]
pub(super) struct Markets {
    calls: Calls,
    seals: Seals,
    fetches: Fetches,
}

impl Markets {
    pub(super) fn new(config: &ClientConfig) -> Self {
        Self {
            calls: Calls::default(),
            seals: Seals::new(config.swarm, config.sealed.clone()),
            fetches: Fetches::default(),
        }
    }

    /// Takes a call from a validator: tells the owner of open tasks, and opens commitments.
    pub(super) fn on_call(&mut self, cx: &Cx, from: PublicKey, call: Call, out: &mut Out) {
        let Some(call) = self.calls.on_call(from, call, cx.validators()) else {
            return;
        };

        self.seals.forget(&call.market, call.window);
        let Call { market, window, .. } = &call;

        match call.stage {
            Stage::Bids => out.event(ClientEvent::Call(call)),
            Stage::Openings if cx.config().withholds => {}
            Stage::Openings => {
                if let Some(reveal) = self.seals.reveal(cx.key(), market, *window) {
                    out.operate(reveal);
                }
            }
            Stage::Solutions => out.event(ClientEvent::Solve {
                market: market.clone(),
                window: *window,
            }),
        }
    }

    /// Forgets the calls of a validator, because it is no longer connected.
    pub(super) fn on_disconnected(&mut self, validator: &PublicKey) {
        self.calls.forget(validator);
    }

    /// Bids on tasks of one market. In a sealed market it commits to the offers, unless the market
    /// takes no more commitments.
    pub(super) fn bid(&mut self, cx: &Cx, bid: Bid, out: &mut Out) {
        if !self.seals.is_sealed(&bid.market) {
            out.operate(OperationBody::Bid(bid));
            return;
        }

        // A commitment is for one window by its number (M-23), so it needs the last call.
        let window = self.calls.window(&bid.market).unwrap_or(0);
        let sealed = self.seals.seal(cx.key(), &bid.market, window, &bid.offers);
        if let Some(offers) = sealed {
            out.operate(OperationBody::Seal(Seal {
                market: bid.market,
                window,
                budget: bid.budget,
                offers,
            }));
        }
    }

    /// Returns the specification of the task that was assigned, if this client was called for it.
    pub(super) fn spec(&self, assignment: &Assignment) -> Option<&TaskSpec> {
        self.calls.spec(assignment.task, assignment.spec)
    }

    /// Notes the reasons of a refusal that last longer than one window.
    pub(super) fn on_refusal(&mut self, refusal: &Refusal) {
        for (task, reason) in &refusal.items {
            if let (Some(task), Reason::ExcludedAfterFailure) = (task, reason) {
                self.calls.exclude(*task);
            }
        }

        if let [(None, Reason::Barred)] = refusal.items[..] {
            self.seals.bar();
        }
    }

    /// Asks for the open tasks after an award ended, because calls that came while the agent was
    /// busy are out of date.
    pub(super) fn refresh(&mut self, cx: &Cx, out: &mut Out) {
        let markets = self.calls.reset();
        ask_calls(cx, &markets, out);
    }

    /// Asks for calls that may have been missed.
    pub(super) fn look_up(&mut self, cx: &Cx, out: &mut Out) {
        // The notice of the openings may have been missed, which would cost a default.
        let waiting: Vec<_> = self.seals.waiting().cloned().collect();
        ask_calls(cx, &waiting, out);

        // Nothing tells when a bar is over, and no new window begins while nobody else bids.
        if self.seals.take_barred() {
            self.refresh(cx, out);
        }
    }

    /// Starts to fetch something. Requests that come meanwhile share the fetch.
    pub(super) fn fetch(&mut self, cx: &Cx, wanted: Wanted, out: &mut Out) {
        self.fetches.fetch(cx, wanted, out);
    }

    /// Passes over validators that are silent while something is fetched.
    pub(super) fn pursue(&mut self, cx: &Cx, out: &mut Out) {
        self.fetches.pursue(cx, out);
    }

    /// Handles an answer to a request of a fetch. Any other answer was not asked for.
    pub(super) fn on_answer(&mut self, cx: &Cx, answered: Answered, out: &mut Out) {
        self.fetches.on_answer(cx, answered, out);
    }
}

fn ask_calls(cx: &Cx, markets: &[Label], out: &mut Out) {
    for market in markets {
        for validator in cx.connected() {
            out.ask_open(&validator, market);
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate_types::operation::Offer;
    use quorate_types::{OperationId, TaskId};

    use super::super::testing::{Bench, market, task, validator};
    use super::*;

    fn call(stage: Stage, window: u64) -> Call {
        let tasks: Vec<(TaskId, TaskSpec)> = match stage {
            Stage::Bids => vec![(task(1), TaskSpec::new(market()))],
            _ => Vec::new(),
        };
        Call {
            market: market(),
            window,
            height: window,
            stage,
            tasks,
        }
    }

    fn bid(price: i64) -> Bid {
        Bid {
            market: market(),
            budget: [(market(), 1)].into(),
            offers: vec![Offer {
                task: task(1),
                price,
            }],
        }
    }

    fn say(bench: &Bench, markets: &mut Markets, call: &Call, out: &mut Out) {
        for seed in 1..=2 {
            markets.on_call(&bench.cx(), validator(seed), call.clone(), out);
        }
    }

    #[test]
    fn an_open_market_takes_the_bid_as_it_is() {
        let bench = Bench::new();
        let mut markets = Markets::new(bench.cx().config());
        let mut out = Out::default();
        markets.bid(&bench.cx(), bid(7), &mut out);
        assert_eq!(out.take_operations(), [OperationBody::Bid(bid(7))]);
    }

    #[test]
    fn m23_a_sealed_market_takes_a_commitment_which_is_opened_once() {
        let mut bench = Bench::sealed();
        let mut markets = Markets::new(bench.cx().config());
        let mut out = Out::default();
        say(&bench, &mut markets, &call(Stage::Bids, 3), &mut out);
        assert_eq!(bench.events(&mut out).len(), 1);

        markets.bid(&bench.cx(), bid(7), &mut out);
        let sealed = out.take_operations();
        assert!(matches!(&sealed[..], [OperationBody::Seal(seal)] if seal.window == 3));

        for _ in 0..2 {
            say(&bench, &mut markets, &call(Stage::Openings, 3), &mut out);
        }
        let opened = out.take_operations();
        let [OperationBody::Reveal(reveal)] = &opened[..] else {
            panic!("{opened:?}")
        };
        assert_eq!(reveal.openings[0].price, 7);

        // A bid that comes while commitments are opened is too late.
        markets.bid(&bench.cx(), bid(8), &mut out);
        assert_eq!(out.take_operations(), []);
    }

    #[test]
    fn after_a_bar_the_open_tasks_are_asked_for_once() {
        let mut bench = Bench::sealed();
        let mut markets = Markets::new(bench.cx().config());
        let mut out = Out::default();
        say(&bench, &mut markets, &call(Stage::Bids, 3), &mut out);
        markets.look_up(&bench.cx(), &mut out);
        assert_eq!(bench.requests(&mut out).len(), 0);

        markets.on_refusal(&Refusal {
            operation: OperationId([1; 32]),
            agent: bench.cx().me(),
            items: vec![(None, Reason::Barred)],
        });
        markets.look_up(&bench.cx(), &mut out);
        assert_eq!(bench.requests(&mut out).len(), 4);
        markets.look_up(&bench.cx(), &mut out);
        assert_eq!(bench.requests(&mut out).len(), 0);
    }
}
