//! How a receiver does: for metrics, `/health` and the log.

use std::sync::{Mutex, PoisonError};

use flowdeck_model::Timestamp;

#[derive(Debug)]
pub struct Status {
    pub receiver: String,
    figures: Mutex<Figures>,
}

#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Alerts that apply.
    pub firing: u64,
    /// Findings beyond the number of alerts that are followed.
    pub left_out: u64,
    /// Messages that were taken.
    pub sent: u64,
    /// Tries to send one.
    pub failed: u64,
    /// Since when a message waits that was not taken, or the last one was refused, and why.
    pub trouble: Option<(Timestamp, String)>,
}

impl Status {
    pub(crate) fn new(receiver: &str) -> Self {
        Self { receiver: receiver.to_owned(), figures: Mutex::default() }
    }

    pub fn figures(&self) -> Figures {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, change: impl FnOnce(&mut Figures)) {
        change(&mut self.figures.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn looked(&self, firing: u64, left_out: u64) {
        self.set(|figures| (figures.firing, figures.left_out) = (firing, left_out));
    }

    pub(crate) fn sent(&self) {
        self.set(|figures| {
            figures.sent += 1;
            figures.trouble = None;
        });
    }

    pub(crate) fn nothing_waits(&self) {
        self.set(|figures| figures.trouble = None);
    }

    /// Whether that is news: the first failure, or another one.
    pub(crate) fn failed(&self, now: Timestamp, words: &str) -> bool {
        let mut is_news = false;
        self.set(|figures| {
            figures.failed += 1;
            let since = figures.trouble.as_ref().map_or(now, |(since, _)| *since);
            is_news = figures.trouble.as_ref().is_none_or(|(_, old)| old != words);
            figures.trouble = Some((since, words.to_owned()));
        });
        is_news
    }

    /// For `/health`.
    pub fn trouble(&self) -> Option<String> {
        let (since, words) = self.figures().trouble?;
        Some(format!("alerts do not reach {} since {since}: {words}", self.receiver))
    }
}
