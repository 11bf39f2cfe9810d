// What the agent's desk knows: all of it told by the server, and drafts that are the agent's own.
//
// Nothing is guessed: a click changes the desk only through what the server says next.

import { keepInTab, tab } from '../shared/kept.js';
import { Socket } from '../shared/socket.js';
import { now } from '../shared/time.js';
import { t, word } from '../shared/texts.js';

/** How many messages stay on the page until they are dismissed. */
const NOTES_MAX = 4;
/** How long past its time an offer is shown while nothing is heard of it. */
const LATE_MS = 2000;
/** Presences' reasons that are the engine's own words. */
const BY_ENGINE = new Set(['no_response', 'no_call', 'connection_lost']);

/** The desk of whoever has this token. `changed` is called after each change. */
export class Desk {
  constructor(token, { changed, offered, ended }) {
    Object.assign(this, { changed, offered, notices: [], lines: new Map() });
    this.offers = new Map();
    this.assignments = new Map();
    this.presence = { presence: 'offline', reason: null, by: null };
    this.socket = new Socket(token, {
      frame: (frame) => this.frame(frame),
      state: () => changed(),
      ended: (why, unanswered) => ended(why, unanswered),
    });
  }

  /** Whether the server has told who this is. */
  get ready() {
    return Boolean(this.agent);
  }

  /** A queue as `welcome` told it. */
  queue(id) {
    return this.queues.find((queue) => queue.id === id);
  }

  /** The offer that ends first: what the accept chord means. */
  get firstOffer() {
    const all = [...this.offers.values()];
    return all.sort((a, b) => a.expires_at.localeCompare(b.expires_at))[0];
  }

  /** Why the agent is away although they didn't ask for it. */
  get sentAway() {
    const { presence, reason, by } = this.presence;
    if (presence === 'available') return null;
    if (by === 'supervisor') {
      return t('away.supervisor', { reason: reason ? word('choice', reason) : '–' });
    }
    return BY_ENGINE.has(reason) ? t(`away.${reason}`) : null;
  }

  /** Sends an action; a refusal is told, and thrown for whoever wants to show it in its place. */
  async act(type, fields, label, quiet) {
    try {
      await this.socket.send(type, fields, label);
      return true;
    } catch (problem) {
      if (quiet) throw problem;
      this.note('bad', `${label}: ${problem.message}`);
      return false;
    }
  }

  /** Shows a message until it is dismissed. */
  note(kind, text, link) {
    this.notices = [...this.notices.slice(1 - NOTES_MAX), { kind, text, link, id: Math.random() }];
    this.changed();
  }

  dismiss(notice) {
    this.notices = this.notices.filter((one) => one !== notice);
    this.changed();
  }

  frame(frame) {
    const handle = HANDLERS[frame.type];
    if (!handle) return;
    handle(this, frame);
    this.changed();
  }

  /** Drafts of callbacks that are gone from the desk: the end of wrap-up takes no words away. */
  get lateDrafts() {
    const names = tab.names().filter((name) => name.startsWith(DRAFT));
    const ids = names.map((name) => name.slice(DRAFT.length)).sort();
    return ids.map((id) => ({ id, ...draft(id) })).filter((it) => it.notes && !this.holds(it.id));
  }

  /** Puts an offer on the desk; none outlives its time, even if nobody says that it is over. */
  put(offer) {
    this.offers.set(offer.offer_id, offer);
    const left = Date.parse(offer.expires_at) - now() + LATE_MS;
    setTimeout(() => this.forget(offer.offer_id), Math.max(0, left));
  }

  forget(offer) {
    if (this.offers.delete(offer)) this.changed();
  }

  holds(id) {
    return this.assignments.has(id);
  }
}

// Why an offer is gone that nobody need be told: the agent did it.
const OWN_DOING = new Set(['accepted_elsewhere', 'agent_away', 'declined']);

const HANDLERS = {
  welcome(desk, frame) {
    const { agent, queues, presence, reason, presence_reasons, links } = frame;
    const by = BY_ENGINE.has(reason) ? 'engine' : null;
    const known = new Set([...desk.offers.keys()]);
    Object.assign(desk, { agent, queues, links, presenceReasons: presence_reasons });
    desk.presence = { presence, reason, by };
    desk.offers.clear();
    for (const offer of frame.offers) {
      desk.put(offer);
      if (!known.has(offer.offer_id)) desk.offered(offer);
    }
    // A large one comes without contexts: what is known of them stays.
    const whole = (callback) => (callback.context_omitted
      ? { ...callback, context: desk.assignments.get(callback.id)?.context } : callback);
    desk.assignments = new Map(frame.assignments.map((one) => [one.id, whole(one)]));
  },
  'callback.offered'(desk, frame) {
    desk.put(frame);
    desk.offered(frame);
  },
  'callback.offer_revoked'(desk, { offer_id, reason }) {
    const offer = desk.offers.get(offer_id);
    desk.offers.delete(offer_id);
    if (offer && !OWN_DOING.has(reason)) {
      const why = word('gone', reason);
      desk.note('warn', t('offer.revoked', { name: offer.callback.customer.name, why }));
    }
  },
  'callback.offer_expired'(desk, { offer_id }) {
    desk.offers.delete(offer_id);
  },
  'callback.assigned'(desk, { callback, by }) {
    desk.assignments.set(callback.id, callback);
    for (const [id, offer] of desk.offers) {
      if (offer.callback.id === callback.id) desk.offers.delete(id);
    }
    if (by === 'supervisor') {
      desk.note('good', t('work.by_supervisor', { name: callback.customer.name }));
    }
  },
  'callback.updated'(desk, { callback }) {
    const before = desk.assignments.get(callback.id);
    // A slow reader is sent callbacks without their context; what is known of it stays.
    const context = callback.context_omitted ? before?.context : callback.context;
    desk.assignments.set(callback.id, { ...callback, context });
  },
  'callback.unassigned'(desk, { callback_id, reason }) {
    const name = desk.assignments.get(callback_id)?.customer.name;
    desk.assignments.delete(callback_id);
    if (name && ['canceled', 'reassigned', 'no_call', 'connection_lost'].includes(reason)) {
      desk.note('warn', t('work.gone', { name, why: word('gone', reason) }));
    }
  },
  'agent.presence_changed'(desk, { presence, reason, by }) {
    desk.presence = { presence, reason, by };
  },
  'queue.updated'(desk, frame) {
    const wait = frame.oldest_wait_seconds;
    const oldest = wait === null ? null : new Date(now() - wait * 1000).toISOString();
    desk.lines.set(frame.queue, { waiting: frame.waiting, oldest });
  },
};

const DRAFT = 'ringback.draft.';

/** What is typed about a callback and not sent yet; it lives as long as the tab. */
export function draft(id) {
  try {
    return JSON.parse(tab.getItem(DRAFT + id)) ?? {};
  } catch {
    return {};
  }
}

/** Keeps some of it, or forgets it all. */
export function setDraft(id, fields) {
  keepInTab(DRAFT + id, fields && JSON.stringify({ ...draft(id), ...fields }));
}
