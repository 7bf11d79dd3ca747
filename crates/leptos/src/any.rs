//! Views without their types. leptos' own `AnyView` will not do: for every type it carries code for
//! lazily loaded routes, of which there are none here.

use std::any::{Any, TypeId};

use leptos::tachys::html::attribute::Attribute;
use leptos::tachys::html::attribute::any_attribute::AnyAttribute;
use leptos::tachys::hydration::Cursor;
use leptos::tachys::renderer::types;
use leptos::tachys::view::add_attr::AddAnyAttr;
use leptos::tachys::view::{Mountable, Position, PositionState, Render, RenderHtml};

pub struct AnyView(Box<dyn Erased>);

/// What the browser does with a view.
trait Erased: Send {
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

impl<T: RenderHtml + Send + 'static> Erased for T
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

pub(crate) fn erase<T: RenderHtml + Send + 'static>(view: T) -> AnyView
where
    T::State: 'static,
{
    AnyView(Box::new(view))
}

pub struct AnyState {
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
        replace(self, old);
    }
}

/// Builds `new` where `old` stands.
pub(crate) fn replace<T: Render>(new: T, old: &mut T::State) {
    let mut new = new.build();
    old.insert_before_this(&mut new);
    old.unmount();
    *old = new;
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

/// What `RenderHtml` asks for and the browser has no use for: HTML, and attributes that are spread
/// onto a view from outside.
macro_rules! never_html {
    ($type:ty) => {
        impl AddAnyAttr for $type {
            type Output<New: Attribute> = Self;

            fn add_any_attr<New: Attribute>(self, _: New) -> Self {
                self
            }
        }

        impl RenderHtml for $type {
            type AsyncOutput = Self;
            type Owned = Self;

            const MIN_LENGTH: usize = 0;

            fn dry_resolve(&mut self) {}

            async fn resolve(self) -> Self {
                self
            }

            fn to_html_with_buf(
                self,
                _: &mut String,
                _: &mut Position,
                _: bool,
                _: bool,
                _: Vec<AnyAttribute>,
            ) {
            }

            fn hydrate<const FROM_SERVER: bool>(
                self,
                cursor: &Cursor,
                position: &PositionState,
            ) -> Self::State {
                self.take_over(cursor, position)
            }

            fn into_owned(self) -> Self {
                self
            }
        }
    };
}
pub(crate) use never_html;

never_html!(AnyView);
never_html!(Several);
never_html!(Nothing);

impl AnyView {
    /// In debug builds `view!` names its line, for leptos' hot reloading.
    #[doc(hidden)]
    pub fn with_view_marker(self, _: &'static str) -> Self {
        self
    }

    /// As `().into_any()` is written.
    pub(crate) fn or_nothing(self) -> Self {
        if self.0.id() == TypeId::of::<()>() { erase(Nothing) } else { self }
    }

    fn take_over(self, cursor: &Cursor, position: &PositionState) -> AnyState {
        AnyState { id: self.0.id(), state: self.0.hydrate(cursor, position) }
    }
}

/// Views beside each other, always as many: a tuple, an array.
pub(crate) struct Several(pub(crate) Vec<AnyView>);

pub(crate) struct SeveralState(Vec<AnyState>);

impl Several {
    fn take_over(self, cursor: &Cursor, position: &PositionState) -> SeveralState {
        SeveralState(self.0.into_iter().map(|view| view.take_over(cursor, position)).collect())
    }
}

impl Render for Several {
    type State = SeveralState;

    fn build(self) -> SeveralState {
        SeveralState(self.0.into_iter().map(Render::build).collect())
    }

    fn rebuild(self, old: &mut SeveralState) {
        if self.0.len() != old.0.len() {
            return replace(self, old);
        }
        for (new, old) in self.0.into_iter().zip(&mut old.0) {
            new.rebuild(old);
        }
    }
}

impl Mountable for SeveralState {
    fn unmount(&mut self) {
        self.0.iter_mut().for_each(Mountable::unmount);
    }

    fn mount(&mut self, parent: &types::Element, marker: Option<&types::Node>) {
        self.0.iter_mut().for_each(|state| state.mount(parent, marker));
    }

    fn insert_before_this(&self, child: &mut dyn Mountable) -> bool {
        self.0.iter().any(|state| state.insert_before_this(child))
    }

    fn elements(&self) -> Vec<types::Element> {
        self.0.iter().flat_map(Mountable::elements).collect()
    }
}

/// `().into_any()`: leptos writes a second comment where an erased view has nothing to show.
struct Nothing;

impl Nothing {
    fn take_over(self, cursor: &Cursor, position: &PositionState) -> types::Placeholder {
        cursor.next_placeholder(position);
        cursor.next_placeholder(position)
    }
}

impl Render for Nothing {
    type State = types::Placeholder;

    fn build(self) -> types::Placeholder {
        Render::build(())
    }

    fn rebuild(self, _: &mut types::Placeholder) {}
}
