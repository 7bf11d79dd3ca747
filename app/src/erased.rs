//! Views without their types, to keep the browser's download small: leptos' own `AnyView` carries,
//! for every type, code for hydrating lazily loaded routes, which Flowdeck has none of and which
//! was a fifth of the wasm. On the server leptos' own is used; the HTML is the same.

#[cfg(not(feature = "ssr"))]
pub(crate) use browser::{AnyView, IntoAny};
#[cfg(feature = "ssr")]
pub(crate) use leptos::prelude::{AnyView, IntoAny};

#[cfg(not(feature = "ssr"))]
mod browser {
    use std::any::{Any, TypeId};

    use leptos::tachys::html::attribute::Attribute;
    use leptos::tachys::html::attribute::any_attribute::AnyAttribute;
    use leptos::tachys::hydration::Cursor;
    use leptos::tachys::renderer::types;
    use leptos::tachys::view::add_attr::AddAnyAttr;
    use leptos::tachys::view::{Mountable, Position, PositionState, Render, RenderHtml};

    pub(crate) struct AnyView(Box<dyn View>);

    pub(crate) trait IntoAny {
        fn into_any(self) -> AnyView;
    }

    impl<T: RenderHtml + Send + 'static> IntoAny for T
    where
        T::State: 'static,
    {
        fn into_any(self) -> AnyView {
            AnyView(Box::new(self))
        }
    }

    /// What the browser does with a view.
    trait View: Send {
        /// Views of one type, and only they, are built anew in place.
        fn id(&self) -> TypeId;
        fn build(self: Box<Self>) -> Box<dyn State>;
        fn hydrate(self: Box<Self>, cursor: &Cursor, position: &PositionState) -> Box<dyn State>;
        /// `state` is that of a view with the same id.
        fn rebuild(self: Box<Self>, state: &mut dyn Any);
    }

    trait State: Mountable {
        fn any(&mut self) -> &mut dyn Any;
    }

    impl<S: Mountable + 'static> State for S {
        fn any(&mut self) -> &mut dyn Any {
            self
        }
    }

    impl<T: RenderHtml + Send + 'static> View for T
    where
        T::State: 'static,
    {
        fn id(&self) -> TypeId {
            TypeId::of::<T>()
        }

        fn build(self: Box<Self>) -> Box<dyn State> {
            Box::new(Render::build(*self))
        }

        fn hydrate(self: Box<Self>, cursor: &Cursor, position: &PositionState) -> Box<dyn State> {
            Box::new(RenderHtml::hydrate::<true>(*self, cursor, position))
        }

        fn rebuild(self: Box<Self>, state: &mut dyn Any) {
            if let Some(state) = state.downcast_mut::<T::State>() {
                Render::rebuild(*self, state);
            }
        }
    }

    pub(crate) struct AnyState {
        id: TypeId,
        state: Box<dyn State>,
    }

    impl Render for AnyView {
        type State = AnyState;

        fn build(self) -> AnyState {
            AnyState { id: self.0.id(), state: self.0.build() }
        }

        fn rebuild(self, old: &mut AnyState) {
            if self.0.id() == old.id {
                return self.0.rebuild((*old.state).any());
            }
            let mut new = self.build();
            old.state.insert_before_this(&mut new);
            old.state.unmount();
            *old = new;
        }
    }

    impl Mountable for AnyState {
        fn unmount(&mut self) {
            self.state.unmount();
        }

        fn mount(&mut self, parent: &types::Element, marker: Option<&types::Node>) {
            self.state.mount(parent, marker);
        }

        fn insert_before_this(&self, child: &mut dyn Mountable) -> bool {
            self.state.insert_before_this(child)
        }

        fn elements(&self) -> Vec<types::Element> {
            self.state.elements()
        }
    }

    impl AddAnyAttr for AnyView {
        type Output<New: Attribute> = Self;

        /// Nobody spreads attributes onto a view here.
        fn add_any_attr<New: Attribute>(self, _: New) -> Self {
            self
        }
    }

    impl RenderHtml for AnyView {
        type AsyncOutput = Self;
        type Owned = Self;

        const MIN_LENGTH: usize = 0;

        fn dry_resolve(&mut self) {}

        async fn resolve(self) -> Self {
            self
        }

        /// The browser writes no HTML.
        fn to_html_with_buf(self, _: &mut String, _: &mut Position, _: bool, _: bool, _: Vec<AnyAttribute>) {}

        fn hydrate<const FROM_SERVER: bool>(self, cursor: &Cursor, position: &PositionState) -> AnyState {
            AnyState { id: self.0.id(), state: self.0.hydrate(cursor, position) }
        }

        fn into_owned(self) -> Self {
            self
        }
    }
}
