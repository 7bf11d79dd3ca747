//! From points to an SVG path.

use std::fmt::Write as _;

/// Part of the width (0 to 1000), and pixels from the top of the panel.
pub(super) type Place = (f64, f64);

/// Lines between points that are known; where there is too long nothing, the line breaks.
pub(super) struct Line {
    runs: Vec<Vec<Place>>,
}

impl Line {
    /// `gap`: points that are further apart (in x) are not joined.
    pub(super) fn new(points: impl Iterator<Item = Place>, gap: f64) -> Self {
        let mut runs: Vec<Vec<Place>> = Vec::new();
        for point in points {
            match runs.last_mut() {
                Some(run) if run.last().is_some_and(|last| point.0 - last.0 <= gap) => run.push(point),
                _ => runs.push(vec![point]),
            }
        }
        Self { runs }
    }

    pub(super) fn path(&self) -> String {
        let mut out = String::new();
        for run in &self.runs {
            write_run(&mut out, run);
            if run.len() == 1 {
                // A point alone: with round ends it is a dot.
                out.push_str("h0");
            }
        }
        out
    }

    /// What lies between the line and the bottom.
    pub(super) fn area(&self, bottom: f64) -> String {
        let mut out = String::new();
        for run in self.runs.iter().filter(|run| run.len() > 1) {
            write_run(&mut out, run);
            let (first, last) = (run[0].0, run[run.len() - 1].0);
            let _ = write!(out, "L{last:.1} {bottom:.1}L{first:.1} {bottom:.1}Z");
        }
        out
    }
}

fn write_run(out: &mut String, run: &[Place]) {
    for (n, (x, y)) in run.iter().enumerate() {
        let _ = write!(out, "{}{x:.1} {y:.1}", if n == 0 { 'M' } else { 'L' });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_breaks_where_nothing_is_known() {
        let line = Line::new([(0.0, 5.0), (10.0, 6.0), (50.0, 1.0)].into_iter(), 20.0);
        assert_eq!(line.path(), "M0.0 5.0L10.0 6.0M50.0 1.0h0");
        assert_eq!(line.area(9.0), "M0.0 5.0L10.0 6.0L10.0 9.0L0.0 9.0Z");
        assert_eq!(Line::new(std::iter::empty(), 1.0).path(), "");
    }
}
