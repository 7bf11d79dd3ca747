//! Answers that a browser saves: neither shown there nor kept.

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileType {
    /// A value of JSON a line.
    NdJson,
    Csv,
    Bytes,
}

impl FileType {
    fn ending_and_type(self) -> (&'static str, &'static str) {
        match self {
            Self::NdJson => ("ndjson", "application/x-ndjson"),
            Self::Csv => ("csv", "text/csv; charset=utf-8"),
            Self::Bytes => ("bin", "application/octet-stream"),
        }
    }
}

/// `name` has letters, digits, points, dashes and underscores only.
pub(crate) fn attachment(name: &str, file: FileType, body: Vec<u8>) -> Response {
    let (ending, kind) = file.ending_and_type();
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{name}.{ending}\"")) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    response
}

pub(crate) fn lines<T: Serialize>(values: &[T]) -> Vec<u8> {
    let mut out = vec![];
    for value in values {
        // A view is JSON always, and a Vec takes it.
        let _ = serde_json::to_writer(&mut out, value);
        out.push(b'\n');
    }
    out
}

/// One line of CSV, every cell in quotes.
pub(crate) fn csv_line(out: &mut String, cells: &[String]) {
    let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
    out.push_str(&cells.join(","));
    out.push_str("\r\n");
}

/// A spreadsheet calculates what begins so, and would send it elsewhere.
fn quoted(cell: &str) -> String {
    let is_formula = cell.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r'])
        || cell.starts_with(['\t', '\r', '\n']);
    let prefix = if is_formula { "'" } else { "" };
    format!("\"{prefix}{}\"", cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_no_formulas() {
        for (cell, want) in [
            ("=1+1", "\"'=1+1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@x", "\"'@x\""),
            (" =1", "\"' =1\""),
            ("\t=1", "\"'\t=1\""),
            ("a \"b\", c", "\"a \"\"b\"\", c\""),
            ("7", "\"7\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(cell), want);
        }
    }
}
