//! What a request's decision rests on: what its contact has, and whether its number is denied. Who
//! needs the same takes turns, from before the reading until the answer is made.

use std::collections::{BTreeMap, VecDeque};

use ringback::domain::callback::{ContactKey, Reach, Snapshot};
use ringback::domain::denied::Denied;
use ringback::domain::effect::{Answer, Change};
use ringback::domain::event::By;
use ringback::domain::message::{CallbackMessage, Create, Letter, QueueMessage, Token};
use ringback::domain::phone::PhoneNumber;
use ringback::domain::refusal::Refusal;

use super::{Output, Planted, World};

/// Who waits for their turn, and the first of each line has it.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: BTreeMap<ContactKey, VecDeque<Waiting>>,
}

#[derive(Debug)]
enum Waiting {
    Create(Box<Create>),
    Deny {
        token: Token,
        phone: PhoneNumber,
        denied: bool,
    },
    /// A request that is being decided about.
    Decided(Token),
}

impl World {
    /// A command comes in.
    pub(crate) fn arrive(&mut self, letter: Letter) {
        let Letter::Queue(queue, QueueMessage::Create(create)) = letter else {
            self.post(letter);
            return;
        };
        match Reach::of(&create.wish.request.customer).contact {
            Some(contact) => self.stand_in_line(contact, Waiting::Create(create)),
            None => self.post(Letter::Queue(queue, QueueMessage::Create(create))),
        }
    }

    /// A number shall be on the deny list, or not.
    pub(crate) fn deny(&mut self, token: Token, phone: PhoneNumber, denied: bool) {
        self.stand_in_line(ContactKey::of(&phone), Waiting::Deny { token, phone, denied });
    }

    fn stand_in_line(&mut self, contact: ContactKey, who: Waiting) {
        let line = self.lines.lines.entry(contact).or_default();
        line.push_back(who);
        if line.len() == 1 || self.planted == Planted::FactsOutOfTurn {
            let place = line.len() - 1;
            self.turn_of(contact, place);
        }
    }

    /// An answer is made: if it is a request's that had its turn, the next has theirs.
    pub(super) fn next_in_line(&mut self, token: Token) {
        let decided = |who: &Waiting| matches!(who, Waiting::Decided(it) if *it == token);
        let found = self
            .lines
            .lines
            .iter()
            .find_map(|(phone, line)| Some((*phone, line.iter().position(decided)?)));
        if let Some((contact, place)) = found {
            self.leave(contact, place);
        }
    }

    fn leave(&mut self, contact: ContactKey, place: usize) {
        let line = self.lines.lines.get_mut(&contact).expect("somebody stands in it");
        line.remove(place);
        if line.is_empty() {
            self.lines.lines.remove(&contact);
        } else if self.planted != Planted::FactsOutOfTurn {
            self.turn_of(contact, 0);
        }
    }

    fn turn_of(&mut self, contact: ContactKey, place: usize) {
        let who = &mut self.lines.lines.get_mut(&contact).expect("somebody stands in it")[place];
        let token = match who {
            Waiting::Create(create) => create.token,
            Waiting::Deny { token, .. } | Waiting::Decided(token) => *token,
        };
        match std::mem::replace(who, Waiting::Decided(token)) {
            Waiting::Create(create)
                if self.newest.is_denied(create.wish.request.customer.phone.as_ref()) =>
            {
                self.hold(Output::Answer(token, Box::new(Err(Refusal::NumberDenied))));
                self.leave(contact, place);
            }
            Waiting::Create(mut create) => {
                let contact = Reach::of(&create.wish.request.customer).contact;
                let active = self.newest.callbacks.values();
                let theirs =
                    |one: &&Snapshot| one.reach.contact == contact && !one.state().is_final();
                create.active = active.filter(theirs).cloned().collect();
                let queue = create.wish.queue.clone();
                self.post(Letter::Queue(queue, QueueMessage::Create(create)));
            }
            Waiting::Deny { phone, denied, .. } => {
                self.write_denied(phone, denied);
                self.hold(Output::Answer(token, Box::new(Ok(Answer::Done))));
                self.leave(contact, place);
            }
            Waiting::Decided(_) => panic!("it has had its turn"),
        }
    }

    fn write_denied(&mut self, phone: PhoneNumber, denied: bool) {
        let (since, by, reason) = (self.wall, By::Supervisor, None);
        let record = Denied { phone, since, by, reason, version: 1 };
        let record = denied.then(|| record.into());
        self.write(vec![Change::Denied(phone, record)], Vec::new());
        let all = self.newest.callbacks.values();
        let up = all.filter(|one| one.reach.phone == Some(phone) && !one.state().is_final());
        let up = up.map(|one| one.id).filter(|id| self.callbacks.contains_key(id));
        for id in up.collect::<Vec<_>>() {
            self.post(Letter::Callback(id, CallbackMessage::NumberDenied(denied)));
        }
    }
}
