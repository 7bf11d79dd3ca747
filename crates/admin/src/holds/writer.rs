//! The one writer of `flowdeck.holds`.
