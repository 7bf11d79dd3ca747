//! A Protobuf schema from its text, with what it imports. Some clients register a descriptor in Base64 instead of a text.

use std::collections::HashMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use prost_reflect::FileDescriptor;
use prost_reflect::prost::Message;
use prost_reflect::prost_types::FileDescriptorProto;
use protox::file::{File, FileResolver, GoogleFileResolver};
use protox::{Compiler, Error};

use super::nesting::is_too_deep;
use crate::schema::SchemaError;
use crate::text::cut;

/// A path that nobody imports.
const ROOT: &str = "flowdeck/registered/schema.proto";
const WHY_MAX: usize = 300;

struct Texts(HashMap<String, String>);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        match self.0.get(name) {
            Some(text) => {
                let file = match descriptor(text) {
                    Some(file) => file,
                    None => File::from_source(name, text)?.file_descriptor_proto().clone(),
                };
                // Places in the text are looked for anew for each of a text's errors: many took minutes.
                let file =
                    FileDescriptorProto { name: Some(name.to_owned()), source_code_info: None, ..file };
                Ok(File::from_file_descriptor_proto(file))
            }
            None => GoogleFileResolver::new().open_file(name),
        }
    }
}

/// No text of a schema is without spaces and brackets.
fn descriptor(text: &str) -> Option<FileDescriptorProto> {
    let bytes = BASE64_STANDARD.decode(text.trim()).ok()?;
    FileDescriptorProto::decode(&*bytes).ok()
}

pub(super) fn compile(text: &str, imports: Vec<(String, String)>) -> Result<FileDescriptor, SchemaError> {
    let mut texts: HashMap<String, String> = imports.into_iter().collect();
    texts.insert(ROOT.to_owned(), text.to_owned());
    if texts.values().any(|text| is_too_deep(text)) {
        return Err(SchemaError("it is nested too deeply".to_owned()));
    }
    let work = || {
        let mut compiler = Compiler::with_file_resolver(Texts(texts));
        compiler.open_file(ROOT).map_err(|error| SchemaError(first_line(&error.to_string())))?;
        let found = compiler.descriptor_pool().get_file_by_name(ROOT);
        found.ok_or_else(|| SchemaError("it has no file of its own".to_owned()))
    };
    // The text is others', and so is the compiler: neither may end a read.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(SchemaError("its compiler failed".to_owned())))
}

fn first_line(text: &str) -> String {
    let line: String = text.lines().next().unwrap_or_default().replace(ROOT, "the schema");
    cut(&line, WHY_MAX).chars().filter(|c| !c.is_control()).collect()
}
