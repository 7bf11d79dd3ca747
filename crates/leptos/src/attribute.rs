//! Attributes, classes, properties and listeners, each known at run time.

use std::borrow::Cow;

use leptos::prelude::{NodeRef, RenderEffect};
use leptos::tachys::html::element::ElementType;
use leptos::tachys::html::event::{EventCallback, EventDescriptor, on};
use leptos::tachys::html::node_ref::NodeRefContainer;
use leptos::tachys::renderer::{RemoveEventHandler, Rndr, types};
use leptos::wasm_bindgen::{JsCast, JsValue};

type Text = Option<Cow<'static, str>>;

/// What an attribute is set to, over leptos' trait of this name.
pub enum Value {
    /// `None`: the attribute is not there.
    Fixed(Text),
    Live(Box<dyn FnMut() -> Text + Send>),
}

impl Value {
    pub(crate) fn now(self) -> Text {
        match self {
            Self::Fixed(text) => text,
            Self::Live(mut read) => read(),
        }
    }
}

pub trait IntoAttributeValue {
    fn into_attribute_value(self) -> Value;
}

impl IntoAttributeValue for Value {
    fn into_attribute_value(self) -> Value {
        self
    }
}

impl IntoAttributeValue for &'static str {
    fn into_attribute_value(self) -> Value {
        Value::Fixed(Some(Cow::Borrowed(self)))
    }
}

impl IntoAttributeValue for String {
    fn into_attribute_value(self) -> Value {
        Value::Fixed(Some(Cow::Owned(self)))
    }
}

impl IntoAttributeValue for bool {
    fn into_attribute_value(self) -> Value {
        Value::Fixed(self.then_some(Cow::Borrowed("")))
    }
}

impl<T: IntoAttributeValue> IntoAttributeValue for Option<T> {
    fn into_attribute_value(self) -> Value {
        self.map_or(Value::Fixed(None), T::into_attribute_value)
    }
}

impl<F, T> IntoAttributeValue for F
where
    F: FnMut() -> T + Send + 'static,
    T: IntoAttributeValue,
{
    fn into_attribute_value(mut self) -> Value {
        Value::Live(Box::new(move || self().into_attribute_value().now()))
    }
}

type Holds = Box<dyn FnMut() -> bool + Send>;
type Attach = Box<dyn FnOnce(&types::Element) -> Option<RemoveEventHandler<types::Element>> + Send>;

pub enum Attr {
    Set(&'static str, Value),
    /// `class:name=…`
    Class(&'static str, Holds),
    /// `prop:name=…`
    Prop(&'static str, Holds),
    /// `inner_html=…`
    Html(Text),
    /// `on:…`, `node_ref=…`
    Attach(Attach),
}

/// `class=…` and `class:name=…`
pub trait IntoClass {
    fn into_class(self) -> Attr;
}

impl<T: IntoAttributeValue> IntoClass for T {
    fn into_class(self) -> Attr {
        Attr::Set("class", self.into_attribute_value())
    }
}

impl<F: FnMut() -> bool + Send + 'static> IntoClass for (&'static str, F) {
    fn into_class(self) -> Attr {
        Attr::Class(self.0, Box::new(self.1))
    }
}

impl Attr {
    pub(crate) fn on<E, F>(event: E, callback: F) -> Self
    where
        E: EventDescriptor + Send + 'static,
        E::EventType: From<types::Event> + 'static,
        F: FnMut(E::EventType) + EventCallback<E::EventType> + 'static,
    {
        let on = on(event, callback);
        Self::Attach(Box::new(move |el| Some(on.attach(el))))
    }

    pub(crate) fn node_ref<E>(node: NodeRef<E>) -> Self
    where
        E: ElementType + 'static,
        E::Output: JsCast + 'static,
    {
        Self::Attach(Box::new(move |el| {
            node.load(el);
            None
        }))
    }

    /// Only attributes of one kind and name are set anew in place.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Set(name, _) | Self::Class(name, _) | Self::Prop(name, _) => name,
            Self::Html(_) => "inner_html",
            Self::Attach(_) => "",
        }
    }
}

pub(crate) struct AttrState {
    pub(crate) name: &'static str,
    kind: Kind,
}

enum Kind {
    Fixed(Text),
    Live {
        _effect: RenderEffect<Text>,
    },
    Holds {
        _effect: RenderEffect<bool>,
    },
    Html(Text),
    Attached {
        _remove: Option<RemoveEventHandler<types::Element>>,
    },
    /// Between an old listener and the new one.
    Gone,
}

/// The server wrote the attribute, so the first run of an effect has nothing to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Written,
    New,
}

impl Attr {
    pub(crate) fn start(self, el: &types::Element, start: Start) -> AttrState {
        let name = self.name();
        let kind = match self {
            Self::Set(_, Value::Fixed(text)) => {
                if start == Start::New && text.is_some() {
                    set(el, name, text.as_deref());
                }
                Kind::Fixed(text)
            }
            Self::Set(_, Value::Live(read)) => Kind::Live { _effect: live(el, name, read, start) },
            Self::Class(_, holds) => Kind::Holds { _effect: class(el, name, holds, start) },
            Self::Prop(_, holds) => Kind::Holds { _effect: prop(el, name, holds) },
            Self::Html(html) => {
                if start == Start::New {
                    Rndr::set_inner_html(el, html.as_deref().unwrap_or_default());
                }
                Kind::Html(html)
            }
            Self::Attach(attach) => Kind::Attached { _remove: attach(el) },
        };
        AttrState { name, kind }
    }

    /// `old` has the same name.
    pub(crate) fn renew(self, el: &types::Element, old: &mut AttrState) {
        match (self, &mut old.kind) {
            (Self::Set(name, Value::Fixed(new)), Kind::Fixed(old)) => {
                if new != *old {
                    set(el, name, new.as_deref());
                    *old = new;
                }
            }
            (Self::Html(new), Kind::Html(old)) if new == *old => {}
            (Self::Set(name, Value::Fixed(None)), _) => {
                old.kind = Kind::Fixed(None);
                set(el, name, None);
            }
            (new, _) => {
                // Dropped first: a listener that goes may share its place with the one that comes.
                old.kind = Kind::Gone;
                *old = new.start(el, Start::New);
            }
        }
    }
}

fn set(el: &types::Element, name: &str, text: Option<&str>) {
    match text {
        Some(text) => Rndr::set_attribute(el, name, text),
        None => Rndr::remove_attribute(el, name),
    }
}

fn live(
    el: &types::Element,
    name: &'static str,
    mut read: Box<dyn FnMut() -> Text + Send>,
    start: Start,
) -> RenderEffect<Text> {
    let el = el.clone();
    RenderEffect::new(move |old: Option<Text>| {
        let new = read();
        let written = old.map_or(start == Start::Written, |old| old == new);
        if !written {
            set(&el, name, new.as_deref());
        }
        new
    })
}

fn class(el: &types::Element, name: &'static str, mut holds: Holds, start: Start) -> RenderEffect<bool> {
    let classes = Rndr::class_list(el);
    RenderEffect::new(move |old: Option<bool>| {
        let new = holds();
        let written = old.map_or(start == Start::Written, |old| old == new);
        if !written {
            match new {
                true => Rndr::add_class(&classes, name),
                false => Rndr::remove_class(&classes, name),
            }
        }
        new
    })
}

/// A property is not in the HTML, so it is always set.
fn prop(el: &types::Element, name: &'static str, mut holds: Holds) -> RenderEffect<bool> {
    let el = el.clone();
    RenderEffect::new(move |_| {
        let new = holds();
        Rndr::set_property(&el, name, &JsValue::from_bool(new));
        new
    })
}
