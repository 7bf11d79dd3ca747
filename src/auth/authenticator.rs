//! Who decides which actor a request belongs to: Flowdeck's own accounts, or the host program.

use async_trait::async_trait;

use super::identity::authenticated::Authenticated;
use super::refusal::{Ended, Refusal};
use super::request::AuthRequest;
use super::service::Auth;

/// Finds the actor of a request, and says whether a stream that was opened for an actor may go on.
/// [`Auth`] is Flowdeck's own; a program that mounts Flowdeck may bring one that knows its users.
#[async_trait]
pub trait Authenticator: Send + Sync {
    async fn authenticate(&self, request: AuthRequest<'_>) -> Result<Authenticated, Refusal>;

    /// Asked every 15 s of an open stream.
    async fn still_valid(&self, authenticated: &Authenticated) -> Result<(), Ended>;

    /// Flowdeck's own log-in pages, where there are any.
    fn sign_in(&self) -> Option<&Auth> {
        None
    }
}

#[async_trait]
impl Authenticator for Auth {
    async fn authenticate(&self, request: AuthRequest<'_>) -> Result<Authenticated, Refusal> {
        Auth::authenticate(self, request).await
    }

    async fn still_valid(&self, authenticated: &Authenticated) -> Result<(), Ended> {
        Auth::still_valid(self, &authenticated.ticket).await
    }

    fn sign_in(&self) -> Option<&Auth> {
        self.has_sign_in().then_some(self)
    }
}
