//! FNV-1a with 64 bits (Fowler, Noll, Vo): the same on every machine and in every release.
//!
//! Separate because digests made with it stand in the store, and the standard library doesn't
//! promise that its own hasher stays as it is. It spreads evenly and fast, and no more: it must
//! never be what keeps a secret, nor what decides alone that two things of a stranger are equal.
//!
//! Constants and order of the two steps: <http://www.isthe.com/chongo/tech/comp/fnv/>.

/// What the hash of no bytes is.
const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;

const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The hash of the bytes taken so far, one after the other: where one piece ends and the next one
/// begins isn't part of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(OFFSET_BASIS)
    }
}

impl Fnv {
    /// The hash of these pieces, one after the other.
    pub(crate) fn of(pieces: &[&[u8]]) -> u64 {
        let mut all = Self::default();
        for piece in pieces {
            all.take(piece);
        }
        all.value()
    }

    /// Takes bytes behind those before.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
    }

    /// The hash of all that it has taken.
    pub(crate) fn value(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_its_authors_examples() {
        for (text, hash) in [
            ("", 0xcbf2_9ce4_8422_2325),
            ("a", 0xaf63_dc4c_8601_ec8c),
            ("foobar", 0x8594_4171_f739_67e8),
        ] {
            let pieces: Vec<_> = text.as_bytes().chunks(1).collect();
            assert_eq!(Fnv::of(&[text.as_bytes()]), hash, "{text}");
            assert_eq!(Fnv::of(&pieces), hash, "{text}");
        }
    }
}
