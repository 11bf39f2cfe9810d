//! Made-up customers: a distinct one for each callback, so that no duplicate rule ever hits.
//!
//! Separate because two commands need them. The numbers are well-formed North American ones in
//! cities' area codes; the server under test calls nobody.

/// Area codes of large cities, all within the continental United States.
const AREAS: [u64; 10] = [212, 415, 312, 206, 617, 713, 305, 202, 303, 404];
/// Numbers in one area: exchanges 200 to 999 with 10,000 lines each.
const PER_AREA: u64 = 800 * 10_000;
/// How many customers there are before they repeat.
pub(crate) const CUSTOMERS: u64 = AREAS.len() as u64 * PER_AREA;

/// The customer's number, in E.164 without the plus sign.
pub(crate) fn phone(customer: u64) -> u64 {
    let customer = customer % CUSTOMERS;
    let area = AREAS[usize::try_from(customer / PER_AREA).expect("there are ten areas")];
    let line = customer % PER_AREA;
    10_000_000_000 + area * 10_000_000 + 2_000_000 + line
}

/// Where a run starts among the customers: spread by its moment, so that runs rarely meet.
pub(crate) fn first(nanos: u64) -> u64 {
    // A multiplicative hash (Knuth, The Art of Computer Programming 3, 6.4).
    nanos.wrapping_mul(0x9E37_79B9_7F4A_7C15) % CUSTOMERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_customer_has_a_number_of_their_own() {
        let edges = [0, 1, 9_999, PER_AREA - 1, PER_AREA, CUSTOMERS - 1];
        let numbers: std::collections::BTreeSet<u64> = edges.map(phone).into();
        assert_eq!(numbers.len(), edges.len());
        assert_eq!(phone(0), 12_122_000_000);
        assert_eq!(phone(PER_AREA - 1), 12_129_999_999);
        assert_eq!(phone(CUSTOMERS), phone(0));
    }
}
