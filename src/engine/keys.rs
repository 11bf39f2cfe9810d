//! API keys as the workspace keeps them: those of the configuration, and what was changed since.
//!
//! They have no machine, since nothing happens to them by itself: each command is decided here,
//! on the workspace's thread, and is one entry. What the store has of a key wins over the
//! configuration; only what the configuration revokes is revoked whatever the store says.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::answers::strange;
use super::ask::Ask;
use super::boards::Board;
use super::door::Cause;
use super::handle::Handle;
use super::office::Office;
use super::outputs::{CommandAnswer, Output};
use super::webhooks::check_version;
use crate::domain::effect::{Answer, Change};
use crate::domain::key::{ApiKey, Grant, TokenHash};
use crate::domain::message::Token;
use crate::domain::refusal::Refusal;

/// What is asked of keys.
pub(crate) enum KeyAsk {
    /// Make or change one.
    Put { token: TokenHash, grant: Grant, if_match: Option<u64> },
    /// Let nobody in with it any more.
    Revoke { token: TokenHash, if_match: Option<u64> },
}

/// The keys that are good, as whoever lets callers in sees them.
#[derive(Debug, Default)]
pub struct KeyRing(Board<TokenHash, ApiKey>);

impl KeyRing {
    /// A ring of these.
    pub fn of(keys: impl IntoIterator<Item = Arc<ApiKey>>) -> Self {
        let ring = Self::default();
        ring.show(keys);
        ring
    }

    /// The key that a token of this hash is. What the time that it takes tells is of the hash,
    /// from which no token follows.
    pub fn one(&self, token: &TokenHash) -> Option<Arc<ApiKey>> {
        self.0.one(token)
    }

    /// All, by hash.
    pub fn all(&self) -> Vec<Arc<ApiKey>> {
        self.0.all()
    }

    /// Whether it is so of one.
    pub fn any(&self, is_so: impl Fn(&ApiKey) -> bool) -> bool {
        self.0.any(is_so)
    }

    /// Whether a key that was good then allows the same now.
    pub fn holds(&self, key: &ApiKey) -> bool {
        self.one(&key.token).is_some_and(|now| now.grant == key.grant)
    }

    /// Holds these, and no others.
    pub(super) fn show(&self, keys: impl IntoIterator<Item = Arc<ApiKey>>) {
        let good = keys.into_iter().filter(|key| key.grant.is_some());
        self.0.show(good.map(|key| (key.token, key)).collect());
    }

    /// A key is another, or gone.
    pub(super) fn publish(&self, token: TokenHash, key: Option<Arc<ApiKey>>) {
        self.0.publish(token, key.filter(|key| key.grant.is_some()));
    }
}

/// A workspace's keys: the configuration's, changed as the store has it.
pub(super) fn at_start(configured: &[Arc<ApiKey>], stored: &[Arc<ApiKey>]) -> Vec<Arc<ApiKey>> {
    let by_hash = |key: &Arc<ApiKey>| (key.token, Arc::clone(key));
    let mut keys: BTreeMap<_, _> = configured.iter().map(by_hash).collect();
    for key in stored {
        let revoked = keys.get(&key.token).is_some_and(|one| one.grant.is_none());
        if !revoked {
            keys.insert(key.token, Arc::clone(key));
        }
    }
    keys.into_values().collect()
}

impl Office {
    /// Carries out what is asked of keys.
    pub(crate) fn key(self: &Rc<Self>, token: Token, ask: KeyAsk, cause: &Cause) {
        cause.answered(token);
        let (hash, key, answer) = match self.key_change(ask) {
            Ok(done) => done,
            Err(refusal) => return self.refuse(token, refusal),
        };
        let changes = vec![Change::Key(hash, key.clone())];
        self.known.borrow_mut().learn(&changes);
        self.write(self.now().wall, changes, Vec::new(), Vec::new());
        self.hold(Output::PublishKey(hash, key));
        self.answer(token, CommandAnswer::Made(Box::new(Ok(answer))));
    }

    fn key_change(&self, ask: KeyAsk) -> Result<Changed, Refusal> {
        let known = self.known.borrow();
        match ask {
            KeyAsk::Put { token, grant, if_match } => {
                let before = known.key(&token);
                let there = before.filter(|key| key.grant.is_some());
                check_version(there.map_or(0, |key| key.version), if_match)?;
                if known.configured_key(&token).is_some_and(|key| key.grant.is_none()) {
                    let text = "is revoked in the server's configuration; take it out there first";
                    return Err(Refusal::field("/token_sha256", text));
                }
                let created = there.is_none();
                let most = self.shared.limits.max_keys;
                if created && known.key_count() >= most {
                    let text = format!("there are {most} keys; revoke another first");
                    return Err(Refusal::LimitReached(text));
                }
                let version = before.map_or_else(|| self.version_base(), |key| key.version) + 1;
                let key = Arc::new(ApiKey { token, grant: Some(grant), version });
                let answer = Answer::Key { key: Arc::clone(&key), created };
                Ok((token, Some(key), answer))
            }
            KeyAsk::Revoke { token, if_match } => {
                let there = known.key(&token).filter(|key| key.grant.is_some());
                let there = there.ok_or(Refusal::NotFound)?;
                check_version(there.version, if_match)?;
                // The configuration's would be good again at the next start.
                let kept = known.configured_key(&token).map(|_| {
                    let version = there.version + 1;
                    Arc::new(ApiKey { token, grant: None, version })
                });
                Ok((token, kept, Answer::Done))
            }
        }
    }
}

/// A key's hash, what it is now, and the answer.
type Changed = (TokenHash, Option<Arc<ApiKey>>, Answer);

impl Handle {
    /// The keys that are good, as durable.
    pub fn keys(&self) -> Arc<KeyRing> {
        Arc::clone(&self.shared.boards.keys)
    }

    /// Makes or changes a key; true: made.
    pub async fn put_key(
        &self,
        token: TokenHash,
        grant: Grant,
        if_match: Option<u64>,
    ) -> Result<(Arc<ApiKey>, bool), Refusal> {
        match self.plain(Ask::Key(KeyAsk::Put { token, grant, if_match })).await? {
            Answer::Key { key, created } => Ok((key, created)),
            other => Err(strange(&other)),
        }
    }

    /// Lets nobody in with a key any more.
    pub async fn revoke_key(&self, token: TokenHash, if_match: Option<u64>) -> Result<(), Refusal> {
        match self.plain(Ask::Key(KeyAsk::Revoke { token, if_match })).await? {
            Answer::Done => Ok(()),
            other => Err(strange(&other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(fill: u8, grant: Option<Grant>, version: u64) -> Arc<ApiKey> {
        Arc::new(ApiKey { token: TokenHash([fill; 32]), grant, version })
    }

    #[test]
    fn the_store_wins_over_the_configuration_unless_that_revokes() {
        let (lead, admin) = (Some(Grant::Supervisor(None)), Some(Grant::Admin(None)));
        let configured = [
            key(1, admin.clone(), 1),
            key(2, admin.clone(), 1),
            key(3, admin.clone(), 1),
            key(4, None, 1),
        ];
        let stored = [
            key(2, lead.clone(), 2),
            key(3, None, 2),
            key(4, admin.clone(), 3),
            key(5, admin.clone(), 1),
        ];
        let keys = at_start(&configured, &stored);
        let wanted = [
            key(1, admin.clone(), 1),
            key(2, lead, 2),
            key(3, None, 2),
            key(4, None, 1),
            key(5, admin, 1),
        ];
        assert_eq!(keys, wanted);
        let good: Vec<u8> = KeyRing::of(keys).all().iter().map(|key| key.token.0[0]).collect();
        assert_eq!(good, [1, 2, 5]);
    }

    #[test]
    fn a_key_holds_while_it_allows_the_same() {
        let admin = key(1, Some(Grant::Admin(None)), 1);
        let ring = KeyRing::of([Arc::clone(&admin)]);
        assert!(ring.holds(&admin));
        ring.publish(admin.token, Some(key(1, Some(Grant::Admin(None)), 2)));
        assert!(ring.holds(&admin), "the same again");
        ring.publish(admin.token, Some(key(1, Some(Grant::Supervisor(None)), 3)));
        assert!(!ring.holds(&admin));
        ring.publish(admin.token, None);
        assert!(!ring.holds(&admin) && ring.all().is_empty());
    }
}
