//! The lines that the test reads.

use std::io::Write;

use serde_json::{json, Value};

/// Writes one whole line at once, because other threads write too.
pub fn say(line: &Value) {
    let mut text = line.to_string();
    text.push('\n');
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).expect("the test reads its worker");
}

/// Reports an event of this worker: a call of `id` with `data`.
pub fn report(id: &str, data: Value, metadata: Value) {
    say(&json!({ "seen": id, "data": data, "metadata": metadata }));
}
