// One callback in the panel: what it is, why it waits, what became of it, what can be done.

import { standing } from '../shared/fields.js';
import { confirmation, Form } from '../shared/dialogs.js';
import { instant, isElsewhere, longInstant, zoneName } from '../shared/time.js';
import { t, word } from '../shared/texts.js';
import { h } from '../shared/view.js';
import { unroutable, why } from './why.js';

const LIVE = ['open', 'queued', 'offered', 'accepted', 'calling', 'wrap_up'];
const WAITING = ['open', 'queued', 'offered'];

const named = (page, id) => page.stats.agents.find((agent) => agent.id === id)?.name ?? id;

/** Opens it; what it shows is asked for again whenever something happens. */
export function openCallback(page, id) {
  const shown = { callback: null, trace: null, history: [], problem: null };
  const load = async () => {
    try {
      const path = `/v1/callbacks/${id}`;
      const callback = await page.api.get(path);
      const waits = WAITING.includes(callback.state);
      const trace = waits ? await page.api.get(`${path}/routing`) : null;
      const { items: history } = await page.api.get(`${path}/history`, { limit: 200 });
      // All at once: whoever draws in between would show two states as one.
      Object.assign(shown, { callback, trace, history, problem: null });
    } catch (problem) {
      shown.problem = problem;
    }
    page.draw();
  };
  page.open(t('call.title'), () => view(page, shown, load), id);
  page.panel.load = load;
  load();
}

function view(page, { callback, trace, history, problem }, load) {
  return h('div.stack', { key: 'callback' },
    problem && h('p.banner.bad', { role: 'alert' }, problem.message),
    callback && [head(callback), actions(page, callback, load), why(page, callback, trace),
      story(page, history)]);
}

function head(callback) {
  const { customer, schedule, origin } = callback;
  const facts = [
    ['phone', customer.phone], ['email', customer.email],
    ['start', schedule.start && appointment(schedule)],
    ['next', callback.next_attempt_at && instant(callback.next_attempt_at)],
    ['attempts', `${callback.attempts} / ${callback.max_attempts}`],
    ['priority', callback.priority],
    ['promised', callback.promised_by && instant(callback.promised_by)],
    ['expires', callback.expires_at && instant(callback.expires_at)],
    ['channel', word('channel', origin.channel)],
    ['disposition', callback.disposition], ['notes', callback.notes],
    ['reason', callback.cancel_reason ?? (callback.closed_reason
      && word('closed', callback.closed_reason))],
  ];
  return h('div.stack', { key: 'head' },
    h('p.row', null, h('strong.grow.big-name', null, customer.name),
      standing(callback)),
    h('p.muted.small', null, callback.number,
      callback.short_description && ` · ${callback.short_description}`),
    h('dl.facts', null, facts.filter(([, value]) => value !== null && value !== undefined)
      .map(([name, value]) => h('div', { key: name }, h('dt', null, t(`call.${name}`)),
        h('dd', null, value)))));
}

/** When it is booked for, here and where it was booked. */
function appointment({ start, time_zone: zone }) {
  const there = isElsewhere(zone) && ` (${instant(start, zone)} ${zoneName(zone)})`;
  return longInstant(start) + (there || '');
}

function actions(page, callback, load) {
  const { id, state } = callback;
  const path = `/v1/callbacks/${id}`;
  const after = (label, run) => page.act(label, run).then(load);
  const button = (name, onclick, kind = '') =>
    h('button', { key: name, class: kind, onclick }, t(`call.${name}`));
  const requeue = () => after(t('call.requeue'), (api) => api.post(`${path}/requeue`));
  const priority = (event) => after(`${t('call.priority')}: ${event.target.value}`,
    (api) => api.patch(path, { priority: Number(event.target.value) }));
  if (!LIVE.includes(state)) return null;
  return h('div.row', { key: 'actions', role: 'group', 'aria-label': t('call.actions') },
    state !== 'calling' && button('assign', () => assign(page, callback)),
    state === 'open' && button('call_now', requeue),
    ['offered', 'accepted', 'wrap_up'].includes(state) && button('requeue', requeue),
    [...WAITING, 'accepted'].includes(state) && button('cancel', () => cancel(page, callback)),
    state !== 'calling' && button('close', () => close(page, callback), 'danger'),
    h('label.row.small', null, t('call.priority'),
      h('select', { value: String(callback.priority), onchange: priority },
        Array.from({ length: 10 }, (_, at) => h('option', { key: at, value: String(at) }, at)))));
}

function assign(page, callback) {
  const form = new Form(page, { to: null, force: false });
  form.submit = async ({ to, force }) => {
    const body = force ? { agent_id: to, force } : { agent_id: to };
    await page.api.post(`/v1/callbacks/${callback.id}/assign`, body);
    const given = { name: callback.customer.name, to: named(page, to) };
    page.tell('good', t('call.assigned', given));
    openCallback(page, callback.id);
  };
  const agents = page.stats.agents.filter((agent) => agent.connected);
  page.open(`${t('call.assign')}: ${callback.customer.name}`, () => form.view([
    agents.length === 0 && h('p.muted', null, t('call.nobody')),
    agents.map((agent) => form.radio('to', agent.id, [agent.name, h('span.muted', null,
      ` ${word('presence', agent.presence)}, ${word('engagement', agent.engagement)}`)])),
    form.check('force', t('call.force')),
  ], t('call.assign'), !form.values.to));
}

function cancel(page, callback) {
  ask(page, callback, 'cancel', (reason) =>
    page.api.post(`/v1/callbacks/${callback.id}/cancel`, reason ? { reason } : {}));
}

function close(page, callback) {
  ask(page, callback, 'close', (notes) =>
    page.api.post(`/v1/callbacks/${callback.id}/close`, notes ? { notes } : {}));
}

function ask(page, callback, name, run) {
  const { name: who } = callback.customer;
  confirmation(page, {
    title: t(`call.${name}_title`),
    text: t(`call.${name}_text`, { name: who, number: callback.number }),
    button: t(`call.${name}`),
    reason: t(name === 'cancel' ? 'form.reason' : 'super.notes'),
    go: async (text) => {
      await run(text);
      page.tell('good', `${t(`call.${name}`)}: ${who}`);
      page.table.load();
    },
  });
}

function story(page, history) {
  return h('section.stack', { key: 'story' },
    h('h3', null, t('story.title')),
    h('ol.story', null, history.map((event) => h('li', { key: event.id },
      h('span.muted.numbers.small', null, instant(event.at)), ' ',
      word('event', event.type.replace('callback.', '')),
      event.data?.agent_id && h('span.muted', null,
        ` · ${named(page, event.data.agent_id)}`),
      because(event) && h('span.muted', null, ` · ${because(event)}`)))));
}

/** What an event tells of its reason: a code, or what somebody chose or wrote. */
function because({ type, data }) {
  const { reason, outcome, closed_reason: closed, cancel_reason: text } = data ?? {};
  if (outcome) return word('outcome', outcome);
  if (closed) return [word('closed', closed), text].filter(Boolean).join(': ');
  if (!reason) return null;
  if (type === 'callback.unroutable') return unroutable(reason);
  return word(type === 'callback.declined' ? 'choice' : 'gone', reason);
}
