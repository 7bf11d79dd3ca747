//! The document around the app: head, assets with the nonce on everything, hand-over to the browser.

use leptos::prelude::*;
use leptos_meta::MetaTags;

use crate::app::{App, framed};
use crate::pages::served::ServedPage;
use crate::site::{Frame, Site, Theme, clusters};

/// The whole document of the page at `path`. Needs the actor's `Ports` as context.
pub fn shell(site: Site, path: &str) -> impl IntoView + use<> {
    provide_nonce(&site.nonce);
    let served = ServedPage::parse(site.base, path);
    let site = Site { scripts: site.scripts && served.is_none(), ..site };
    let frame = Frame::new(site.clone(), clusters());
    let base = site.base;
    let theme = (site.theme != Theme::Auto).then(|| site.theme.key());
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme data-site=frame.to_json()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="icon" href=format!("{base}/favicon.svg") type="image/svg+xml"/>
                {assets(&site)}
                <MetaTags/>
            </head>
            <body>
                {match served {
                    Some(page) => framed(site, || page.view()),
                    None => view! { <App site/> }.into_any(),
                }}
            </body>
        </html>
    }
}

/// Style and scripts. Leptos' own `HydrationScripts` puts no nonce on its `modulepreload`, which a
/// strict CSP then blocks.
fn assets(site: &Site) -> Option<impl IntoView + use<>> {
    let pkg = format!("{}{}", site.base, site.pkg.as_ref()?);
    let nonce = site.nonce.clone();
    let (css, js, wasm) =
        (format!("{pkg}/flowdeck.css"), format!("{pkg}/flowdeck.js"), format!("{pkg}/flowdeck_bg.wasm"));
    let start =
        format!("import init,{{hydrate}} from {js:?};init({{module_or_path:{wasm:?}}}).then(hydrate)");
    let scripts = site.scripts.then(|| {
        view! {
            <link rel="modulepreload" href=js nonce=nonce.clone()/>
            <link rel="preload" href=wasm r#as="fetch" type="application/wasm" crossorigin=""/>
            <script type="module" nonce=nonce inner_html=start></script>
        }
    });
    Some(view! {
        <link rel="stylesheet" href=css/>
        {scripts}
    })
}

/// Over the nonce that leptos_axum made before: leptos asks for it after this function, for the
/// scripts that carry the resources' data.
fn provide_nonce(nonce: &str) {
    #[cfg(feature = "ssr")]
    provide_context(leptos::nonce::Nonce::from_value(nonce));
    #[cfg(not(feature = "ssr"))]
    let _ = nonce;
}
