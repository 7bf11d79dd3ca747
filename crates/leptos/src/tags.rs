//! The elements and attributes that the pages use. What is missing here fails to compile in the
//! browser's build: add its name.

use crate::attribute::IntoAttributeValue;
use crate::element::Element;

macro_rules! elements {
    ($svg:literal: $($tag:ident)*) => {
        $(pub fn $tag() -> Element {
            Element::new(stringify!($tag), $svg)
        })*
    };
}

pub(crate) mod html {
    use super::Element;

    elements! { false:
        a abbr article aside b br button caption code col colgroup dd details dialog div dl dt em fieldset
        figcaption figure footer form h1 h2 h3 h4 header hr i img input kbd label legend li main mark meter nav
        noscript ol optgroup option output p pre progress s samp section select small span strong sub summary
        sup table tbody td textarea tfoot th thead time tr u ul
    }
}

pub(crate) mod svg {
    use super::Element;

    elements! { true: circle defs ellipse g line path polygon polyline rect svg text title tspan }
}

macro_rules! attributes {
    ($($method:ident $name:literal)*) => {
        impl Element {
            $(pub fn $method(self, value: impl IntoAttributeValue) -> Self {
                self.attr($name, value)
            })*
        }
    };
}

attributes! {
    action "action"
    aria_busy "aria-busy"
    aria_checked "aria-checked"
    aria_controls "aria-controls"
    aria_current "aria-current"
    aria_describedby "aria-describedby"
    aria_disabled "aria-disabled"
    aria_expanded "aria-expanded"
    aria_hidden "aria-hidden"
    aria_invalid "aria-invalid"
    aria_label "aria-label"
    aria_labelledby "aria-labelledby"
    aria_live "aria-live"
    aria_pressed "aria-pressed"
    aria_selected "aria-selected"
    aria_sort "aria-sort"
    autocapitalize "autocapitalize"
    autocomplete "autocomplete"
    autofocus "autofocus"
    checked "checked"
    colspan "colspan"
    datetime "datetime"
    disabled "disabled"
    download "download"
    enctype "enctype"
    formaction "formaction"
    hidden "hidden"
    href "href"
    id "id"
    inputmode "inputmode"
    lang "lang"
    max "max"
    maxlength "maxlength"
    method "method"
    min "min"
    minlength "minlength"
    multiple "multiple"
    name "name"
    open "open"
    pattern "pattern"
    placeholder "placeholder"
    readonly "readonly"
    rel "rel"
    required "required"
    role "role"
    rowspan "rowspan"
    scope "scope"
    selected "selected"
    size "size"
    spellcheck "spellcheck"
    step "step"
    tabindex "tabindex"
    target "target"
    title "title"
    r#type "type"
    value "value"
}
