// A list of callbacks that the server searches, filters, sorts and pages: however many there are,
// it weighs the same.

import { field, select } from './fields.js';
import { t } from './texts.js';
import { h } from './view.js';

const PAGE_ROWS = 50;
/** How long typing may pause before it is searched for. */
const TYPED_MS = 250;

/** The list; whoever extends it says `query`, `filters`, `columns` and `row`. */
export class Table {
  constructor(page, filter) {
    Object.assign(this, { page, filter, items: null, cursors: [null], next: null, asked: 0 });
  }

  async load() {
    this.asked += 1;
    const { asked, cursors } = this;
    try {
      const query = { ...this.query(), limit: PAGE_ROWS, cursor: cursors.at(-1) };
      const { items, next_cursor: next } = await this.page.api.get('/v1/callbacks', query);
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
    Object.assign(this, { cursors: [null], next: null });
    this.page.draw();
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.load(), 'q' in filter ? TYPED_MS : 0);
  }

  /** To another page; without an answer the one that is shown stays. */
  async turn(cursors) {
    const before = this.cursors;
    this.cursors = cursors;
    await this.load();
    if (this.cursors !== cursors) return;
    if (!this.problem) return this.page.say(t('list.page', { number: cursors.length }));
    this.cursors = before;
    this.page.draw();
  }

  view(...beside) {
    const { items, problem } = this;
    return h(
      'section.card.list',
      { key: 'list' },
      h('div.row', null, h('h2', { id: 'list-title', class: 'grow' }, t('list.title')),
        beside),
      h('div.filters', { role: 'search', 'aria-label': t('list.filters') },
        this.filters()),
      // That there is no answer at all is told once, for the whole page.
      problem?.status > 0 && h('p.banner.bad', { role: 'alert' }, problem.message),
      h('div.scroll', { tabindex: '0', role: 'region', 'aria-labelledby': 'list-title' },
        h('table', null, h('thead', null, h('tr', null, this.columns())),
          h('tbody', null, items?.map((one) => this.row(one))))),
      items?.length === 0 && h('p.muted.none', null, t('list.none')),
      this.pager(),
    );
  }

  /** What is chosen among `[value, text]`. */
  choice(name, options) {
    const id = `l-${name}`;
    return field(id, t(`list.${name}`), select({ id, value: this.filter[name],
      onchange: (event) => this.change({ [name]: event.target.value }) }, options));
  }

  /** What is typed. */
  typed(name, type) {
    const id = `l-${name}`;
    return field(id, t(`list.${name}`), h('input', { id, type, value: this.filter[name],
      autocomplete: 'off', oninput: (event) => this.change({ [name]: event.target.value }) }));
  }

  column(name, ...content) {
    return h('th', { scope: 'col', key: name }, content.length ? content : t(`list.${name}`));
  }

  cell(name, ...content) {
    return h('td', { class: `c-${name}`, key: name, 'data-label': t(`list.${name}`) }, content);
  }

  pager() {
    const { cursors, next } = this;
    if (cursors.length === 1 && !next) return null;
    const back = () => this.turn(cursors.slice(0, -1));
    const on = () => this.turn([...cursors, next]);
    return h('div.row.pager', null,
      h('button', { disabled: cursors.length === 1, onclick: back }, t('list.back')),
      h('span.muted', null, t('list.page', { number: cursors.length })),
      h('button', { disabled: !next, onclick: on }, t('list.next')));
  }
}
