//! What follows from a failed call: one answer for workers and for [`crate::testing`].

use std::time::Duration;

use flowdeck_model::TopicName;

use crate::dead_letters::DeadLetters;
use crate::failure::{Failure, OnError, Then};
use crate::retry_topics::{NextTopic, RetryTopics};

pub(crate) struct Policy<'a> {
    pub(crate) on_error: &'a OnError,
    pub(crate) retry_topics: Option<&'a RetryTopics>,
    pub(crate) dead_letters: Option<&'a DeadLetters>,
}

pub(crate) enum Next<'a> {
    /// Another try, after this time.
    Retry(Duration),
    RetryTopic(NextTopic<'a>),
    /// It failed for good.
    Then(Then),
}

impl<'a> Policy<'a> {
    /// `tries_here`: on this topic, with the one that failed.
    pub(crate) fn next(&self, failure: Failure, topic: &TopicName, tries_here: u32) -> Next<'a> {
        if failure == Failure::Retry {
            if let Some(wait) = self.on_error.wait(tries_here) {
                return Next::Retry(wait);
            }
            if let Some(next) = self.retry_topics.and_then(|topics| topics.next(topic)) {
                return Next::RetryTopic(next);
            }
        }
        Next::Then(match self.dead_letters {
            Some(_) if failure == Failure::DeadLetter => Then::DeadLetter,
            _ => self.on_error.then,
        })
    }
}
