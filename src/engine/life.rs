//! One inner life of a workspace: it recovers, runs, and ends by a fault or a drain.
//!
//! Everything that a life makes (actors, mailboxes, held outputs) ends with it; what the store
//! has and what other threads see lasts.

use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::Actor as _;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot};

use super::agent_actor::AgentActor;
use super::callback_actor::CallbackActor;
use super::contacts::Contacts;
use super::door::Phase;
use super::door_actor::DoorActor;
use super::entry::Secret;
use super::handle::EndReason;
use super::intake::Intake;
use super::journal::{Journal, JournalEvent};
use super::journal_actor::{Heard, JournalActor, watch_for_stalls};
use super::keys;
use super::library::{Codec, Inventory, Library};
use super::measures::{SharedLedger, open};
use super::office::{Fittings, Office, Singles};
use super::outputs::Output;
use super::ports::{StoreError, Tables};
use super::queue_actor::QueueActor;
use super::recovery::{self, AbortOnDrop, OpenError, Places, Storage};
use super::router_actor::RouterActor;
use super::scheduler_actor::{Ring, SchedulerActor};
use super::shared::{Gate, Shared};
use super::shared_log::SharedLog;
use super::shell::post;
use super::system::{Ended, EngineConfig, MakeLibrary};
use crate::domain::effect::{Change, WebhookChange};
use crate::domain::measure::Ledger;
use crate::domain::message::{AgentMessage, Letter, QueueMessage, Token};
use crate::domain::time::{Span, Timestamp};

/// Live callbacks are read in pages of so many; tests have few.
const PAGE: usize = if cfg!(test) { 8 } else { 1_000 };

/// A drain waits so long for what is going out.
const ON_ITS_WAY: Span = Span::seconds(2);

/// What a workspace is kept in.
pub(crate) struct Store {
    pub(crate) log: SharedLog,
    pub(crate) tables: Arc<dyn Tables>,
    pub(crate) codec: Arc<dyn Codec>,
    pub(crate) library: MakeLibrary,
}

/// What ends a life before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Another process has the workspace.
    Fenced,
    /// The store is another one: nothing may be recovered from it.
    Replaced,
    /// It must start again as a whole.
    Broken,
}

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// So did the workspace.
    Ended(Ended),
    /// Another life follows.
    Restart,
}

/// One life, to be run.
pub(crate) struct Life<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) config: &'a EngineConfig,
    pub(crate) store: &'a Store,
    /// The store's instance, as an earlier life found it: another one is refused.
    pub(crate) instance: &'a mut Option<u128>,
}

/// Where it is told that the first life is ready, or why there is none.
pub(crate) type Ready = oneshot::Sender<Result<(), OpenError>>;

impl Life<'_> {
    /// Recovers, tells that it is ready, and runs until it ends. The journal's tasks run at
    /// `places`, what goes out on `elsewhere`.
    pub(crate) async fn run(
        mut self,
        (places, elsewhere): (&Places, &Handle),
        drain: &mut oneshot::Receiver<()>,
        ready: &mut Option<Ready>,
    ) -> Result<Over, OpenError> {
        let shared = Arc::clone(self.shared);
        shared.clock.release();
        shared.gauges.begin();
        shared.door.tell(|standing| {
            standing.phase = Phase::Recovering;
            standing.life += 1;
            standing.durable = 0;
            standing.stalled_since = None;
        });
        let (ending, mut faults) = mpsc::unbounded_channel();
        let office = tokio::select! {
            office = self.recover(places, ending) => office?,
            // Whatever was recovered so far stands in the store.
            _ = &mut *drain => return Ok(Over::Ended(Ended::DrainedLate)),
        };
        tokio::select! {
            fault = faults.recv() => return Ok(self.fault(&office, fault, drain).await),
            _ = &mut *drain => return Ok(Over::Ended(self.drained(&office).await)),
            () = office.settled() => {}
        }
        shared.gauges.set_recovery_fails(false);
        shared.door.tell(|standing| standing.phase = Phase::Ready);
        post(office.scheduler(), Ring);
        office.drop_what_lapses();
        office.send_what_goes_out(elsewhere);
        office.recall_waits();
        office.keep_time();
        office.recheck_all(office.zone_rules.get());
        if let Some(ready) = ready.take() {
            // Whoever started it may have gone away; then it is drained soon.
            let _ = ready.send(Ok(()));
        }
        tokio::select! {
            fault = faults.recv() => Ok(self.fault(&office, fault, drain).await),
            _ = &mut *drain => Ok(Over::Ended(self.drained(&office).await)),
        }
    }

    /// Makes the office and its actors from what the store has.
    async fn recover(
        &mut self,
        places: &Places,
        ending: mpsc::UnboundedSender<Fault>,
    ) -> Result<Rc<Office>, OpenError> {
        let (tell, told) = mpsc::unbounded_channel();
        let storage = Storage {
            log: self.store.log.share(),
            tables: Arc::clone(&self.store.tables),
            codec: Arc::clone(&self.store.codec),
            expected_instance: *self.instance,
        };
        let notify = Arc::new(move |event| {
            // A life that is over doesn't hear any more.
            let _ = tell.send(event);
        });
        let settings = self.shared.limits.journal;
        let opened = recovery::open(storage, settings, notify, places).await?;
        *self.instance = Some(opened.instance);
        self.shared.gauges.journal(opened.journal.shared());
        let library = (self.store.library)(opened.rows);
        let inventory = library.inventory().await?;
        let made = self.know_secret(&inventory)?;
        let now = self.shared.clock.wall();
        let stored = library.measured(Ledger::stored_from(now), Timestamp::NEVER).await?;
        let ledger = Arc::new(Mutex::new(Ledger::new(now, stored)));
        let known = (Arc::clone(&library), Arc::clone(&ledger));
        let office = self.furnish(opened.journal, known, &inventory, ending);
        listen(&office, told);
        if let Some(made) = made {
            office.write_secret(made);
        }
        office.zone_rules.set(inventory.zone_rules);
        restore(&office, &inventory, self.config, &places.log).await?;
        let life = self.shared.door.standing().life;
        let door = DoorActor::new(Rc::clone(&office)).start();
        self.shared.set_gate(Some(Gate { life, door, library, ledger }));
        Ok(office)
    }

    /// An office with the actors of which there is one.
    fn furnish(
        &self,
        journal: Journal<Output>,
        (library, ledger): (Arc<dyn Library>, SharedLedger),
        inventory: &Inventory,
        ending: mpsc::UnboundedSender<Fault>,
    ) -> Rc<Office> {
        let shared = Arc::clone(self.shared);
        let (unanswered, unanswered_told) = mpsc::unbounded_channel();
        let newest = journal.newest();
        let has_taken = journal.has_taken();
        let bound = shared.limits.filter_keys;
        let now = shared.clock.steady();
        let intake = Intake::new(now, newest == 0, inventory.last_number, bound);
        shared.door.tell(|standing| standing.durable = newest);
        let outward = self.config.outward.clone();
        let fittings =
            Fittings { shared, library, journal, intake, ledger, outward, unanswered, ending };
        let office = Rc::new(Office::new(fittings));
        let router = RouterActor::new(Rc::clone(&office)).start();
        let scheduler = SchedulerActor::new(Rc::clone(&office)).start();
        let known = office.singles.set(Singles { router, scheduler });
        assert!(known.is_ok(), "an office is furnished once");
        answer_the_unanswered(&office, unanswered_told);
        hand_over_by_turns(&office, has_taken);
        office
    }

    /// The workspace's secret: the configured one, or the store's, or one that is made now and
    /// must be written down.
    fn know_secret(&self, inventory: &Inventory) -> Result<Option<Secret>, StoreError> {
        let stored = inventory.secret.as_deref().map(<[u8; 32]>::try_from).transpose();
        let stored = stored.map_err(|_length| StoreError::Damaged {
            place: "the workspace's secret".to_owned(),
            what: "it isn't 32 bytes long".to_owned(),
        })?;
        let known = self.config.secret.or(stored);
        let secret = known.map_or_else(fresh_secret, Ok)?;
        self.shared.secret.get_or_init(|| Arc::new(secret));
        Ok(known.is_none().then_some(Secret(secret)))
    }

    /// The life has ended by a fault: what is held is dropped, sessions go.
    async fn fault(
        &self,
        office: &Rc<Office>,
        fault: Option<Fault>,
        drain: &mut oneshot::Receiver<()>,
    ) -> Over {
        self.shut(office);
        let fault = fault.unwrap_or(Fault::Broken);
        if let (Fault::Broken, Some(journal)) = (fault, office.take_journal()) {
            // What was stepped is sound, and whoever waits was told that it may take effect.
            journal.close(Duration::from_secs(1)).await;
        }
        match fault {
            Fault::Broken => Over::Restart,
            Fault::Fenced => Over::Ended(Ended::Fenced),
            Fault::Replaced => {
                self.shared.gauges.replaced();
                // Refuses everything and shows nothing, until somebody looks.
                let _ = drain.await;
                Over::Ended(Ended::DrainedLate)
            }
        }
    }

    /// Nobody comes in any more, and who is in is sent away.
    fn shut(&self, office: &Rc<Office>) {
        self.shared.door.tell(|standing| standing.phase = Phase::Recovering);
        self.shared.set_gate(None);
        office.draining.set(true);
        office.turn_all_away();
        office.sessions.borrow_mut().end_all(EndReason::Restart);
    }

    /// Finishes what is under way, within the time for it.
    async fn drained(&self, office: &Rc<Office>) -> Ended {
        let clock = &self.shared.clock;
        let begun = clock.running();
        self.shared.door.tell(|standing| standing.phase = Phase::Draining);
        office.draining.set(true);
        let finished = tokio::select! {
            () = finish(office) => true,
            () = clock.wait(self.shared.limits.drain) => false,
        };
        self.shut(office);
        let left = self.shared.limits.drain - clock.running().since(begun);
        let left = Duration::from_millis(u64::try_from(left.0).unwrap_or(0));
        if let Some(journal) = office.take_journal() {
            let closed = journal.close(left).await;
            if !closed.is_durable {
                tracing::warn!("the drain ended before all was durable");
                return Ended::DrainedLate;
            }
        }
        if finished { Ended::Drained } else { Ended::DrainedLate }
    }
}

/// Waits until nothing is under way and all of it is durable. Sessions end behind their last
/// answers.
async fn finish(office: &Rc<Office>) {
    let door = &office.shared.door;
    // What is on its way is written down as done, or it would go out twice.
    tokio::select! {
        () = office.outbox.settled() => {}
        () = office.shared.clock.wait(ON_ITS_WAY) => {}
    }
    // Kept to the end: nothing comes in any more.
    let _all = door.wait_until_empty().await;
    office.count_time().await;
    office.hold(Output::CloseAll);
    let newest = office.newest();
    door.wait_standing(|standing| standing.durable >= newest).await;
}

/// Gives the journal's writer what was written when everybody who had something to do has done it:
/// what comes in together is written together, and the writer is woken once.
fn hand_over_by_turns(office: &Rc<Office>, has_taken: Arc<Notify>) {
    let this = Rc::clone(office);
    let handed_over = Rc::new(Notify::new());
    watch_for_stalls(office, Rc::clone(&handed_over));
    office.spawn(async move {
        loop {
            has_taken.notified().await;
            tokio::task::yield_now().await;
            this.hand_over();
            handed_over.notify_one();
        }
    });
}

/// Lets the journal's actor hear what the journal tells.
fn listen(office: &Rc<Office>, mut told: mpsc::UnboundedReceiver<JournalEvent>) {
    let actor = JournalActor::new(Rc::clone(office)).start();
    office.spawn(async move {
        while let Some(event) = told.recv().await {
            post(&actor, Heard(event));
        }
    });
}

/// Answers commands whose last message was handled without an answer.
fn answer_the_unanswered(office: &Rc<Office>, mut tokens: mpsc::UnboundedReceiver<Token>) {
    let this = Rc::clone(office);
    office.spawn(async move {
        while let Some(token) = tokens.recv().await {
            this.settle_unanswered(token);
        }
    });
}

/// Makes everybody anew: queues, agents, what is new in the configuration, then what is live.
async fn restore(
    office: &Rc<Office>,
    inventory: &Inventory,
    config: &EngineConfig,
    background: &Handle,
) -> Result<(), StoreError> {
    let library = Arc::clone(&office.library);
    let seats = ahead(background, async move { library.seats().await });
    let library = Arc::clone(&office.library);
    let contacts = ahead(background, async move { library.contacts().await });
    // Before anything changes: that would be lost with what is replaced here.
    office.intake.borrow_mut().contacts = Contacts::of(contacts.await?);
    let mut seats = seats.await?;
    let queues = inventory.queues.iter().cloned().map(Change::Queue);
    let agents = inventory.agents.iter().cloned().map(Change::Agent);
    let webhooks = inventory.webhooks.iter().cloned();
    let webhooks = webhooks.map(|webhook| Change::Webhook(WebhookChange::Put(webhook)));
    let denied = inventory.denied.iter().cloned();
    let denied = denied.map(|denied| Change::Denied(denied.phone, Some(denied)));
    let keys = keys::at_start(&config.keys, &inventory.keys);
    office.shared.boards.keys.show(keys.iter().cloned());
    let keys = keys.into_iter().map(|key| Change::Key(key.token, Some(key)));
    let known: Vec<_> = queues.chain(agents).chain(webhooks).chain(denied).chain(keys).collect();
    office.known.borrow_mut().configure(&config.keys);
    office.known.borrow_mut().learn(&known);
    for webhook in &inventory.webhooks {
        let id = webhook.settings.id.clone();
        office.hold(Output::PublishWebhook(id, Some(Arc::clone(webhook))));
    }
    let shown = inventory.denied.iter().map(|denied| (denied.phone, Arc::clone(denied)));
    office.shared.boards.denied.show(shown.collect());
    let directory = &office.directory;
    for queue in &inventory.queues {
        let seats = seats.remove(&queue.settings.id).unwrap_or_default();
        let actor = QueueActor::recovered(Rc::clone(office), queue, seats);
        directory.queues.insert(queue.settings.id.clone(), actor);
    }
    for agent in &inventory.agents {
        open(&office.ledger).know_agent(office.shared.clock.wall(), agent);
        let actor = AgentActor::recovered(Rc::clone(office), agent);
        directory.agents.insert(agent.settings.id.clone(), actor);
    }
    make_queues(office, config);
    // An agent's timers are their queues': those must be known first.
    office.quiet().await;
    make_agents(office, config);
    recall_live(office, background).await
}

/// Makes an actor for everybody who is live, in the order of their ids.
async fn recall_live(office: &Rc<Office>, background: &Handle) -> Result<(), StoreError> {
    let read = |after| {
        let library = Arc::clone(&office.library);
        ahead(background, async move { library.live(after, PAGE).await })
    };
    let directory = &office.directory;
    let mut page = read(None).await?;
    loop {
        let next = page.last().filter(|_| page.len() == PAGE).map(|callback| callback.id);
        let newest = office.newest();
        let following = next.map(|last| read(Some(last)));
        for callback in page {
            // Whoever is there became live by a step of its own since, which has counted it and
            // told everybody.
            if directory.callbacks.has(&callback.id) {
                continue;
            }
            office.shared.gauges.steps.recovered(&callback);
            open(&office.ledger).know_callback(office.shared.clock.wall(), &callback);
            CallbackActor::recovered(office, &callback);
        }
        office.shared.gauges.live(directory.callbacks.len());
        let Some(following) = following else { return Ok(()) };
        // The letters of a page are handled before the next one's actors are made.
        office.quiet().await;
        page = following.await?;
        if office.newest() != newest {
            // What was read meanwhile may be of before what was written, or miss it.
            page = read(next).await?;
        }
    }
}

/// A read that goes on beside what this thread does.
fn ahead<T: Send + 'static>(
    background: &Handle,
    read: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> impl Future<Output = Result<T, StoreError>> {
    let reading = AbortOnDrop(background.spawn(read));
    async move {
        let stopped = |ended| StoreError::Unavailable(format!("a read was stopped: {ended}"));
        reading.wait().await.map_err(stopped)?
    }
}

/// Queues of the configuration that the store doesn't have.
fn make_queues(office: &Rc<Office>, config: &EngineConfig) {
    for settings in &config.queues {
        let id = settings.id.clone();
        if !office.directory.queues.has(&id) {
            let settings = Arc::new(settings.clone());
            let message = QueueMessage::Put { token: None, if_match: None, settings };
            office.deliver(Letter::Queue(id, message), None);
        }
    }
}

/// Agents of the configuration that the store doesn't have.
fn make_agents(office: &Rc<Office>, config: &EngineConfig) {
    for settings in &config.agents {
        let id = settings.id.clone();
        if !office.directory.agents.has(&id) {
            let timers = office.known.borrow().timers(settings);
            let settings = Arc::new(settings.clone());
            let message = AgentMessage::Put { token: None, if_match: None, settings, timers };
            office.deliver(Letter::Agent(id, message), None);
        }
    }
}

impl Office {
    /// Waits until no letter is on its way.
    async fn quiet(&self) {
        while self.shared.gauges.letters() > 0 {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until no letter is on its way and all that was written is durable.
    async fn settled(&self) {
        self.quiet().await;
        let newest = self.newest();
        self.shared.door.wait_standing(|standing| standing.durable >= newest).await;
    }
}

fn fresh_secret() -> Result<[u8; 32], StoreError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| {
        StoreError::Unavailable(format!("the system gives no random secret: {error}"))
    })?;
    Ok(secret)
}
