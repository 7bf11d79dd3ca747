//! An element whose name, attributes and children are known at run time.

use leptos::prelude::NodeRef;
use leptos::tachys::html::attribute::Attribute;
use leptos::tachys::html::attribute::any_attribute::AnyAttribute;
use leptos::tachys::html::element::ElementType;
use leptos::tachys::html::event::{EventCallback, EventDescriptor};
use leptos::tachys::hydration::Cursor;
use leptos::tachys::renderer::{CastFrom, Rndr, types};
use leptos::tachys::view::add_attr::AddAnyAttr;
use leptos::tachys::view::{Mountable, Position, PositionState, Render, RenderHtml};
use leptos::wasm_bindgen::JsCast;

use crate::any::{AnyState, AnyView, never_html, replace};
use crate::attribute::{Attr, AttrState, IntoAttributeValue, IntoClass, Start};
use crate::render::IntoRender;

const SVG: &str = "http://www.w3.org/2000/svg";

/// Boxed, so that building one up passes a pointer on and not all of it.
pub struct Element(Box<Parts>);

struct Parts {
    tag: &'static str,
    svg: bool,
    attrs: Vec<Attr>,
    children: Vec<AnyView>,
}

impl Element {
    pub(crate) fn new(tag: &'static str, svg: bool) -> Self {
        Self(Box::new(Parts { tag, svg, attrs: Vec::new(), children: Vec::new() }))
    }

    fn with(mut self, attr: Attr) -> Self {
        self.0.attrs.push(attr);
        self
    }

    pub fn child(mut self, child: impl IntoRender) -> Self {
        child.into_children(&mut self.0.children);
        self
    }

    pub fn attr(self, name: &'static str, value: impl IntoAttributeValue) -> Self {
        self.with(Attr::Set(name, value.into_attribute_value()))
    }

    pub fn class(self, class: impl IntoClass) -> Self {
        self.with(class.into_class())
    }

    pub fn prop(self, name: &'static str, holds: impl FnMut() -> bool + Send + 'static) -> Self {
        self.with(Attr::Prop(name, Box::new(holds)))
    }

    /// Only for texts of ours, which stay as they are.
    pub fn inner_html(self, html: impl IntoAttributeValue) -> Self {
        self.with(Attr::Html(html.into_attribute_value().now()))
    }

    pub fn on<E, F>(self, event: E, callback: F) -> Self
    where
        E: EventDescriptor + Send + 'static,
        E::EventType: From<types::Event> + 'static,
        F: FnMut(E::EventType) + EventCallback<E::EventType> + 'static,
    {
        self.with(Attr::on(event, callback))
    }

    pub fn node_ref<E>(self, node: NodeRef<E>) -> Self
    where
        E: ElementType + 'static,
        E::Output: JsCast + 'static,
    {
        self.with(Attr::node_ref(node))
    }
}

never_html!(Element);

impl Element {
    fn take_over(self, cursor: &Cursor, position: &PositionState) -> ElementState {
        let Parts { tag, attrs, children, .. } = *self.0;
        match position.get() {
            Position::FirstChild => cursor.child(),
            Position::Current => {}
            _ => cursor.sibling(),
        }
        let el = types::Element::cast_from(cursor.current());
        let Some(el) = el.filter(|el| el.local_name() == tag) else {
            panic!("the page differs from what the server wrote: no <{tag}>");
        };
        let attrs = attrs.into_iter().map(|attr| attr.start(&el, Start::Written)).collect();
        let mut states = Vec::with_capacity(children.len());
        if !children.is_empty() {
            position.set(Position::FirstChild);
            for child in children {
                states.push(child.hydrate::<true>(cursor, position));
            }
        }
        cursor.set(el.clone().into());
        position.set(Position::NextChild);
        ElementState { tag, el, attrs, children: states }
    }
}

impl Render for Element {
    type State = ElementState;

    fn build(self) -> ElementState {
        let Parts { tag, svg, attrs, children } = *self.0;
        let el = Rndr::create_element(tag, svg.then_some(SVG));
        let attrs = attrs.into_iter().map(|attr| attr.start(&el, Start::New)).collect();
        let mut states = Vec::with_capacity(children.len());
        for child in children {
            let mut state = child.build();
            state.mount(&el, None);
            states.push(state);
        }
        ElementState { tag, el, attrs, children: states }
    }

    fn rebuild(self, old: &mut ElementState) {
        if !self.fits(old) {
            return replace(self, old);
        }
        for (new, attr) in self.0.attrs.into_iter().zip(&mut old.attrs) {
            new.renew(&old.el, attr);
        }
        for (new, child) in self.0.children.into_iter().zip(&mut old.children) {
            new.rebuild(child);
        }
    }
}

impl Element {
    /// Whether `old` is of the same shape: most often, of the same line of the source.
    fn fits(&self, old: &ElementState) -> bool {
        let names = self.0.attrs.iter().map(Attr::name);
        self.0.tag == old.tag
            && self.0.children.len() == old.children.len()
            && names.eq(old.attrs.iter().map(|attr| attr.name))
    }
}

pub struct ElementState {
    tag: &'static str,
    el: types::Element,
    attrs: Vec<AttrState>,
    children: Vec<AnyState>,
}

impl Mountable for ElementState {
    fn unmount(&mut self) {
        self.el.unmount();
    }

    fn mount(&mut self, parent: &types::Element, marker: Option<&types::Node>) {
        self.el.mount(parent, marker);
    }

    fn insert_before_this(&self, child: &mut dyn Mountable) -> bool {
        self.el.insert_before_this(child)
    }

    fn elements(&self) -> Vec<types::Element> {
        vec![self.el.clone()]
    }
}
