//! Live views: what changed between two snapshots of a view, and how a client applies it. A delta
//! is applied only onto the version it was made from; anything else needs a snapshot.

use std::collections::HashMap;
use std::hash::Hash;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::ids::Version;
use crate::names::{ClusterName, GroupId, Partition, TopicName};
use crate::view::{FleetView, GroupRow, GroupView, PartitionRow};

/// A view that is a header and rows with keys.
pub trait Live: Clone + PartialEq + Serialize + DeserializeOwned {
    type Row: Clone + PartialEq + Serialize + DeserializeOwned;
    type Key: Clone + Eq + Hash + Serialize + DeserializeOwned;

    fn version(&self) -> Version;
    fn rows(&self) -> &[Self::Row];
    fn key(row: &Self::Row) -> Self::Key;
    /// The same view with other rows; `with_rows(vec![])` is the header.
    fn with_rows(self, rows: Vec<Self::Row>) -> Self;
}

/// `header` is the view without rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", bound = "V: Live")]
pub struct Delta<V: Live> {
    pub epoch: u32,
    pub base: Version,
    pub version: Version,
    pub upsert: Vec<V::Row>,
    pub remove: Vec<V::Key>,
    /// The whole new order, where it is another.
    pub order: Option<Vec<V::Key>>,
    pub header: V,
}

pub fn diff<V: Live>(old: &V, new: &V) -> Delta<V> {
    let old_rows: HashMap<V::Key, &V::Row> = old.rows().iter().map(|row| (V::key(row), row)).collect();
    let new_keys: Vec<V::Key> = new.rows().iter().map(V::key).collect();
    let kept: std::collections::HashSet<&V::Key> = new_keys.iter().collect();
    let upsert = new.rows().iter().filter(|row| old_rows.get(&V::key(row)) != Some(row)).cloned().collect();
    let old_keys: Vec<V::Key> = old.rows().iter().map(V::key).collect();
    let remove = old_keys.iter().filter(|key| !kept.contains(key)).cloned().collect();
    Delta {
        epoch: new.version().epoch,
        base: old.version(),
        version: new.version(),
        upsert,
        remove,
        order: (old_keys != new_keys).then_some(new_keys),
        header: new.clone().with_rows(vec![]),
    }
}

/// `None`: the delta is not for this version, ask for a snapshot.
pub fn apply<V: Live>(view: &V, delta: &Delta<V>) -> Option<V> {
    if delta.base != view.version() {
        return None;
    }
    let mut rows: HashMap<V::Key, V::Row> =
        view.rows().iter().map(|row| (V::key(row), row.clone())).collect();
    for key in &delta.remove {
        rows.remove(key);
    }
    rows.extend(delta.upsert.iter().map(|row| (V::key(row), row.clone())));
    let order = match &delta.order {
        Some(order) => order.clone(),
        None => view.rows().iter().map(V::key).collect(),
    };
    let rows = order.iter().map(|key| rows.remove(key)).collect::<Option<Vec<_>>>()?;
    Some(delta.header.clone().with_rows(rows))
}

impl Live for FleetView {
    type Row = GroupRow;
    type Key = (ClusterName, GroupId);

    fn version(&self) -> Version {
        self.version
    }
    fn rows(&self) -> &[GroupRow] {
        &self.groups
    }
    fn key(row: &GroupRow) -> Self::Key {
        (row.cluster.clone(), row.group.clone())
    }
    fn with_rows(mut self, rows: Vec<GroupRow>) -> Self {
        self.groups = rows;
        self
    }
}

impl Live for GroupView {
    type Row = PartitionRow;
    type Key = (TopicName, Partition);

    fn version(&self) -> Version {
        self.version
    }
    fn rows(&self) -> &[PartitionRow] {
        &self.partitions
    }
    fn key(row: &PartitionRow) -> Self::Key {
        (row.topic.clone(), row.partition)
    }
    fn with_rows(mut self, rows: Vec<PartitionRow>) -> Self {
        self.partitions = rows;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Toy {
        version: Version,
        title: String,
        rows: Vec<(u8, u8)>,
    }

    impl Live for Toy {
        type Row = (u8, u8);
        type Key = u8;
        fn version(&self) -> Version {
            self.version
        }
        fn rows(&self) -> &[(u8, u8)] {
            &self.rows
        }
        fn key(row: &(u8, u8)) -> u8 {
            row.0
        }
        fn with_rows(mut self, rows: Vec<(u8, u8)>) -> Self {
            self.rows = rows;
            self
        }
    }

    fn toy(n: u64) -> impl Strategy<Value = Toy> {
        let rows = prop::collection::hash_map(0u8..12, 0u8..3, 0..12)
            .prop_flat_map(|rows| Just(rows.into_iter().collect::<Vec<_>>()).prop_shuffle());
        (rows, "[a-z]").prop_map(move |(rows, title)| Toy { version: Version { epoch: 1, n }, title, rows })
    }

    proptest! {
        #[test]
        fn a_delta_leads_from_old_to_new(old in toy(1), new in toy(2)) {
            let delta = diff(&old, &new);
            let json = serde_json::to_string(&delta).unwrap();
            let delta: Delta<Toy> = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(apply(&old, &delta), Some(new.clone()));
            prop_assert_eq!(apply(&new, &delta), None);
        }
    }
}
