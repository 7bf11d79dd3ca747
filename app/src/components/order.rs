//! A table whose order stays while a pointer or the focus is in it: how many rows would move is shown over the heading,
//! without a line of its own, so that showing it moves nothing.

use std::time::Duration;

use flowdeck_model::live::Live;
use leptos::ev::PointerEvent;
use leptos::prelude::*;

use crate::format::number;
use crate::live::Rows;

/// A finger has left so long before the order follows again.
const FINGER: Duration = Duration::from_secs(4);

/// Pointer and focus each hold the order; it follows once both are gone.
#[derive(Clone, Copy)]
pub(crate) struct Order {
    hold: Callback<bool>,
    apply: Callback<()>,
    would_move: Memo<usize>,
    pointer: StoredValue<bool>,
    focus: StoredValue<bool>,
}

impl Order {
    pub(crate) fn of<V: Live + 'static>(rows: Rows<V>) -> Self
    where
        V::Key: Send + Sync,
        V::Row: Send + Sync,
    {
        Self {
            hold: Callback::new(move |still| rows.keep_order(still)),
            apply: Callback::new(move |()| rows.apply()),
            would_move: Memo::new(move |_| rows.would_move()),
            pointer: StoredValue::new(false),
            focus: StoredValue::new(false),
        }
    }

    fn update(self) {
        self.hold.run(self.pointer.get_value() || self.focus.get_value());
    }

    fn point(self, inside: bool) {
        self.pointer.set_value(inside);
        self.update();
    }

    fn focus(self, inside: bool) {
        self.focus.set_value(inside);
        self.update();
    }

    /// A mouse; a finger enters and leaves with every touch.
    fn mouse(self, event: &PointerEvent, inside: bool) {
        if event.pointer_type() != "touch" {
            self.point(inside);
        }
    }

    pub(crate) fn body(self, lines: impl IntoAny) -> AnyView {
        let leave = move || set_timeout(move || self.point(false), FINGER);
        view! {
            <tbody
                on:touchstart=move |_| self.point(true)
                on:touchend=move |_| leave()
                on:touchcancel=move |_| leave()
                on:focusin=move |_| self.focus(true)
                on:focusout=move |_| self.focus(false)
            >
                {lines.into_any()}
            </tbody>
        }
        .into_any()
    }

    /// The table with the button; the way to it counts as pointing at the table.
    pub(crate) fn around(self, table: AnyView) -> AnyView {
        let count = move || number::count(self.would_move.get() as u64, "row would move", "rows would move");
        let some = Memo::new(move |_| self.would_move.get() > 0);
        // The count changes with every update: a screen reader announces once that there is one.
        let said = move || {
            some.get().then_some("The order has changed; rows keep their place while you use the table.")
        };
        view! {
            <div class="ordered"
                on:pointerenter=move |event| self.mouse(&event, true)
                on:pointerleave=move |event| self.mouse(&event, false)
            >
                <div class="waiting" hidden=move || !some.get()>
                    <p><span>{count}</span> <button type="button" class="btn small" on:click=move |_| self.apply.run(())>"Move now"</button></p>
                </div>
                <p class="unseen" role="status">{said}</p>
                {table}
            </div>
        }
        .into_any()
    }
}
