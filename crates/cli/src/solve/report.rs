//! Prints an answer, for people and for programs.

use std::collections::BTreeMap;

use quorate_market::Mechanism;
use serde_json::{Value, json};

use super::answer::{Answer, Award, Rules};
use super::instance::Instance;

/// The number of assignments that are printed for people.
const SHOWN: usize = 20;

/// A problem, how it was solved, and the answer.
pub(super) struct Solved<'a> {
    pub file: String,
    /// The number of the problem in the file, from 1, and how many problems the file has.
    pub problem: (usize, usize),
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

    fn names(&self, award: &Award) -> (&str, &str) {
        (
            &self.instance.tasks[award.task].name,
            &self.instance.agents[award.agent].name,
        )
    }

    fn open(&self) -> Vec<&str> {
        let mut taken = vec![false; self.instance.tasks.len()];
        self.answer
            .awards
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
        for award in &self.answer.awards {
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

        let award = |award: &Award| {
            let (task, agent) = self.names(award);
            let &Award {
                price,
                payment,
                charge,
                ..
            } = award;

            json!({ "task": task, "agent": agent, "price": price, "payment": payment,
                "charge": charge })
        };

        let by_name = |names: Vec<&str>, duals: &[i64]| -> BTreeMap<String, i64> {
            names
                .into_iter()
                .map(str::to_owned)
                .zip(duals.iter().copied())
                .collect()
        };

        let duals = answer.duals.as_ref().map(|duals| {
            let agents = instance
                .agents
                .iter()
                .map(|agent| agent.name.as_str())
                .collect();
            let tasks = instance
                .tasks
                .iter()
                .map(|task| task.name.as_str())
                .collect();

            json!({ "agents": by_name(agents, &duals.agents),
                "tasks": by_name(tasks, &duals.tasks) })
        });

        json!({
            "file": self.file,
            "problem": self.problem.0,
            "format": instance.form.name(),
            "mechanism": mechanism.name(),
            "version": mechanism.version(),
            "sense": self.sense(),
            "agents": instance.agents.len(),
            "tasks": instance.tasks.len(),
            "bids": instance.offers.len(),
            "objective": answer.objective(),
            "assigned": answer.awards.len(),
            "open": self.open(),
            "assignment": answer.awards.iter().map(award).collect::<Vec<_>>(),
            "payments": self.payments(),
            "paid": answer.awards.iter().map(|award| award.payment).sum::<i64>(),
            "charged": answer.awards.iter().map(|award| award.charge).sum::<i64>(),
            "optimal": answer.optimal,
            "bound": answer.bound,
            "duals": duals,
            "milliseconds": self.milliseconds(),
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

        let (problem, problems) = self.problem;
        let of = if problems > 1 {
            format!(", problem {problem} of {problems}")
        } else {
            String::new()
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
                mechanism.guarantee()
            ),
            format!(
                "  objective   {} ({}), {} of {} tasks assigned",
                answer.objective(),
                self.sense(),
                answer.awards.len(),
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
        match (self.answer.optimal, self.answer.bound) {
            (Some(true), _) if self.answer.duals.is_some() => {
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
            .awards
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
        let awards = &self.answer.awards;
        let mut lines = vec![format!(
            "  {:<16} {:<16} {:>12} {:>12}",
            "task", "agent", "price", "payment"
        )];

        for award in awards.iter().take(SHOWN) {
            let (task, agent) = self.names(award);
            lines.push(format!(
                "  {task:<16} {agent:<16} {:>12} {:>12}",
                award.price, award.payment
            ));
        }

        if awards.len() > SHOWN {
            lines.push(format!(
                "  ... and {} more; --json has them all, and the duals",
                awards.len() - SHOWN
            ));
        }

        let open = self.open();
        if !open.is_empty() {
            let named: Vec<&str> = open.iter().take(SHOWN).copied().collect();
            let more = if open.len() > SHOWN { ", ..." } else { "" };

            lines.push(format!("  open: {}{more}", named.join(", ")));
        }
        lines
    }
}
