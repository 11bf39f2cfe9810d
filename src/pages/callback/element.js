// `<ringback-callback queue="…" key="…" locale="…">`: asks for a callback, and follows it. It is
// the whole of the customer's page, and what other sites embed: `src` is the server where that
// isn't the one that this file came from. It has a tree of its own, so that neither side's styles
// reach the other.

import { client } from '../shared/api.js';
import { keepInTab, tab } from '../shared/kept.js';
import { Page } from '../shared/page.js';
import { holdTo, t, useTexts } from '../shared/texts.js';
import { draw, h } from '../shared/view.js';
import { Asking } from './ask.js';
import { Following } from './follow.js';

/** What the site's page may hand over with the request. */
const GIVEN = ['customer', 'context', 'reason', 'case_id', 'interaction_ref'];
const STYLES =
  [new URL('../shared/base.css', import.meta.url), new URL('./element.css', import.meta.url)];

/** The element's words, in each language. */
export const WORDS = { en: () => import('./texts.en.js'), de: () => import('./texts.de.js') };

/** What the site's page is told of a callback. */
const told = ({ id, number, state, type, medium, schedule }) =>
  ({ id, number, state, type, medium, schedule });

class RingbackCallback extends HTMLElement {
  static observedAttributes = ['queue', 'key', 'src', 'locale'];
  #page;
  #turning = null;

  connectedCallback() {
    if (this.#page) this.#page.part?.begin();
    else this.#begin();
  }

  /** The site's page chose otherwise. */
  attributeChangedCallback(name, old, next) {
    if (!this.#page || old === next) return;
    // Several that change together are taken together.
    this.#turning ??= Promise.resolve().then(() => {
      this.#turning = null;
      this.#turn();
    });
  }

  /** Asks for nothing more until it is shown again. */
  disconnectedCallback() {
    this.#page?.part?.end();
  }

  async #begin() {
    const root = document.createElement('div');
    const said = document.createElement('div');
    Object.assign(said, { id: 'polite', className: 'sr' });
    said.setAttribute('role', 'status');
    const page = new Page(root, () => draw(root, page.part?.view()));
    this.#page = page;
    page.locale = null;
    page.client = (token) => client(token, page.server);
    page.given = () => Object.fromEntries(GIVEN.map((name) => [name, this[name]])
      .filter(([, value]) => value !== undefined && value !== null));
    page.tell = (name, callback, more) => this.dispatchEvent(new CustomEvent(`ringback-${name}`,
      { bubbles: true, composed: true, detail: { ...told(callback), ...more } }));
    page.ask = () =>
      this.#show(new Asking(page, this.getAttribute('queue'), page.part?.form?.values));
    page.follow = (token, callback) => {
      this.#follow(token, callback);
      // What had the focus is gone.
      requestAnimationFrame(() => root.querySelector('.standing')?.focus());
    };
    const tree = this.attachShadow({ mode: 'open' });
    await styled(tree);
    tree.append(root, said);
    await this.#turn();
  }

  /** Turns to what the attributes say. */
  async #turn() {
    const page = this.#page;
    const locale = this.getAttribute('locale');
    if (locale !== page.locale) holdTo(locale);
    page.locale = locale;
    await useTexts(WORDS);
    const place = ['src', 'queue', 'key'].map((name) => this.getAttribute(name)).join(' ');
    if (place === page.place) return page.draw();
    page.place = place;
    page.server = new URL(this.getAttribute('src') ?? import.meta.url).origin;
    // A callback is followed again after a reload, for as long as the tab is open.
    const token = this.token ?? tab.getItem(this.#name);
    if (token) this.#follow(token, null);
    else page.ask();
  }

  /** Draws it anew, after another language was chosen. */
  draw() {
    this.#page?.draw();
  }

  get #name() {
    return `ringback.callback ${this.#page.server} ${this.getAttribute('queue')}`;
  }

  #show(part) {
    const page = this.#page;
    page.part?.end();
    page.key = this.getAttribute('key');
    page.part = part;
    page.panel = null;
    keepInTab(this.#name, part.token);
    page.draw();
    part.begin();
  }

  #follow(token, callback) {
    this.#show(new Following(this.#page, token, callback));
  }
}

/** Nothing is shown before it looks as it should. */
function styled(tree) {
  return Promise.all(STYLES.map((href) => new Promise((done) => {
    const link = document.createElement('link');
    Object.assign(link, { rel: 'stylesheet', href, onload: done, onerror: done });
    tree.append(link);
  })));
}

if (!customElements.get('ringback-callback')) {
  customElements.define('ringback-callback', RingbackCallback);
}
