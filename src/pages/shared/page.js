// What every page has: it is drawn once for all that changes at a time, and at most one panel is
// open beside what it shows.

import { language, t } from './texts.js';
import { h } from './view.js';

/** Puts words into a live region, for those who hear the page. */
export function speak(where, text, root = document) {
  // The same words again are only heard if they are new nodes.
  root.getElementById(where).replaceChildren(document.createTextNode(text));
}

/** A page, or an element that is one within another site's page; `render` draws it into `root`. */
export class Page {
  constructor(root, render) {
    Object.assign(this, { root, render, panel: null });
    document.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || !this.panel) return;
      // What else the key would close stays open: one thing at a time.
      event.stopImmediatePropagation();
      this.close();
    });
  }

  draw = () => {
    if (this.asked) return;
    this.asked = true;
    queueMicrotask(() => {
      this.asked = false;
      const { host } = this.root.getRootNode();
      (host ?? document.documentElement).lang = language();
      this.render();
    });
  };

  /** Opens a panel; it gets the focus, because a click or key asked for it. */
  open = (name, render, id) => {
    this.panel = { name, render, id, opener: this.root.getRootNode().activeElement };
    this.draw();
    requestAnimationFrame(() => this.root.querySelector('.panel h2')?.focus());
  };

  /** Closes it; the focus goes back to where it came from. */
  close = () => {
    const opener = this.panel?.opener;
    this.panel = null;
    this.render();
    if (opener?.isConnected) opener.focus();
  };

  /** Says something when the reader is done with what they hear. */
  say = (text) => speak('polite', text, this.root.getRootNode());

  /** The panel, if one is open. */
  panelView() {
    if (!this.panel) return null;
    return h(
      'section.panel.card',
      { role: 'dialog', 'aria-labelledby': 'panel-title', key: 'panel' },
      h(
        'div.row',
        null,
        h('h2', { id: 'panel-title', tabindex: '-1', class: 'grow' }, this.panel.name),
        h('button.quiet', { onclick: this.close, 'aria-label': t('panel.close') }, '✕'),
      ),
      this.panel.render(this),
    );
  }
}
