use std::time::Duration;

use super::*;

const FAST_ENOUGH: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(1);

fn keyed(in_order: bool) -> Keyed {
    Keyed::new(Arc::new(TopicPartition::parse("t", 0).unwrap()), in_order)
}

fn record(offset: i64, key: Option<&str>) -> Record {
    Record::test_keyed("t", 0, offset, key.map(str::as_bytes))
}

/// One record for each of the keys; `-` is none.
fn with(in_order: bool, keys: &str) -> Keyed {
    let mut keyed = keyed(in_order);
    for (offset, key) in (0..).zip(keys.chars()) {
        let key = key.to_string();
        keyed.push(record(offset, Some(key.as_str()).filter(|key| *key != "-")));
    }
    keyed
}

/// As one of many workers, which get one record each.
fn take(keyed: &mut Keyed) -> Option<(Batch, i64)> {
    keyed.is_ready().then(|| {
        let mut batch = keyed.take(usize::MAX);
        assert_eq!(batch.records.len(), 1);
        batch.records.next();
        let offset = batch.records.record().offset();
        (batch, offset)
    })
}

fn return_batch(keyed: &mut Keyed, batch: Batch) -> Option<i64> {
    assert_eq!(keyed.return_batch(batch, LONG, Unhandled::Waits), None);
    keyed.advance()
}

#[test]
fn one_record_of_a_key_at_a_time_and_commits_up_to_the_first_unfinished() {
    let mut keyed = with(true, "abac-a-");
    let (a, b, c, none) = (
        take(&mut keyed).unwrap(),
        take(&mut keyed).unwrap(),
        take(&mut keyed).unwrap(),
        take(&mut keyed).unwrap(),
    );
    assert_eq!([a.1, b.1, c.1, none.1], [0, 1, 3, 4], "records without a key are in order too");
    assert!(take(&mut keyed).is_none());
    assert_eq!(return_batch(&mut keyed, b.0), None);
    assert_eq!(return_batch(&mut keyed, c.0), None);
    assert_eq!(return_batch(&mut keyed, a.0), Some(1), "0 and 1; 2 has not begun");
    let (a, offset) = take(&mut keyed).unwrap();
    assert_eq!(offset, 2);
    assert!(take(&mut keyed).is_none());
    assert_eq!(return_batch(&mut keyed, none.0), None);
    assert_eq!(return_batch(&mut keyed, a), Some(4));
    assert_eq!([take(&mut keyed).unwrap().1, take(&mut keyed).unwrap().1], [6, 5]);
}

#[test]
fn in_no_order_a_key_holds_nothing_back() {
    let mut keyed = with(false, "aa-");
    let taken: Vec<_> = std::iter::from_fn(|| take(&mut keyed)).collect();
    assert_eq!(taken.iter().map(|(_, offset)| *offset).collect::<Vec<_>>(), vec![0, 1, 2]);
    let given: Vec<_> = taken.into_iter().rev().map(|(batch, _)| return_batch(&mut keyed, batch)).collect();
    assert_eq!(given, vec![None, None, Some(2)]);
}

#[test]
fn a_record_that_waits_for_its_next_try_delays_its_key_alone() {
    let mut keyed = with(true, "aabb");
    let (mut batch, _) = take(&mut keyed).unwrap();
    batch.records.put_back(3);
    let number = keyed.return_batch(batch, LONG, Unhandled::Retries).unwrap();
    let (b, offset) = take(&mut keyed).unwrap();
    assert_eq!(offset, 2);
    assert_eq!(return_batch(&mut keyed, b), None);
    let (b, offset) = take(&mut keyed).unwrap();
    assert_eq!((offset, keyed.is_ready()), (3, false));
    assert_eq!(return_batch(&mut keyed, b), None);
    keyed.backed_off(number + 1);
    assert!(!keyed.is_ready(), "another one's timer");
    keyed.backed_off(number);
    keyed.backed_off(number);
    let (a, offset) = take(&mut keyed).unwrap();
    assert_eq!((offset, a.records.failures(), keyed.is_ready()), (0, 3, false));
    assert_eq!(return_batch(&mut keyed, a), Some(0));
    let (a, _) = take(&mut keyed).unwrap();
    assert_eq!(return_batch(&mut keyed, a), Some(3));
}

#[test]
fn what_a_worker_did_not_handle_is_next_and_in_order() {
    let mut keyed = with(true, "abcde");
    keyed.batch = BATCH_MAX;
    let mut batch = keyed.take(1);
    assert_eq!((batch.records.len(), keyed.waiting), (5, 0));
    batch.records.next();
    batch.records.next();
    assert_eq!(return_batch(&mut keyed, batch), Some(1));
    assert_eq!((keyed.waiting, keyed.batch), (3, 1), "it took long");
    let offsets: Vec<_> = std::iter::from_fn(|| take(&mut keyed)).map(|(_, offset)| offset).collect();
    assert_eq!(offsets, vec![2, 3, 4]);
}

#[test]
fn batches_grow_while_records_take_no_time_and_leave_something_for_others() {
    let mut keyed = with(false, &"-".repeat(100));
    let mut sizes = vec![];
    while keyed.is_ready() {
        let mut batch = keyed.take(4);
        sizes.push(batch.records.len());
        while batch.records.next() {}
        keyed.return_batch(batch, FAST_ENOUGH, Unhandled::Waits);
    }
    assert_eq!(sizes[..6], [1, 2, 4, 8, 16, 17], "a quarter of what waits at most: {sizes:?}");
    assert_eq!(sizes.iter().sum::<usize>(), 100);
}

#[test]
fn the_window_bounds_what_is_read_behind_an_unfinished_record() {
    let mut keyed = with(true, "abcd");
    assert_eq!((keyed.space(6), keyed.space(3)), (2, 0));
    let (first, _) = take(&mut keyed).unwrap();
    while let Some((batch, _)) = take(&mut keyed) {
        assert_eq!(return_batch(&mut keyed, batch), None);
    }
    assert_eq!(keyed.space(4), 0, "the first one is unfinished");
    let batch = keyed.begin_read();
    assert_eq!(keyed.space(100), 0, "one reads at a time");
    keyed.end_read(batch);
    assert_eq!(return_batch(&mut keyed, first), Some(3));
    assert_eq!(keyed.space(4), 4);
}

#[test]
fn what_was_forgotten_comes_back_to_nothing() {
    let mut keyed = with(true, "aab");
    let (mut batch, _) = take(&mut keyed).unwrap();
    batch.records.put_back(1);
    let number = keyed.return_batch(batch, LONG, Unhandled::Retries).unwrap();
    keyed.clear();
    keyed.backed_off(number);
    assert!(!keyed.is_ready());
    keyed.push(record(7, Some("a")));
    let (batch, offset) = take(&mut keyed).unwrap();
    assert_eq!(offset, 7);
    assert_eq!(return_batch(&mut keyed, batch), Some(7));
}

#[test]
fn any_order_of_workers_keeps_the_order_of_each_key() {
    let keys: String = (0..400_u32).map(|n| char::from(b'a' + (n * n % 7) as u8)).collect();
    let mut keyed = with(true, &keys);
    keyed.batch = 8;
    let (mut out, mut seen, mut done) = (VecDeque::new(), HashMap::<String, i64>::new(), None);
    for turn in 0_usize.. {
        if keyed.is_ready() && (out.len() < 5 || turn.is_multiple_of(3)) {
            out.push_back(keyed.take(2));
        } else if let Some(mut batch) = out.remove(turn % out.len().max(1)) {
            while batch.records.next() {
                let record = batch.records.record();
                let key = String::from_utf8(record.key().unwrap().to_vec()).unwrap();
                let before = seen.insert(key, record.offset());
                assert!(before.is_none_or(|before| before < record.offset()));
            }
            keyed.return_batch(batch, Duration::from_micros(700), Unhandled::Waits);
            done = keyed.advance().or(done);
        } else {
            break;
        }
    }
    assert_eq!((done, keyed.waiting, keyed.window.len(), keyed.tails.len()), (Some(399), 0, 0, 0));
}
