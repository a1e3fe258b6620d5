//! The tools that Anthropic defines and the client runs. They have no schema in a request, since Claude knows them;
//! another model gets the input that Anthropic documents.

/// What another model is told of such a tool.
pub(super) struct Documented {
    pub(super) name: &'static str,
    /// As it stands inside a string.
    pub(super) description: &'static str,
    pub(super) schema: &'static str,
}

/// The tool of that type, which is JSON and ends in a date.
pub(super) fn documented(kind: &[u8]) -> Option<&'static Documented> {
    let kind = kind.strip_prefix(b"\"")?;
    if kind.starts_with(b"bash_2") {
        return Some(&BASH);
    }
    if kind.starts_with(b"memory_2") {
        return Some(&MEMORY);
    }
    // Up to this one it could undo, and inserted `new_str`.
    let first = b"text_editor_20250429\"";
    match kind.starts_with(b"text_editor_2") {
        true if kind < &first[..] => Some(&OLD_EDITOR),
        true => Some(&EDITOR),
        false => None,
    }
}

static BASH: Documented = Documented {
    name: "bash",
    description: "Runs a command in a persistent bash session and returns its output.",
    schema: r#"{"type":"object","properties":{"command":{"type":"string","description":"The command to run. Required unless restart is true."},"restart":{"type":"boolean","description":"Restarts the session."}}}"#,
};

static EDITOR: Documented = Documented {
    name: "str_replace_based_edit_tool",
    description: "Views, creates and edits text files.",
    schema: r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert"]},"path":{"type":"string","description":"The file or directory."},"view_range":{"type":"array","items":{"type":"integer"},"description":"For view: the first and the last line; -1 is the end of the file."},"file_text":{"type":"string","description":"For create: the content of the new file."},"old_str":{"type":"string","description":"For str_replace: the text to replace, which must occur exactly once."},"new_str":{"type":"string","description":"For str_replace: the text to put in its place."},"insert_line":{"type":"integer","description":"For insert: the line after which to insert; 0 is the beginning of the file."},"insert_text":{"type":"string","description":"For insert: the text to insert."}},"required":["command","path"]}"#,
};

static OLD_EDITOR: Documented = Documented {
    name: "str_replace_editor",
    description: "Views, creates and edits text files.",
    schema: r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","undo_edit"]},"path":{"type":"string","description":"The file or directory."},"view_range":{"type":"array","items":{"type":"integer"},"description":"For view: the first and the last line; -1 is the end of the file."},"file_text":{"type":"string","description":"For create: the content of the new file."},"old_str":{"type":"string","description":"For str_replace: the text to replace, which must occur exactly once."},"new_str":{"type":"string","description":"For str_replace and insert: the text to put there."},"insert_line":{"type":"integer","description":"For insert: the line after which to insert; 0 is the beginning of the file."}},"required":["command","path"]}"#,
};

static MEMORY: Documented = Documented {
    name: "memory",
    description: "Reads and keeps notes as files below /memories, which outlast the conversation.",
    schema: r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","delete","rename"]},"path":{"type":"string","description":"The file or directory, below /memories. For all but rename."},"view_range":{"type":"array","items":{"type":"integer"},"description":"For view: the first and the last line."},"file_text":{"type":"string","description":"For create: the content of the file."},"old_str":{"type":"string","description":"For str_replace: the text to replace."},"new_str":{"type":"string","description":"For str_replace: the text to put in its place."},"insert_line":{"type":"integer","description":"For insert: the line after which to insert."},"insert_text":{"type":"string","description":"For insert: the text to insert."},"old_path":{"type":"string","description":"For rename: the path as it is."},"new_path":{"type":"string","description":"For rename: the path as it is to be."}},"required":["command"]}"#,
};
