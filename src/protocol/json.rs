//! Bounds what JSON takes once it is parsed, which its length alone does not tell.

/// What there is too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonExcess {
    /// Arrays and objects within each other.
    Depth,
    /// Values, the keys of objects among them, as in msgpack.
    Values,
}

/// Whether JSON is nested deeper, or holds more values, than it may; in no memory of its own. Parsed, a value takes up
/// to a hundred times the bytes that it came in.
#[must_use]
pub fn json_excess(json: &[u8], max_depth: usize, max_values: u64) -> Option<JsonExcess> {
    let (mut depth, mut values, mut in_string, mut escaped) = (0_usize, 1_u64, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                (depth, values) = (depth + 1, values + 1);
                if depth > max_depth {
                    return Some(JsonExcess::Depth);
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            b',' | b':' if !in_string => values += 1,
            _ => {}
        }
        if values > max_values {
            return Some(JsonExcess::Values);
        }
    }
    None
}
