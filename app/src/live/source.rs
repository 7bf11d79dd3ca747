//! One EventSource with its listeners; closed when dropped.

use std::rc::Rc;

use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{EventSource, MessageEvent};

/// What arrives; the data as it was sent.
pub(crate) enum Message {
    Snapshot(String),
    Delta(String),
    Beat(String),
    Bye(String),
    /// The connection broke, or was refused.
    Failed,
}

pub(crate) struct Source {
    events: EventSource,
    _listeners: Vec<Closure<dyn FnMut(MessageEvent)>>,
    _failed: Closure<dyn FnMut()>,
}

/// What an event's data is as a message.
type Make = fn(String) -> Message;

impl Source {
    /// `None` where the browser refuses the URL. `on` must not drop the source: it runs inside it.
    pub(crate) fn open(url: &str, on: Rc<dyn Fn(Message)>) -> Option<Self> {
        let events = EventSource::new(url).ok()?;
        let kinds: [(&str, Make); 4] = [
            ("snapshot", Message::Snapshot),
            ("delta", Message::Delta),
            ("beat", Message::Beat),
            ("bye", Message::Bye),
        ];
        let mut listeners = Vec::with_capacity(kinds.len());
        for (name, make) in kinds {
            let on = on.clone();
            let listener = Closure::new(move |event: MessageEvent| {
                on(make(event.data().as_string().unwrap_or_default()));
            });
            events.add_event_listener_with_callback(name, listener.as_ref().unchecked_ref()).ok()?;
            listeners.push(listener);
        }
        let failed = Closure::new(move || on(Message::Failed));
        events.set_onerror(Some(failed.as_ref().unchecked_ref()));
        Some(Self { events, _listeners: listeners, _failed: failed })
    }

    pub(crate) fn close(&self) {
        self.events.close();
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.events.set_onerror(None);
        self.events.close();
    }
}
