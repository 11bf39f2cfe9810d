// The list of scheduled callbacks, and of all that live.

import { dueAt, outside, standing } from '../shared/fields.js';
import { Table } from '../shared/table.js';
import { instant } from '../shared/time.js';
import { labelOf, t, word } from '../shared/texts.js';
import { h } from '../shared/view.js';
import { cancel, reschedule } from './actions.js';
import { issue } from './inbox.js';

const REFRESH_MS = 20000;
const WHICH = ['scheduled', 'active', 'mine', 'ended'];
const WAITS = new Set(['open', 'queued', 'offered']);
/** What each column is sorted by. */
const SORTS = { number: 'created_at', start: 'start', state: 'queued_since' };

/** The list and what it is filtered by. */
export class CallbackList extends Table {
  constructor(page) {
    super(page, { which: 'scheduled', queue: '', q: '', after: '', sort: 'start' });
    setInterval(() => this.shown && !document.hidden && this.load(), REFRESH_MS);
  }

  /** Whether somebody looks at it. */
  get shown() {
    const { page } = this;
    return page.list === this && page.desk?.ready && (page.showList || !page.selected);
  }

  query() {
    const { which, queue, q, after, sort } = this.filter;
    const sets = {
      scheduled: { type: 'scheduled', state: 'active' },
      active: { state: 'active' },
      mine: { booked_by: this.page.desk.agent.id, state: 'active' },
      ended: {},
    };
    const due = after ? { due_after: new Date(`${after}T00:00`).toISOString() } : {};
    const order = which === 'ended' && sort === 'start' ? '-created_at' : sort;
    return { ...sets[which], queue, q: q.trim(), ...due, sort: order };
  }

  view() {
    if (this.asked === 0) this.load();
    return super.view(
      h('button.quiet', { onclick: () => this.load() }, t('list.refresh')));
  }

  filters() {
    const queues = this.page.desk.queues.map((queue) => [queue.id, labelOf(queue)]);
    return [this.choice('which', WHICH.map((one) => [one, t(`list.which_${one}`)])),
      this.choice('queue', [['', t('list.all')], ...queues]),
      this.typed('q', 'search'), this.typed('after', 'date')];
  }

  columns() {
    return [this.sorted('number'), this.column('contact'), this.sorted('start'),
      this.column('reason'), this.sorted('state'),
      this.column('actions', h('span.sr', null, t('work.actions')))];
  }

  sorted(name) {
    const { sort: by } = this.filter;
    const sort = SORTS[name];
    const order = by === sort ? 'ascending' : by === `-${sort}` ? 'descending' : 'none';
    const turn = () => this.change({ sort: order === 'ascending' ? `-${sort}` : sort });
    const arrow = { ascending: ' ▲', descending: ' ▼', none: '' }[order];
    return h('th', { scope: 'col', key: name, 'aria-sort': order },
      h('button.quiet', { onclick: turn }, t(`list.${name}`),
        h('span', { 'aria-hidden': 'true' }, arrow)));
  }

  row(one) {
    const { page } = this;
    const { customer, queued_since: since } = one;
    const due = dueAt(one);
    const queue = page.desk.queue(one.queue) ?? { id: one.queue };
    return h('tr', { key: one.id },
      this.cell('number', h('span.numbers', null, outside(one.record_url, one.number))),
      this.cell('contact', h('span.name', null, customer.name), below(customer.account),
        below(h('span.numbers', null, customer.phone ?? customer.email))),
      this.cell('start', due ? h('span.numbers', null, instant(due)) : '–'),
      this.cell('reason', issue(page, one), below(labelOf(queue))),
      this.cell('state', standing(one),
        one.state === 'queued' && below(h('rb-since', { at: since }))),
      h('td.do', null, h('div.row', null, this.buttons(one))));
  }

  buttons(one) {
    const { page } = this;
    if (!WAITS.has(one.state)) return null;
    const button = (name, text, onclick) => h('button.quiet', { key: name, onclick,
      'aria-label': `${text}: ${one.customer.name}, ${one.number}` }, text);
    return [
      one.state !== 'offered' && button('take', t('list.take'), () => this.take(one)),
      button('move', t('reschedule.go'), () => reschedule(page, one)),
      button('cancel', t('do.cancel'), () => cancel(page, one)),
    ];
  }

  /** An agent takes a callback out of turn, where the queue lets them. */
  async take(one) {
    const { page } = this;
    try {
      await page.api.post(`/v1/callbacks/${one.id}/assign`, { agent_id: page.desk.agent.id });
      Object.assign(page, { selected: one.id, showList: false });
      this.load();
    } catch (problem) {
      page.desk.note('bad', `${t('list.take')}: ${problem.message}`);
    }
  }
}

const below = (content) => content && h('div.muted.small', null, content);
