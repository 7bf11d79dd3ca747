//! Why a request has no actor, why a session is over, why a log-in failed: in words for the user.

use std::time::Duration;

/// Why a request has no actor. The API answers 401 (or 503), a page goes to the log-in form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("sign in first: nobody is signed in here")]
    Nobody,
    #[error("{0}")]
    Ended(Ended),
    #[error("this bearer token is not known here: it is mistyped, or it was revoked")]
    UnknownToken,
    #[error("this bearer token has expired")]
    ExpiredToken,
    #[error("the session store does not answer, so nobody can be recognised; try again in a moment")]
    Unavailable,
}

impl Refusal {
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable)
    }

    /// A log-in helps; a script with a wrong token is not sent to a form.
    pub fn is_for_people(&self) -> bool {
        matches!(self, Self::Nobody | Self::Ended(_))
    }
}

impl From<Ended> for Refusal {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Unavailable => Self::Unavailable,
            ended => Self::Ended(ended),
        }
    }
}

/// Why there is no session any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// Logged out, swept, or never there.
    #[error("this session is over; sign in again")]
    Over,
    #[error("this session expired; sign in again")]
    Expired,
    #[error("this session was ended by a log-out everywhere; sign in again")]
    LoggedOutEverywhere,
    #[error("the account or its rights changed; sign in again")]
    AccountChanged,
    #[error("this token was revoked")]
    Revoked,
    /// Not known to be over: the store does not answer.
    #[error("the session store does not answer")]
    Unavailable,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginRefusal {
    /// Does not say whether the name exists.
    #[error("this name and password do not belong together")]
    Wrong,
    #[error("too many log-ins failed; wait {} s, then try again", .0.as_secs_f64().ceil())]
    Wait(Duration),
    #[error("too many log-ins at this moment; try again in a few seconds")]
    Busy,
    #[error("the session store does not answer, so nobody can sign in; try again in a moment")]
    Unavailable,
    #[error("there is no sign-in here: auth.mode is none")]
    NoSignIn,
}

impl LoginRefusal {
    /// Whole seconds, rounded up: coming back then is early enough.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Wait(wait) => Some(wait.as_secs_f64().ceil() as u64),
            Self::Busy | Self::Unavailable => Some(3),
            Self::Wrong | Self::NoSignIn => None,
        }
    }
}
