// The callbacks: searched, filtered and paged by the server.

import { dueAt, standing } from '../shared/fields.js';
import { Table } from '../shared/table.js';
import { instant } from '../shared/time.js';
import { t, word } from '../shared/texts.js';
import { h } from '../shared/view.js';
import { openCallback } from './callback.js';

const STATES = ['active', 'queued', 'offered', 'accepted', 'calling', 'wrap_up', 'open',
  'closed_complete', 'closed_abandoned', 'canceled'];

/** The table and what it is filtered by. */
export class CallbackTable extends Table {
  constructor(page) {
    super(page, { state: 'active', queue: '', q: '' });
  }

  query() {
    const { filter } = this;
    return { ...filter, q: filter.q.trim(), sort: '-created_at' };
  }

  filters() {
    const states = STATES.map((one) => [one, word('state', one)]);
    const queues = this.page.stats.queues.map((queue) => [queue.id, queue.name]);
    return [this.choice('state', [...states, ['', t('list.all')]]),
      this.choice('queue', [['', t('list.all')], ...queues]), this.typed('q', 'search')];
  }

  columns() {
    return ['number', 'contact', 'queue', 'state', 'due', 'agent'].map((it) => this.column(it));
  }

  row(one) {
    const { page } = this;
    const agent = one.assigned_agent ?? one.offered_to;
    const named = page.stats.agents.find((it) => it.id === agent)?.name ?? agent;
    const queue = page.stats.queues.find((it) => it.id === one.queue)?.name ?? one.queue;
    const due = dueAt(one);
    const waits = one.state === 'queued' && one.queued_since;
    return h('tr', { key: one.id, 'aria-current': page.panel?.id === one.id ? 'true' : null },
      this.cell('number', h('button.link.numbers',
        { onclick: () => openCallback(page, one.id) }, one.number)),
      this.cell('contact', h('span.name', null, one.customer.name),
        one.short_description && h('div.muted.small', null, one.short_description)),
      this.cell('queue', queue),
      this.cell('state', standing(one, one.unroutable && 'bad')),
      this.cell('due', waits ? h('rb-since', { at: waits }) : due ? instant(due) : '–'),
      this.cell('agent', named ?? '–'));
  }
}
