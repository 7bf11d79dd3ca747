//! Who is signed in, and the way out. Plain forms: they work without scripts, and a log-out is never
//! a link that something could follow by itself.

use leptos::prelude::*;

use crate::links;
use crate::site::Account;

/// Nothing where no user is signed in.
pub(crate) fn who(account: &Account) -> Option<AnyView> {
    let name = account.user.clone()?;
    let label = ["Signed in as ", &name].concat();
    Some(
        view! {
            <details class="account">
                <summary aria-label=label>{name}</summary>
                <form method="post" action=links::to("/logout")>
                    <button class="btn small" type="submit">"Log out"</button>
                    <button class="btn small" type="submit" formaction=links::to("/logout-everywhere")>
                        "Log out everywhere"
                    </button>
                </form>
            </details>
        }
        .into_any(),
    )
}
