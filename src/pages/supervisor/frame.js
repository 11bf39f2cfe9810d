// The bar at the top, and messages below it.

import { LANGUAGES, language, setLanguage, t } from '../shared/texts.js';
import { setTheme, theme, THEMES } from '../shared/theme.js';
import { h } from '../shared/view.js';

/** The bar: totals, whether the figures are fresh, settings. */
export function bar(page) {
  const { queues, agents } = page.stats;
  const waiting = queues.reduce((sum, queue) => sum + queue.waiting, 0);
  const free = agents.filter((it) => it.presence === 'available' && it.engagement === 'idle'
    && it.connected).length;
  const total = (name, value) => h('li', { class: 'line', key: name },
    h('span', { class: 'muted' }, t(`total.${name}`)), h('strong', null, value));
  return h(
    'header',
    { class: 'bar', key: 'bar' },
    h('h1', { class: 'brand' }, 'Ringback'),
    h('ul', { class: 'row grow totals', 'aria-label': t('total.title') },
      total('waiting', waiting), total('free', free),
      total('connected', agents.filter((it) => it.connected).length)),
    h('span', { class: 'row small' },
      h('span', { class: `dot ${page.lost ? 'lost' : 'open'}` }),
      h('span', { class: page.lost ? '' : 'muted' }, t(page.lost ? 'super.stale' : 'super.live'))),
    page.wallboard
      ? h('a', { href: '/supervisor', key: 'leave' }, t('super.leave_wall'))
      : settings(page),
  );
}

function settings(page) {
  const select = (label, value, options, set) => h('label', { class: 'field' }, label,
    h('select', { value, onchange: async (event) => {
      await set(event.target.value);
      page.draw();
    } }, options.map(([id, name]) => h('option', { value: id, key: id }, name))));
  return h('details', { class: 'menu', key: 'settings' },
    h('summary', null, t('super.settings')),
    h('div', { class: 'sheet' },
      select(t('settings.theme'), theme(), THEMES.map((one) => [one, t(`theme.${one}`)]), setTheme),
      select(t('settings.language'), language(), Object.entries(LANGUAGES), setLanguage),
      h('a', { href: '/supervisor?wallboard' }, t('super.wall')),
      h('button', { onclick: () => page.signOut(null) }, t('super.sign_out'))));
}

/** What was done, and what was refused. */
export function notes(page) {
  const dismiss = (note) => () => {
    page.notes = page.notes.filter((one) => one !== note);
    page.draw();
  };
  return h('div', { class: 'notices', key: 'notices' },
    page.lost && h('p', { class: 'banner bad', role: 'alert', key: 'lost' }, t('super.lost')),
    page.notes.map((note) => h('p', { class: `banner ${note.kind}`, key: note.id },
      h('span', { class: 'grow' }, note.text),
      h('button', { class: 'quiet', onclick: dismiss(note), 'aria-label': t('notice.dismiss') },
        '✕'))));
}
