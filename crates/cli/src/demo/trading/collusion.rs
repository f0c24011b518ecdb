//! The cost of collusion: each auction is run again from its dossier, once as it was and once with
//! the ring's true costs.

use std::collections::{BTreeMap, BTreeSet};

use quorate_certificate::Dossier;
use quorate_market::{Bid, Bidder, Clearing, Mechanism, Round, Task, TieSeed, mechanism};
use quorate_trader::{MakerConfig, Slice};
use quorate_types::outcome::{BidInput, BidderInput, ClearingInput, TaskInput};
use quorate_types::{PublicKey, SwarmId, TaskId};

use crate::report::Collusion;

/// The facts that the demonstration knows and that no dossier tells.
pub(super) struct Insight<'a> {
    pub(super) swarm: SwarmId,
    /// The market makers that collude.
    pub(super) ring: BTreeMap<PublicKey, &'a MakerConfig>,
    pub(super) slices: BTreeMap<TaskId, &'a Slice>,
}

/// Sums over auctions, in ticks.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    fills: i64,
    /// The value of the bought slices, at their benchmarks.
    value: i64,
    charged: i64,
    /// The limits of the bought slices, minus their charges.
    surplus: i64,
    /// The payments to the ring, minus the true costs of its slices.
    ring_gain: i64,
}

impl Insight<'_> {
    /// Compares the auctions of one market as they were with the same auctions without collusion.
    /// Returns `None` if there is no ring or no dossier.
    pub(super) fn compare<'d>(
        &self,
        dossiers: impl Iterator<Item = &'d Dossier>,
    ) -> Option<Collusion> {
        let (mut with, mut without) = (Sums::default(), Sums::default());
        let (mut auctions, mut value) = (0, 0_i64);

        for dossier in dossiers {
            // An auction by a mechanism that this program does not know cannot be run again.
            let Some(rule) = mechanism(&dossier.record.mechanism) else {
                continue;
            };

            // The auction is run with the bids as they were, and with the true costs of the ring.
            let round = self.round(dossier);
            let honest = self.honest(&round, rule);
            with.add(&self.sums(&round, &rule.clear(&round)));
            without.add(&self.sums(&honest, &rule.clear(&honest)));

            auctions += 1;
            // The value of all slices that were up for auction, bought or not.
            let values = round
                .tasks
                .iter()
                .filter_map(|task| self.slices.get(&task.id));
            value = values.fold(value, |sum, slice| sum.saturating_add(slice.value()));
        }

        let cost = without.surplus.saturating_sub(with.surplus);
        let compared = Collusion {
            auctions,
            cost,
            cost_ppm: ppm(cost, value),
            fills_lost: without.fills - with.fills,
            slippage_ppm: ppm(with.charged - with.value, with.value),
            honest_slippage_ppm: ppm(without.charged - without.value, without.value),
            ring_gain: with.ring_gain - without.ring_gain,
        };

        (auctions > 0 && !self.ring.is_empty()).then_some(compared)
    }

    /// Returns the round of a dossier, as its mechanism was given it (C-18).
    fn round(&self, dossier: &Dossier) -> Round {
        let ties = TieSeed {
            swarm: self.swarm,
            market: dossier.record.market.clone(),
        };

        let (tasks, bidders, bids) = (Vec::new(), Vec::new(), Vec::new());
        let mut round = Round {
            tasks,
            bidders,
            bids,
            solutions: Vec::new(),
            ties,
        };

        for input in &dossier.inputs {
            match input {
                ClearingInput::Task(TaskInput {
                    task,
                    demand,
                    limit,
                    ..
                }) => {
                    round.tasks.push(Task {
                        id: *task,
                        demand: demand.clone(),
                        limit: *limit,
                    });
                }

                ClearingInput::Bidder(BidderInput { agent, budget }) => {
                    round.bidders.push(Bidder {
                        agent: *agent,
                        budget: budget.clone(),
                    });
                }

                ClearingInput::Bid(BidInput {
                    task,
                    agent,
                    price: Some(price),
                    excluded: None,
                    ..
                }) => {
                    round.bids.push(Bid {
                        task: *task,
                        agent: *agent,
                        price: *price,
                    });
                }

                // The mechanism is given no excluded or unopened bids, and these markets take no
                // solutions.
                ClearingInput::Bid(_) | ClearingInput::Solution(_) => {}
            }
        }

        round
    }

    /// Returns the round as it would be if the ring asked its true costs. It quotes on every slice
    /// that it would then have quoted on, under the budget that it had or, if it had asked too much
    /// to quote on any slice, under a budget for one.
    fn honest(&self, round: &Round, rule: &dyn Mechanism) -> Round {
        let mut honest = round.clone();
        honest
            .bids
            .retain(|bid| !self.ring.contains_key(&bid.agent));

        for (agent, maker) in &self.ring {
            for task in &round.tasks {
                let Some(slice) = self.slices.get(&task.id) else {
                    continue;
                };

                let price = maker.cost(slice);
                // A market maker quotes on nothing whose limit is below its price.
                if rule.takes_all_asks() || price <= task.limit {
                    honest.bids.push(Bid {
                        task: task.id,
                        agent: *agent,
                        price,
                    });
                }
            }

            // It asked too much to quote at all, so the dossier has no budget of it.
            if round.bidder_index(agent).is_none()
                && let Some(task) = round.tasks.first()
            {
                honest.bidders.push(Bidder {
                    agent: *agent,
                    budget: task.demand.clone(),
                });
            }
        }

        honest.bids.sort_unstable();
        honest.bidders.sort_unstable_by_key(|bidder| bidder.agent);
        honest
    }

    fn sums(&self, round: &Round, clearing: &Clearing) -> Sums {
        let mut sums = Sums::default();
        for award in &clearing.awards {
            let Some(slice) = self.slices.get(&award.task) else {
                continue;
            };

            let limit = round
                .task_index(&award.task)
                .map_or(0, |at| round.tasks[at].limit);
            let gain = self
                .ring
                .get(&award.agent)
                .map(|maker| award.payment - maker.cost(slice));

            sums.add(&Sums {
                fills: 1,
                value: slice.value(),
                charged: award.charge,
                surplus: limit - award.charge,
                ring_gain: gain.unwrap_or(0),
            });
        }

        sums
    }
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.fills = self.fills.saturating_add(other.fills);
        self.value = self.value.saturating_add(other.value);
        self.charged = self.charged.saturating_add(other.charged);
        self.surplus = self.surplus.saturating_add(other.surplus);
        self.ring_gain = self.ring_gain.saturating_add(other.ring_gain);
    }
}

/// Returns a part in millionths of its whole.
pub(super) fn ppm(part: i64, whole: i64) -> i64 {
    let exact = i128::from(part) * 1_000_000 / i128::from(whole.max(1));
    i64::try_from(exact).unwrap_or(i64::MAX)
}

/// Returns the mechanism under which collusion cost least. Returns `None` if the compared
/// mechanisms do not differ in that, or are fewer than two.
pub(super) fn resists<'a>(
    compared: impl Iterator<Item = (&'a str, &'a Collusion)>,
) -> Option<&'a str> {
    let all: Vec<_> = compared.collect();
    let costs: BTreeSet<i64> = all
        .iter()
        .map(|(_, collusion)| collusion.cost_ppm)
        .collect();
    let least = all.iter().min_by_key(|(_, collusion)| collusion.cost_ppm)?;

    // If all cost the same, none of them resists better.
    (costs.len() > 1).then_some(least.0)
}

#[cfg(test)]
mod tests {
    use quorate_market::{McAfee, SecondPrice};
    use quorate_types::Amounts;

    use super::*;

    const VALUE: i64 = 1_000_000;

    fn slice() -> Slice {
        let (id, order) = (String::new(), String::new());
        Slice {
            id,
            order,
            bar: 0,
            quantity: 1,
            benchmark: VALUE,
        }
    }

    fn maker(cost_ppm: i64) -> MakerConfig {
        MakerConfig {
            venue: "venue.lit".parse().unwrap(),
            credit: 0,
            claims: None,
            cost_ppm,
            noise_ppm: 0,
            padding_ppm: 0,
            seed: 0,
        }
    }

    fn task(number: u64) -> TaskId {
        TaskId {
            requester: PublicKey([9; 32]),
            number,
        }
    }

    /// Returns a round with slices at these limits and sellers of one unit at these prices, all
    /// above [`VALUE`].
    fn round(limits: &[i64], asks: &[i64]) -> Round {
        let unit = Amounts::from([("credit".parse().unwrap(), 1)]);
        let tasks = limits.iter().enumerate().map(|(at, limit)| Task {
            id: task(at as u64),
            demand: unit.clone(),
            limit: VALUE + limit,
        });
        let tasks: Vec<Task> = tasks.collect();

        let agents: Vec<_> = (1..=asks.len() as u8)
            .map(|at| PublicKey([at; 32]))
            .collect();
        let bidders = agents.iter().map(|agent| Bidder {
            agent: *agent,
            budget: unit.clone(),
        });

        let mut round = Round {
            bidders: bidders.collect(),
            bids: Vec::new(),
            solutions: Vec::new(),
            ties: TieSeed {
                swarm: SwarmId([0; 32]),
                market: "m".parse().unwrap(),
            },
            tasks,
        };

        for task in &round.tasks {
            let quotes = agents
                .iter()
                .zip(asks)
                .filter(|(_, ask)| VALUE + **ask <= task.limit);

            let bid = |(agent, ask): (&PublicKey, &i64)| Bid {
                task: task.id,
                agent: *agent,
                price: VALUE + ask,
            };
            round.bids.extend(quotes.map(bid));
        }

        round
    }

    /// Returns fills, charges above value, and the gain of the ring: first with the ring, then
    /// without.
    fn compared(rule: &dyn Mechanism, limits: &[i64], asks: &[i64]) -> [(i64, i64, i64); 2] {
        let (one, two, slice) = (maker(200), maker(300), slice());
        let ring = [(PublicKey([1; 32]), &one), (PublicKey([2; 32]), &two)];
        let slices = (0..limits.len() as u64).map(|number| (task(number), &slice));
        let insight = Insight {
            swarm: SwarmId([0; 32]),
            ring: ring.into(),
            slices: slices.collect(),
        };

        let round = round(limits, asks);
        let honest = insight.honest(&round, rule);
        [round, honest].map(|round| {
            let sums = insight.sums(&round, &rule.clear(&round));
            (sums.fills, sums.charged - sums.value, sums.ring_gain)
        })
    }

    #[test]
    fn second_price_pays_what_the_ring_asks() {
        // Padded by 600, both lose to the third, which is paid the ask of the first.
        assert_eq!(
            compared(&SecondPrice, &[2_000], &[800, 900, 500]),
            [(1, 800, 0), (1, 300, 100)]
        );
    }

    #[test]
    fn mcafee_charges_the_limit_that_is_left_out() {
        let (limits, asks) = ([3_000, 1_600, 900], [800, 900, 500]);
        assert_eq!(
            compared(&McAfee, &limits, &asks),
            [(2, 1_800, 700), (2, 1_800, 500)]
        );
    }

    #[test]
    fn a_ring_that_asked_too_much_to_quote_at_all_is_put_back() {
        assert_eq!(
            compared(&SecondPrice, &[700], &[800, 900, 500]),
            [(1, 700, 0), (1, 300, 100)],
        );
    }

    #[test]
    fn the_mechanism_that_collusion_cost_less_resists() {
        let cost = |cost_ppm| Collusion {
            cost_ppm,
            ..Collusion::default()
        };
        let (low, high) = (cost(-1), cost(5));
        assert_eq!(resists([("a", &high), ("b", &low)].into_iter()), Some("b"));
        assert_eq!(resists([("a", &high), ("b", &high)].into_iter()), None);
        assert_eq!(resists(std::iter::empty()), None);
    }
}
