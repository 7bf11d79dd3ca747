//! What the page's query says beside the form: which partitions the table shows and in which order (`show`, `search`,
//! `sort`), and which time the chart shows (`range`, or `from` and `to`; `table`).

use std::cmp::Ordering;

use flowdeck_model::query::Window;
use flowdeck_model::view::PartitionRow;
use leptos_router::params::ParamsMap;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Show {
    #[default]
    All,
    Lag,
    Paused,
    Unowned,
}

impl Show {
    pub(super) const ALL: [Self; 4] = [Self::All, Self::Lag, Self::Paused, Self::Unowned];

    fn key(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Lag => "lag",
            Self::Paused => "paused",
            Self::Unowned => "unowned",
        }
    }

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::All => "All",
            Self::Lag => "With lag",
            Self::Paused => "Paused",
            Self::Unowned => "No owner",
        }
    }

    /// A lag that is not known may be one.
    pub(super) fn takes(self, row: &PartitionRow) -> bool {
        match self {
            Self::All => true,
            Self::Lag => row.lag.map_or(row.unknown.is_some(), |lag| lag > 0),
            Self::Paused => row.paused || !row.holds.is_empty(),
            Self::Unowned => row.owner.is_none(),
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Key {
    /// Topic and partition.
    #[default]
    Partition,
    Lag,
    Owner,
}

impl Key {
    fn key(self) -> &'static str {
        match self {
            Self::Partition => "partition",
            Self::Lag => "lag",
            Self::Owner => "owner",
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Listing {
    pub show: Show,
    /// Part of a topic's or an owner's name, or a partition's number; case does not count.
    pub search: String,
    pub sort: Key,
    pub descending: bool,
    pub window: Window,
    /// The chart's numbers as a table too.
    pub table: bool,
}

impl Listing {
    /// What is not known is left at its default.
    pub(super) fn from_query(query: &ParamsMap) -> Self {
        let text = |name| query.get_str(name).unwrap_or_default();
        let (sort, descending) = match text("sort").strip_prefix('-') {
            Some(sort) => (sort, true),
            None => (text("sort"), false),
        };
        let sort = [Key::Lag, Key::Owner].into_iter().find(|key| key.key() == sort);
        Self {
            show: Show::ALL.into_iter().find(|show| show.key() == text("show")).unwrap_or_default(),
            search: text("search").to_owned(),
            descending: descending && (sort.is_some() || text("sort") == "-partition"),
            sort: sort.unwrap_or_default(),
            window: Window::from_fields(text("range"), text("from"), text("to")).unwrap_or_default(),
            table: !text("table").is_empty(),
        }
    }

    /// What is not at its default, but for `search`.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = Vec::new();
        if self.show != Show::All {
            fields.push(("show", self.show.key().to_owned()));
        }
        if self.sort != Key::Partition || self.descending {
            let sign = if self.descending { "-" } else { "" };
            fields.push(("sort", [sign, self.sort.key()].concat()));
        }
        fields.extend(self.chart_fields());
        fields
    }

    fn chart_fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = self.window.fields();
        fields.extend(self.table.then(|| ("table", "1".to_owned())));
        fields
    }

    /// What the chart is asked for.
    pub(super) fn chart_query(&self) -> String {
        encoded(&self.chart_fields(), "")
    }

    pub(super) fn to_query(&self) -> String {
        encoded(&self.fields(), &self.search)
    }

    /// Every partition is shown.
    pub(super) fn is_whole(&self) -> bool {
        self.show == Show::All && self.search.is_empty()
    }

    /// Another query's text, with this one behind it.
    pub(super) fn beside(&self, other: &str) -> String {
        match self.to_query() {
            own if own.is_empty() => other.to_owned(),
            own => [other, "&", &own].concat(),
        }
    }

    /// By this column; once more reverses it. Lag is usually wanted from the largest, names from A.
    pub(super) fn sorted(&self, sort: Key) -> Self {
        let descending = if self.sort == sort { !self.descending } else { sort == Key::Lag };
        Self { sort, descending, ..self.clone() }
    }

    /// The same page with the chart of another time.
    pub(super) fn at(&self, window: Window) -> Self {
        Self { window, ..self.clone() }
    }

    pub(super) fn select(&self, rows: &[PartitionRow]) -> Vec<PartitionRow> {
        let search = self.search.trim().to_ascii_lowercase();
        let found = |row: &PartitionRow| {
            search.is_empty()
                || row.topic.as_str().to_ascii_lowercase().contains(&search)
                || row.owner.as_ref().is_some_and(|owner| owner.to_ascii_lowercase().contains(&search))
                || row.partition.to_string() == search
        };
        let mut rows: Vec<PartitionRow> =
            rows.iter().filter(|row| self.show.takes(row) && found(row)).cloned().collect();
        if self.sort != Key::Partition || self.descending {
            rows.sort_by(|a, b| if self.descending { self.compare(b, a) } else { self.compare(a, b) });
        }
        rows
    }

    fn compare(&self, a: &PartitionRow, b: &PartitionRow) -> Ordering {
        // A lag that is not known may be larger than any.
        let lag = |row: &PartitionRow| (row.lag.is_none() && row.unknown.is_some(), row.lag);
        match self.sort {
            Key::Partition => (&a.topic, a.partition).cmp(&(&b.topic, b.partition)),
            Key::Lag => lag(a).cmp(&lag(b)),
            Key::Owner => a.owner.cmp(&b.owner),
        }
    }
}

fn encoded(fields: &[(&'static str, String)], search: &str) -> String {
    let mut out = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields {
        out.append_pair(name, value);
    }
    if !search.is_empty() {
        out.append_pair("search", search);
    }
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(partition: i32, lag: Option<u64>, owner: Option<&str>) -> PartitionRow {
        PartitionRow {
            topic: if partition < 2 { "orders" } else { "payments" }.parse().unwrap(),
            partition: flowdeck_model::Partition::new(partition).unwrap(),
            start: Some(0),
            committed: Some(0),
            end: Some(0),
            lag,
            unknown: lag.is_none().then_some(flowdeck_model::Unknown::NeverCommitted),
            time_lag: None,
            written: Default::default(),
            lag_trend: vec![],
            last_commit: None,
            owner: owner.map(str::to_owned),
            holds: vec![],
            paused: partition == 3,
            last_stable: None,
            kept_until: None,
        }
    }

    fn rows() -> Vec<PartitionRow> {
        vec![
            row(0, Some(0), Some("web-2")),
            row(1, Some(7), None),
            row(2, None, Some("web-1")),
            row(3, Some(9), Some("web-1")),
        ]
    }

    fn listing(query: &str) -> Listing {
        let mut map = ParamsMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            map.insert(name.into_owned(), value.into_owned());
        }
        Listing::from_query(&map)
    }

    #[test]
    fn selects_and_orders_by_the_query() {
        for (query, want) in [
            ("", vec![0, 1, 2, 3]),
            ("show=lag", vec![1, 2, 3]),
            ("show=paused", vec![3]),
            ("show=unowned", vec![1]),
            ("show=nonsense&sort=nonsense", vec![0, 1, 2, 3]),
            ("search=PAY", vec![2, 3]),
            ("search=web-1&show=lag&sort=-lag", vec![2, 3]),
            ("search=3", vec![3]),
            ("sort=-lag", vec![2, 3, 1, 0]),
            ("sort=lag", vec![0, 1, 3, 2]),
            ("sort=owner", vec![1, 2, 3, 0]),
            ("sort=-partition", vec![3, 2, 1, 0]),
        ] {
            let found: Vec<i32> =
                listing(query).select(&rows()).iter().map(|row| row.partition.get()).collect();
            assert_eq!(found, want, "{query}");
        }
    }

    #[test]
    fn one_listing_has_one_query() {
        for query in [
            "",
            "show=lag",
            "show=paused&sort=-lag&search=a+b",
            "show=lag&range=7d&table=1",
            "sort=-partition",
            "sort=owner",
        ] {
            assert_eq!(listing(query).to_query(), query);
        }
        assert_eq!(listing("sort=-nonsense&range=2h").to_query(), "");
        assert_eq!(listing("show=lag&range=1h&table=1").chart_query(), "range=1h&table=1");
        assert_eq!(listing("show=lag").beside("form=pause"), "form=pause&show=lag");
        assert_eq!(listing("").sorted(Key::Lag).sorted(Key::Lag).to_query(), "sort=lag");
    }
}
