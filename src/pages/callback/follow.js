// A callback that was asked for: how it stands, another time, and calling it off. There is no limit
// on how long the customer takes to choose.

import { Problem } from '../shared/api.js';
import { confirmation, Form } from '../shared/dialogs.js';
import { dueAt } from '../shared/fields.js';
import { webLink } from '../shared/links.js';
import { HERE, instant, isElsewhere, longInstant, zoneName } from '../shared/time.js';
import { t, word } from '../shared/texts.js';
import { h } from '../shared/view.js';
import { calendarFile } from './calendar.js';
import { Polling } from './polling.js';
import { Slots } from './slots.js';

/** How soon it is asked again: when the call is near, in line, and while it has no answer. */
const NEAR_MS = 3000;
const LINE_MS = 10000;
const LOST_MS = 5000;
/** An appointment may be moved, or be called early. */
const FAR_MS = 15000;
/** So many in front are called next. */
const NEAR = 3;
const MOVABLE = new Set(['open', 'queued', 'offered']);
const ENDED = new Set(['closed_complete', 'closed_abandoned', 'canceled']);

/** The callback's id begins the token: 16 bytes. */
function idOf(text) {
  try {
    const bytes = atob(text.slice(0, 22).replaceAll('-', '+').replaceAll('_', '/'));
    const hex = Array.from(bytes, (it) => it.charCodeAt(0).toString(16).padStart(2, '0')).join('');
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  } catch {
    return 'none';
  }
}

/** Follows the callback that this token is good for. */
export class Following {
  constructor(page, token, callback) {
    Object.assign(this, { page, token, callback, problem: null, lost: false, said: '' });
    this.api = page.client(token);
    this.path = `/v1/callbacks/${idOf(token)}`;
    this.polling = new Polling(() => this.load());
  }

  begin() {
    this.polling.begin();
  }

  end() {
    this.polling.end();
  }

  /** Asks how it stands; answers when to ask again. */
  async load() {
    let notBefore = 0;
    try {
      this.callback = await this.api.get(this.path);
      Object.assign(this, { problem: null, lost: false });
    } catch (problem) {
      const known = problem instanceof Problem && [401, 403, 404, 410].includes(problem.status);
      if (known) this.problem = problem;
      else this.lost = true;
      notBefore = (problem.retryAfter ?? 0) * 1000;
    }
    if (this.polling.on) this.page.draw();
    return { after: this.next(), notBefore };
  }

  /** After how long it is asked again. */
  next() {
    if (this.problem || ENDED.has(this.callback?.state)) return null;
    if (this.lost) return LOST_MS;
    const { state, position } = this.callback;
    if (state === 'open') return FAR_MS;
    return state === 'queued' && position > NEAR ? LINE_MS : NEAR_MS;
  }

  view() {
    const { callback, problem, lost, page } = this;
    const again = page.key && h('p', { key: 'again' },
      h('button', { onclick: page.ask }, t('cb.another')));
    if (problem) return [h('p', { role: 'alert', key: 'none' }, t('cb.no_link')), again];
    if (!callback) return h('p', { role: 'status' }, t(lost ? 'cb.lost' : 'cb.loading'));
    const sentence = this.standing();
    if (sentence !== this.said) {
      page.say(sentence);
      this.said = sentence;
    }
    return [
      lost && h('p.banner.bad', { key: 'lost' }, t('cb.lost')),
      h('section.card.block', { key: 'state' },
        h('p.row', null, h('span.pill', null, word('standing', callback.state)),
          h('span.muted.small.numbers', null, callback.number)),
        h('p.standing', { tabindex: '-1' }, sentence),
        zones(callback),
        meeting(callback),
        !page.panel && this.actions()),
      page.panelView(),
      h('section.card.block', { key: 'facts' }, facts(callback)),
      ENDED.has(callback.state) && again,
    ];
  }

  /** How it stands, in a sentence. */
  standing() {
    const { state, schedule, attempts, position } = this.callback;
    const estimate = this.callback.estimated_wait_seconds;
    if (state === 'open') {
      const at = dueAt(this.callback);
      const booked = at && at === schedule.start;
      const how = booked ? 'booked' : attempts > 0 ? 'again' : 'closed_now';
      return t(`cb.${how}`, { at: at ? longInstant(at) : '–' });
    }
    if (state === 'queued') {
      const place = position ? t('cb.place', { position }) : t('cb.in_line');
      // Whole minutes: it is spoken whenever it changes.
      const minutes = Math.ceil(estimate / 60);
      return minutes ? `${place} ${t('cb.estimate', { minutes })}` : place;
    }
    return t(`cb.${state}`);
  }

  actions() {
    const { callback } = this;
    const { state, schedule } = callback;
    const movable = MOVABLE.has(state);
    if (!movable && state !== 'accepted') return null;
    return h('div.row', null,
      movable && h('button.primary', { onclick: () => this.move(), key: 'move' },
        t('cb.move')),
      h('button', { onclick: () => this.cancel(), key: 'cancel' }, t('cb.cancel')),
      schedule.start && h('button.quiet', { key: 'calendar',
        onclick: () => calendarFile(callback, t('cb.event')) }, t('cb.calendar')));
  }

  move() {
    const { api, page, path } = this;
    const { queue, medium, state, schedule } = this.callback;
    const form = new Form(page, { how: 'at', at: null, medium });
    const slots = new Slots(page, form, api, { queue });
    form.picked = (at) => slots.show(at);
    form.submit = async ({ how, at }) => {
      const body = how === 'asap' ? { asap: true } : { start: at && new Date(at).toISOString() };
      try {
        this.callback = await api.post(`${path}/reschedule`, body);
      } catch (problem) {
        if (problem.body?.nearest) slots.load();
        throw problem;
      }
      page.tell('rescheduled', this.callback);
      this.polling.now();
      page.close();
    };
    const soon = medium === 'voice' && (schedule.start || state === 'open');
    page.open(t('cb.move'), () => form.view([
      soon && [form.radio('how', 'at', t('cb.pick')), form.radio('how', 'asap', t('type.asap'))],
      form.values.how === 'at' && slots.view(),
    ], t('cb.move_go'), form.values.how === 'at' && !form.values.at));
  }

  cancel() {
    const { schedule } = this.callback;
    confirmation(this.page, {
      title: t('cb.cancel_title'),
      text: t('cb.cancel_text'),
      at: schedule.start && longInstant(schedule.start),
      button: t('cb.cancel_yes'),
      reason: t('form.reason'),
      go: async (reason) => {
        this.callback = await this.api.post(`${this.path}/cancel`, reason ? { reason } : {});
        this.page.tell('canceled', this.callback);
      },
    });
  }
}

/** Booked in another zone than the reader is in now: both are told. */
function zones({ schedule }) {
  if (!schedule.start || !isElsewhere(schedule.time_zone)) return null;
  const there = longInstant(schedule.start, schedule.time_zone);
  return h('p.muted.small', null, t('cb.zones', { here: zoneName(HERE), there,
    zone: zoneName(schedule.time_zone) }));
}

function meeting({ medium, meeting: made, state }) {
  if (medium !== 'video' || ENDED.has(state)) return null;
  const href = webLink(made?.join_url);
  return href
    ? h('p', null, h('a.primary.button', { href, rel: 'noopener noreferrer' },
        t('cb.join')))
    : h('p.muted', null, t('cb.no_meeting'));
}

function facts(callback) {
  const { customer, medium } = callback;
  const reached = medium === 'video' ? customer.email : customer.phone;
  const all = [
    ['name', customer.name], ['reached', reached], ['about', callback.short_description],
    ['attempts', callback.attempts > 0 && t('cb.tried', { number: callback.attempts })],
    ['asked', instant(callback.created_at)],
  ];
  return h('dl.facts', null, all.filter(([, value]) => value).map(([name, value]) =>
    h('div', { key: name }, h('dt', null, t(`cb.fact_${name}`)), h('dd', null, value))));
}
