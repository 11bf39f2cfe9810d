// How many waited since the page was opened, an hour at most: one figure a minute and queue.

import { clockTime, now } from '../shared/time.js';
import { t } from '../shared/texts.js';
import { h } from '../shared/view.js';

const MINUTES = 60;
const [WIDTH, HEIGHT] = [120, 28];

/** The largest line of each minute, per queue. */
export class Trend {
  constructor() {
    this.minutes = new Map();
  }

  add(stats) {
    const minute = Math.floor(now() / 60000);
    for (const { id, waiting } of stats.queues) {
      const kept = this.minutes.get(id) ?? [];
      const last = kept.at(-1);
      if (last?.minute === minute) last.most = Math.max(last.most, waiting);
      else kept.push({ minute, most: waiting });
      this.minutes.set(id, kept.slice(-MINUTES));
    }
  }

  /** The chart, told in words too. */
  view(id) {
    const kept = this.minutes.get(id) ?? [];
    if (kept.length === 0) return null;
    const most = Math.max(...kept.map((one) => one.most));
    const last = kept.at(-1).minute;
    const since = clockTime(kept[0].minute * 60000);
    const label = t('trend.label', { most, since });
    const step = WIDTH / MINUTES;
    const bars = kept.map(({ minute, most: value }) => {
      const height = most ? Math.max(value && 2, (value / most) * (HEIGHT - 2)) : 0;
      const x = WIDTH - (last - minute + 1) * step;
      return h('rect', { key: minute, x, y: HEIGHT - height, width: step - 0.4, height });
    });
    return h('figure', { class: 'trend' },
      h('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': label,
        preserveAspectRatio: 'xMinYMax' },
        h('title', null, label),
        h('path', { d: `M0 ${HEIGHT - 0.5}H${WIDTH}`, class: 'axis' }), bars),
      h('figcaption', { class: 'muted small' }, t('trend.most', { most, since })));
  }
}
