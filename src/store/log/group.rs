//! A group's entries as one run of bytes: each entry's length, then the entry.
//!
//! Shared by the embedded log and Redis. It carries no checksum: who stores it adds what it needs.

use bytes::{BufMut, Bytes, BytesMut};

use crate::engine::ports::StoreError;

/// Bytes before each entry: its length, little-endian.
const LENGTH_BYTES: usize = 4;

/// The length of [`encode`]'s result.
pub(super) fn encoded_length(entries: &[Bytes]) -> Result<u32, StoreError> {
    let total: usize = entries.iter().map(|entry| LENGTH_BYTES + entry.len()).sum();
    u32::try_from(total).map_err(|_| {
        StoreError::Unavailable(format!("a group of {total} bytes is more than a log can hold"))
    })
}

/// Puts the entries one behind the other; their total was checked by [`encoded_length`].
pub(super) fn encode(entries: &[Bytes], into: &mut BytesMut) {
    for entry in entries {
        let length = u32::try_from(entry.len()).expect("encoded_length checked the sum of them");
        into.put_u32_le(length);
        into.put_slice(entry);
    }
}

/// Takes the entries apart without copying them; none when lengths and bytes don't agree.
pub(super) fn decode(group: &Bytes) -> Option<Vec<Bytes>> {
    let mut entries = Vec::new();
    let mut at = 0;
    while at < group.len() {
        let length = group.get(at..at + LENGTH_BYTES)?.try_into().ok().map(u32::from_le_bytes)?;
        let start = at + LENGTH_BYTES;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        if end > group.len() {
            return None;
        }
        entries.push(group.slice(start..end));
        at = end;
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_as_they_went_in() {
        let entries = [Bytes::new(), Bytes::from_static(b"\0\xff\n"), Bytes::from(vec![7; 70_000])];
        let mut encoded = BytesMut::new();
        encode(&entries, &mut encoded);
        assert_eq!(encoded.len(), encoded_length(&entries).expect("small") as usize);
        assert_eq!(decode(&encoded.freeze()).as_deref(), Some(&entries[..]));
    }

    #[test]
    fn a_cut_group_is_no_group() {
        let mut encoded = BytesMut::new();
        encode(&[Bytes::from_static(b"abc"), Bytes::from_static(b"d")], &mut encoded);
        let encoded = encoded.freeze();
        for cut in (1..encoded.len()).filter(|&cut| cut != 7) {
            assert_eq!(decode(&encoded.slice(..cut)), None, "cut at {cut}");
        }
    }
}
