//! What an expression may cost, from its form: refused where no bound is known, else a bound that follows from the
//! size of a record.
//!
//! An evaluation visits each part of the expression at most once, but for a loop (`exists`, `all`, `exists_one`,
//! `filter`), whose parts are visited once for each element. Elements are those of the record and of lists in the
//! expression. Only `+` makes something larger than what there was, at most once for each `+` of a visit; loops
//! collect nothing but elements.

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue};
use cel::{Context, IdedExpr};
use regex::RegexBuilder;

use super::record::Size;
use super::text::Parsed;
use super::{Patterns, VARIABLES};

/// Steps of some 0.1 µs.
const STEPS_MAX: u128 = 5_000_000;
/// Levels of the expression's tree: its evaluation recurses.
const DEPTH_MAX: u32 = 40;
const LOOPS_MAX: u32 = 2;
const PATTERN_BYTES: usize = 256 * 1024;
/// Bytes of a text that are looked at in one step.
const BYTES_A_STEP: u128 = 64;

const OPERATORS: [&str; 16] = [
    "_?_:_", "_&&_", "_||_", "!_", "_-_", "_+_", "_*_", "_/_", "_%_", "_==_", "_!=_", "_>=_", "_<=_", "_>_",
    "_<_", "-_",
];
const OTHERS: [&str; 31] = [
    "_[_]",
    "@in",
    "@not_strictly_false",
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "int",
    "uint",
    "double",
    "string",
    "bytes",
    "bool",
    "type",
    "dyn",
    "timestamp",
    "duration",
    "getFullYear",
    "getMonth",
    "getDayOfMonth",
    "getDate",
    "getDayOfYear",
    "getDayOfWeek",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
    "has",
    "all",
    "exists",
];
const TYPES: [&str; 13] = [
    "int",
    "uint",
    "double",
    "string",
    "bytes",
    "bool",
    "list",
    "map",
    "null_type",
    "type",
    "timestamp",
    "duration",
    "dyn",
];

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    parts: u64,
    loops: u32,
    /// Each `+`.
    sums: u32,
    /// Elements of lists and maps that are written in the expression.
    elements: u64,
    /// Two values of the record may be compared as a whole.
    compares: bool,
}

pub(super) struct Checked {
    pub(super) bounds: Bounds,
    pub(super) patterns: Patterns,
}

impl Bounds {
    pub(super) fn allow(&self, size: Size) -> bool {
        let rounds = self.loops + 1;
        let growth = u128::from(self.sums + 1).saturating_pow(rounds);
        let elements = u128::from(size.elements.max(self.elements).max(1)).saturating_mul(growth);
        let text = (size.longest as u128).saturating_mul(growth) / BYTES_A_STEP;
        let step = 1u128.saturating_add(text).saturating_add(if self.compares { elements } else { 0 });
        let visits = elements.saturating_pow(self.loops).saturating_mul(u128::from(self.parts));
        visits.saturating_mul(step) <= STEPS_MAX
    }
}

pub(super) fn check(parsed: &Parsed) -> Result<Checked, String> {
    let mut walk = Walk {
        parsed,
        checked: Checked { bounds: Bounds::default(), patterns: Patterns::default() },
        names: VARIABLES.map(str::to_owned).to_vec(),
    };
    walk.part(&parsed.expression, 0, 0)?;
    Ok(walk.checked)
}

struct Walk<'a> {
    parsed: &'a Parsed,
    checked: Checked,
    /// What may be named here.
    names: Vec<String>,
}

impl Walk<'_> {
    fn part(&mut self, part: &IdedExpr, depth: u32, loops: u32) -> Result<(), String> {
        let refused = |why: &str| Err(self.parsed.refused(part.id, why));
        if depth > DEPTH_MAX {
            return refused("too deeply nested, or too long a chain");
        }
        let bounds = &mut self.checked.bounds;
        bounds.parts += 1;
        bounds.loops = bounds.loops.max(loops);
        let deeper = depth + 1;
        match &part.expr {
            Expr::Unspecified | Expr::Struct(_) => refused("this is not available"),
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) if self.names.contains(name) || TYPES.contains(&name.as_str()) => Ok(()),
            Expr::Ident(name) => {
                let known = VARIABLES.join(", ");
                refused(&format!("there is no {name}: there are {known}"))
            }
            Expr::Select(select) => self.part(&select.operand, deeper, loops),
            Expr::List(list) => {
                bounds.elements += list.elements.len() as u64;
                list.elements.iter().try_for_each(|element| self.part(element, deeper, loops))
            }
            Expr::Map(map) => {
                bounds.elements += map.entries.len() as u64;
                map.entries.iter().try_for_each(|entry| match &entry.expr {
                    EntryExpr::MapEntry(entry) => {
                        self.part(&entry.key, deeper, loops)?;
                        self.part(&entry.value, deeper, loops)
                    }
                    EntryExpr::StructField(_) => refused("this is not available"),
                })
            }
            Expr::Call(call) => self.call(part.id, call, deeper, loops),
            Expr::Comprehension(one) => self.comprehension(part.id, one, deeper, loops),
        }
    }

    fn call(&mut self, id: u64, call: &CallExpr, depth: u32, loops: u32) -> Result<(), String> {
        let name = call.func_name.as_str();
        match name {
            "_+_" => self.checked.bounds.sums += 1,
            "_==_" | "_!=_" | "@in" => self.checked.bounds.compares |= compares(call),
            "matches" => self.pattern(id, call)?,
            "map" | "filter" | "exists_one" => {
                let why = format!("{name} is not available in this form");
                return Err(self.parsed.refused(id, &why));
            }
            _ if OPERATORS.contains(&name) || OTHERS.contains(&name) => {}
            _ => return Err(self.parsed.refused(id, &format!("there is no function {name}"))),
        }
        call.target.iter().try_for_each(|target| self.part(target, depth, loops))?;
        call.args.iter().try_for_each(|argument| self.part(argument, depth, loops))
    }

    /// Patterns are compiled once, so they are known now.
    fn pattern(&mut self, id: u64, call: &CallExpr) -> Result<(), String> {
        let last = call.args.last().map(|argument| (argument.id, &argument.expr));
        let Some((at, Expr::Literal(LiteralValue::String(pattern)))) = last else {
            return Err(self.parsed.refused(id, "matches needs its pattern written as a text"));
        };
        let pattern = pattern.inner().to_owned();
        match RegexBuilder::new(&pattern).size_limit(PATTERN_BYTES).build() {
            Ok(regex) => self.checked.patterns.insert(pattern, regex),
            Err(error) => {
                let why = format!("no regular expression: {}", last_line(&error.to_string()));
                return Err(self.parsed.refused(at, &why));
            }
        };
        Ok(())
    }

    fn comprehension(
        &mut self,
        id: u64,
        one: &ComprehensionExpr,
        depth: u32,
        loops: u32,
    ) -> Result<(), String> {
        let collects = matches!(one.accu_init.expr, Expr::List(_) | Expr::Map(_));
        if collects && !is_filter(one) {
            return Err(self
                .parsed
                .refused(id, "map is not available: use exists, all, exists_one or filter"));
        }
        // A filter copies what it has collected.
        let inner = loops + if collects { 2 } else { 1 };
        if inner > LOOPS_MAX {
            return Err(self.parsed.refused(id, "too many loops within loops"));
        }
        self.part(&one.iter_range, depth, loops)?;
        let known = self.names.len();
        self.names.push(one.accu_var.clone());
        self.names.push(one.iter_var.clone());
        self.names.extend(one.iter_var2.clone());
        let (elements, sums) = (self.checked.bounds.elements, self.checked.bounds.sums);
        self.part(&one.accu_init, depth, inner)?;
        self.part(&one.loop_cond, depth, inner)?;
        self.part(&one.loop_step, depth, inner)?;
        self.part(&one.result, depth, inner)?;
        if collects {
            // Its own `+` adds one element.
            self.checked.bounds.elements = self.checked.bounds.elements.max(elements);
            self.checked.bounds.sums = self.checked.bounds.sums.saturating_sub(1).max(sums);
        }
        self.names.truncate(known);
        Ok(())
    }
}

/// What is collected are elements themselves: `condition ? @result + [x] : @result`.
fn is_filter(one: &ComprehensionExpr) -> bool {
    let Expr::Call(step) = &one.loop_step.expr else { return false };
    let Some(Expr::Call(sum)) = step.args.get(1).map(|then| &then.expr) else { return false };
    let Some(Expr::List(added)) = sum.args.get(1).map(|added| &added.expr) else { return false };
    let [element] = &added.elements[..] else { return false };
    let is_accumulated = matches!(&sum.args[0].expr, Expr::Ident(name) if *name == one.accu_var);
    let is_element = matches!(&element.expr, Expr::Ident(name) if *name == one.iter_var);
    step.func_name == "_?_:_" && sum.func_name == "_+_" && is_accumulated && is_element
}

/// Whether neither side is a single value that is written there.
fn compares(call: &CallExpr) -> bool {
    let is_plain = |part: &IdedExpr| matches!(part.expr, Expr::Literal(_));
    match call.func_name.as_str() {
        // A list that is written there is counted by its parts; a map is looked up.
        "@in" => !call.args.last().is_some_and(|list| matches!(list.expr, Expr::List(_) | Expr::Map(_))),
        _ => !call.args.iter().any(is_plain),
    }
}

fn last_line(text: &str) -> &str {
    let last = text.lines().last().unwrap_or_default().trim();
    crate::text::cut(last.strip_prefix("error: ").unwrap_or(last), 200)
}

/// A context is shared by the threads that search.
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Context<'static, 'static>>();
};
