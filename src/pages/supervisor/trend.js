// How many waited in the last hour and the last day, as far as this tab has seen it: the most of
// each minute and of each quarter of an hour, out of the server's figures.

import { clockTime, now } from '../shared/time.js';
import { t } from '../shared/texts.js';
import { h } from '../shared/view.js';

const KEPT = 'ringback.trend';
/** How long a bar lasts, and how many a chart has. */
const CHARTS = [
  { name: 'hour', step: 60000, bars: 60 },
  { name: 'day', step: 900000, bars: 96 },
];
/** Of a chart, in its own units: the bars stand between the two heights. */
const [WIDTH, HEIGHT, TOP, FLOOR] = [192, 56, 12, 44];

/** The longest lines of each queue; a reload in the same tab forgets none. */
export class Trend {
  constructor() {
    try {
      this.queues = JSON.parse(sessionStorage.getItem(KEPT)) ?? {};
    } catch {
      this.queues = {};
    }
  }

  add(stats) {
    for (const { id, waiting } of stats.queues) {
      const charts = (this.queues[id] ??= CHARTS.map(() => []));
      CHARTS.forEach(({ step, bars }, at) => {
        const bar = Math.floor(now() / step);
        const last = charts[at].at(-1);
        if (last?.[0] === bar) last[1] = Math.max(last[1], waiting);
        else charts[at] = [...charts[at], [bar, waiting]].filter(([one]) => one > bar - bars);
      });
    }
    sessionStorage.setItem(KEPT, JSON.stringify(this.queues));
  }

  /** The charts, told in words too. */
  view(id) {
    const charts = this.queues[id];
    return charts && CHARTS.map((chart, at) => figure(chart, charts[at]));
  }
}

function figure({ name, step, bars }, kept) {
  const most = Math.max(...kept.map(([, value]) => value));
  const [, latest] = kept.at(-1);
  const end = Math.floor(now() / step) + 1;
  const [from, since] = [end - bars, kept[0][0]].map((bar) => clockTime(bar * step));
  const label = t(`trend.${name}`, { most, since, latest });
  const wide = WIDTH / bars;
  const drawn = kept.map(([bar, value]) => {
    const height = most ? Math.max(value && 2, (value / most) * (FLOOR - TOP)) : 0;
    const x = WIDTH - (end - bar) * wide;
    return h('rect', { key: bar, x, y: FLOOR - height, width: wide * 0.85, height });
  });
  const text = (key, x, y, anchor, words) =>
    h('text', { key, x, y, 'text-anchor': anchor }, words);
  return h('figure', { class: 'trend', key: name },
    h('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': label },
      h('title', null, label),
      h('path', { d: `M0 ${FLOOR}H${WIDTH}M0 ${TOP}H${WIDTH}`, class: 'axis' }), drawn,
      text('most', 0, TOP - 3, 'start', t(`trend.most_${name}`, { most })),
      text('from', 0, HEIGHT - 2, 'start', from),
      text('now', WIDTH, HEIGHT - 2, 'end', t('trend.now'))));
}
