// Signing in by a token, which is kept for the tab alone and never stands in an address.

import { field } from './fields.js';
import { keepInTab, tab } from './kept.js';
import { t } from './texts.js';
import { h } from './view.js';

/** Keeps it, or forgets it. */
export const keep = (page, value) => keepInTab(`ringback.${page}`, value);

/** The way into a page: `enter` begins it with a token. */
export class Door {
  constructor(page, name, enter) {
    Object.assign(this, { page, name, enter, why: null });
  }

  /** At once where the tab has a token. */
  begin() {
    const kept = tab.getItem(`ringback.${this.name}`);
    if (kept) this.let(kept);
    else this.page.draw();
  }

  let(token) {
    keep(this.name, token);
    this.why = null;
    this.enter(token);
    this.page.draw();
  }

  /** Forgets the token, and says why. */
  leave(why) {
    keep(this.name, null);
    this.why = why;
    this.page.panel = null;
    this.page.draw();
  }

  /** What stands here until the page knows enough. */
  wait(text) {
    return h('main.signin', { key: 'wait' }, h('h1', null, 'Ringback'),
      h('p.muted', { role: 'status' }, text));
  }

  /** The form. */
  view() {
    const submit = (event) => {
      event.preventDefault();
      const value = new FormData(event.target).get('token').trim();
      if (value) this.let(value);
    };
    return h(
      'main.signin',
      { key: 'signin' },
      h('h1', null, t(`page.${this.name}`)),
      h('p.muted', null, t('signin.hint')),
      this.why && h('p.banner.warn', { role: 'alert' }, this.why),
      h(
        'form.stack',
        { onsubmit: submit },
        field('token', t('signin.token'), h('input', { id: 'token', name: 'token',
          type: 'password', autocomplete: 'off', required: true, spellcheck: 'false',
          made: (input) => requestAnimationFrame(() => input.focus()) })),
        h('button.primary', null, t('signin.enter')),
      ),
    );
  }
}
