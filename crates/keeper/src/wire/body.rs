//! Fields of a frame's body.

use upkeep_os::Strings;

use super::WireError;

/// Appends fields.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

macro_rules! put {
    ($($name:ident $type:ty;)*) => {
        $(pub(crate) fn $name(&mut self, value: $type) -> &mut Self {
            self.0.extend_from_slice(&value.to_le_bytes());
            self
        })*
    };
}

impl Writer {
    put! { u8 u8; u16 u16; u32 u32; u64 u64; i32 i32; }

    pub(crate) fn bool(&mut self, value: bool) -> &mut Self {
        self.u8(u8::from(value))
    }

    /// Longer ones than a frame can hold are refused when the frame is sent.
    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
        self.0.extend_from_slice(value);
        self
    }

    pub(crate) fn list<T>(&mut self, items: &[T], put: impl Fn(&mut Self, &T)) -> &mut Self {
        self.u32(u32::try_from(items.len()).unwrap_or(u32::MAX));
        for item in items {
            put(self, item);
        }
        self
    }

    /// As [`Self::list`] writes them.
    pub(crate) fn strings(&mut self, texts: &Strings) -> &mut Self {
        self.u32(u32::try_from(texts.len()).unwrap_or(u32::MAX));
        for text in texts.iter() {
            self.bytes(text);
        }
        self
    }

    pub(crate) fn option<T>(&mut self, item: Option<&T>, put: impl Fn(&mut Self, &T)) -> &mut Self {
        self.bool(item.is_some());
        if let Some(item) = item {
            put(self, item);
        }
        self
    }

    /// Goes on behind these bytes.
    pub(super) fn behind(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Takes fields off the front.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

macro_rules! take {
    ($($name:ident $type:ty;)*) => {
        $(pub(crate) fn $name(&mut self) -> Result<$type, WireError> {
            let (field, rest) = self.0.split_first_chunk().ok_or(WireError::Truncated)?;
            self.0 = rest;
            Ok(<$type>::from_le_bytes(*field))
        })*
    };
}

impl<'a> Reader<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    /// Whether nothing is left: what follows was added later.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    take! { u8 u8; u16 u16; u32 u32; u64 u64; i32 i32; }

    pub(crate) fn bool(&mut self) -> Result<bool, WireError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(WireError::Value),
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, WireError> {
        self.field().map(<[u8]>::to_vec)
    }

    fn field(&mut self) -> Result<&'a [u8], WireError> {
        let length = usize::try_from(self.u32()?).map_err(|_| WireError::Truncated)?;
        let (field, rest) = self.0.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(field)
    }

    /// As [`Self::list`] reads them.
    pub(crate) fn strings(&mut self) -> Result<Strings, WireError> {
        let mut texts = Strings::default();
        for _ in 0..self.u32()? {
            texts.push(&[self.field()?]);
        }
        Ok(texts)
    }

    pub(crate) fn text(&mut self) -> Result<String, WireError> {
        String::from_utf8(self.bytes()?).map_err(|_| WireError::Value)
    }

    /// The count is not trusted: memory grows with the items that are really there.
    pub(crate) fn list<T>(
        &mut self,
        take: impl Fn(&mut Self) -> Result<T, WireError>,
    ) -> Result<Vec<T>, WireError> {
        let count = self.u32()?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(take(self)?);
        }
        Ok(items)
    }

    pub(crate) fn option<T>(
        &mut self,
        take: impl Fn(&mut Self) -> Result<T, WireError>,
    ) -> Result<Option<T>, WireError> {
        if self.bool()? { take(self).map(Some) } else { Ok(None) }
    }
}
