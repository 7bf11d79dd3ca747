//! What a page knows of the server that it came from: paths, build, theme. Made by the server for
//! each request; the browser reads it back from the `<html>` element.

use std::sync::OnceLock;

use flowdeck_model::ClusterName;
use flowdeck_model::view::cluster::Colour;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Theme {
    /// As the browser's system says.
    #[default]
    Auto,
    Light,
    Dark,
}

impl Theme {
    pub const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// The value in the cookie `flowdeck_theme`, in the form and in `data-theme`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// What is not known is `Auto`.
    pub fn parse(key: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.key() == key).unwrap_or_default()
    }
}

/// The name of the cookie that keeps the theme; its path is the base path.
pub const THEME_COOKIE: &str = "flowdeck_theme";

/// A cluster as the frame of every page names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClusterLink {
    pub(crate) name: ClusterName,
    pub(crate) label: String,
    pub(crate) colour: Colour,
}

/// Sign-in, as pages show it: the server puts it into the context of what it renders. Without it
/// there is no sign-in, and pages say nothing of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Who is signed in here.
    pub user: Option<String>,
    /// The log-in form, on its page.
    pub login: Option<Login>,
}

/// What the log-in page shows and sends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Where it leads: a path below the base, judged by the server before and after.
    pub next: String,
    /// As it was typed the last time.
    pub name: String,
    /// Why the last try failed.
    pub refused: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Site {
    /// `""`, or `/kafkaflow`: begins with `/`, never ends with one.
    pub base: &'static str,
    /// Where the assets are below `base`, such as `/pkg/3f9c…`; `None`: there are none, the page
    /// then has neither scripts nor style and still works.
    pub pkg: Option<String>,
    /// Changes with every build; also in the header `X-Flowdeck-Build` and in each `beat`.
    pub build: String,
    /// Whether the browser takes the page over. Not where the answer to a form shows the page of
    /// another URL: the browser's router would not find it there.
    pub scripts: bool,
    /// The nonce of this answer's CSP header. Empty in the browser.
    pub nonce: String,
    pub theme: Theme,
    /// Shown above every page: the listener is open without sign-in, the configuration was not
    /// understood in part.
    pub warnings: Vec<String>,
}

/// What the server hands to the browser, as JSON in `<html data-site>`. Without the nonce.
#[derive(Serialize, Deserialize)]
struct Handed {
    base: String,
    pkg: Option<String>,
    build: String,
    theme: Theme,
    warnings: Vec<String>,
    clusters: Vec<ClusterLink>,
    account: Account,
}

/// The site and the clusters that the actor may see: what the frame needs, without asking again.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) site: Site,
    pub(crate) clusters: Vec<ClusterLink>,
    pub(crate) account: Account,
}

impl Frame {
    pub(crate) fn new(site: Site, clusters: Vec<ClusterLink>) -> Self {
        Self { site, clusters, account: account() }
    }

    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn to_json(&self) -> String {
        let handed = Handed {
            base: self.site.base.to_owned(),
            pkg: self.site.pkg.clone(),
            build: self.site.build.clone(),
            theme: self.site.theme,
            warnings: self.site.warnings.clone(),
            clusters: self.clusters.clone(),
            account: self.account.clone(),
        };
        serde_json::to_string(&handed).unwrap_or_default()
    }

    pub(crate) fn from_json(json: &str) -> Option<Self> {
        let handed: Handed = serde_json::from_str(json).ok()?;
        let site = Site {
            // Once for the life of the page.
            base: handed.base.leak(),
            pkg: handed.pkg,
            scripts: true,
            build: handed.build,
            nonce: String::new(),
            theme: handed.theme,
            warnings: handed.warnings,
        };
        Some(Self { site, clusters: handed.clusters, account: handed.account })
    }
}

/// The base path as context: cheaper than the whole frame, since every link asks for it.
#[derive(Clone, Copy)]
pub(crate) struct Base(pub(crate) &'static str);

/// In the browser there is one page, and event handlers and timers have no context to ask.
static BROWSER_BASE: OnceLock<&'static str> = OnceLock::new();

/// On the server, for what a server function answers: its links have the base before them too.
pub fn provide_base(base: &'static str) {
    provide_context(Base(base));
}

pub(crate) fn base() -> &'static str {
    use_context::<Base>().map(|base| base.0).or_else(|| BROWSER_BASE.get().copied()).unwrap_or_default()
}

impl Site {
    /// The browser's side: reads what [`crate::shell`] wrote. `None` on a page that is not ours.
    pub fn from_document() -> Option<Self> {
        let json = document().document_element()?.get_attribute("data-site")?;
        let site = Frame::from_json(&json)?.site;
        // Set once: there is one page.
        let _ = BROWSER_BASE.set(site.base);
        Some(site)
    }
}

/// The clusters: on the server from the actor's ports, in the browser from the document.
pub(crate) fn clusters() -> Vec<ClusterLink> {
    match use_context::<flowdeck_model::Ports>() {
        Some(ports) => ports
            .fleet
            .clusters()
            .into_iter()
            .map(|cluster| ClusterLink { name: cluster.name, label: cluster.label, colour: cluster.colour })
            .collect(),
        None => crate::browser::site_json()
            .and_then(|json| Frame::from_json(&json))
            .map(|frame| frame.clusters)
            .unwrap_or_default(),
    }
}

/// On the server from the context, in the browser from the document.
fn account() -> Account {
    let handed = || crate::browser::site_json().and_then(|json| Frame::from_json(&json));
    use_context::<Account>().or_else(|| handed().map(|frame| frame.account)).unwrap_or_default()
}

/// Inside `App`.
pub(crate) fn use_frame() -> Frame {
    expect_context::<Frame>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_reads_what_the_server_wrote() {
        let site = Site {
            base: "/kafkaflow",
            pkg: Some("/pkg/1".into()),
            build: "b1".into(),
            scripts: true,
            nonce: "secret".into(),
            theme: Theme::Dark,
            warnings: vec!["\"><script>".into()],
        };
        let link = ClusterLink { name: "demo".parse().unwrap(), label: "Demo".into(), colour: Colour::Red };
        let json = Frame::new(site, vec![link.clone()]).to_json();
        assert!(!json.contains("secret"));
        let back = Frame::from_json(&json).unwrap();
        assert_eq!((back.site.base, back.site.theme), ("/kafkaflow", Theme::Dark));
        assert_eq!(back.site.pkg.as_deref(), Some("/pkg/1"));
        assert_eq!(back.clusters, vec![link]);
    }
}
