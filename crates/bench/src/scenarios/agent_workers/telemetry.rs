//! What an agent's reports cost: CPU for a record that takes no time, with 25 times as many reports as there are by default
//! over none.

use std::time::Duration;

use anyhow::Result;

use super::{Context, Spread};
use crate::backlog::{Backlog, Load};
use crate::figure::Figure;

const WORKERS: usize = 3;
const OFTEN: Duration = Duration::from_millis(200);
const NEVER: Duration = Duration::from_secs(24 * 3_600);
const PAIRS: usize = 5;
const LIMIT: f64 = 1.03;

pub(super) async fn run(context: &Context, backlog: &Backlog) -> Result<Figure> {
    let load = Load::by_partition(WORKERS, Duration::ZERO);
    let (mut often, mut never) = (vec![], vec![]);
    for _ in 0..PAIRS {
        for (every, costs) in [(OFTEN, &mut often), (NEVER, &mut never)] {
            let measured = backlog.agent_that_reports(&context.kafka, load, every).await?;
            costs.push(measured.cpu_micros_a_record);
        }
    }
    let name =
        format!("CPU for a record with a report every 200 ms over none, {} partitions", backlog.partitions);
    Ok(Figure::ratio(name, Spread::of(often).median / Spread::of(never).median, LIMIT, PAIRS))
}
