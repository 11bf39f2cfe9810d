// A queue's free slots, by the days of the customer's own zone.

import { HERE, now, slotTime, wall, zoneName } from '../shared/time.js';
import { locale, t } from '../shared/texts.js';
import { h } from '../shared/view.js';

/** How far ahead is asked for: as far as the API answers at once. */
const DAYS = 31;

const dayOf = (at) => wall(at).slice(0, 10);

/** The days and times to pick from, for a form with a medium and the time picked, `at`. */
export class Slots {
  constructor(page, form, api, { queue }) {
    Object.assign(this, { page, form, api, queue, days: null, lost: false, day: null });
    this.load();
  }

  async load() {
    const at = (days) => new Date(Math.floor(now() / 1000) * 1000 + days * 86400000).toISOString();
    const query = { medium: this.form.values.medium, from: at(0), to: at(DAYS) };
    try {
      const path = `/v1/queues/${encodeURIComponent(this.queue)}/slots`;
      const { items } = await this.api.get(path, query);
      const days = new Map();
      for (const slot of items.filter((one) => one.remaining !== 0)) {
        const day = dayOf(Date.parse(slot.start));
        days.set(day, [...(days.get(day) ?? []), slot]);
      }
      Object.assign(this, { days, lost: false });
      if (!days.has(this.day)) this.day = days.keys().next().value ?? null;
    } catch {
      this.lost = !this.days;
    }
    this.page.draw();
  }

  /** Turns to the day of a time that was picked elsewhere. */
  show(at) {
    if (this.days?.has(dayOf(at))) this.day = dayOf(at);
  }

  view() {
    const { days, day, form, lost } = this;
    if (lost) {
      return h('p.row', { key: 'slots' }, t('cb.lost'),
        h('button', { type: 'button', onclick: () => this.load() }, t('cb.try_again')));
    }
    if (!days) return h('p.muted', { role: 'status', key: 'slots' }, t('cb.loading'));
    if (days.size === 0) return h('p', { key: 'slots' }, t('cb.no_slots'));
    const choose = (event) => {
      this.day = event.target.value;
      form.set({ at: null });
    };
    const pick = (slot) => () => form.set({ at: Date.parse(slot.start) });
    return h('div.stack', { key: 'slots' },
      h('div.field', null,
        h('label', { for: 'slot-day' }, t('form.date')),
        h('select', { id: 'slot-day', value: day, onchange: choose },
          [...days.keys()].map((one) => h('option', { value: one, key: one }, dayName(one))))),
      h('div.slots', { role: 'group',
        'aria-label': `${t('form.time')} (${zoneName(HERE)})` },
      days.get(day).map((slot) => h('button', {
        type: 'button',
        key: slot.start,
        'aria-pressed': String(Date.parse(slot.start) === form.values.at),
        onclick: pick(slot),
      }, slotTime(Date.parse(slot.start))))));
  }
}

function dayName(day) {
  const options = { weekday: 'long', day: 'numeric', month: 'long', timeZone: 'UTC' };
  return new Intl.DateTimeFormat(locale(), options).format(Date.parse(`${day}T12:00Z`));
}
