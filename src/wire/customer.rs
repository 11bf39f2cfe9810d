//! The customer of a request: how they are reached, read from and printed as JSON.
//!
//! Separate from the request, because a PATCH changes a customer by merging into what is printed
//! here and reading it again, with every check that the first reading had.

use serde_json::{Value, json};

use super::action::Known;
use super::problem::{Kind, Problem};
use super::settings::fields::{Fields, Item};
use super::text::{NAME_MAX, line, locale, reference};
use crate::domain::callback::{Customer, CustomerKind};
use crate::domain::phone::Email;
use crate::domain::phone::{BadPhone, Extension, PhoneKind, PhoneNumber, Region};
use crate::domain::policy::{Medium, QueueSettings};
use crate::domain::zone::TimeZone;

/// The words of `customer.kind`.
pub const KINDS: [(&str, CustomerKind); 2] =
    [("contact", CustomerKind::Contact), ("consumer", CustomerKind::Consumer)];

/// Which numbers are called: those of the queue's regions, and of its own for who may be anybody,
/// but for the deny list's.
#[derive(Clone, Copy)]
pub struct Dialling<'a> {
    queue: Option<&'a QueueSettings>,
    public: bool,
    known: &'a dyn Known,
}

impl<'a> Dialling<'a> {
    /// The rules of a queue, as far as it is known; `public` for a key that stands in a page.
    pub const fn of(queue: Option<&'a QueueSettings>, public: bool, known: &'a dyn Known) -> Self {
        Self { queue, public, known }
    }

    fn default_region(&self) -> Option<Region> {
        self.queue.and_then(|queue| queue.default_region)
    }

    /// Why a number isn't called, if it isn't.
    fn refuses(&self, phone: &PhoneNumber, kind: PhoneKind) -> Option<&'static str> {
        match kind {
            PhoneKind::Ordinary | PhoneKind::TollFree | PhoneKind::Other => {}
            PhoneKind::Premium => return Some("is a premium-rate number; give another"),
            PhoneKind::SharedCost => return Some("is a shared-cost number; give another"),
            PhoneKind::Satellite => return Some("is a satellite number; give another"),
        }
        if self.known.is_denied(phone) {
            return Some("is on the deny list; give another");
        }
        let queue = self.queue?;
        let home = queue.default_region.as_slice();
        let allowed = match &queue.allowed_regions {
            Some(regions) => regions.as_slice(),
            None if self.public && !home.is_empty() => home,
            None => return None,
        };
        let inside = phone.region().is_some_and(|region| allowed.contains(&region));
        (!inside).then_some("is of a country that this queue doesn't call; give another")
    }
}

/// Reads a customer. What has a problem of its own (a refused number, an unknown zone) is put
/// into `problem`, the first of them; any other fault is noted with the fields.
pub fn read_customer(
    item: Item<'_>,
    medium: Medium,
    dialling: Dialling<'_>,
    problem: &mut Option<Problem>,
) -> Option<Customer> {
    item.table(|fields| customer(fields, medium, dialling, problem)).flatten()
}

fn customer(
    fields: &mut Fields<'_>,
    medium: Medium,
    dialling: Dialling<'_>,
    problem: &mut Option<Problem>,
) -> Option<Customer> {
    let id = fields.parsed("id", reference);
    let kind = fields.take("kind").and_then(|item| item.word(&KINDS));
    let account = fields.parsed("account", reference);
    let name = fields.required("name").and_then(|item| item.parsed(line(NAME_MAX)));
    let phone = phone(fields, medium, dialling, problem);
    let phone_extension = fields.parsed("phone_extension", Extension::parse);
    let email = match medium {
        Medium::Voice => fields.take("email"),
        Medium::Video => fields.required("email"),
    };
    let email = email.and_then(|item| item.parsed(Email::parse));
    let time_zone = read_zone(fields, "time_zone", "/customer", problem);
    let locale = fields.parsed("locale", locale);
    Some(Customer {
        id,
        kind,
        account,
        name: name?,
        phone,
        phone_extension,
        email,
        time_zone,
        locale,
    })
}

fn phone(
    fields: &mut Fields<'_>,
    medium: Medium,
    dialling: Dialling<'_>,
    problem: &mut Option<Problem>,
) -> Option<PhoneNumber> {
    const POINTER: &str = "/customer/phone";
    let refuse = |problem: &mut Option<Problem>, why: String| {
        let refused = Problem::new(Kind::PhoneRefused, format!("The number {why}."));
        problem.get_or_insert_with(|| refused.at(POINTER, why));
    };
    let item = match medium {
        Medium::Voice => fields.required("phone"),
        Medium::Video => fields.take("phone"),
    }?;
    let region = dialling.default_region();
    let read = item.parsed(|text| match PhoneNumber::read(text, region) {
        Ok(read) => Ok(Some(read)),
        Err(BadPhone::Emergency) => {
            refuse(problem, "is an emergency number; give the customer's own".to_owned());
            Ok(None)
        }
        // Without its queue nobody knows the number's country; that the queue is missing is told.
        Err(BadPhone::NoCountry) if dialling.queue.is_none() => Ok(None),
        Err(error) => Err(error),
    })?;
    let (phone, kind) = read?;
    if let Some(why) = dialling.refuses(&phone, kind) {
        refuse(problem, why.to_owned());
    }
    Some(phone)
}

/// Reads a zone out of the table at `place`; what isn't one becomes the problem, with a hint.
pub fn read_zone(
    fields: &mut Fields<'_>,
    key: &'static str,
    place: &str,
    problem: &mut Option<Problem>,
) -> Option<TimeZone> {
    let zone = fields.parsed(key, |text| Ok::<_, &str>(TimeZone::parse(text)))?;
    match zone {
        Ok(zone) => Some(zone),
        Err(error) => {
            let pointer = || format!("{place}/{key}");
            problem.get_or_insert_with(|| Problem::unknown_zone(&pointer(), &error));
            None
        }
    }
}

/// A customer as JSON that [`read_customer`] takes again.
pub fn print_customer(customer: &Customer) -> Value {
    json!({
        "id": customer.id,
        "kind": customer.kind.map(kind_word),
        "account": customer.account,
        "name": customer.name,
        "phone": customer.phone.as_ref().map(PhoneNumber::as_str),
        "phone_extension": customer.phone_extension.as_ref().map(Extension::as_str),
        "email": customer.email.as_ref().map(Email::as_str),
        "time_zone": customer.time_zone.as_ref().map(TimeZone::name),
        "locale": customer.locale,
    })
}

/// The word of a kind.
pub const fn kind_word(kind: CustomerKind) -> &'static str {
    match kind {
        CustomerKind::Contact => "contact",
        CustomerKind::Consumer => "consumer",
    }
}
