//! What journal, writer and projector share: bounds, signals, and the one way to tell an end.
//!
//! Separate because each of the three may be the one that makes room, or that finds out that the
//! workspace is lost. It must never hold a lock while it notifies, but the one that keeps the
//! beginning and the end of a stall in their order.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{JournalEvent, Notify};
use crate::engine::figures::{JournalCounts, JournalFigures};
use crate::engine::overlay::Overlay;
use crate::engine::ports::EntryNumber;

/// Between the three.
pub(in crate::engine) struct Shared {
    pub(in crate::engine) overlay: Arc<Overlay>,
    pub(in crate::engine) counts: JournalCounts,
    notify: Notify,
    has_ended: AtomicBool,
    log_is_full: AtomicBool,
    door_waits: AtomicBool,
    tables_in_doubt: AtomicBool,
    watermark: AtomicU64,
    projector: tokio::sync::Notify,
    stall_after: Duration,
    stall: Mutex<Stall>,
}

/// How the writer waits for the store.
#[derive(Debug, Default)]
struct Stall {
    /// Since when, if it does.
    asked: Option<Instant>,
    /// That it lasts too long was told, and not yet that it is over.
    is_told: bool,
}

impl Shared {
    pub(in crate::engine) fn new(
        overlay: Arc<Overlay>,
        watermark: EntryNumber,
        notify: Notify,
        stall_after: Duration,
    ) -> Self {
        Self {
            overlay,
            counts: JournalCounts::default(),
            notify,
            has_ended: AtomicBool::new(false),
            log_is_full: AtomicBool::new(false),
            door_waits: AtomicBool::new(false),
            tables_in_doubt: AtomicBool::new(false),
            watermark: AtomicU64::new(watermark),
            projector: tokio::sync::Notify::new(),
            stall_after,
            stall: Mutex::default(),
        }
    }

    /// Tells what happened, unless the end was told.
    pub(in crate::engine) fn tell(&self, event: JournalEvent) {
        if !self.has_ended() {
            (self.notify)(event);
        }
    }

    /// Tells the end, once: the first of writer and projector to see it.
    pub(in crate::engine) fn tell_end(&self, event: JournalEvent) {
        if !self.has_ended.swap(true, Ordering::SeqCst) {
            tracing::error!(?event, "the journal has ended");
            (self.notify)(event);
        }
        self.hurry_projector();
    }

    /// The end was told: nothing may be written any more.
    pub(in crate::engine) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }

    /// The store is asked for something, and waited for.
    pub(in crate::engine) fn store_is_asked(&self) {
        self.stall().asked = Some(Instant::now());
    }

    /// It isn't waited for any more, whatever came of that.
    pub(in crate::engine) fn store_is_done(&self) {
        self.stall().asked = None;
    }

    /// The store may be waited for so long.
    pub(in crate::engine) fn stall_after(&self) -> Duration {
        self.stall_after
    }

    /// A stall was told that isn't over.
    pub(in crate::engine) fn is_stalled(&self) -> bool {
        self.stall().is_told
    }

    /// Tells a stall, unless it was told, when the store is waited for too long. From any thread:
    /// the writer's may be stuck in the store.
    pub(in crate::engine) fn look_for_stall(&self) {
        let mut stall = self.stall();
        let is_late = |asked: Instant| asked.elapsed() >= self.stall_after;
        if !stall.is_told && stall.asked.is_some_and(is_late) {
            stall.is_told = true;
            self.tell(JournalEvent::Stalled);
        }
    }

    /// It acknowledged something: a stall is over.
    pub(in crate::engine) fn store_answered(&self) {
        let mut stall = self.stall();
        if std::mem::take(&mut stall.is_told) {
            self.tell(JournalEvent::Resumed);
        }
    }

    fn stall(&self) -> MutexGuard<'_, Stall> {
        // Two values that are right each by itself.
        self.stall.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How all of it stands.
    pub(in crate::engine) fn figures(&self) -> JournalFigures {
        let overlay_bytes = self.overlay.unprojected_bytes() as u64;
        JournalFigures { projected: self.watermark(), overlay_bytes, ..self.counts.read() }
    }

    /// Overlay or log is at its bound.
    pub(in crate::engine) fn is_full(&self) -> bool {
        self.overlay.is_full() || self.log_is_full()
    }

    /// Whether the door must wait; if so, [`JournalEvent::Room`] will be told.
    pub(in crate::engine) fn must_wait(&self) -> bool {
        if !self.is_full() {
            return false;
        }
        // The flag before the second look: if room was made in between, either that look sees it
        // or whoever made it sees the flag.
        self.door_waits.store(true, Ordering::SeqCst);
        self.hurry_projector();
        self.is_full()
    }

    /// Something was dropped or trimmed: the door is told if it waits and there is room now.
    pub(in crate::engine) fn made_room(&self) {
        if !self.is_full() && self.door_waits.swap(false, Ordering::SeqCst) {
            self.tell(JournalEvent::Room);
        }
    }

    /// The log is at its bound.
    pub(in crate::engine) fn log_is_full(&self) -> bool {
        self.log_is_full.load(Ordering::SeqCst)
    }

    pub(in crate::engine) fn set_log_is_full(&self, is_full: bool) {
        self.log_is_full.store(is_full, Ordering::SeqCst);
        if is_full {
            self.hurry_projector();
        } else {
            self.made_room();
        }
    }

    /// The store didn't answer, or lost something: the tables may not stand where they were left.
    pub(in crate::engine) fn doubt_tables(&self) {
        self.tables_in_doubt.store(true, Ordering::SeqCst);
        self.hurry_projector();
    }

    /// It isn't known where the tables stand; nothing may be trimmed from the log.
    pub(in crate::engine) fn is_in_doubt(&self) -> bool {
        self.tables_in_doubt.load(Ordering::SeqCst)
    }

    /// It is known again. A doubt that came up while the projector looked is settled by that look
    /// too, unless the store failed again in that moment; then the next batch finds the gap.
    pub(in crate::engine) fn settle_doubt(&self) {
        self.tables_in_doubt.store(false, Ordering::SeqCst);
    }

    /// The tables have every entry up to this one.
    pub(in crate::engine) fn watermark(&self) -> EntryNumber {
        self.watermark.load(Ordering::SeqCst)
    }

    pub(in crate::engine) fn set_watermark(&self, number: EntryNumber) {
        self.overlay.set_watermark(number);
        self.watermark.store(number, Ordering::SeqCst);
    }

    /// Lets the projector begin before its pause is over.
    pub(in crate::engine) fn hurry_projector(&self) {
        self.projector.notify_one();
    }

    /// Until the projector is hurried; a call that came before is remembered.
    pub(in crate::engine) async fn hurried(&self) {
        self.projector.notified().await;
    }
}
