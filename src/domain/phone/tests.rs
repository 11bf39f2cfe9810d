//! Phone numbers, regions and extensions: what is taken, how it is kept, and what is refused.

use proptest::prelude::*;

use super::*;

fn region(code: &str) -> Option<Region> {
    (!code.is_empty()).then(|| Region::parse(code).unwrap())
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text, None).unwrap()
}

#[test]
fn numbers_are_read_as_people_write_them() {
    for (text, home, e164) in [
        ("+14155550123", "", "+14155550123"),
        (" +1 (415) 555-0123 ", "DE", "+14155550123"),
        ("(415) 555-0123", "US", "+14155550123"),
        ("1-415-555-0123", "US", "+14155550123"),
        ("030 123456", "DE", "+4930123456"),
        ("030/123456-78", "DE", "+493012345678"),
        ("0170.1234567", "DE", "+491701234567"),
        ("4930123456", "DE", "+4930123456"),
        ("0049 30 123456", "DE", "+4930123456"),
        ("011 49 30 123456", "US", "+4930123456"),
        ("+49 (0)30 123456", "", "+4930123456"),
        ("(+49) 30 123456", "", "+4930123456"),
        ("++49 30 123456", "", "+4930123456"),
        ("+49\u{a0}30\u{2013}123456", "", "+4930123456"),
        ("\u{ff0b}４９３０１２３４５６", "", "+4930123456"),
        ("٠٣٠١٢٣٤٥٦", "DE", "+4930123456"),
        // The leading zero belongs to the number in Italy.
        ("02 3661 8300", "IT", "+390236618300"),
        // Whole countries with four or five digits.
        ("+683 4002", "", "+6834002"),
        ("22222", "SH", "+29022222"),
    ] {
        let parsed = PhoneNumber::parse(text, region(home));
        assert_eq!(parsed.map(|it| it.as_str().to_owned()), Ok(e164.to_owned()), "{text:?}");
    }
}

#[test]
fn what_is_refused_says_what_to_do() {
    let long = format!("+49 30 123456{}", " ".repeat(52));
    for (text, home, fault) in [
        ("", "DE", BadPhone::NotANumber),
        ("+", "DE", BadPhone::NotANumber),
        ("unknown", "DE", BadPhone::NotANumber),
        ("call 030 123456", "DE", BadPhone::NotANumber),
        ("030 123456 (Ada)", "DE", BadPhone::NotANumber),
        ("1-800-FLOWERS", "US", BadPhone::NotANumber),
        ("*31#030123456", "DE", BadPhone::NotANumber),
        ("tel:+4930123456", "", BadPhone::NotANumber),
        ("+49 30 123456 +49 30 99", "", BadPhone::NotANumber),
        ("030+123456", "DE", BadPhone::NotANumber),
        ("+49 30 12345²", "", BadPhone::NotANumber),
        ("+49 30 123456;drop", "", BadPhone::NotANumber),
        (&long, "", BadPhone::TooMuchText),
        ("+49 30 123456 ext. 12", "", BadPhone::HasExtension),
        ("+49 30 123456 x12", "", BadPhone::HasExtension),
        ("+49 30 123456,,12", "", BadPhone::HasExtension),
        ("030 123456", "", BadPhone::NoCountry),
        ("+999 123456789", "DE", BadPhone::UnknownCountry),
        ("112", "DE", BadPhone::Emergency),
        ("110", "", BadPhone::Emergency),
        ("9-1-1", "US", BadPhone::Emergency),
        ("١١٢", "DE", BadPhone::Emergency),
        ("000", "AU", BadPhone::Emergency),
        ("+49 112", "", BadPhone::Emergency),
        ("+1911", "DE", BadPhone::Emergency),
        ("115", "DE", BadPhone::Short),
        ("116117", "DE", BadPhone::Short),
        ("411", "US", BadPhone::Short),
        ("1", "US", BadPhone::Short),
        ("+1415555012", "", BadPhone::TooFewDigits),
        ("415555012", "US", BadPhone::TooFewDigits),
        ("+141555501234", "", BadPhone::TooManyDigits),
        ("+49301234567890123", "", BadPhone::TooManyDigits),
        ("+14150550123", "", BadPhone::NotInUse),
        ("+447700900123", "", BadPhone::NotInUse),
    ] {
        assert_eq!(PhoneNumber::parse(text, region(home)), Err(fault), "{text:?}");
    }
    // One character less, and it is read.
    assert!(PhoneNumber::parse(&long[..64], None).is_ok());
}

#[test]
fn kinds_and_regions_are_those_of_the_numbering_plans() {
    for (text, kind, home) in [
        ("+14155550123", PhoneKind::Ordinary, "US"),
        ("+14165550123", PhoneKind::Ordinary, "CA"),
        ("+18765550123", PhoneKind::Ordinary, "JM"),
        ("+4930123456", PhoneKind::Ordinary, "DE"),
        ("+491701234567", PhoneKind::Ordinary, "DE"),
        ("+4932212345678", PhoneKind::Ordinary, "DE"),
        ("+442079460958", PhoneKind::Ordinary, "GB"),
        ("+18005551234", PhoneKind::TollFree, "US"),
        ("+498001234567", PhoneKind::TollFree, "DE"),
        ("+80012345678", PhoneKind::TollFree, ""),
        ("+19002345678", PhoneKind::Premium, "US"),
        ("+499001234567", PhoneKind::Premium, "DE"),
        ("+979123456789", PhoneKind::Premium, ""),
        ("+491805123456", PhoneKind::SharedCost, "DE"),
        ("+80812345678", PhoneKind::SharedCost, ""),
        ("+870773111632", PhoneKind::Satellite, ""),
        ("+881612345678", PhoneKind::Satellite, ""),
        ("+8821655512345", PhoneKind::Satellite, ""),
        ("+447012345678", PhoneKind::Other, "GB"),
        ("+4970012345678", PhoneKind::Other, "DE"),
    ] {
        let (number, found) = PhoneNumber::read(text, None).unwrap();
        assert_eq!((found, number.region()), (kind, region(home)), "{text}");
    }
}

#[test]
fn stored_numbers_are_read_by_their_shape_alone() {
    for text in ["+1", "+14155550123", "+123456789012345", "+999123"] {
        let stored = PhoneNumber::from_e164(text);
        assert_eq!(stored.map(|it| it.as_str().to_owned()), Some(text.to_owned()));
    }
    for text in ["", "+", "+0123", "14155550123", "+1234567890123456", "+1 415", "+1415x", "+١٢٣"]
    {
        assert_eq!(PhoneNumber::from_e164(text), None, "{text:?}");
    }
    // A plan that doesn't know a number any more leaves it no region.
    assert_eq!(PhoneNumber::from_e164("+999123456").unwrap().region(), None);
}

#[test]
fn debug_output_tells_no_number() {
    assert_eq!(format!("{:?}", number("+14155550123")), "+…23");
    assert_eq!(format!("{:?}", PhoneNumber::from_e164("+7").unwrap()), "+…7");
    assert_eq!(format!("{:?}", Extension::parse("204").unwrap()), "…(3 digits)");
}

#[test]
fn regions_are_those_with_a_numbering_plan() {
    for (text, code) in [("DE", "DE"), ("de", "DE"), ("Us", "US"), ("AC", "AC")] {
        assert_eq!(Region::parse(text).map(|it| it.to_string()), Ok(code.to_owned()));
    }
    for text in ["", "D", "DEU", "ZZ", "001", "UK", "49", "ä", "D "] {
        assert_eq!(Region::parse(text), Err(BadRegion(text.to_owned())));
    }
}

#[test]
fn extensions_are_one_to_eleven_digits() {
    for text in ["0", "204", "12345678901"] {
        assert_eq!(Extension::parse(text).map(|it| it.as_str().to_owned()), Ok(text.to_owned()));
    }
    for text in ["", "123456789012", "20 4", "x204", "-1", "٢"] {
        assert_eq!(Extension::parse(text), Err(BadExtension), "{text:?}");
    }
}

/// A number of each country, with its code in front.
fn samples() -> Vec<String> {
    let letters = || (b'A'..=b'Z').map(char::from);
    let codes = letters().flat_map(|first| letters().map(move |second| [first, second]));
    let regions = codes.filter_map(|code| Region::parse(&String::from_iter(code)).ok());
    let example = |region: Region| PHONE_NUMBER_UTIL.get_example_number(region.in_plan()).ok();
    let numbers = regions.filter_map(example);
    numbers.map(|it| PHONE_NUMBER_UTIL.format(&it, PhoneNumberFormat::E164).into()).collect()
}

const REGIONS: [&str; 6] = ["", "DE", "US", "IT", "BR", "AR"];

proptest! {
    /// E.164 is read without the plans' reader, and as that reads it.
    #[test]
    fn e164_is_read_as_the_plans_read_it(
        sample in proptest::sample::select(samples()),
        kept in 3_usize..8,
        rest in "[0-9]{0,12}",
    ) {
        let text = format!("{}{rest}", &sample[..kept.min(sample.len())]);
        for text in [text, sample] {
            let (read, as_written) =
                (PhoneNumber::read(&text, None), PhoneNumber::read_as_written(&text, None));
            prop_assert_eq!(read, as_written);
        }
    }

    /// What is taken is E.164, reads back the same anywhere, and has a kind.
    #[test]
    fn taken_numbers_are_stable(
        text in "\\+?[1-9][0-9]{1,15}|\\+?[0-9 ().+/*#x-]{0,24}|\\PC{0,70}",
        home in proptest::sample::select(&REGIONS[..]),
    ) {
        if let Ok(taken) = PhoneNumber::parse(&text, region(home)) {
            prop_assert!(taken.as_str().len() <= E164_MAX);
            prop_assert_eq!(PhoneNumber::from_e164(taken.as_str()), Some(taken));
            for elsewhere in REGIONS {
                prop_assert_eq!(PhoneNumber::parse(taken.as_str(), region(elsewhere)), Ok(taken));
            }
            let debugged = format!("{taken:?}");
            prop_assert!(debugged.chars().filter(char::is_ascii_digit).count() <= 2);
        }
    }
}
