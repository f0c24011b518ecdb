//! Prints an answer, for people and for programs.

use std::collections::BTreeMap;

use quorate_market::Mechanism;
use serde_json::{Value, json};

use super::answer::{Answer, Duals, Rules, SolvedTask};
use super::instance::Instance;

/// The number of assignments that are printed for people.
const SHOWN: usize = 20;

/// A problem, how it was solved, and the answer.
pub(super) struct Solved<'a> {
    pub file: String,
    /// The number of the problem in the file, from 1.
    pub problem: usize,
    /// The number of problems in the file.
    pub problems: usize,
    pub instance: &'a Instance,
    pub mechanism: &'static dyn Mechanism,
    pub rules: Rules,
    pub answer: Answer,
}

impl Solved<'_> {
    fn milliseconds(&self) -> f64 {
        (self.answer.elapsed.as_secs_f64() * 1e6).round() / 1e3
    }

    fn sense(&self) -> &'static str {
        if self.rules.maximize {
            "maximize"
        } else {
            "minimize"
        }
    }

    fn names(&self, award: &SolvedTask) -> (&str, &str) {
        (
            &self.instance.tasks[award.task].name,
            &self.instance.agents[award.agent].name,
        )
    }

    fn open(&self) -> Vec<&str> {
        let mut taken = vec![false; self.instance.tasks.len()];
        self.answer
            .winners
            .iter()
            .for_each(|award| taken[award.task] = true);

        let open = self
            .instance
            .tasks
            .iter()
            .zip(taken)
            .filter(|(_, taken)| !taken);

        open.map(|(task, _)| task.name.as_str()).collect()
    }

    /// The sum that each winner is paid.
    fn payments(&self) -> BTreeMap<&str, i64> {
        let mut payments = BTreeMap::new();
        for award in &self.answer.winners {
            *payments.entry(self.names(award).1).or_default() += award.payment;
        }

        payments
    }

    /// One JSON object; the help text lists its keys.
    pub(super) fn json(&self) -> Value {
        let Self {
            instance,
            mechanism,
            answer,
            ..
        } = self;

        let winners = &answer.winners;
        let assignment: Vec<_> = winners.iter().map(|award| self.award_json(award)).collect();
        let paid: i64 = winners.iter().map(|award| award.payment).sum();
        let charged: i64 = winners.iter().map(|award| award.charge).sum();

        json!({
            "file": self.file,
            "problem": self.problem,
            "format": instance.form.name(),
            "mechanism": mechanism.name(),
            "version": mechanism.version(),
            "sense": self.sense(),
            "agents": instance.agents.len(),
            "tasks": instance.tasks.len(),
            "bids": instance.offers.len(),
            "objective": answer.objective(),
            "assigned": winners.len(),
            "open": self.open(),
            "assignment": assignment,
            "payments": self.payments(),
            "paid": paid,
            "charged": charged,
            "optimal": answer.optimal,
            "bound": answer.bound,
            "duals": answer.duals.as_ref().map(|duals| self.duals_json(duals)),
            "milliseconds": self.milliseconds(),
        })
    }

    fn award_json(&self, award: &SolvedTask) -> Value {
        let (task, agent) = self.names(award);
        let SolvedTask {
            price,
            payment,
            charge,
            ..
        } = award;

        json!({ "task": task, "agent": agent, "price": price, "payment": payment,
            "charge": charge })
    }

    fn duals_json(&self, duals: &Duals) -> Value {
        let agents = self.instance.agents.iter().map(|agent| &agent.name);
        let tasks = self.instance.tasks.iter().map(|task| &task.name);

        json!({
            "agents": by_name(agents, &duals.agents),
            "tasks": by_name(tasks, &duals.tasks),
        })
    }

    /// The lines for people.
    pub(super) fn text(&self) -> String {
        let Self {
            instance,
            mechanism,
            answer,
            ..
        } = self;

        let of = match self.problems {
            ..=1 => String::new(),
            problems => format!(", problem {} of {problems}", self.problem),
        };

        let mut lines = vec![
            format!(
                "{}{of}: {} agents, {} tasks, {} bids ({})",
                self.file,
                instance.agents.len(),
                instance.tasks.len(),
                instance.offers.len(),
                instance.form.name()
            ),
            format!(
                "  mechanism   {} {}: {}",
                mechanism.name(),
                mechanism.version(),
                mechanism.about().guarantee
            ),
            format!(
                "  objective   {} ({}), {} of {} tasks assigned",
                answer.objective(),
                self.sense(),
                answer.winners.len(),
                instance.tasks.len()
            ),
            format!("  optimal     {}", self.optimality()),
            format!("  time        {} ms", self.milliseconds()),
        ];

        lines.push(self.money());
        lines.extend(self.listed());
        lines.join("\n")
    }

    fn optimality(&self) -> String {
        let Answer {
            optimal,
            bound,
            duals,
            ..
        } = &self.answer;

        match (optimal, bound) {
            (Some(true), _) if duals.is_some() => {
                "proved by its duals, which were checked".to_owned()
            }
            (Some(true), _) => "proved".to_owned(),

            (Some(false), Some(bound)) => format!("not proved; no answer is better than {bound}"),
            (Some(false), None) => "not proved".to_owned(),
            (None, _) => "not what this mechanism looks for".to_owned(),
        }
    }

    fn money(&self) -> String {
        let (paid, charged) = self
            .answer
            .winners
            .iter()
            .fold((0, 0), |(paid, charged), award| {
                (paid + award.payment, charged + award.charge)
            });

        match paid == charged {
            true => format!("  payments    {paid} in all"),
            false => format!("  payments    {paid} to agents, {charged} from requesters"),
        }
    }

    fn listed(&self) -> Vec<String> {
        let winners = &self.answer.winners;
        let mut lines = vec![format!(
            "  {:<16} {:<16} {:>12} {:>12}",
            "task", "agent", "price", "payment"
        )];

        for award in winners.iter().take(SHOWN) {
            let (task, agent) = self.names(award);
            lines.push(format!(
                "  {task:<16} {agent:<16} {:>12} {:>12}",
                award.price, award.payment
            ));
        }

        if winners.len() > SHOWN {
            lines.push(format!(
                "  ... and {} more; --json has them all, and the duals",
                winners.len() - SHOWN
            ));
        }

        lines.extend(self.open_line());
        lines
    }

    /// The line about the tasks that nobody got, if there are any.
    fn open_line(&self) -> Option<String> {
        let open = self.open();
        let named: Vec<&str> = open.iter().take(SHOWN).copied().collect();
        let more = if open.len() > SHOWN { ", ..." } else { "" };

        (!open.is_empty()).then(|| format!("  open: {}{more}", named.join(", ")))
    }
}

/// The prices by the names that they belong to.
fn by_name<'a>(
    names: impl Iterator<Item = &'a String>,
    prices: &'a [i64],
) -> BTreeMap<&'a String, &'a i64> {
    names.zip(prices).collect()
}
