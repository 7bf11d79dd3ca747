//! What can stand in `view!`, and how it becomes one type.

use leptos::tachys::html::InertElement;
use leptos::tachys::reactive_graph::Suspend;
use leptos::tachys::view::RenderHtml;

use crate::any::{AnyView, Several, erase};
use crate::element::Element;

/// What can stand between the tags of `view!`, over leptos' trait of this name.
pub trait IntoRender: Sized {
    fn into_render(self) -> AnyView;

    /// As children of an element: those of a tuple one by one.
    fn into_children(self, out: &mut Vec<AnyView>) {
        out.push(self.into_render());
    }
}

/// Leptos' `IntoView`, for what functions return.
pub trait IntoView: leptos::IntoView + IntoRender {}

impl<T: leptos::IntoView + IntoRender> IntoView for T {}

pub trait IntoAny {
    fn into_any(self) -> AnyView;
}

impl<T: IntoRender> IntoAny for T {
    fn into_any(self) -> AnyView {
        self.into_render().or_nothing()
    }
}

pub trait CollectView {
    fn collect_view(self) -> Vec<AnyView>;
}

impl<V: IntoRender, I: IntoIterator<Item = V>> CollectView for I {
    fn collect_view(self) -> Vec<AnyView> {
        let mut views = Vec::new();
        self.into_iter().for_each(|view| views.push(view.into_render()));
        views
    }
}

/// What `view!` wraps its outermost in: an element, several, a component.
pub enum View {}

impl View {
    #[expect(clippy::new_ret_no_self, reason = "the name that `view!` calls")]
    pub fn new<T: RenderHtml + Send + 'static>(view: T) -> AnyView
    where
        T::State: 'static,
    {
        erase(view)
    }
}

impl IntoRender for AnyView {
    fn into_render(self) -> AnyView {
        self
    }
}

macro_rules! as_it_is {
    ($($type:ty),*) => {
        $(impl IntoRender for $type {
            fn into_render(self) -> AnyView {
                erase(self)
            }
        })*
    };
}

as_it_is!((), &'static str, String, Element, InertElement, leptos::tachys::svg::InertElement);

impl<T: IntoRender> IntoRender for Option<T> {
    fn into_render(self) -> AnyView {
        erase(self.map(IntoRender::into_render))
    }
}

impl<T: IntoRender> IntoRender for Vec<T> {
    fn into_render(self) -> AnyView {
        erase(self.collect_view())
    }
}

impl<T: IntoRender, const N: usize> IntoRender for [T; N] {
    fn into_render(self) -> AnyView {
        erase(Several(self.collect_view()))
    }
}

impl<T: RenderHtml + 'static> IntoRender for Suspend<T>
where
    T::State: 'static,
{
    fn into_render(self) -> AnyView {
        erase(self)
    }
}

/// One type for all closures that show something.
type Shows = Box<dyn FnMut() -> AnyView + Send>;

impl<F, T> IntoRender for F
where
    F: FnMut() -> T + Send + 'static,
    T: IntoRender,
{
    fn into_render(mut self) -> AnyView {
        let shows: Shows = Box::new(move || self().into_render());
        erase(shows)
    }
}

macro_rules! tuples {
    ($(($($name:ident)*))*) => {
        $(impl<$($name: IntoRender),*> IntoRender for ($($name,)*) {
            fn into_render(self) -> AnyView {
                let mut views = Vec::new();
                self.into_children(&mut views);
                erase(Several(views))
            }

            #[expect(non_snake_case, reason = "names of types, for values")]
            fn into_children(self, out: &mut Vec<AnyView>) {
                let ($($name,)*) = self;
                $($name.into_children(out);)*
            }
        })*
    };
}

tuples! {
    (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H)
    (A B C D E F G H I) (A B C D E F G H I J) (A B C D E F G H I J K) (A B C D E F G H I J K L)
    (A B C D E F G H I J K L M) (A B C D E F G H I J K L M N) (A B C D E F G H I J K L M N O)
    (A B C D E F G H I J K L M N O P)
}
