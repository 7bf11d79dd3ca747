//! A condition in the Common Expression Language, over one record. What it may cost is known before it is evaluated:
//! the expression is checked once (`bounds.rs`), and a record on which it would take too long is not judged.

mod bounds;
mod record;
mod text;

use std::collections::HashMap;
use std::sync::Arc;

use cel::extractors::This;
use cel::{Context, Env, IdedExpr, Value};
use regex::Regex;

use bounds::Bounds;
pub use record::CelRecord;

/// Bytes of a message of the evaluation, which may repeat values.
const FAILURE_MAX: usize = 200;
const VARIABLES: [&str; 6] = ["key", "value", "headers", "timestamp", "partition", "offset"];

pub struct CelCondition {
    expression: IdedExpr,
    bounds: Bounds,
    uses: Vec<String>,
    /// Functions, no variables: those are of a record.
    context: Context<'static, 'static>,
}

/// What a condition says of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    Holds,
    DoesNot,
    /// It could not be evaluated: why.
    Failed(String),
}

impl CelCondition {
    /// `Err` says what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parsed = text::parse(text)?;
        let checked = bounds::check(&parsed)?;
        let mut context = Context::with_env(Arc::new(Env::stdlib()));
        let patterns = checked.patterns;
        context
            .add_function("matches", move |This(text): This<Arc<String>>, pattern: Arc<String>| {
                patterns.get(pattern.as_str()).is_some_and(|regex: &Regex| regex.is_match(&text))
            })
            .map_err(|error| error.to_string())?;
        let uses = parsed.expression.references().variables().into_iter().map(str::to_owned).collect();
        Ok(Self { expression: parsed.expression, bounds: checked.bounds, uses, context })
    }

    /// Whether it looks at that variable, so that what it does not need is not decoded.
    pub fn uses(&self, variable: &str) -> bool {
        self.uses.iter().any(|used| used == variable)
    }

    pub fn judge(&self, record: &CelRecord<'_>) -> Judged {
        match self.evaluate(record) {
            Ok(true) => Judged::Holds,
            Ok(false) => Judged::DoesNot,
            Err(why) => Judged::Failed(crate::text::cut(&why, FAILURE_MAX).to_owned()),
        }
    }

    fn evaluate(&self, record: &CelRecord<'_>) -> Result<bool, String> {
        let (value, size) =
            if self.uses("value") { record.value()? } else { (Value::Null, record::Size::NONE) };
        if !self.bounds.allow(size.and(record.texts())) {
            return Err("too large a value for this expression".to_owned());
        }
        let mut context = self.context.new_inner_scope();
        if self.uses("value") {
            context.add_variable_from_value("value", value);
        }
        for (name, value) in record.others(|name| self.uses(name)) {
            context.add_variable_from_value(name, value);
        }
        match context.resolve(&self.expression) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("the expression gives {}, not true or false", other.type_of())),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl std::fmt::Debug for CelCondition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CelCondition").field("expression", &self.expression).finish_non_exhaustive()
    }
}

type Patterns = HashMap<String, Regex>;

#[cfg(test)]
mod tests;
