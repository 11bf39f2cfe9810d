// The list of scheduled callbacks, and of all that live: sorted and filtered by the server, a page
// at a time, so that it weighs the same however many there are.

import { instant } from '../shared/time.js';
import { labelOf, t, word } from '../shared/texts.js';
import { h } from '../shared/view.js';
import { cancel, reschedule } from './actions.js';
import { issue } from './inbox.js';
import { say } from './signals.js';

const PAGE_ROWS = 50;
const REFRESH_MS = 20000;
const WHICH = ['scheduled', 'active', 'mine', 'ended'];
const WAITS = new Set(['open', 'queued', 'offered']);

/** The list and what it is filtered by. */
export class CallbackList {
  constructor(page) {
    this.page = page;
    this.filter = { which: 'scheduled', queue: '', q: '', after: '', sort: 'start' };
    Object.assign(this, { items: null, cursors: [null], next: null, asked: 0, problem: null });
    setInterval(() => this.shown && !document.hidden && this.load(), REFRESH_MS);
  }

  /** Whether somebody looks at it. */
  get shown() {
    const { page } = this;
    return page.list === this && page.desk?.ready && (page.showList || !page.selected);
  }

  query() {
    const { which, queue, q, after, sort } = this.filter;
    const agent = this.page.desk.agent.id;
    const sets = {
      scheduled: { type: 'scheduled', state: 'active' },
      active: { state: 'active' },
      mine: { booked_by: agent, state: 'active' },
      ended: {},
    };
    const due = after ? { due_after: new Date(`${after}T00:00`).toISOString() } : {};
    const cursor = this.cursors.at(-1);
    const order = which === 'ended' && sort === 'start' ? '-created_at' : sort;
    return { ...sets[which], queue, q: q.trim(), ...due, sort: order, limit: PAGE_ROWS, cursor };
  }

  async load() {
    this.asked += 1;
    const { asked } = this;
    try {
      const { items, next_cursor: next } = await this.page.api.get('/v1/callbacks', this.query());
      if (asked !== this.asked) return;
      Object.assign(this, { items, next, problem: null });
    } catch (problem) {
      if (asked !== this.asked) return;
      this.problem = problem;
    }
    this.page.draw();
  }

  /** From the first page on, by other filters. */
  change(filter) {
    Object.assign(this.filter, filter);
    this.cursors = [null];
    this.page.draw();
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.load(), 'q' in filter ? 250 : 0);
  }

  /** After something of it changed. */
  refresh() {
    return this.load();
  }

  turn(cursors) {
    this.cursors = cursors;
    this.load().then(() => say(t('list.page', { number: cursors.length })));
  }

  view() {
    if (this.items === null && this.asked === 0) this.load();
    const { items } = this;
    return h(
      'section',
      { class: 'card list', key: 'list' },
      h('div', { class: 'row head' },
        h('h2', { id: 'list-title', class: 'grow' }, t('list.title')),
        h('button', { class: 'quiet', onclick: () => this.load() }, t('list.refresh'))),
      this.filters(),
      this.problem?.status > 0 &&
        h('p', { class: 'banner bad', role: 'alert' }, this.problem.message),
      h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-labelledby': 'list-title' },
        h('table', null, this.head(), h('tbody', null, (items ?? []).map((one) => this.row(one))))),
      items?.length === 0 && h('p', { class: 'muted none' }, t('list.none')),
      this.pager(),
    );
  }

  filters() {
    const { filter, page } = this;
    const queues = page.desk.queues.map((queue) => [queue.id, labelOf(queue)]);
    const select = (name, options) => h('div', { class: 'field', key: name },
      h('label', { for: `l-${name}` }, t(`list.${name}`)),
      h('select', { id: `l-${name}`, value: filter[name],
        onchange: (event) => this.change({ [name]: event.target.value }) },
      options.map(([value, text]) => h('option', { value, key: value }, text))));
    const input = (name, type) => h('div', { class: 'field', key: name },
      h('label', { for: `l-${name}` }, t(`list.${name}`)),
      h('input', { id: `l-${name}`, type, value: filter[name], autocomplete: 'off',
        oninput: (event) => this.change({ [name]: event.target.value }) }));
    return h('div', { class: 'filters', role: 'search', 'aria-label': t('list.filters') },
      select('which', WHICH.map((one) => [one, t(`list.which_${one}`)])),
      select('queue', [['', t('list.all_queues')], ...queues]),
      input('q', 'search'),
      input('after', 'date'));
  }

  head() {
    const column = (name, sort) => {
      const { sort: by } = this.filter;
      const order = by === sort ? 'ascending' : by === `-${sort}` ? 'descending' : 'none';
      if (!sort) return h('th', { scope: 'col', key: name }, t(`list.col_${name}`));
      const turn = () => this.change({ sort: order === 'ascending' ? `-${sort}` : sort });
      const arrow = { ascending: '▲', descending: '▼', none: '' }[order];
      return h('th', { scope: 'col', key: name, 'aria-sort': order },
        h('button', { class: 'quiet', onclick: turn }, t(`list.col_${name}`),
          h('span', { 'aria-hidden': 'true' }, arrow)));
    };
    return h('thead', null, h('tr', null,
      column('number', 'created_at'), column('contact'), column('phone'), column('start', 'start'),
      column('reason'), column('queue'), column('state', 'queued_since'),
      h('th', { scope: 'col' }, h('span', { class: 'sr' }, t('list.col_actions')))));
  }

  row(one) {
    const { page } = this;
    const { customer, schedule } = one;
    const cell = (name, ...content) => h('td', { 'data-label': t(`list.col_${name}`) }, content);
    const due = schedule.start ?? one.next_attempt_at;
    const queue = page.desk.queue(one.queue) ?? { id: one.queue };
    const number = one.record_url
      ? h('a', { href: one.record_url, target: '_blank', rel: 'noopener noreferrer' }, one.number)
      : one.number;
    return h('tr', { key: one.id },
      cell('number', h('span', { class: 'numbers' }, number)),
      cell('contact', h('span', { class: 'name' }, customer.name),
        customer.account && h('span', { class: 'muted small' }, ` ${customer.account}`)),
      cell('phone', h('span', { class: 'numbers' }, customer.phone ?? customer.email)),
      cell('start', due ? h('span', { class: 'numbers' }, instant(due)) : '–'),
      cell('reason', issue(page, one)),
      cell('queue', labelOf(queue)),
      cell('state', h('span', { class: 'pill' }, word('state', one.state))),
      h('td', { class: 'row do' }, this.buttons(one)));
  }

  buttons(one) {
    const { page } = this;
    if (!WAITS.has(one.state)) return null;
    const named = (name) => `${t(`list.${name}`)}: ${one.customer.name}, ${one.number}`;
    const button = (name, onclick) =>
      h('button', { class: 'quiet', key: name, onclick, 'aria-label': named(name) },
        t(`list.${name}`));
    return [
      one.state !== 'offered' && button('take', () => this.take(one)),
      button('reschedule', () => reschedule(page, one)),
      button('cancel', () => cancel(page, one)),
    ];
  }

  /** An agent takes a callback out of turn, where the queue lets them. */
  async take(one) {
    try {
      const body = { agent_id: this.page.desk.agent.id };
      await this.page.api.post(`/v1/callbacks/${one.id}/assign`, body);
      Object.assign(this.page, { selected: one.id, showList: false });
      this.refresh();
    } catch (problem) {
      this.page.desk.note('bad', `${t('list.take')}: ${problem.message}`);
    }
  }

  pager() {
    const { cursors, next } = this;
    if (cursors.length === 1 && !next) return null;
    const back = () => this.turn(cursors.slice(0, -1));
    const on = () => this.turn([...cursors, next]);
    return h('div', { class: 'row pager' },
      h('button', { disabled: cursors.length === 1, onclick: back }, t('list.back')),
      h('span', { class: 'muted' }, t('list.page', { number: cursors.length })),
      h('button', { disabled: !next, onclick: on }, t('list.next')));
  }
}
