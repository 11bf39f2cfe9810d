// A queue's free slots, by the days of the customer's own zone.

import { now, wall } from '../shared/time.js';
import { locale, t } from '../shared/texts.js';
import { h } from '../shared/view.js';

/** How far ahead is asked for: as far as the API answers at once. */
const DAYS = 31;

/** The days and times to pick from; a queue without slots takes any open time. */
export class Slots {
  constructor(page, form, { queue, medium }) {
    Object.assign(this, { page, form, days: null, none: false, day: null });
    this.load(queue, medium);
  }

  async load(queue, medium) {
    const at = (days) => new Date(Math.floor(now() / 1000) * 1000 + days * 86400000).toISOString();
    const query = { medium, from: at(0), to: at(DAYS) };
    try {
      const path = `/v1/queues/${encodeURIComponent(queue)}/slots`;
      const { items } = await this.page.api.get(path, query);
      this.days = new Map();
      for (const slot of items.filter((one) => one.remaining !== 0)) {
        const day = wall(Date.parse(slot.start)).slice(0, 10);
        this.days.set(day, [...(this.days.get(day) ?? []), slot]);
      }
      this.day = this.days.keys().next().value ?? null;
    } catch {
      this.none = true;
    }
    this.page.draw();
  }

  view() {
    const { days, day, form } = this;
    if (!days) return h('p', { class: 'muted', role: 'status' }, t('cb.loading'));
    if (days.size === 0) return h('p', null, t('cb.no_slots'));
    const choose = (event) => {
      this.day = event.target.value;
      form.set({ at: null });
    };
    const pick = (slot) => () => form.set({ at: Date.parse(slot.start) });
    return h('div', { class: 'stack', key: 'slots' },
      h('div', { class: 'field' },
        h('label', { for: 'slot-day' }, t('form.date')),
        h('select', { id: 'slot-day', value: day, onchange: choose },
          [...days.keys()].map((one) => h('option', { value: one, key: one }, dayName(one))))),
      h('div', { class: 'slots', role: 'group', 'aria-label': t('form.time') },
        days.get(day).map((slot) => h('button', {
          type: 'button',
          key: slot.start,
          'aria-pressed': String(Date.parse(slot.start) === form.values.at),
          onclick: pick(slot),
        }, wall(Date.parse(slot.start)).slice(11)))));
  }
}

function dayName(day) {
  const options = { weekday: 'long', day: 'numeric', month: 'long', timeZone: 'UTC' };
  return new Intl.DateTimeFormat(locale(), options).format(Date.parse(`${day}T12:00Z`));
}
