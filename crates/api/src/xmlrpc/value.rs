//! One XML-RPC value.

/// What an XML-RPC document can carry.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `int`, `i4`, and in answers `i8`.
    Int(i64),
    /// `boolean`.
    Bool(bool),
    /// `string`, or text without a type.
    String(String),
    /// `double`.
    Double(f64),
    /// `dateTime.iso8601`, as written.
    DateTime(String),
    /// `base64`, decoded. Requests never carry it: it reaches verbs as a string (RPC-026).
    Base64(Vec<u8>),
    /// `array`.
    Array(Vec<Self>),
    /// `struct`, in the order written; of members with one name the last counts.
    Struct(Vec<(String, Self)>),
    /// `nil`.
    Nil,
}

impl Value {
    /// Bytes of all text in it, names of members left out.
    #[must_use]
    pub fn text_length(&self) -> usize {
        match self {
            Self::String(text) | Self::DateTime(text) => text.len(),
            Self::Base64(bytes) => bytes.len(),
            Self::Array(values) => values.iter().map(Self::text_length).sum(),
            Self::Struct(members) => members.iter().map(|(_, value)| value.text_length()).sum(),
            Self::Int(_) | Self::Bool(_) | Self::Double(_) | Self::Nil => 0,
        }
    }

    /// A struct of these members.
    #[must_use]
    pub fn record<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Struct(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// An array of these strings.
    pub fn strings<T: Into<String>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::Array(items.into_iter().map(|item| Self::String(item.into())).collect())
    }

    /// The member of this name, if this is a struct that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Struct(members) = self else { return None };
        members.iter().rev().find(|(member, _)| member == name).map(|(_, value)| value)
    }

    /// The text, if this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The number, if this is an int.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    /// The truth, if this is a boolean.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(truth) = self { Some(*truth) } else { None }
    }

    /// The items, if this is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<Vec<Self>> for Value {
    fn from(items: Vec<Self>) -> Self {
        Self::Array(items)
    }
}
