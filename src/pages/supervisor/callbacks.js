// The callbacks: searched, filtered and paged by the server.

import { instant } from '../shared/time.js';
import { t, word } from '../shared/texts.js';
import { h } from '../shared/view.js';
import { openCallback } from './callback.js';

const PAGE_ROWS = 50;
const STATES = ['active', 'queued', 'offered', 'accepted', 'calling', 'wrap_up', 'open',
  'closed_complete', 'closed_abandoned', 'canceled'];

/** The table and what it is filtered by. */
export class CallbackTable {
  constructor(page) {
    this.page = page;
    this.filter = { state: 'active', queue: '', q: '' };
    Object.assign(this, { items: null, cursors: [null], next: null, asked: 0, problem: null });
  }

  async load() {
    this.asked += 1;
    const { asked, filter, page } = this;
    const query = { ...filter, q: filter.q.trim(), limit: PAGE_ROWS, sort: '-created_at',
      cursor: this.cursors.at(-1) };
    try {
      const { items, next_cursor: next } = await page.api.get('/v1/callbacks', query);
      if (asked !== this.asked) return;
      Object.assign(this, { items, next, problem: null });
    } catch (problem) {
      if (asked !== this.asked) return;
      this.problem = problem;
    }
    page.draw();
  }

  change(filter) {
    Object.assign(this.filter, filter);
    this.cursors = [null];
    this.page.draw();
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.load(), 'q' in filter ? 250 : 0);
  }

  turn(cursors) {
    this.cursors = cursors;
    this.load();
  }

  view() {
    const column = (name) => h('th', { scope: 'col', key: name }, t(`calls.${name}`));
    return h(
      'section',
      { class: 'card list', key: 'calls' },
      h('h2', { id: 'calls-title' }, t('calls.title')),
      this.filters(),
      // That there is no answer at all is told once, for the whole page.
      this.problem?.status > 0 &&
        h('p', { class: 'banner bad', role: 'alert' }, this.problem.message),
      h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-labelledby': 'calls-title' },
        h('table', null,
          h('thead', null, h('tr', null, column('number'), column('name'), column('queue'),
            column('state'), column('due'), column('agent'))),
          h('tbody', null, (this.items ?? []).map((one) => this.row(one))))),
      this.items?.length === 0 && h('p', { class: 'muted none' }, t('calls.none')),
      this.pager(),
    );
  }

  filters() {
    const { filter, page } = this;
    const select = (name, options) => h('div', { class: 'field', key: name },
      h('label', { for: `c-${name}` }, t(`calls.${name}`)),
      h('select', { id: `c-${name}`, value: filter[name],
        onchange: (event) => this.change({ [name]: event.target.value }) },
      options.map(([value, text]) => h('option', { value, key: value }, text))));
    const states = STATES.map((one) => [one, word('state', one)]);
    const queues = page.stats.queues.map((queue) => [queue.id, queue.name]);
    return h('div', { class: 'filters', role: 'search', 'aria-label': t('calls.filters') },
      select('state', [...states, ['', t('calls.all')]]),
      select('queue', [['', t('calls.all')], ...queues]),
      h('div', { class: 'field', key: 'q' },
        h('label', { for: 'c-q' }, t('calls.q')),
        h('input', { id: 'c-q', type: 'search', value: filter.q, autocomplete: 'off',
          oninput: (event) => this.change({ q: event.target.value }) })));
  }

  row(one) {
    const { page } = this;
    const cell = (name, ...content) => h('td', { 'data-label': t(`calls.${name}`) }, content);
    const agent = one.assigned_agent ?? one.offered_to;
    const named = page.stats.agents.find((it) => it.id === agent)?.name ?? agent;
    const queue = page.stats.queues.find((it) => it.id === one.queue)?.name ?? one.queue;
    const due = one.schedule.start ?? one.next_attempt_at;
    const waits = one.state === 'queued' && one.queued_since;
    return h('tr', { key: one.id, 'aria-current': page.panel?.id === one.id ? 'true' : null },
      cell('number', h('button', { class: 'link numbers',
        onclick: () => openCallback(page, one.id) }, one.number)),
      cell('name', h('span', { class: 'name' }, one.customer.name),
        one.short_description && h('span', { class: 'muted small' }, ` ${one.short_description}`)),
      cell('queue', queue),
      cell('state', h('span', { class: one.unroutable ? 'pill bad' : 'pill' },
        word('state', one.state))),
      cell('due', waits ? h('rb-since', { at: waits }) : due ? instant(due) : '–'),
      cell('agent', named ?? '–'));
  }

  pager() {
    const { cursors, next } = this;
    if (cursors.length === 1 && !next) return null;
    return h('div', { class: 'row pager' },
      h('button', { disabled: cursors.length === 1,
        onclick: () => this.turn(cursors.slice(0, -1)) }, t('calls.back')),
      h('span', { class: 'muted' }, t('calls.page', { number: cursors.length })),
      h('button', { disabled: !next, onclick: () => this.turn([...cursors, next]) },
        t('calls.next')));
  }
}
