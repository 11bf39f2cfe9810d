// How long each line was in the last hour, and how much was asked for in the last day: as charts,
// and as tables for whoever wants the figures.

import { clockTime, HERE, now } from '../shared/time.js';
import { t } from '../shared/texts.js';
import { h } from '../shared/view.js';

const MINUTE_MS = 60000;
const HOUR_MS = 60 * MINUTE_MS;
const HOURS = 24;
/** A report that wasn't answered isn't asked for again with each event. */
const AGAIN_MS = 5000;
/** A row of the hour's table is that many minutes. */
const ROW_MINUTES = 5;
/** Of a chart, in its own units; it is stretched to its place. */
const HEIGHT = 32;

/** What each queue was asked for in the last day, by the hour. */
export class Day {
  constructor(api) {
    Object.assign(this, { api, until: 0, zone: HERE, queues: new Map() });
  }

  /** Asks for it anew, once a minute; without an answer all else is shown still. */
  async load() {
    if (now() < this.until) return;
    this.until = now() + AGAIN_MS;
    try {
      const items = await this.ask();
      this.queues = Map.groupBy(items, (item) => item.queue);
      this.until = now() + MINUTE_MS;
    } catch {
      // The charts stay as they were.
    }
  }

  async ask() {
    const [from, to] = [now() - (HOURS - 1) * HOUR_MS, now() + 1000];
    const query = { from: new Date(from).toISOString(), to: new Date(to).toISOString(),
      by: 'hour', time_zone: this.zone };
    try {
      return (await this.api.get('/v1/reports/queues', query)).items;
    } catch (problem) {
      if (problem.kind !== 'unknown-zone' || this.zone === 'UTC') throw problem;
      // The browser knows zones that the server refuses, as `CET`.
      this.zone = 'UTC';
      return this.ask();
    }
  }
}

/** Both charts of a queue. */
export function trends(page, { id, waiting, waiting_by_minute: { from, most } }) {
  const hours = page.day.queues.get(id);
  const start = Date.parse(from);
  const known = most.findIndex((one) => one !== null);
  const longest = Math.max(...most);
  const peak = longest ? clockTime(start + most.lastIndexOf(longest) * MINUTE_MS) : null;
  const since = known > 0 && clockTime(start + known * MINUTE_MS);
  const created = hours?.map((hour) => hour.created);
  const sum = created?.reduce((all, one) => all + one, 0);
  return h('div.trends', { key: 'trends' },
    chart('hour', most, start, [t('trend.hour', { latest: waiting, most: longest }),
      peak && t('trend.peak', { at: peak }), since && t('trend.since', { since })]),
    hours && chart('day', created, Date.parse(hours[0].from), [t('trend.day', { sum,
      most: Math.max(...created), latest: created.at(-1) })]));
}

/** The same as tables, if the reader opens them. */
export function tables(page, { id, name, waiting_by_minute: { from, most } }) {
  const { opened } = page;
  const toggle = (event) => {
    opened[event.target.open ? 'add' : 'delete'](id);
    page.draw();
  };
  const rows = () => {
    const minutes = most.flatMap((_, at) => {
      if (at % ROW_MINUTES) return [];
      const known = most.slice(at, at + ROW_MINUTES).filter((one) => one !== null);
      return [[Date.parse(from) + at * MINUTE_MS, known.length ? Math.max(...known) : '–']];
    });
    const hours = (page.day.queues.get(id) ?? []).map((one) => [Date.parse(one.from), one.created]);
    return [table('hour', minutes.reverse()), table('day', hours.reverse())];
  };
  return h('details.more', { key: 'tables', open: opened.has(id), ontoggle: toggle },
    h('summary', { 'aria-label': `${t('trend.tables')}: ${name}` }, t('trend.tables')),
    opened.has(id) && h('div.tables', null, rows()));
}

function table(name, rows) {
  return h('table', { key: name }, h('caption.small', null, t(`trend.${name}_title`)),
    h('tbody', null, rows.map(([at, value]) => h('tr', { key: at },
      h('th', { scope: 'row' }, clockTime(at)), h('td', null, value)))));
}

/** `bars` from left to right, null where nobody watched; `from` is when the first began. */
function chart(name, bars, from, told) {
  const most = Math.max(...bars);
  const label = [t(`trend.${name}_title`), ...told.filter(Boolean)].join(' ');
  const drawn = bars.map((value, at) => value > 0 && h('rect', { key: at, x: at + 0.1,
    y: HEIGHT - high(value, most), width: 0.8, height: high(value, most) }));
  const unknown = bars.map((value, at) => value === null && `M${at} ${HEIGHT}h1`);
  return h('figure.trend', { key: name },
    h('figcaption.row.small', { 'aria-hidden': 'true' },
      h('span.grow', null, t(`trend.${name}_title`)),
      h('span.muted.numbers', null, t('trend.most', { most }))),
    h('svg', { viewBox: `0 0 ${bars.length} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img',
      'aria-label': label },
    h('title', null, label),
    h('path', { d: `M0 ${HEIGHT}H${bars.length}`, class: 'axis' }),
    h('path', { d: unknown.filter(Boolean).join('') || 'M0 0', class: 'unknown' }), drawn),
    h('p.row.small.muted', { 'aria-hidden': 'true' },
      h('span.grow', null, clockTime(from)), h('span', null, t('trend.now'))));
}

/** Whatever isn't nothing is seen. */
const high = (value, most) => Math.max(2, (value / most) * HEIGHT);
