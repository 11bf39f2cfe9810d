// The start page: leads to the others; in the demo with the credentials that everybody may have.

import { keep } from '../shared/signin.js';
import { language, t, useTexts } from '../shared/texts.js';
import '../shared/theme.js';
import { draw, h } from '../shared/view.js';

await useTexts({ en: () => import('./texts.en.js'), de: () => import('./texts.de.js') });

/** A token goes through this tab's storage and never through an address. */
function enter(page, token) {
  keep(page, token);
  location.assign(`/${page}`);
}

document.documentElement.lang = language();

const door = (name, ...content) =>
  h('section.door.card', { key: name }, h('h2', null, t(`start.${name}`)),
    h('p.muted', null, t(`start.${name}_hint`)), h('p.row', null, content));

function show(demo) {
  const open = (href) => h('a.button', { href, key: href }, t('start.open'));
  const as = (page) => ({ name, token }) =>
    h('button', { key: name, onclick: () => enter(page, token) }, t('start.as', { name }));
  draw(
    document.getElementById('page'),
    h(
      'main.start',
      null,
      h('h1', null, 'Ringback'),
      h('p', null, t('start.what')),
      demo.agents.length > 0 && h('p.banner', null, t('start.demo')),
      h(
        'div.doors',
        null,
        door('agent', demo.agents.length ? demo.agents.map(as('agent')) : open('/agent')),
        door('supervisor', demo.supervisor
          ? as('supervisor')({ name: t('start.lead'), token: demo.supervisor })
          : open('/supervisor')),
        demo.queues.length > 0 && door('customer', demo.queues.map(({ id, name }) =>
          h('a.button', { href: `/callback?queue=${id}`, key: id }, name))),
        door('docs', open('/docs')),
      ),
    ),
  );
}

fetch('/demo.json').then((answer) => answer.json())
  .then(show, () => show({ agents: [], queues: [] }));
