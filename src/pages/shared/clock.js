// Elements that tell time by themselves, so that a page needn't be drawn every second. They are
// quiet to screen readers: what must be said is said by the page, once.

import { clockTime, isZone, now, span } from './time.js';
import { draw, h } from './view.js';

const ticking = new Set();
setInterval(() => ticking.forEach((element) => element.tick()), 500);

class Ticking extends HTMLElement {
  connectedCallback() {
    ticking.add(this);
    this.tick();
  }

  disconnectedCallback() {
    ticking.delete(this);
  }

  attributeChangedCallback() {
    if (this.isConnected) this.tick();
  }

  tick() {
    const text = this.text();
    if (this.textContent !== text) this.textContent = text;
  }
}

/** `<rb-since at="…">`: how long ago. */
class Since extends Ticking {
  static observedAttributes = ['at'];

  text() {
    return span((now() - Date.parse(this.getAttribute('at'))) / 1000);
  }
}

/** `<rb-until at="…">`: how long still. */
class Until extends Ticking {
  static observedAttributes = ['at'];

  text() {
    const left = (Date.parse(this.getAttribute('at')) - now()) / 1000;
    this.toggleAttribute('low', left < 10);
    return span(left);
  }
}

/** `<rb-ring until="…" seconds="30">`: how long still, as a ring that empties, and as text. */
class Ring extends Ticking {
  static observedAttributes = ['until', 'seconds'];

  tick() {
    const left = Math.max(0, (Date.parse(this.getAttribute('until')) - now()) / 1000);
    const share = Math.min(1, left / Number(this.getAttribute('seconds') || 30));
    this.toggleAttribute('low', left < 10);
    const circle = (kind, offset) => h('circle', { class: kind, cx: 20, cy: 20, r: 17,
      pathLength: 100, 'stroke-dashoffset': offset });
    draw(this, h('svg', { viewBox: '0 0 40 40', 'aria-hidden': 'true' }, circle('track', 0),
      circle('rest', 100 - 100 * share)), h('span', null, Math.ceil(left)));
  }
}

/** `<rb-clock zone="…">`: the time there. */
class Clock extends Ticking {
  static observedAttributes = ['zone'];

  text() {
    const zone = this.getAttribute('zone');
    return isZone(zone) ? clockTime(now(), zone) : '';
  }
}

customElements.define('rb-since', Since);
customElements.define('rb-until', Until);
customElements.define('rb-ring', Ring);
customElements.define('rb-clock', Clock);
