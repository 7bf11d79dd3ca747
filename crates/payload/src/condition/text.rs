//! From text to an expression. The parser recurses: it has a thread with a stack for the longest text there may be.

use cel::common::ast::SourceInfo;
use cel::{Env, IdedExpr, ParseErrors};

/// Bytes of an expression.
const LENGTH_MAX: usize = 1_000;
/// The parser's own count, some three of which are one bracket.
const NESTING_MAX: u16 = 24;
/// Of a thread that lives for one text; what is not touched costs nothing.
const STACK: usize = 64 * 1024 * 1024;

pub(super) struct Parsed {
    pub(super) expression: IdedExpr,
    source: SourceInfo,
}

pub(super) fn parse(text: &str) -> Result<Parsed, String> {
    if text.len() > LENGTH_MAX {
        return Err(format!("at most {LENGTH_MAX} bytes"));
    }
    let given = text.to_owned();
    let work = move || {
        let parser = Env::stdlib().parser().max_recursion_depth(NESTING_MAX);
        parser.parse_with_source_info(&given).map_err(|errors| first(&errors))
    };
    let thread = std::thread::Builder::new().name("cel-parser".to_owned()).stack_size(STACK);
    let thread = thread.spawn(work).map_err(|error| format!("no thread to parse it: {error}"))?;
    let (expression, source) = thread.join().map_err(|_| "the expression cannot be parsed".to_owned())??;
    Ok(Parsed { expression, source })
}

/// The first one: those behind it mostly follow from it.
fn first(errors: &ParseErrors) -> String {
    let Some(error) = errors.errors.first() else { return "the expression cannot be parsed".to_owned() };
    let message = crate::text::cut(&error.msg, 300);
    match error.pos {
        (line, column) if line > 0 => format!("line {line}, column {}: {message}", column.max(1)),
        _ => message.to_owned(),
    }
}

impl Parsed {
    /// A refusal, with the place of the part that it is about.
    pub(super) fn refused(&self, at: u64, why: &str) -> String {
        let Some((start, _)) = self.source.offset_for(at) else { return why.to_owned() };
        let before: String = self.source.source.chars().take(start as usize).collect();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        format!("line {line}, column {column}: {why}")
    }
}
