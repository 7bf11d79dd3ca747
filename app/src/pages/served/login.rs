//! The log-in form: a plain form, which the browser sends by itself.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::links;
use crate::pages::NotFound;
use crate::site::use_frame;

#[component]
pub(crate) fn LoginPage() -> AnyView {
    // Without sign-in the server gives no form, and never leads here.
    let Some(login) = use_frame().account.login else { return view! { <NotFound/> }.into_any() };
    // The focus is on the first empty field.
    let name_is_known = !login.name.is_empty();
    view! {
        <Title text="Sign in"/>
        <section class="panel login" aria-labelledby="sign-in">
            <h1 id="sign-in">"Sign in"</h1>
            {login.refused.map(|words| view! { <p class="note bad" role="alert">{words}</p> })}
            <form method="post" action=links::to("/login")>
                <input type="hidden" name="next" value=login.next/>
                <label>"Name"
                    <input type="text" name="name" value=login.name required autocomplete="username" maxlength="64"
                        autocapitalize="none" spellcheck="false" autofocus=!name_is_known/>
                </label>
                <label>"Password"
                    <input type="password" name="password" required autocomplete="current-password"
                        autofocus=name_is_known/>
                </label>
                <p class="actions"><button class="btn primary" type="submit">"Sign in"</button></p>
            </form>
        </section>
    }
    .into_any()
}
