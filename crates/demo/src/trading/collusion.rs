//! The cost of collusion: each auction is run again from its dossier, once as it was and once with
//! the ring's true costs.

use std::collections::{BTreeMap, BTreeSet};

use quorate_certificate::Dossier;
use quorate_market::{Auction, Bid, Bidder, Clearing, Mechanism, Task, TieSeed, mechanism};
use quorate_trader::{MakerConfig, Slice};
use quorate_types::{PublicKey, SwarmId, TaskId};

use crate::report::Collusion;

/// The facts that the demonstration knows and that no dossier tells.
pub(super) struct Insight<'a> {
    pub(super) swarm: SwarmId,
    /// The market makers that collude.
    pub(super) ring: BTreeMap<PublicKey, &'a MakerConfig>,
    pub(super) slices: BTreeMap<TaskId, &'a Slice>,
}

/// Auctions as they were, beside the same auctions without collusion.
#[derive(Debug, Default)]
struct Comparison {
    auctions: u64,
    /// The value of all slices that were up for auction, bought or not.
    value: i64,
    with: Sums,
    without: Sums,
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
        let mut compared = Comparison::default();
        for dossier in dossiers {
            // An auction by a mechanism that this program does not know cannot be run again.
            let Some(rule) = mechanism(&dossier.record.mechanism) else {
                continue;
            };

            // The auction is run with the bids as they were, and with the true costs of the ring.
            let auction = self.auction(dossier);
            let honest = self.honest(&auction, rule);
            compared.with.add(&self.run(&auction, rule));
            compared.without.add(&self.run(&honest, rule));

            compared.auctions += 1;
            for slice in self.slices_of(&auction) {
                compared.value = compared.value.saturating_add(slice.value());
            }
        }

        let any = compared.auctions > 0 && !self.ring.is_empty();
        any.then(|| compared.result())
    }

    /// Runs an auction, and returns the sums of its result.
    fn run(&self, auction: &Auction, rule: &dyn Mechanism) -> Sums {
        self.sums(auction, &rule.clear(auction))
    }

    /// Returns the slices that are up for auction, as far as they are known.
    fn slices_of(&self, auction: &Auction) -> impl Iterator<Item = &Slice> {
        let tasks = auction.tasks.iter();
        tasks.filter_map(|task| self.slices.get(&task.id).copied())
    }

    /// Returns the auction of a dossier, as its mechanism was given it (C-18).
    fn auction(&self, dossier: &Dossier) -> Auction {
        let ties = TieSeed {
            swarm: self.swarm,
            market: dossier.record.market.clone(),
        };

        // These markets take no solutions, so their dossiers hold none.
        let mut auction = Auction::new(ties);
        dossier.inputs.iter().for_each(|input| auction.add(input));
        auction
    }

    /// Returns the auction as it would be if the ring asked its true costs. It quotes on every
    /// slice that it would then have quoted on, under the budget that it had or, if it had asked
    /// too much to quote on any slice, under a budget for one.
    fn honest(&self, auction: &Auction, rule: &dyn Mechanism) -> Auction {
        let mut honest = auction.clone();
        honest
            .bids
            .retain(|bid| !self.ring.contains_key(&bid.agent));

        for (agent, maker) in &self.ring {
            for task in &auction.tasks {
                let quote = self.quote(*agent, maker, task);
                // A market maker quotes on nothing whose limit is below its price.
                let quoted =
                    quote.filter(|bid| rule.about().takes_all_asks || bid.price <= task.limit);
                honest.bids.extend(quoted);
            }

            // It asked too much to quote at all, so the dossier has no budget of it.
            if auction.bidder_index(agent).is_none()
                && let Some(task) = auction.tasks.first()
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

    /// Returns a bid at the true cost of a market maker; `None` if the slice is not known.
    fn quote(&self, agent: PublicKey, maker: &MakerConfig, task: &Task) -> Option<Bid> {
        let slice = self.slices.get(&task.id)?;
        Some(Bid {
            task: task.id,
            agent,
            price: maker.cost(slice),
        })
    }

    fn sums(&self, auction: &Auction, clearing: &Clearing) -> Sums {
        let mut sums = Sums::default();
        for award in &clearing.winners {
            let Some(slice) = self.slices.get(&award.task) else {
                continue;
            };

            let limit = auction
                .task_index(&award.task)
                .map_or(0, |at| auction.tasks[at].limit);
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

impl Comparison {
    fn result(&self) -> Collusion {
        let Self { with, without, .. } = self;
        let cost = without.surplus.saturating_sub(with.surplus);

        Collusion {
            auctions: self.auctions,
            cost,
            cost_ppm: ppm(cost, self.value),
            fills_lost: without.fills - with.fills,
            slippage_ppm: with.slippage_ppm(),
            honest_slippage_ppm: without.slippage_ppm(),
            ring_gain: with.ring_gain - without.ring_gain,
        }
    }
}

impl Sums {
    /// Returns how far the charges lie above the benchmark, in millionths.
    fn slippage_ppm(&self) -> i64 {
        ppm(self.charged - self.value, self.value)
    }

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
    use quorate_market::mechanisms::{McAfee, SecondPrice};
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

    /// Returns an auction with slices at these limits and sellers of one unit at these prices, all
    /// above [`VALUE`].
    fn auction(limits: &[i64], asks: &[i64]) -> Auction {
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

        let mut auction = Auction {
            bidders: bidders.collect(),
            bids: Vec::new(),
            solutions: Vec::new(),
            ties: TieSeed {
                swarm: SwarmId([0; 32]),
                market: "m".parse().unwrap(),
            },
            tasks,
        };

        for task in &auction.tasks {
            let quotes = agents
                .iter()
                .zip(asks)
                .filter(|(_, ask)| VALUE + **ask <= task.limit);

            let bid = |(agent, ask): (&PublicKey, &i64)| Bid {
                task: task.id,
                agent: *agent,
                price: VALUE + ask,
            };
            auction.bids.extend(quotes.map(bid));
        }

        auction
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

        let auction = auction(limits, asks);
        let honest = insight.honest(&auction, rule);
        [auction, honest].map(|auction| {
            let sums = insight.sums(&auction, &rule.clear(&auction));
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
