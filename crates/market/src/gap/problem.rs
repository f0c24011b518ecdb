//! The input of the solver: which agents can do which jobs, at what cost and with what demand.

/// The largest absolute value of the cost of an offer.
pub const MAX_COST: i64 = 1 << 40;
/// The largest amount in any dimension.
pub const MAX_AMOUNT: i64 = 1 << 40;
/// The most agents, and the most jobs, of a problem.
pub const MAX_SIDE: usize = 1 << 11;
/// The most dimensions of a problem.
pub const MAX_DIMENSIONS: usize = 64;

/// The place that stands for no offer: the job is left open.
pub(super) const OPEN: u32 = u32::MAX;
/// The number of bits to which capacities are cut when they are weighed against costs.
const WEIGHT_BITS: u32 = 20;

/// An offer: agent `agent` can do job `job` at `cost`, which takes `demand` of its capacity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GapOffer {
    /// The index of the agent, below the number of agents.
    pub agent: u32,
    /// The index of the job, below the number of jobs.
    pub job: u32,
    /// The cost, within ±[`MAX_COST`].
    pub cost: i64,
    /// One amount for each dimension, from 0 to [`MAX_AMOUNT`].
    pub demand: Vec<i64>,
}

/// The reason why offers do not make a valid problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemError {
    /// There are more than [`MAX_SIDE`] agents or jobs.
    #[error("{agents} agents and {jobs} jobs are too many: at most {MAX_SIDE} of each are allowed")]
    TooLarge {
        /// The number of agents given.
        agents: usize,
        /// The number of jobs asked for.
        jobs: usize,
    },
    /// There is no dimension, there are more than [`MAX_DIMENSIONS`], or a capacity or demand has
    /// another number of them.
    #[error("{0} dimensions are not valid: use 1 to {MAX_DIMENSIONS}, the same number everywhere")]
    Dimensions(usize),
    /// An offer names an agent or a job that does not exist.
    #[error("an offer names agent {agent} and job {job}, one of which does not exist")]
    Outside {
        /// The agent of the offer.
        agent: u32,
        /// The job of the offer.
        job: u32,
    },
    /// A cost is beyond ±[`MAX_COST`], or an amount is below 0 or above [`MAX_AMOUNT`].
    #[error("{0} is out of range: costs are within ±{MAX_COST}, amounts from 0 to {MAX_AMOUNT}")]
    OutOfRange(i64),
    /// An agent has two offers for one job.
    #[error("agent {agent} has two offers for job {job}")]
    Duplicate {
        /// The agent of both offers.
        agent: u32,
        /// The job of both offers.
        job: u32,
    },
}

/// A checked problem. Its offers are sorted by job, and in each job by agent. Offers beyond their
/// agent's capacity are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    agents: usize,
    jobs: usize,
    dimensions: usize,
    capacity: Vec<i64>,
    starts: Vec<u32>,
    table: Table,
    /// The place of the offer for each pair of job and agent, or [`OPEN`].
    places: Vec<u32>,
    /// The cost of the cheapest offer, which is taken off all costs.
    low: i64,
    skip: i64,
    scale: i64,
}

/// The offers, with a list for each field. The demands of an offer stand together, and so do its
/// weights: one for each dimension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Table {
    agent: Vec<u32>,
    job: Vec<u32>,
    cost: Vec<i64>,
    demand: Vec<i64>,
    weight: Vec<i64>,
}

impl Problem {
    /// Checks and sorts the offers. The order in which they are given does not matter. `capacities`
    /// has a vector for each agent, with an amount for each dimension.
    ///
    /// # Errors
    /// [`ProblemError`], naming the first rule that is broken.
    pub fn new(
        jobs: usize,
        capacities: &[Vec<i64>],
        mut offers: Vec<GapOffer>,
    ) -> Result<Self, ProblemError> {
        let agents = capacities.len();
        if agents > MAX_SIDE || jobs > MAX_SIDE {
            return Err(ProblemError::TooLarge { agents, jobs });
        }

        // All vectors must be as long as the first one.
        let dimensions = capacities.first().map_or(1, Vec::len);
        let demands = offers.iter().map(|offer| &offer.demand);
        check_amounts(dimensions, capacities.iter().chain(demands))?;

        offers.sort_unstable_by_key(|offer| (offer.job, offer.agent));
        check_offers(agents, jobs, &offers)?;

        // An offer beyond the whole capacity of its agent can never be taken.
        offers.retain(|offer| {
            let capacity = &capacities[offer.agent as usize];
            offer.keeps_within(capacity)
        });

        Ok(Self::of(jobs, dimensions, capacities, &offers))
    }

    /// Builds the problem from checked offers, which are sorted by job, then agent.
    fn of(jobs: usize, dimensions: usize, capacities: &[Vec<i64>], offers: &[GapOffer]) -> Self {
        let agents = capacities.len();
        let costs = offers.iter().map(|offer| offer.cost);
        let low = costs.min().unwrap_or(0);

        let mut table = Table::default();
        let mut places = vec![OPEN; jobs * agents];

        // Costs are counted from the lowest one, so none is negative.
        for (place, offer) in offers.iter().enumerate() {
            let agent = offer.agent as usize;
            let row = offer.job as usize * agents;
            places[row + agent] = place as u32;
            table.push(offer, &capacities[agent], low);
        }

        let skip = skip_price(&table, jobs);

        // All sums are of scaled costs, so the scale follows from the dearest plan.
        Self {
            agents,
            jobs,
            dimensions,
            capacity: capacities.iter().flatten().copied().collect(),
            starts: starts_of_jobs(&table, jobs),
            table,
            places,
            low,
            skip,
            scale: scale(skip, jobs),
        }
    }

    /// Returns the number of agents.
    #[must_use]
    pub fn agents(&self) -> usize {
        self.agents
    }

    /// Returns the number of jobs.
    #[must_use]
    pub fn jobs(&self) -> usize {
        self.jobs
    }

    /// Returns the number of dimensions.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Returns the number of offers within their agent's capacity.
    #[must_use]
    pub fn offers(&self) -> usize {
        self.table.agent.len()
    }

    /// Returns the offer at a place.
    pub(super) fn offer(&self, place: u32) -> GapOffer {
        let at = place as usize;
        GapOffer {
            agent: self.table.agent[at],
            job: self.table.job[at],
            cost: self.table.cost[at] + self.low,
            demand: self.demand(place).to_vec(),
        }
    }

    /// Returns the places of the offers for a job, ascending by agent.
    pub(super) fn of_job(&self, job: u32) -> std::ops::Range<u32> {
        self.starts[job as usize]..self.starts[job as usize + 1]
    }

    /// Returns the place of an agent's offer for a job, or [`OPEN`] if there is none.
    pub(super) fn place(&self, job: u32, agent: usize) -> u32 {
        self.places[job as usize * self.agents + agent]
    }

    pub(super) fn agent(&self, place: u32) -> usize {
        self.table.agent[place as usize] as usize
    }

    pub(super) fn job(&self, place: u32) -> u32 {
        self.table.job[place as usize]
    }

    /// Returns the cost of an offer above that of the cheapest one. For [`OPEN`] it is the cost of
    /// an open job, which is above that of any way to do all jobs.
    pub(super) fn cost(&self, place: u32) -> i64 {
        if place == OPEN {
            self.skip
        } else {
            self.table.cost[place as usize]
        }
    }

    pub(super) fn demand(&self, place: u32) -> &[i64] {
        let at = place as usize * self.dimensions;
        &self.table.demand[at..at + self.dimensions]
    }

    /// Returns the demand of an offer, cut by as many bits as its agent's capacity is to have
    /// [`WEIGHT_BITS`].
    pub(super) fn weight(&self, place: u32) -> &[i64] {
        let at = place as usize * self.dimensions;
        &self.table.weight[at..at + self.dimensions]
    }

    /// Returns the cost of an offer plus its weights at these prices of capacities, in scaled
    /// costs.
    #[inline]
    pub(super) fn priced(&self, place: u32, prices: &[i64]) -> i64 {
        let first = self.first_capacity(place);
        let weighed = prices[first..].iter().zip(self.weight(place));
        let weights: i64 = weighed.map(|(price, weight)| price * weight).sum();

        self.cost(place) * self.scale + weights
    }

    /// Returns the index of the first of the capacities of an offer's agent.
    #[inline]
    pub(super) fn first_capacity(&self, place: u32) -> usize {
        self.agent(place) * self.dimensions
    }

    /// Returns the capacities. All dimensions of an agent stand together.
    pub(super) fn capacity(&self) -> &[i64] {
        &self.capacity
    }

    /// Returns the number of bits that are cut from the amounts of a capacity.
    pub(super) fn cut(&self, at: usize) -> u32 {
        cut(self.capacity[at])
    }

    /// Returns the cost of an open job, which is more than all jobs together can cost. So the plan
    /// of least cost is one that does the most jobs.
    pub(super) fn skip(&self) -> i64 {
        self.skip
    }

    /// Returns the factor by which costs are multiplied before they meet prices of capacity.
    pub(super) fn scale(&self) -> i64 {
        self.scale
    }

    /// Returns the cost of an open job in scaled costs.
    pub(super) fn scaled_skip(&self) -> i64 {
        self.skip * self.scale
    }

    /// Converts a lower bound from scaled costs to whole [`Self::cost`]s, rounded up.
    pub(super) fn least_cost(&self, bound: i64) -> i64 {
        bound.div_euclid(self.scale) + i64::from(bound.rem_euclid(self.scale) > 0)
    }

    /// Converts a sum of [`Self::cost`]s to the caller's costs; `assigned` is its number of offers.
    pub(super) fn unshifted(&self, cost: i64, assigned: usize) -> i64 {
        cost + self.low * assigned as i64
    }
}

impl GapOffer {
    /// Checks that the offer names an agent and a job that exist, at a cost in range.
    fn check(&self, agents: usize, jobs: usize) -> Result<(), ProblemError> {
        let Self { agent, job, .. } = *self;
        if agent as usize >= agents || job as usize >= jobs {
            return Err(ProblemError::Outside { agent, job });
        }

        if self.cost.unsigned_abs() > MAX_COST.unsigned_abs() {
            return Err(ProblemError::OutOfRange(self.cost));
        }

        Ok(())
    }

    /// Checks whether a capacity covers the demand of the offer in every dimension.
    fn keeps_within(&self, capacity: &[i64]) -> bool {
        self.demand
            .iter()
            .zip(capacity)
            .all(|(demand, capacity)| demand <= capacity)
    }
}

impl Table {
    /// Adds an offer. `low` is taken off its cost, and its weights follow from its agent's
    /// `capacity`.
    fn push(&mut self, offer: &GapOffer, capacity: &[i64], low: i64) {
        self.agent.push(offer.agent);
        self.job.push(offer.job);
        self.cost.push(offer.cost - low);
        self.demand.extend_from_slice(&offer.demand);

        // Rounded down, so that weights of offers that fit together fit as well.
        let weights = offer
            .demand
            .iter()
            .zip(capacity)
            .map(|(demand, of)| demand >> cut(*of));
        self.weight.extend(weights);
    }
}

/// Checks that there are as many dimensions as are allowed, and that each vector has an amount in
/// range for each of them.
fn check_amounts<'a>(
    dimensions: usize,
    mut vectors: impl Iterator<Item = &'a Vec<i64>>,
) -> Result<(), ProblemError> {
    if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
        return Err(ProblemError::Dimensions(dimensions));
    }

    vectors.try_for_each(|vector| {
        if vector.len() != dimensions {
            return Err(ProblemError::Dimensions(vector.len()));
        }

        let allowed = 0..=MAX_AMOUNT;
        let mut amounts = vector.iter();

        match amounts.find(|amount| !allowed.contains(*amount)) {
            Some(amount) => Err(ProblemError::OutOfRange(*amount)),
            None => Ok(()),
        }
    })
}

/// Checks that sorted offers name agents and jobs that exist, at costs in range, and none twice.
fn check_offers(agents: usize, jobs: usize, sorted: &[GapOffer]) -> Result<(), ProblemError> {
    for offer in sorted {
        offer.check(agents, jobs)?;
    }

    check_unique(sorted)
}

/// Checks that no agent has two of these offers, which are sorted, for one job.
fn check_unique(sorted: &[GapOffer]) -> Result<(), ProblemError> {
    // Offers of one agent for one job are neighbours.
    let ends = |offer: &GapOffer| (offer.agent, offer.job);
    let mut neighbours = sorted.windows(2);
    let twice = neighbours.find(|two| ends(&two[0]) == ends(&two[1]));

    let Some(two) = twice else {
        return Ok(());
    };

    // Both have the same ends.
    let (agent, job) = ends(&two[0]);
    Err(ProblemError::Duplicate { agent, job })
}

/// Returns the place of the first offer for each job, and at the end the number of offers.
fn starts_of_jobs(table: &Table, jobs: usize) -> Vec<u32> {
    let mut starts = vec![0; jobs + 1];
    for &job in &table.job {
        starts[job as usize + 1] += 1;
    }

    // The running sums of the numbers of offers.
    for job in 0..jobs {
        starts[job + 1] += starts[job];
    }

    starts
}

/// Returns the cost of an open job: 1 more than the dearest offers for all jobs together.
fn skip_price(table: &Table, jobs: usize) -> i64 {
    let mut highest = vec![0; jobs];
    let offers = table.job.iter().zip(&table.cost);

    for (&job, &cost) in offers {
        let highest = &mut highest[job as usize];
        *highest = cost.max(*highest);
    }

    // No cost is negative here, so a plan with one more job costs less, whatever it takes.
    highest.iter().sum::<i64>() + 1
}

/// Returns the number of bits by which a capacity is too long.
fn cut(capacity: i64) -> u32 {
    (i64::BITS - capacity.leading_zeros()).saturating_sub(WEIGHT_BITS)
}

/// Returns the factor for costs: 1024, or as much less as keeps the cost of all jobs left open
/// below 2^60, but at least 1.
///
/// Costs are below 2^41 and there are at most 2^11 jobs, so with a factor of 1 that cost is below
/// 2^63.
fn scale(skip: i64, jobs: usize) -> i64 {
    let all = i128::from(skip) * (jobs as i128 + 1);
    let fits = |bits: &u32| all << bits < 1 << 60;
    1 << (0..=10).rev().find(fits).unwrap_or(0)
}
