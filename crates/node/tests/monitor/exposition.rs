//! A strict parser of the part of the Prometheus text exposition format 0.0.4 that nodes use.

use std::collections::BTreeMap;

/// A page of metrics that was parsed.
pub struct Exposition {
    /// The type of each metric, by its name.
    kinds: BTreeMap<String, String>,
    /// The value of each series, by its name with labels as written on the page.
    samples: BTreeMap<String, f64>,
}

impl Exposition {
    /// Parses a page line by line; panics at a line that breaks the format.
    pub fn parse(page: &str) -> Self {
        assert!(
            page.ends_with('\n'),
            "the last line does not end with a newline"
        );
        let mut kinds: BTreeMap<String, String> = BTreeMap::new();
        let mut samples = BTreeMap::new();
        let (mut helped, mut family) = (String::new(), String::new());
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, text) = rest.split_once(' ').unwrap();
                assert!(!text.is_empty() && !text.contains('\\'), "{line}");
                helped = name.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(name, helped, "TYPE without HELP before it");
                assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
                let before = kinds.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "{name} has two TYPE lines");
                family = name.to_owned();
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let name = series.split('{').next().unwrap();
                assert!(
                    belongs(name, &family, &kinds[&family]),
                    "{line}: not a series of {family}"
                );
                check_labels(series, name);
                let value: f64 = value.parse().unwrap();
                assert!(value.is_finite(), "{line}");
                assert_eq!(
                    samples.insert(series.to_owned(), value),
                    None,
                    "{series} has two values"
                );
            }
        }
        let page = Self { kinds, samples };
        let histograms = page.kinds.iter().filter(|(_, kind)| *kind == "histogram");
        histograms.for_each(|(name, _)| page.check_histogram(name));
        page
    }

    /// The names of all metrics.
    pub fn families(&self) -> impl Iterator<Item = &String> {
        self.kinds.keys()
    }

    /// The value of a series; panics if there is no such series.
    pub fn value(&self, series: &str) -> f64 {
        *self
            .samples
            .get(series)
            .unwrap_or_else(|| panic!("no series {series}"))
    }

    /// Checks that the buckets are cumulative, and that the last one counts everything.
    fn check_histogram(&self, name: &str) {
        let start = format!("{name}_bucket{{le=\"");
        let buckets = self.samples.iter().filter_map(|(series, count)| {
            let bound = series.strip_prefix(&start)?.strip_suffix("\"}")?;
            let bound = if bound == "+Inf" {
                f64::INFINITY
            } else {
                bound.parse().unwrap()
            };
            Some((bound, *count))
        });
        let mut buckets: Vec<(f64, f64)> = buckets.collect();
        buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        assert!(
            buckets.is_sorted_by(|(_, a), (_, b)| a <= b),
            "{name}: {buckets:?}"
        );
        let all = self.value(&format!("{name}_count"));
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, all)), "{name}");
        assert!(self.value(&format!("{name}_sum")) >= 0.0);
    }
}

/// Whether a series of this name belongs to the metric `family` of type `kind`.
fn belongs(name: &str, family: &str, kind: &str) -> bool {
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
    assert!(
        name.chars().all(valid) && !name.starts_with(|c: char| c.is_ascii_digit()),
        "{name}"
    );
    match kind {
        "histogram" => name
            .strip_prefix(family)
            .is_some_and(|rest| ["_bucket", "_sum", "_count"].contains(&rest)),
        _ => name == family,
    }
}

fn check_labels(series: &str, name: &str) {
    if series == name {
        return;
    }
    let labels = series.strip_prefix(name).unwrap();
    let labels = labels
        .strip_prefix('{')
        .and_then(|labels| labels.strip_suffix('}'))
        .unwrap();
    for label in labels.split(',') {
        let (label, value) = label.split_once('=').unwrap();
        assert!(label.chars().all(|c| c.is_ascii_lowercase()), "{series}");
        let value = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
            .unwrap();
        assert!(!value.contains(['"', '\\', '\n']), "{series}");
    }
}
