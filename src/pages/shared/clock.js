// Elements that tell time by themselves, so that a page needn't be drawn every second. They are
// quiet to screen readers: what must be said is said by the page, once.

import { clockTime, isZone, now, span } from './time.js';
import { SVG } from './view.js';

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

  connectedCallback() {
    if (!this.firstChild) {
      const svg = document.createElementNS(SVG, 'svg');
      svg.setAttribute('viewBox', '0 0 40 40');
      svg.setAttribute('aria-hidden', 'true');
      for (const kind of ['track', 'rest']) {
        const circle = document.createElementNS(SVG, 'circle');
        circle.setAttribute('class', kind);
        for (const name of ['cx', 'cy']) circle.setAttribute(name, '20');
        circle.setAttribute('r', '17');
        circle.setAttribute('pathLength', '100');
        svg.append(circle);
      }
      this.append(svg, document.createElement('span'));
    }
    super.connectedCallback();
  }

  tick() {
    if (!this.firstChild) return;
    const left = Math.max(0, (Date.parse(this.getAttribute('until')) - now()) / 1000);
    const share = Math.min(1, left / Number(this.getAttribute('seconds') || 30));
    this.toggleAttribute('low', left < 10);
    this.querySelector('.rest').style.strokeDashoffset = String(100 - 100 * share);
    const text = String(Math.ceil(left));
    if (this.lastChild.textContent !== text) this.lastChild.textContent = text;
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
