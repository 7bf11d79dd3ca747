//! Rows with keys, each a signal of its own, in an order that is kept while a pointer is over them.

use std::collections::HashMap;
use std::hash::Hash;

use flowdeck_model::live::Live;
use leptos::prelude::*;

pub(crate) struct Rows<V: Live + 'static>
where
    V::Key: Send + Sync,
    V::Row: Send + Sync,
{
    /// As shown.
    pub order: RwSignal<Vec<V::Key>>,
    /// As it would be, where it is another and the shown one is kept.
    pub pending: RwSignal<Option<Vec<V::Key>>>,
    rows: StoredValue<HashMap<V::Key, ArcRwSignal<V::Row>>>,
    still: StoredValue<bool>,
}

impl<V: Live + 'static> Clone for Rows<V>
where
    V::Key: Send + Sync,
    V::Row: Send + Sync,
{
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: Live + 'static> Copy for Rows<V>
where
    V::Key: Send + Sync,
    V::Row: Send + Sync,
{
}

impl<V: Live + 'static> Rows<V>
where
    V::Key: Send + Sync,
    V::Row: Send + Sync,
{
    pub(crate) fn new(rows: &[V::Row]) -> Self {
        let map = rows.iter().map(|row| (V::key(row), ArcRwSignal::new(row.clone()))).collect();
        Self {
            order: RwSignal::new(rows.iter().map(V::key).collect()),
            pending: RwSignal::new(None),
            rows: StoredValue::new(map),
            still: StoredValue::new(false),
        }
    }

    /// `None`: the row has gone.
    pub(crate) fn row(self, key: &V::Key) -> Option<ArcRwSignal<V::Row>> {
        self.rows.with_value(|rows| rows.get(key).cloned())
    }

    /// What is shown changes at once; its order only where it need not be kept, or `force`s.
    pub(crate) fn set(self, new: &[V::Row], force: bool) {
        self.rows.update_value(|rows| {
            for row in new {
                match rows.get(&V::key(row)) {
                    Some(signal) => {
                        if signal.with_untracked(|old| old != row) {
                            signal.set(row.clone());
                        }
                    }
                    None => {
                        rows.insert(V::key(row), ArcRwSignal::new(row.clone()));
                    }
                }
            }
        });
        let order: Vec<V::Key> = new.iter().map(V::key).collect();
        if self.order.with_untracked(|shown| *shown == order) {
            if self.pending.with_untracked(Option::is_some) {
                self.pending.set(None);
            }
        } else if force || !self.still.get_value() {
            self.show(order);
        } else {
            self.pending.set(Some(order));
        }
    }

    fn show(self, order: Vec<V::Key>) {
        self.pending.set(None);
        self.rows.update_value(|rows| {
            let kept: std::collections::HashSet<&V::Key> = order.iter().collect();
            rows.retain(|key, _| kept.contains(key));
        });
        self.order.set(order);
    }

    pub(crate) fn apply(self) {
        if let Some(order) = self.pending.get_untracked() {
            self.show(order);
        }
    }

    /// While `still`, the order stays as it is shown; afterwards it follows again.
    pub(crate) fn keep_order(self, still: bool) {
        self.still.set_value(still);
        if !still {
            self.apply();
        }
    }

    /// Rows that would move, appear or disappear; 0 where none would.
    pub(crate) fn would_move(self) -> usize {
        self.pending.with(|pending| match pending {
            Some(pending) => self.order.with(|shown| moved(shown, pending)),
            None => 0,
        })
    }
}

fn moved<K: Eq + Hash>(shown: &[K], next: &[K]) -> usize {
    let places: HashMap<&K, usize> = shown.iter().enumerate().map(|(i, key)| (key, i)).collect();
    let stays = next.iter().enumerate().filter(|(i, key)| places.get(key) == Some(i)).count();
    shown.len().max(next.len()) - stays
}

#[cfg(test)]
mod tests {
    use super::moved;

    #[test]
    fn counts_rows_that_would_move() {
        for (shown, next, want) in [
            (vec![1, 2, 3], vec![1, 2, 3], 0),
            (vec![1, 2, 3], vec![2, 1, 3], 2),
            (vec![1, 2, 3], vec![1, 2], 1),
            (vec![1, 2], vec![1, 2, 3], 1),
            (vec![1, 2, 3], vec![3, 1, 2], 3),
        ] {
            assert_eq!(moved(&shown, &next), want, "{shown:?} {next:?}");
        }
    }
}
