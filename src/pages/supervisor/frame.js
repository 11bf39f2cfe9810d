// The bar at the top, and messages below it.

import { dot } from '../shared/fields.js';
import { preferences } from '../shared/preferences.js';
import { t } from '../shared/texts.js';
import { h } from '../shared/view.js';

/** The bar: totals, whether the figures are fresh, settings. */
export function bar(page) {
  const { queues, agents } = page.stats;
  const waiting = queues.reduce((sum, queue) => sum + queue.waiting, 0);
  const free = agents.filter((it) => it.presence === 'available' && it.engagement === 'idle'
    && it.connected).length;
  const total = (name, value) => h('li.line', { key: name },
    h('span.muted', null, t(`total.${name}`)), h('strong', null, value));
  return h(
    'header.bar',
    { key: 'bar' },
    h('h1.brand', null, 'Ringback'),
    h('ul.row.grow.totals', { 'aria-label': t('total.title') },
      total('waiting', waiting), total('free', free),
      total('connected', agents.filter((it) => it.connected).length)),
    h('span.row.small', null,
      dot(page.lost ? 'lost' : 'open'),
      h('span', { class: page.lost ? '' : 'muted' }, t(page.lost ? 'super.stale' : 'super.live'))),
    page.wallboard
      ? h('a', { href: '/supervisor', key: 'leave' }, t('super.leave_wall'))
      : settings(page),
  );
}

function settings(page) {
  return h('details.menu', { key: 'settings' },
    h('summary', null, t('super.settings')),
    h('div.sheet', null,
      preferences(page),
      h('a', { href: '/supervisor?wallboard' }, t('super.wall')),
      h('button', { onclick: () => page.signOut(null) }, t('super.sign_out'))));
}

/** What was done, and what was refused. */
export function notes(page) {
  const dismiss = (note) => () => {
    page.notes = page.notes.filter((one) => one !== note);
    page.draw();
  };
  return h('div.notices', { key: 'notices' },
    page.lost && h('p.banner.bad', { role: 'alert', key: 'lost' }, t('super.lost')),
    page.notes.map((note) => h('p', { class: `banner ${note.kind}`, key: note.id },
      h('span.grow', null, note.text),
      h('button.quiet', { onclick: dismiss(note), 'aria-label': t('notice.dismiss') },
        '✕'))));
}
