use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A color as a program set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Paint {
    /// The terminal's own foreground or background.
    #[default]
    Default,
    /// One of the 256 palette colors; 0 to 15 are the theme's.
    Indexed(u8),
    /// A true color.
    Rgb(u8, u8, u8),
}

impl Paint {
    fn is_default(&self) -> bool {
        *self == Self::Default
    }
}

/// How text is underlined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Underline {
    /// Not at all.
    #[default]
    None,
    /// One line.
    Single,
    /// Two lines.
    Double,
    /// A wave.
    Curl,
    /// Dots.
    Dotted,
    /// Dashes.
    Dashed,
}

impl Underline {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The look of a stretch of text. Defaults are left out on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[allow(clippy::struct_excessive_bools, reason = "these are the terminal's independent attributes")]
pub struct Style {
    /// Foreground.
    #[serde(skip_serializing_if = "Paint::is_default")]
    pub fg: Paint,
    /// Background.
    #[serde(skip_serializing_if = "Paint::is_default")]
    pub bg: Paint,
    /// The underline's own color.
    #[serde(skip_serializing_if = "Paint::is_default")]
    pub underline_color: Paint,
    /// Underline.
    #[serde(skip_serializing_if = "Underline::is_none")]
    pub underline: Underline,
    /// Bold.
    #[serde(skip_serializing_if = "is_false")]
    pub bold: bool,
    /// Faint.
    #[serde(skip_serializing_if = "is_false")]
    pub dim: bool,
    /// Italic.
    #[serde(skip_serializing_if = "is_false")]
    pub italic: bool,
    /// Foreground and background exchanged.
    #[serde(skip_serializing_if = "is_false")]
    pub inverse: bool,
    /// Not shown.
    #[serde(skip_serializing_if = "is_false")]
    pub hidden: bool,
    /// Struck through.
    #[serde(skip_serializing_if = "is_false")]
    pub strikeout: bool,
    /// The target of a hyperlink (OSC 8).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<Arc<str>>,
}

/// A stretch of a line with one style: bytes `start` to `end` of its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// Its look.
    #[serde(flatten)]
    pub style: Style,
}

/// A line as text with style runs; stretches without a span have the default style.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SpanLine {
    /// The text, without trailing blanks.
    pub text: String,
    /// Styled stretches in order.
    pub spans: Vec<Span>,
}
