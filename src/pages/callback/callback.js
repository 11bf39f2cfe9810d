// The customer's page: the element for a callback, and a choice of languages. `/callback?queue=…`
// asks for one, `/callback/{token}` follows it.

import { LANGUAGES, language, setLanguage, t, useTexts } from '../shared/texts.js';
import '../shared/theme.js';
import { Page } from '../shared/page.js';
import { draw, h } from '../shared/view.js';
import { WORDS } from './element.js';

const element = document.createElement('ringback-callback');
const head = document.createElement('div');
const main = document.createElement('main');
main.className = 'customer';
main.append(head, element);

const page = new Page(head, () => {
  document.title = `${t('cb.title')} – Ringback`;
  draw(head, h('div.row', null, h('h1.grow', null, t('cb.title')),
    h('select.languages', { 'aria-label': t('settings.language'), value: language(),
      onchange: async (event) => {
        await setLanguage(event.target.value);
        page.draw();
        element.draw();
      } },
    Object.entries(LANGUAGES).map(([id, name]) => h('option', { value: id, key: id }, name)))));
});

/** The key that a queue's workspace has for this page; none without a queue. */
async function keyOf(asked) {
  if (!asked.has('queue')) return null;
  const { keys } = await (await fetch('/callback.json')).json();
  const wanted = asked.get('workspace');
  return keys.find((one) => !wanted || one.workspace === wanted)?.key ?? '';
}

async function begin() {
  const asked = new URLSearchParams(location.search);
  const [, , token] = location.pathname.split('/');
  const [key] = await Promise.all([keyOf(asked), useTexts(WORDS)]);
  if (token) element.token = decodeURIComponent(token);
  if (key !== null) element.setAttribute('key', key);
  element.setAttribute('queue', asked.get('queue') ?? '');
  document.getElementById('page').append(main);
  page.draw();
}

// From here on the page is the callback's own: it can be reloaded and kept.
element.addEventListener('ringback-created', ({ detail }) => {
  const { pathname } = new URL(detail.manage_url);
  history.replaceState(null, '', `/callback/${pathname.split('/').pop()}${location.search}`);
});
begin();
