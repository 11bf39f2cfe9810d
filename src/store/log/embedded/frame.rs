//! Bytes of the embedded log: a segment's header, and the frame around each group.
//!
//! Pure: it reads and writes no files. A frame is valid only in the place where it was written:
//! its checksums start from a seed of store and segment, so that neither a leftover of another
//! file nor a frame smuggled into a text by a customer can be taken for one of ours.
//!
//! ```text
//! segment  "RBLOG" 0 0 version · sequence u64 · instance u128 · first number u64 · 20 × 0 ·
//!          crc u32
//! frame    magic u32 · crc of header u32 · first number u64 · entries u32 · length u32 ·
//!          crc of payload u32 · 4 × 0 · payload
//! ```

use bytes::{BufMut, Bytes, BytesMut};

use super::super::group;
use crate::engine::ports::{EntryNumber, StoreError};

/// Bytes of a segment's header.
pub(super) const SEGMENT_HEADER: usize = 64;

/// Bytes of a frame before its payload.
pub(super) const FRAME_HEADER: usize = 32;

/// First bytes of a segment; the last one is the version of its layout.
const SEGMENT_MAGIC: &[u8; 8] = b"RBLOG\0\0\x01";

/// First bytes of a frame.
const FRAME_MAGIC: &[u8; 4] = b"RBG\xa7";

/// What a segment says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// Its place among the segments; also its file name.
    pub(super) sequence: u64,
    /// The store that it belongs to.
    pub(super) instance: u128,
    /// Number of the first entry that was to be written into it.
    pub(super) first: EntryNumber,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SEGMENT_HEADER);
        bytes.put_slice(SEGMENT_MAGIC);
        bytes.put_u64_le(self.sequence);
        bytes.put_u128_le(self.instance);
        bytes.put_u64_le(self.first);
        bytes.put_bytes(0, SEGMENT_HEADER - 4 - bytes.len());
        bytes.put_u32_le(crc32fast::hash(&bytes));
        bytes
    }

    /// The header at the start of a file; none when it isn't whole.
    pub(super) fn decode(file: &[u8]) -> Option<Self> {
        let header = file.get(..SEGMENT_HEADER)?;
        let (content, checksum) = header.split_last_chunk::<4>()?;
        if !header.starts_with(SEGMENT_MAGIC)
            || u32::from_le_bytes(*checksum) != crc32fast::hash(content)
        {
            return None;
        }
        Some(Self {
            sequence: u64::from_le_bytes(chunk(header, 8)),
            instance: u128::from_le_bytes(chunk(header, 16)),
            first: u64::from_le_bytes(chunk(header, 32)),
        })
    }

    /// Where the checksums of its frames start from.
    pub(super) fn seed(&self) -> u32 {
        seed(self.instance, self.sequence)
    }
}

/// Where the checksums of a segment's frames start from.
pub(super) fn seed(instance: u128, sequence: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&instance.to_le_bytes());
    hasher.update(&sequence.to_le_bytes());
    hasher.finalize()
}

fn chunk<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the slice has N bytes")
}

fn checksum(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

/// What a frame's header says, once its checksum was found right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// Number of its first entry.
    pub(super) first: EntryNumber,
    /// How many entries it has; never 0.
    pub(super) count: u32,
    /// Bytes of its payload.
    pub(super) length: u32,
    payload_checksum: u32,
}

impl FrameHeader {
    /// The header at the start of `bytes`; none when it isn't a whole and right one.
    pub(super) fn decode(bytes: &[u8], seed: u32) -> Option<Self> {
        let header = bytes.get(..FRAME_HEADER)?;
        let right = header.starts_with(FRAME_MAGIC)
            && u32::from_le_bytes(chunk(header, 4)) == checksum(seed, &header[8..]);
        let found = Self {
            first: u64::from_le_bytes(chunk(header, 8)),
            count: u32::from_le_bytes(chunk(header, 16)),
            length: u32::from_le_bytes(chunk(header, 20)),
            payload_checksum: u32::from_le_bytes(chunk(header, 24)),
        };
        (right && found.count > 0).then_some(found)
    }

    /// Bytes of the whole frame.
    pub(super) fn frame_length(&self) -> u64 {
        FRAME_HEADER as u64 + u64::from(self.length)
    }

    /// Number of its last entry.
    pub(super) fn last(&self) -> EntryNumber {
        self.first + u64::from(self.count) - 1
    }

    /// Whether `payload` is what was written.
    pub(super) fn fits(&self, payload: &[u8], seed: u32) -> bool {
        payload.len() as u64 == u64::from(self.length)
            && checksum(seed, payload) == self.payload_checksum
    }

    /// The entries of a payload that fits; none when its inner lengths don't agree.
    pub(super) fn entries(&self, payload: &Bytes) -> Option<Vec<Bytes>> {
        let entries = group::decode(payload)?;
        (entries.len() as u64 == u64::from(self.count)).then_some(entries)
    }
}

/// Frames a group for a segment with this seed.
pub(super) fn encode(
    seed: u32,
    first: EntryNumber,
    entries: &[Bytes],
) -> Result<Bytes, StoreError> {
    let length = group::encoded_length(entries)?;
    let count = u32::try_from(entries.len())
        .expect("each entry takes at least 4 bytes of a length that fits 32 bits");
    let mut frame = BytesMut::with_capacity(FRAME_HEADER + entries.len() * 4 + length as usize);
    frame.put_slice(FRAME_MAGIC);
    frame.put_u32_le(0);
    frame.put_u64_le(first);
    frame.put_u32_le(count);
    frame.put_u32_le(length);
    frame.put_u64_le(0);
    group::encode(entries, &mut frame);
    let payload = checksum(seed, &frame[FRAME_HEADER..]);
    frame[24..28].copy_from_slice(&payload.to_le_bytes());
    let header = checksum(seed, &frame[8..FRAME_HEADER]);
    frame[4..8].copy_from_slice(&header.to_le_bytes());
    Ok(frame.freeze())
}

/// Finds the first right frame header with a number from `least` on, anywhere in `bytes`.
///
/// A group is written only when the one before it is durable. So a later header, even of a group
/// that is itself torn, proves that what stands before it was whole once.
pub(super) fn find_header(bytes: &[u8], seed: u32, least: EntryNumber) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + bytes[from..].iter().position(|&byte| byte == FRAME_MAGIC[0])?;
        match FrameHeader::decode(&bytes[at..], seed) {
            Some(header) if header.first >= least => return Some(at),
            _ => from = at + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> Vec<Bytes> {
        vec![Bytes::from_static(b"one"), Bytes::new(), Bytes::from_static(b"three")]
    }

    #[test]
    fn a_frame_is_right_only_where_it_was_written() {
        let here = seed(1, 1);
        let frame = encode(here, 41, &group()).expect("small");
        let header = FrameHeader::decode(&frame, here).expect("whole");
        assert_eq!((header.first, header.last(), header.count), (41, 43, 3));
        let payload = frame.slice(FRAME_HEADER..);
        assert!(header.fits(&payload, here));
        assert_eq!(header.entries(&payload), Some(group()));
        for elsewhere in [seed(1, 2), seed(2, 1)] {
            assert_eq!(FrameHeader::decode(&frame, elsewhere), None);
            assert!(!header.fits(&payload, elsewhere));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let seed = seed(1, 1);
        let frame = encode(seed, 41, &group()).expect("small");
        for bit in 0..frame.len() * 8 {
            let mut bad = frame.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            let whole = FrameHeader::decode(&bad, seed)
                .is_some_and(|header| header.fits(&bad[FRAME_HEADER..], seed));
            assert!(!whole, "bit {bit}");
        }
        let header = SegmentHeader { sequence: 3, instance: 9, first: 41 };
        let bytes = header.encode();
        assert_eq!(bytes.len(), SEGMENT_HEADER);
        assert_eq!(SegmentHeader::decode(&bytes), Some(header));
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&bad), None, "bit {bit}");
        }
    }

    #[test]
    fn a_later_header_is_found_in_rubbish() {
        let seed = seed(1, 1);
        let frame = encode(seed, 41, &group()).expect("small");
        let mut bytes = b"RRBGRBG\xa7".to_vec();
        bytes.extend_from_slice(&frame);
        assert_eq!(find_header(&bytes, seed, 41), Some(8));
        assert_eq!(find_header(&bytes, seed, 42), None);
        assert_eq!(find_header(&bytes[..20], seed, 1), None);
        assert_eq!(find_header(&[], seed, 1), None);
    }
}
