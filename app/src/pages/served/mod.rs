//! Pages that the server alone renders: links and forms, and nothing that the browser would run. They cost the download
//! nothing (docs/wasm.md).
//!
//! A page more is a variant of [`ServedPage`], its row in `PATHS`, and a component in a file of its own, which may ask
//! the actor's ports as it is. The browser's router does not know these routes: a link to one has `rel="external"`.

mod login;

use leptos::prelude::*;

use login::LoginPage;

/// One of these pages, with what its path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ServedPage {
    Login,
}

/// Their routes below the base, as the router writes them.
pub const PATHS: &[&str] = &["/login"];

impl ServedPage {
    /// `path` is still encoded. None of these: it is a page that the browser takes over.
    pub(crate) fn parse(base: &str, path: &str) -> Option<Self> {
        let below = path.strip_prefix(base)?.strip_prefix('/')?;
        match below.split('/').collect::<Vec<_>>()[..] {
            ["login"] => Some(Self::Login),
            _ => None,
        }
    }

    pub(crate) fn view(self) -> AnyView {
        match self {
            Self::Login => view! { <LoginPage/> }.into_any(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_a_page() {
        for path in PATHS {
            assert!(ServedPage::parse("/kafkaflow", &format!("/kafkaflow{path}")).is_some(), "{path}");
            assert!(ServedPage::parse("", path).is_some(), "{path}");
        }
        assert_eq!(ServedPage::parse("/kafkaflow", "/kafkaflow/login/more"), None);
        assert_eq!(ServedPage::parse("/kafkaflow", "/kafkaflow"), None);
    }
}
