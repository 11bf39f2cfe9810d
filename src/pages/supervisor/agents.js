// The agents: what they want, whether they are there, what they do, since when.

import { aside, dot } from '../shared/fields.js';
import { t, word } from '../shared/texts.js';
import { h } from '../shared/view.js';
import { openCallback } from './callback.js';

/** Who can act comes first, then who works, then who is away. */
const ORDER = { idle: 0, offered: 1, busy: 2, wrap_up: 3 };

const place = (agent) =>
  (agent.connected ? 0 : 20) + (agent.presence === 'available' ? 0 : 10) + ORDER[agent.engagement];

/** All of them, in a table. */
export function agents(page) {
  const all = [...page.stats.agents];
  all.sort((a, b) => place(a) - place(b) || a.name.localeCompare(b.name));
  const column = (name) => h('th', { scope: 'col', key: name }, t(`agents.${name}`));
  return h(
    'section.card.list.roster',
    { key: 'agents' },
    h('h2', { id: 'agents-title' }, t('agents.title')),
    h('div.scroll', { tabindex: '0', role: 'region', 'aria-labelledby': 'agents-title' },
      h('table', null,
        h('thead', null, h('tr', null, column('name'), column('presence'), column('work'),
          column('since'), !page.wallboard && column('set'))),
        h('tbody', null, all.map((agent) => row(page, agent))))),
  );
}

function row(page, agent) {
  const cell = (name, ...content) => h('td', { 'data-label': t(`agents.${name}`) }, content);
  return h('tr', { key: agent.id },
    cell('name', h('span.name', null, agent.name)),
    cell('presence', h('span.row.tight', null,
      h('span.line', null, dot(agent.presence),
        word('presence', agent.presence)),
      agent.reason && aside(word('choice', agent.reason)),
      !agent.connected && h('span.pill.warn', null, t('agents.not_connected')))),
    cell('work', work(page, agent)),
    cell('since', h('rb-since', { at: agent.since })),
    !page.wallboard && cell('set', set(page, agent)));
}

function work(page, agent) {
  const idle = agent.engagement === 'idle';
  return h('span.row.tight', null,
    h('span', { class: idle ? 'muted' : 'pill' }, word('engagement', agent.engagement)),
    agent.external_units > 0 && aside(t('agents.elsewhere', { units: agent.external_units })),
    !page.wallboard && agent.assignments.map((id) => h('button.link', { key: id,
      'aria-label': t('agents.open_work', { name: agent.name }),
      onclick: () => openCallback(page, id) }, t('agents.open'))));
}

function set(page, agent) {
  const change = (event) => {
    const presence = event.target.value;
    const label = `${agent.name}: ${word('presence', presence)}`;
    page.act(label, (api) => api.put(`/v1/agents/${agent.id}/presence`, { presence }));
  };
  return h('select', { value: agent.presence, onchange: change, class: 'small',
    'aria-label': t('agents.set_of', { name: agent.name }) },
  ['available', 'away', 'offline'].map((one) =>
    h('option', { value: one, key: one }, word('presence', one))));
}
