//! Which entries of the audit are asked for.

use crate::action::ActionKind;
use crate::command::CommandState;
use crate::error::PortError;
use crate::time::Timestamp;

/// What an entry is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AuditKind {
    #[default]
    All,
    Operations,
    LogIns,
    /// At records.
    Looks,
}

impl AuditKind {
    pub const ALL: [Self; 4] = [Self::All, Self::Operations, Self::LogIns, Self::Looks];

    pub fn key(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Operations => "operations",
            Self::LogIns => "logIns",
            Self::Looks => "looks",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::All => "All",
            Self::Operations => "Operations",
            Self::LogIns => "Log-ins",
            Self::Looks => "Looks at records",
        }
    }
}

const AUDIT_LIMIT: u32 = 50;
pub const AUDIT_LIMIT_MAX: u32 = 500;
const FIELDS: [&str; 10] =
    ["kind", "group", "actor", "action", "state", "search", "from", "to", "before", "limit"];
/// Of each text that is looked for, in characters.
const TEXT_MAX: usize = 250;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditQuery {
    pub kind: AuditKind,
    /// A part of the group's name, in any case.
    pub group: String,
    /// A part of who asked, in any case.
    pub actor: String,
    pub action: Option<ActionKind>,
    pub state: Option<CommandState>,
    /// A part of the reason, in any case.
    pub search: String,
    /// Asked for at this time or later.
    pub from: Option<Timestamp>,
    /// Asked for before this time.
    pub to: Option<Timestamp>,
    /// Entries whose last record lies before this offset.
    pub before: Option<i64>,
    pub limit: u32,
}

impl Default for AuditQuery {
    fn default() -> Self {
        Self {
            kind: AuditKind::All,
            group: String::new(),
            actor: String::new(),
            action: None,
            state: None,
            search: String::new(),
            from: None,
            to: None,
            before: None,
            limit: AUDIT_LIMIT,
        }
    }
}

impl AuditQuery {
    /// Fields that are empty are as if they were absent, as a form sends them. Names that are not known are refused when
    /// `strict` (the API), and left alone otherwise.
    pub fn parse(query: &str, strict: bool) -> Result<Self, PortError> {
        let mut parsed = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !FIELDS.contains(&&*name) {
                if strict {
                    return Err(super::unknown_field(&name));
                }
                continue;
            }
            if value.is_empty() {
                continue;
            }
            match &*name {
                "kind" => {
                    let known = AuditKind::ALL.into_iter().find(|kind| kind.key() == value);
                    parsed.kind =
                        known.ok_or_else(|| PortError::invalid("kind", "one of all, operations, logIns"))?;
                }
                "group" => parsed.group = text("group", &value)?,
                "actor" => parsed.actor = text("actor", &value)?,
                "action" => {
                    let known = ActionKind::from_word(&value);
                    parsed.action = Some(known.ok_or_else(|| PortError::invalid("action", words()))?);
                }
                "state" => {
                    let known = CommandState::ALL.into_iter().find(|state| state.key() == value);
                    parsed.state = Some(known.ok_or_else(|| PortError::invalid("state", states()))?);
                }
                "search" => parsed.search = text("search", &value)?,
                "from" => parsed.from = Some(time("from", &value)?),
                "to" => parsed.to = Some(time("to", &value)?),
                "before" => {
                    let offset = value.parse().ok().filter(|offset: &i64| *offset >= 0);
                    parsed.before =
                        Some(offset.ok_or_else(|| PortError::invalid("before", "an offset, 0 or more"))?);
                }
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=AUDIT_LIMIT_MAX).contains(limit));
                    let problem = || PortError::invalid("limit", format!("from 1 to {AUDIT_LIMIT_MAX}"));
                    parsed.limit = limit.ok_or_else(problem)?;
                }
                _ => {}
            }
        }
        if let (Some(from), Some(to)) = (parsed.from, parsed.to)
            && from >= to
        {
            return Err(PortError::invalid("to", "a time after from"));
        }
        Ok(parsed)
    }

    pub fn to_query(&self) -> String {
        let mut out = form_urlencoded::Serializer::new(String::new());
        if self.kind != AuditKind::All {
            out.append_pair("kind", self.kind.key());
        }
        for (name, value) in [("group", &self.group), ("actor", &self.actor), ("search", &self.search)] {
            if !value.is_empty() {
                out.append_pair(name, value);
            }
        }
        if let Some(action) = self.action {
            out.append_pair("action", action.word());
        }
        if let Some(state) = self.state {
            out.append_pair("state", state.key());
        }
        for (name, time) in [("from", self.from), ("to", self.to)] {
            if let Some(time) = time {
                out.append_pair(name, &time.to_string());
            }
        }
        if let Some(before) = self.before {
            out.append_pair("before", &before.to_string());
        }
        if self.limit != AUDIT_LIMIT {
            out.append_pair("limit", &self.limit.to_string());
        }
        out.finish()
    }

    /// Without what only says which page of it is shown.
    pub fn is_filtered(&self) -> bool {
        *self != Self { before: self.before, limit: self.limit, ..Self::default() }
    }
}

fn text(field: &'static str, value: &str) -> Result<String, PortError> {
    if value.chars().count() > TEXT_MAX {
        return Err(PortError::invalid(field, format!("at most {TEXT_MAX} characters")));
    }
    Ok(value.to_owned())
}

fn time(field: &'static str, value: &str) -> Result<Timestamp, PortError> {
    Timestamp::parse_given(value)
        .ok_or_else(|| PortError::invalid(field, "a time such as 2026-11-21T14:08:57Z"))
}

fn words() -> String {
    let words: Vec<&str> = ActionKind::ALL.iter().map(|kind| kind.word()).collect();
    format!("one of {}", words.join(", "))
}

fn states() -> String {
    let keys: Vec<&str> = CommandState::ALL.iter().map(|state| state.key()).collect();
    format!("one of {}", keys.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_page_of_the_audit_has_one_query() {
        for query in [
            "",
            "kind=logIns&actor=ana",
            "group=pay%2Fments&search=INC-1&action=pause&state=timedOut",
            "from=2026-11-21T14%3A00%3A00.000Z&to=2026-11-21T15%3A00%3A00.000Z&before=17&limit=10",
        ] {
            assert_eq!(AuditQuery::parse(query, true).unwrap().to_query(), query);
        }
        // As a form sends it.
        let sent = "kind=all&group=&actor=&action=&state=&search=&from=&to=";
        assert_eq!(AuditQuery::parse(sent, true), Ok(AuditQuery::default()));
        assert!(!AuditQuery::parse("before=1&limit=2", true).unwrap().is_filtered());
        assert!(AuditQuery::parse("group=a", true).unwrap().is_filtered());
    }

    #[test]
    fn what_does_not_parse_names_its_field() {
        for (query, want) in [
            ("kind=x", "kind"),
            ("action=x", "action"),
            ("state=x", "state"),
            ("from=noon", "from"),
            ("from=2026-11-21&to=2026-11-21", "to"),
            ("before=-1", "before"),
            ("limit=0", "limit"),
            ("limit=501", "limit"),
            ("colour=red", "colour"),
        ] {
            let Err(PortError::Invalid { field, .. }) = AuditQuery::parse(query, true) else {
                panic!("{query}")
            };
            assert_eq!(field, want, "{query}");
        }
        let long = format!("search={}", "x".repeat(251));
        assert!(matches!(AuditQuery::parse(&long, true), Err(PortError::Invalid { .. })));
        assert_eq!(AuditQuery::parse("colour=red", false), Ok(AuditQuery::default()));
    }
}
