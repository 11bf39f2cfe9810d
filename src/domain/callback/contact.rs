//! Who is called, told from everybody else: the contact, and what a step needs of them.
//!
//! A contact's texts stand in the request, which steps don't read. What rules about contacts need
//! (who it is, their number, their zone) is small, so it stands in the callback's record.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::request::Customer;
use crate::domain::phone::PhoneNumber;
use crate::domain::zone::{TimeZone, zones_of};

/// What tells a contact, in 16 bytes: a number as it is, any other text as a digest.
///
/// A number of E.164 has at most 16 characters, so callbacks are found by the number alone under
/// the key that a contact has who is told by nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContactKey(pub [u8; 16]);

impl ContactKey {
    /// The key of whom this text tells.
    pub fn told_by(text: &str) -> Self {
        PhoneNumber::from_e164(text).map_or_else(|| Self(digest(text)), |phone| Self::of(&phone))
    }

    /// The key of whoever is told by their number alone, and under which all are found who have it.
    pub fn of(phone: &PhoneNumber) -> Self {
        let text = phone.as_str().as_bytes();
        let mut key = [0; 16];
        key[..text.len()].copy_from_slice(text);
        Self(key)
    }
}

/// The first half of SHA-256: a public key's customer may choose the text, so that nothing weaker
/// would keep two contacts apart.
fn digest(text: &str) -> [u8; 16] {
    let whole: [u8; 32] = Sha256::digest(text).into();
    let [half, _] = whole.as_chunks::<16>().0 else { unreachable!("32 bytes are two halves") };
    *half
}

impl Customer {
    /// What tells the contact: their id, else phone and extension, else the address.
    pub fn contact(&self) -> Option<String> {
        let phone = || {
            let phone = self.phone.as_ref()?.as_str();
            Some(match &self.phone_extension {
                Some(extension) => format!("{phone};{}", extension.as_str()),
                None => phone.to_owned(),
            })
        };
        let email = || self.email.as_ref().map(|email| lower_case(email.as_str()));
        self.id.clone().or_else(phone).or_else(email)
    }
}

/// Lower case, letter by letter, so that a text's beginning is the beginning of the text.
fn lower_case(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// What a callback's steps need of its customer. It follows the request, in the same step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    /// Who it is.
    pub contact: Option<ContactKey>,
    /// Their number; video may have none.
    pub phone: Option<PhoneNumber>,
    /// Their zone, where they gave one.
    pub zone: Option<TimeZone>,
}

impl Reach {
    /// What is needed of this customer.
    pub fn of(customer: &Customer) -> Self {
        Self {
            contact: customer.contact().map(|text| ContactKey::told_by(&text)),
            phone: customer.phone,
            zone: customer.time_zone.clone(),
        }
    }

    /// Where they may be: the zone that they gave, else those of their number's country.
    pub fn zones(&self) -> Arc<[TimeZone]> {
        match (&self.zone, self.phone.as_ref().and_then(PhoneNumber::region)) {
            (Some(zone), _) => Arc::from([zone.clone()]),
            (None, Some(region)) => zones_of(region),
            (None, None) => Arc::default(),
        }
    }

    /// The keys under which their callbacks are found, each once.
    pub fn keys(&self) -> impl Iterator<Item = ContactKey> + use<> {
        let phone = self.phone.as_ref().map(ContactKey::of);
        let contact = self.contact;
        contact.into_iter().chain(phone.filter(move |phone| contact != Some(*phone)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::phone::{Email, Extension};

    fn customer(id: Option<&str>, phone: &str, extension: &str, email: &str) -> Customer {
        Customer {
            id: id.map(str::to_owned),
            kind: None,
            account: None,
            name: "Ada".to_owned(),
            phone: PhoneNumber::from_e164(phone),
            phone_extension: Extension::parse(extension).ok(),
            email: Email::parse(email).ok(),
            time_zone: None,
            locale: None,
        }
    }

    #[test]
    fn a_contact_is_told_by_id_else_phone_and_extension_else_address() {
        let told = |id, phone, extension, email| customer(id, phone, extension, email).contact();
        let (phone, email) = ("+4930123456", "Ada@Example.com");
        assert_eq!(told(Some("CON1"), phone, "12", email).as_deref(), Some("CON1"));
        assert_eq!(told(None, phone, "12", email).as_deref(), Some("+4930123456;12"));
        assert_eq!(told(None, phone, "", email).as_deref(), Some(phone));
        assert_eq!(told(None, "", "", email).as_deref(), Some("ada@example.com"));
        assert_eq!(told(None, "", "", ""), None);
    }

    #[test]
    fn a_customer_may_be_where_they_say_else_where_their_number_is() {
        let zones = |phone: &str, zone: Option<&str>| {
            let mut reach = Reach::of(&customer(None, phone, "", ""));
            reach.zone = zone.map(|zone| TimeZone::parse(zone).expect("a zone"));
            reach.zones().iter().map(|zone| zone.name().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(zones("+4930123456", Some("Asia/Tokyo")), ["Asia/Tokyo"]);
        assert_eq!(zones("+4930123456", None), ["Europe/Berlin"]);
        assert_eq!(zones("+14155550123", None).len(), 8, "anywhere in the country");
        assert_eq!(zones("+80012345678", None), [""; 0], "a number of no country");
        assert_eq!(zones("", None), [""; 0]);
    }

    #[test]
    fn callbacks_are_found_by_the_contact_and_by_the_number() {
        let keys = |id, extension| {
            let reach = Reach::of(&customer(id, "+4930123456", extension, "ada@example.com"));
            reach.keys().collect::<Vec<_>>()
        };
        let phone = ContactKey::told_by("+4930123456");
        assert_eq!(keys(None, ""), [phone], "the number alone is one key");
        assert_eq!(keys(None, "12"), [ContactKey::told_by("+4930123456;12"), phone]);
        assert_eq!(keys(Some("CON1"), ""), [ContactKey::told_by("CON1"), phone]);
        assert_eq!(phone.0, *b"+4930123456\0\0\0\0\0");
        assert_ne!(ContactKey::told_by("CON1"), ContactKey::told_by("CON2"));
    }
}
