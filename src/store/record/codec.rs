//! How values become bytes: fields in order, integers as varints, texts with their length.
//!
//! Each record begins with the version of its layout. A layout never changes; a new one gets the
//! next number, and the old one goes on being read.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes that can't be what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Broken(pub(crate) String);

/// What a record is read from.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        if count > self.0.len() {
            return Err(Broken(format!("{count} bytes expected, {} are left", self.0.len())));
        }
        let (head, rest) = self.0.split_at(count);
        self.0 = rest;
        Ok(head)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Broken> {
        Ok(self.bytes(1)?[0])
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Broken> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits > u64::MAX >> shift {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Broken("a number of more than 64 bits".to_owned()))
    }

    /// A text with its length in front.
    pub(crate) fn text(&mut self) -> Result<&'a str, Broken> {
        let count = self.count()?;
        let bytes = self.bytes(count)?;
        std::str::from_utf8(bytes).map_err(|error| Broken(error.to_string()))
    }

    /// A count of things of which each takes at least one byte.
    pub(crate) fn count(&mut self) -> Result<usize, Broken> {
        let count = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        if count > self.0.len() {
            return Err(Broken(format!("{count} items in {} bytes", self.0.len())));
        }
        Ok(count)
    }
}

/// Seven bits a byte, the lowest first; the high bit says that more follow.
pub(crate) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// A value that is stored.
pub(crate) trait Stored: Sized {
    /// Appends it.
    fn put(&self, out: &mut Vec<u8>);

    /// Reads it back.
    fn take(from: &mut Reader<'_>) -> Result<Self, Broken>;
}

impl Stored for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(*self, out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        from.varint()
    }
}

impl Stored for u32 {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(u64::from(*self), out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let value = from.varint()?;
        Self::try_from(value).map_err(|_| Broken(format!("{value} in 32 bits")))
    }
}

impl Stored for u8 {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        from.byte()
    }
}

impl Stored for i64 {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(((*self << 1) ^ (*self >> 63)).cast_unsigned(), out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let value = from.varint()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }
}

impl Stored for u128 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let bytes = from.bytes(16)?;
        Ok(Self::from_be_bytes(bytes.try_into().expect("16 bytes were read")))
    }
}

impl Stored for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        match from.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(Broken(format!("{other} is neither true nor false"))),
        }
    }
}

impl Stored for [u8; 32] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        Ok(from.bytes(32)?.try_into().expect("32 bytes were read"))
    }
}

/// A text with its length in front.
pub(crate) fn put_text(text: &str, out: &mut Vec<u8>) {
    put_varint(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

impl Stored for String {
    fn put(&self, out: &mut Vec<u8>) {
        put_text(self, out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        from.text().map(str::to_owned)
    }
}

impl<T: Stored> Stored for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        if bool::take(from)? { Ok(Some(T::take(from)?)) } else { Ok(None) }
    }
}

impl<T: Stored> Stored for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(self.len() as u64, out);
        for item in self {
            item.put(out);
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let count = from.count()?;
        (0..count).map(|_| T::take(from)).collect()
    }
}

impl<T: Stored> Stored for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        T::put(self, out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        T::take(from).map(Self::new)
    }
}

impl<T: Stored> Stored for Arc<T> {
    fn put(&self, out: &mut Vec<u8>) {
        T::put(self, out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        T::take(from).map(Self::new)
    }
}

impl<A: Stored, B: Stored> Stored for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        Ok((A::take(from)?, B::take(from)?))
    }
}

impl<K: Stored + Ord + Clone, V: Stored + Clone> Stored for BTreeMap<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(self.len() as u64, out);
        for (key, value) in self {
            key.put(out);
            value.put(out);
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        Ok(Vec::<(K, V)>::take(from)?.into_iter().collect())
    }
}

/// A struct, by its fields in the order in which they are stored. All fields must be named.
macro_rules! stored_struct {
    ($name:ty { $($field:ident),* $(,)? }) => {
        impl Stored for $name {
            fn put(&self, out: &mut Vec<u8>) {
                let Self { $($field),* } = self;
                $($field.put(out);)*
            }

            fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
                $(let $field = Stored::take(from)?;)*
                Ok(Self { $($field),* })
            }
        }
    };
}

/// An enum, by the tag of each variant and its fields. All variants must be named.
macro_rules! stored_enum {
    ($name:ty { $($tag:literal => $variant:ident $({ $($field:ident),* $(,)? })?),* $(,)? }) => {
        impl Stored for $name {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $({ $($field),* })? => {
                        out.push($tag);
                        $($($field.put(out);)*)?
                    })*
                }
            }

            fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
                match from.byte()? {
                    $($tag => {
                        $($(let $field = Stored::take(from)?;)*)?
                        Ok(Self::$variant $({ $($field),* })?)
                    })*
                    other => Err(Broken(format!(
                        "{other} is no {}", stringify!($name)
                    ))),
                }
            }
        }
    };
}

/// A value stored as another one.
macro_rules! stored_as {
    ($name:ty as $other:ty, $put:expr, $take:expr) => {
        impl Stored for $name {
            fn put(&self, out: &mut Vec<u8>) {
                let other: $other = $put(self);
                other.put(out);
            }

            fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
                $take(<$other>::take(from)?)
            }
        }
    };
}

/// A value stored as a text: how it is seen as one, and how it is read.
macro_rules! stored_text {
    ($name:ty, $see:ident, $parse:expr) => {
        impl Stored for $name {
            fn put(&self, out: &mut Vec<u8>) {
                put_text(self.$see(), out);
            }

            fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
                $parse(from.text()?).map_err(|error| Broken(error.to_string()))
            }
        }
    };
}

pub(crate) use {stored_as, stored_enum, stored_struct, stored_text};
