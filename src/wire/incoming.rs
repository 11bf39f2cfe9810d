//! Frames of the agent's socket that clients send: what each asks for, or what is wrong with it.

use super::action::{ActionName, Known, decline_reason, offer, read_action};
use super::frame::FrameId;
use super::json::{self, BadJson, Json, Object};
use super::problem::{Kind, Problem};
use super::request::invalid;
use super::settings::fields::{Fault, Fields, Item};
use super::text::{REASON_MAX, line};
use crate::domain::agent::Presence;
use crate::domain::ids::{CallbackId, OfferId};
use crate::domain::message::{Action, OfferAnswer};

/// Characters of a frame's `id` where it is text.
const FRAME_ID_MAX: usize = 128;

/// Bytes of a renewed credential.
const TOKEN_MAX: usize = 8_192;

/// The words of presence.
pub const PRESENCES: [(&str, Presence); 3] =
    [("available", Presence::Available), ("away", Presence::Away), ("offline", Presence::Offline)];

impl FrameId {
    fn read(value: &Json<'_>) -> Option<Self> {
        match value {
            Json::Text(text) => {
                (text.chars().count() <= FRAME_ID_MAX).then(|| Self::Text(text.to_string()))
            }
            Json::Number(number) => number.as_i64().map(Self::Number),
            Json::Rounded(_) | Json::Null | Json::Flag(_) | Json::List(_) | Json::Object(_) => None,
        }
    }
}

/// A frame that a client sent, with the id that its answer carries.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The client's.
    pub id: FrameId,
    /// What it asks for.
    pub frame: ClientFrame,
}

/// What a client's frame asks for.
#[derive(Debug, Clone)]
pub enum ClientFrame {
    /// To be available, away or offline.
    Presence {
        /// What they want from now on.
        presence: Presence,
        /// In the agent's words.
        reason: Option<String>,
    },
    /// To accept or decline an offer.
    AnswerOffer {
        /// The offer meant: an older one is refused.
        offer: OfferId,
        /// Whether they take it.
        answer: OfferAnswer,
    },
    /// To do something to a callback.
    Act {
        /// What it is done to.
        callback: CallbackId,
        /// The action's name, also where its fields are wrong.
        name: ActionName,
        /// With its fields, or what is wrong with them: that there is no such callback comes first.
        action: Box<Result<Action, Problem>>,
    },
    /// To go on with another credential.
    Auth {
        /// The credential.
        token: String,
    },
    /// A sign of life.
    Ping,
}

/// Why a frame isn't carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct BadFrame {
    /// The client's id, as far as it can be read.
    pub id: Option<FrameId>,
    /// What is wrong.
    pub problem: Problem,
    /// It isn't a frame at all: the third of these ends the session.
    pub strike: bool,
}

/// Reads a client's frame.
pub fn read_frame(text: &str, known: &dyn Known) -> Result<Incoming, BadFrame> {
    let strike = |id: Option<FrameId>, detail: &str| BadFrame {
        id,
        problem: Problem::new(Kind::Malformed, detail),
        strike: true,
    };
    let body = json::parse(text.as_bytes()).map_err(|fault| match fault {
        BadJson::NotJson(why) => {
            strike(None, &format!("The frame isn't JSON: {why}; send one JSON object as text."))
        }
        BadJson::Refused(why) => strike(None, &format!("The frame isn't taken: {why}.")),
    })?;
    let Json::Object(mut map) = body else {
        return Err(strike(None, "The frame isn't a JSON object."));
    };
    let Some(id) = map.remove("id").as_ref().and_then(FrameId::read) else {
        let detail = format!(
            "The frame has no id that can be given back; send one: text of at most {FRAME_ID_MAX} \
             characters, or a whole number of 64 bits."
        );
        return Err(strike(None, &detail));
    };
    let Some(Json::Text(kind)) = map.remove("type") else {
        return Err(strike(Some(id), "The frame has no type; see the socket's document."));
    };
    let Some(kind) = FrameKind::parse(&kind) else {
        return Err(strike(Some(id), "There is no frame of that type; see the socket's document."));
    };
    match kind.read(map, known) {
        Ok(frame) => Ok(Incoming { id, frame }),
        Err(faults) => Err(BadFrame { id: Some(id), problem: invalid(faults), strike: false }),
    }
}

#[derive(Debug, Clone, Copy)]
enum FrameKind {
    Presence,
    Accept,
    Decline,
    Callback(ActionName),
    Auth,
    Ping,
}

impl FrameKind {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "presence" => return Some(Self::Presence),
            "auth" => return Some(Self::Auth),
            "ping" => return Some(Self::Ping),
            _ => {}
        }
        let action = ActionName::ALL.into_iter().find(|name| name.as_str() == word)?;
        Some(match action {
            ActionName::Accept => Self::Accept,
            ActionName::Decline => Self::Decline,
            ActionName::Call
            | ActionName::Outcome
            | ActionName::EndCall
            | ActionName::ExtendWrapUp
            | ActionName::Retry
            | ActionName::Requeue
            | ActionName::Close => Self::Callback(action),
        })
    }

    fn read(self, map: Object<'_>, known: &dyn Known) -> Result<ClientFrame, Vec<Fault>> {
        let mut faults = Vec::new();
        let frame = Item::root(&Json::Object(map), &mut faults)
            .table(|fields| self.fields(fields, known))
            .flatten();
        match frame {
            Some(frame) if faults.is_empty() => Ok(frame),
            Some(ClientFrame::Act { callback, name, action: _ }) => {
                let action = Box::new(Err(invalid(faults)));
                Ok(ClientFrame::Act { callback, name, action })
            }
            _ => Err(faults),
        }
    }

    fn fields(self, fields: &mut Fields<'_>, known: &dyn Known) -> Option<ClientFrame> {
        match self {
            Self::Presence => {
                let (presence, reason) = read_presence(fields)?;
                Some(ClientFrame::Presence { presence, reason })
            }
            Self::Accept => Some(ClientFrame::AnswerOffer {
                offer: offer(fields)?,
                answer: OfferAnswer::Accept,
            }),
            Self::Decline => {
                let offer = offer(fields);
                let answer = OfferAnswer::Decline { reason: decline_reason(fields) };
                Some(ClientFrame::AnswerOffer { offer: offer?, answer })
            }
            Self::Callback(name) => {
                let id = |text: &str| CallbackId::parse(text).ok_or("must be a callback's id");
                let callback = fields.required("callback_id").and_then(|item| item.parsed(id));
                let action = read_action(name, fields, known);
                // What is wrong with it is noted, and told with all else that is.
                let action = action.ok_or_else(|| Problem::invalid(Vec::new()));
                Some(ClientFrame::Act { callback: callback?, name, action: Box::new(action) })
            }
            Self::Auth => {
                let token = |text: &str| {
                    let fits = (1..=TOKEN_MAX).contains(&text.len());
                    fits.then(|| text.to_owned()).ok_or("must be a credential")
                };
                let token = fields.required("token").and_then(|item| item.parsed(token));
                token.map(|token| ClientFrame::Auth { token })
            }
            Self::Ping => Some(ClientFrame::Ping),
        }
    }
}

/// The fields of a presence, in a frame and in a PUT.
pub fn read_presence(fields: &mut Fields<'_>) -> Option<(Presence, Option<String>)> {
    let presence = fields.required("presence").and_then(|item| item.word(&PRESENCES));
    let reason = fields.parsed("reason", line(REASON_MAX));
    presence.map(|presence| (presence, reason))
}

#[cfg(test)]
mod tests;
