//! What must hold of the structures between any two steps, for tests.

use std::collections::BTreeSet;

use super::signatures::Able;
use super::{Filing, Matching};
use crate::domain::ids::CallbackId;

impl Matching {
    /// Asserts that everything agrees with everything else.
    pub(crate) fn check(&self) {
        assert!(self.signatures.len() <= self.max_signatures);
        let in_use = self.signatures.iter().filter(|(_, signature)| signature.waiting > 0);
        assert_eq!(self.in_use, in_use.count());
        let reviews = self.waiting.values().filter(|waiting| waiting.review.is_some()).count();
        assert_eq!(self.reviews.len(), reviews);
        for (no, signature) in self.signatures.iter() {
            let key = &signature.key;
            let filed = |filing: &Filing| matches!(filing, Filing::Signature(at) if *at == no);
            let waiting = self.waiting.values().filter(|waiting| filed(&waiting.filing));
            let of_it: Vec<_> = waiting.collect();
            assert_eq!(signature.waiting, of_it.len());
            assert_eq!(signature.pressing, of_it.iter().filter(|one| one.presses()).count());
            let queue = &self.queues[key.queue];
            assert!(queue.signatures.contains(&no));
            let mut eligible = 0;
            for member in &queue.members {
                let agent = &self.agents[*member];
                let fit = agent.fit_of(&queue.id, key);
                assert_eq!(agent.fit(no), fit, "{} and {key:?}", agent.id);
                let Some(fit) = fit else { continue };
                eligible += 1;
                let able = agent
                    .can_hold(key.medium, key.size)
                    .then(|| Able::new(*member, agent, &fit, queue.strategy()));
                let place = agent.place_of(no).expect("it fits");
                assert_eq!(agent.entries[place].able, able);
            }
            assert_eq!(signature.eligible, eligible);
        }
        self.check_room();
        for (no, queue) in self.queues.iter() {
            let waiting = self.waiting.values().filter(|waiting| waiting.queue == no);
            let waiting: BTreeSet<_> = waiting.map(|waiting| waiting.work.id).collect();
            assert_eq!(self.waiting_in(&queue.id), waiting, "{}", queue.id);
        }
        for (_, agent) in self.agents.iter() {
            assert!(!agent.is_unused(), "{} is forgotten when nothing speaks of them", agent.id);
            assert!(agent.reserved.values().all(|lines| !lines.is_empty()));
        }
    }

    /// Asserts that nothing is left of what was there.
    pub(crate) fn check_empty(&self) {
        assert_eq!(self.waiting.len() + self.reviews.len() + self.holders.len(), 0);
        assert_eq!((self.agents.len(), self.queues.len(), self.signatures.len()), (0, 0, 0));
        assert_eq!(self.in_use, 0);
        self.check_room();
    }

    /// All that waits.
    pub(crate) fn all_waiting(&self) -> BTreeSet<CallbackId> {
        self.waiting.keys().copied().collect()
    }

    /// The sizes asked for by the signatures that are kept, ascending.
    pub(crate) fn signature_sizes(&self) -> Vec<u32> {
        let mut sizes: Vec<_> = self.signatures.iter().map(|(_, it)| it.key.size).collect();
        sizes.sort_unstable();
        sizes
    }
}
