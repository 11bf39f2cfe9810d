// How many waited in the last hour, as far as this tab has seen it, and how many asked in the last
// day, as the server reports it.

import { clockTime, HERE, now } from '../shared/time.js';
import { t } from '../shared/texts.js';
import { h } from '../shared/view.js';

const KEPT = 'ringback.trend';
const MINUTE_MS = 60000;
const MINUTES = 60;
const HOUR_MS = 60 * MINUTE_MS;
const HOURS = 24;
/** Of a chart, in its own units: the bars stand between the two heights. */
const [WIDTH, HEIGHT, TOP, FLOOR] = [192, 56, 12, 44];

/** The longest lines of each queue, by the minute; a reload in the same tab forgets none. */
export class Trend {
  constructor() {
    try {
      this.queues = JSON.parse(sessionStorage.getItem(KEPT)) ?? {};
    } catch {
      this.queues = {};
    }
  }

  add(stats) {
    const minute = Math.floor(now() / MINUTE_MS);
    for (const { id, waiting } of stats.queues) {
      const seen = (this.queues[id] ?? []).filter(([one]) => one > minute - MINUTES);
      const last = seen.at(-1);
      if (last?.[0] === minute) last[1] = Math.max(last[1], waiting);
      else seen.push([minute, waiting]);
      this.queues[id] = seen;
    }
    sessionStorage.setItem(KEPT, JSON.stringify(this.queues));
  }

  /** The chart, told in words too. */
  view(id) {
    const seen = this.queues[id];
    if (!seen) return null;
    const end = Math.floor(now() / MINUTE_MS) + 1;
    const bars = Array(MINUTES).fill(null);
    for (const [minute, waiting] of seen) bars[minute - end + MINUTES] = waiting;
    const [, latest] = seen.at(-1);
    const since = clockTime(seen[0][0] * MINUTE_MS);
    return chart('hour', bars, (end - MINUTES) * MINUTE_MS, { latest, since });
  }
}

/** What each queue was asked for in the last day, by the hour. */
export class Day {
  constructor(api) {
    Object.assign(this, { api, until: 0, queues: new Map() });
  }

  /** Asks for it anew, once a minute. */
  async load() {
    if (now() < this.until) return;
    const [from, to] = [now() - (HOURS - 1) * HOUR_MS, now() + 1000];
    const { items } = await this.api.get('/v1/reports/queues', { from: new Date(from).toISOString(),
      to: new Date(to).toISOString(), by: 'hour', time_zone: HERE });
    this.queues = Map.groupBy(items, (item) => item.queue);
    this.until = now() + MINUTE_MS;
  }

  view(id) {
    const hours = this.queues.get(id);
    if (!hours) return null;
    const bars = hours.map(({ created }) => created);
    const sum = bars.reduce((all, one) => all + one, 0);
    return chart('day', bars, Date.parse(hours[0].from), { latest: bars.at(-1), sum });
  }
}

/** `bars` from left to right, null where nothing is known; `from` is when the first began. */
function chart(name, bars, from, told) {
  const most = Math.max(...bars);
  const label = t(`trend.${name}`, { most, ...told });
  const wide = WIDTH / bars.length;
  const drawn = bars.map((value, at) => value !== null && h('rect', { key: `bar ${at}`,
    x: at * wide, y: FLOOR - high(value, most), width: wide * 0.85, height: high(value, most) }));
  const text = (key, x, y, anchor, words) =>
    h('text', { key, x, y, 'text-anchor': anchor }, words);
  return h('figure', { class: 'trend', key: name },
    h('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': label },
      h('title', null, label),
      h('path', { d: `M0 ${FLOOR}H${WIDTH}M0 ${TOP}H${WIDTH}`, class: 'axis' }), drawn,
      text('most', 0, TOP - 3, 'start', t(`trend.most_${name}`, { most, ...told })),
      text('from', 0, HEIGHT - 2, 'start', clockTime(from)),
      text('now', WIDTH, HEIGHT - 2, 'end', t('trend.now'))));
}

/** Whatever isn't nothing is seen. */
const high = (value, most) => (most ? Math.max(value && 2, (value / most) * (FLOOR - TOP)) : 0);
