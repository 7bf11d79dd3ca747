//! As many holds as are taken in, read one by one beside a full book of commands.

use std::time::{Duration, Instant};

use super::*;

const HOLDS: u128 = 10_000;
/// In a debug build, on a machine that is busy: a look through all holds for each of them takes minutes.
const LONG: Duration = Duration::from_secs(8);

fn timed(what: &str, work: impl FnOnce()) {
    let began = Instant::now();
    work();
    let took = began.elapsed();
    println!("{what}: {took:?}");
    assert!(took < LONG, "{what} took {took:?}");
}

#[test]
fn ten_thousand_holds_are_read_and_looked_after() {
    let mut state = unknown();
    timed("ten thousand holds, each of a command of its own", || {
        for n in 0..HOLDS {
            set(&mut state, &hold(&format!("g{}", n % 40), n), n as i64, at(0));
            if n % 256 == 0 {
                state.restore();
            }
        }
        state.restore();
    });
    state.heard(Incoming::test(Source::Holds, TopicEvent::CaughtUp, at(0)));
    assert_eq!((active(&state, "g0"), state.book.ids().len()), (250, 1_000));
    // In the order of the topic.
    let last: Vec<CommandId> = state.book.iter().take(3).map(|command| command.id).collect();
    assert_eq!(last, [id(HOLDS - 1), id(HOLDS - 2), id(HOLDS - 3)]);
    timed("ten ticks", || (0..10).for_each(|n| state.ticked(at(n))));
    timed("ten snapshots", || {
        for n in 0..10 {
            let changed = Hold { reason: n.to_string(), ..hold("g0", 0) };
            set(&mut state, &changed, (HOLDS + n) as i64, at(1));
            drop(state.parts(at(1)));
        }
    });
}

#[test]
fn ten_thousand_holds_of_one_command_are_read() {
    let mut state = unknown();
    let names = topics("t", 250);
    timed("ten thousand holds of one command", || {
        for n in 0..HOLDS as usize {
            let mut hold = hold(&format!("g{}", n / 250), 1);
            hold.scope.topic = Some(names[n % 250].clone());
            set(&mut state, &hold, n as i64, at(0));
            if n % 256 == 0 {
                state.restore();
            }
        }
        state.restore();
    });
    assert_eq!((active(&state, "g7"), state.book.ids().len()), (250, 1));
}
