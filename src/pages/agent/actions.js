// What can be done with a callback in hand, state by state, and the panels that ask for more.

import { Problem } from '../shared/api.js';
import { select } from '../shared/fields.js';
import { confirmation, Form, whenField } from '../shared/dialogs.js';
import { filled, linkValues, webLink } from '../shared/links.js';
import { instant, now } from '../shared/time.js';
import { labelOf, t, word } from '../shared/texts.js';
import { h } from '../shared/view.js';
import { draft, setDraft } from './desk.js';
import { rescheduleForm } from './schedule.js';

const OUTCOMES =
  ['answered', 'no_answer', 'busy', 'voicemail', 'refused', 'failed', 'wrong_number'];
const EXTEND_SECONDS = 60;
/** Queues and colleagues are listed up to so many of each; typing finds the others. */
const CHOICES_MAX = 50;

const last = (callback) => callback.interactions.at(-1) ?? {};

/** How long the present state has lasted, or still may. */
export function timer(callback) {
  const { called_at: called, answered_at: answered, outcome } = last(callback);
  const deadline = callback.next_deadline?.at;
  const shown = {
    accepted: deadline && [t('timer.accepted'), h('rb-until', { at: deadline })],
    calling: called && [t('timer.calling'), h('rb-since', { at: outcome ? answered : called })],
    wrap_up: deadline && [t('timer.wrap_up'), h('rb-until', { at: deadline })],
  }[callback.state];
  return shown && h('span.timer', { key: callback.state }, shown[0], ' ', shown[1]);
}

/** The buttons. */
export function actions(page, callback) {
  const act = (type, fields = {}) => page.desk.act(
    type, { callback_id: callback.id, ...fields }, `${t(`do.${type}`)}: ${callback.customer.name}`);
  const button = (name, onclick, kind = '') =>
    h('button', { class: kind, key: name, onclick }, t(`do.${name}`));
  const { outcome } = last(callback);
  const byState = { accepted, calling, wrap_up };
  const rows = byState[callback.state]?.(page, callback, act, button, outcome) ?? [];
  return h('section.card.actions', { 'aria-label': t('work.actions') }, rows);
}

function accepted(page, callback, act, button) {
  return [
    h('div.row', { key: 'call' }, call(page, callback, act)),
    h('div.row', { key: 'more' },
      button('retry', () => retry(page, callback)),
      button('requeue', () => act('requeue'), 'quiet'),
      button('transfer', () => transfer(page, callback), 'quiet'),
      button('close', () => finish(page, callback), 'quiet'),
      button('cancel', () => cancel(page, callback), 'danger')),
  ];
}

function calling(page, callback, act, button, outcome) {
  const meant = (one) => () => act('outcome', { outcome: one });
  if (outcome === 'answered') {
    const end = () => act('end_call', noted(callback));
    return [h('div.row', { key: 'end' }, button('end_call', end, 'primary'),
      h('span.muted', null, t('work.talking')))];
  }
  return [
    h('p.muted.small', { key: 'ask' }, t('work.ask_outcome')),
    h('div.row.outcomes', { key: 'outcomes', role: 'group',
      'aria-label': t('do.outcome') },
    OUTCOMES.map((one) => h('button', { key: one, onclick: meant(one),
      class: one === 'answered' ? 'good' : '' }, word('outcome', one)))),
    target(page, callback) &&
      h('div.row', { key: 'again' }, dial(page, callback, {}, t('do.dial_again'))),
  ];
}

function wrap_up(page, callback, act, button, outcome) {
  const correct = (event) => act('outcome', { outcome: event.target.value, ...noted(callback) });
  return [
    h('div.row', { key: 'main' },
      button('close', () => finish(page, callback), 'primary'),
      button('extend_wrap_up', () => act('extend_wrap_up', { seconds: EXTEND_SECONDS })),
      outcome !== 'answered' && call(page, callback, act, 'redial')),
    h('div.row', { key: 'more' },
      button('retry', () => retry(page, callback)),
      button('requeue', async () => (await keepNotes(page, callback)) && act('requeue'), 'quiet'),
      button('transfer', () => transfer(page, callback), 'quiet'),
      h('label.row.small.correct', null, t('do.outcome'),
        select({ value: outcome ?? '', onchange: correct },
          OUTCOMES.map((one) => [one, word('outcome', one)])))),
  ];
}

/** Where a call is made: by the workspace's own link, or the meeting's. */
function target(page, callback) {
  if (callback.medium === 'video') return webLink(callback.meeting?.host_url);
  return filled(page.desk.links.call ?? 'tel:{phone}', linkValues(callback));
}

/** What dials; a meeting or a web phone gets a tab of its own, a phone program needs none. */
function dial(page, callback, props, words) {
  const href = target(page, callback);
  if (!href) return h('button', props, words);
  return h('a', { ...props, href, target: webLink(href) && '_blank' }, words);
}

/** One click dials and tells that it was dialled. */
function call(page, callback, act, name = 'call') {
  const video = callback.medium === 'video';
  const look = name === 'call' ? 'primary button' : 'button';
  const words = [t(`do.${name}`), !video && ` ${callback.customer.phone}`];
  return [
    dial(page, callback, { class: look, key: name, onclick: () => act('call') }, words),
    video && !target(page, callback) &&
      h('span.muted', { key: 'no-meeting' }, t('work.no_meeting')),
  ];
}

const noted = (callback) => {
  const { notes } = draft(callback.id);
  return notes ? { notes } : {};
};

/** Leaving without closing has no words of its own: they go with the outcome. */
async function keepNotes(page, callback) {
  const { notes } = draft(callback.id);
  const { outcome } = last(callback);
  if (!notes || !outcome || callback.state !== 'wrap_up') return true;
  const fields = { callback_id: callback.id, outcome, notes };
  const kept = await page.desk.act('outcome', fields, t('work.notes'));
  if (kept) setDraft(callback.id, null);
  return kept;
}

async function finish(page, callback) {
  const { notes, disposition } = draft(callback.id);
  const fields = { callback_id: callback.id };
  if (notes) fields.notes = notes;
  if (disposition) fields.disposition = disposition;
  if (await page.desk.act('close', fields, t('do.close'))) {
    setDraft(callback.id, null);
    page.say(t('work.closed', { name: callback.customer.name }));
    page.draw();
  }
}

/** Retry: as the queue would, or when the agent says. */
function retry(page, callback) {
  const form = new Form(page, { when: 'policy', mine: false, zone: 'here' });
  form.submit = async ({ when, mine, at, agreed }) => {
    if (when === 'at' && !at) {
      const detail = t('fault.start');
      throw new Problem(422, { detail, errors: [{ pointer: '/at', detail }] });
    }
    if (!(await keepNotes(page, callback))) return;
    const fields = { callback_id: callback.id, mine };
    if (when === 'at') fields.at = new Date(at).toISOString();
    if (agreed) fields.customer_agreed = true;
    await page.desk.act('retry', fields, t('do.retry'), true);
    page.say(t('retry.done'));
    page.close();
  };
  const soon = (minutes) => h('button', { type: 'button', onclick: () => form.set({
    when: 'at', local: null, at: Math.ceil((now() + minutes * 60000) / 60000) * 60000,
  }) }, t('retry.in', { minutes }));
  page.open(t('do.retry'), () => form.view([
    form.radio('when', 'policy', t('retry.policy')),
    form.radio('when', 'at', t('schedule.at')),
    form.values.when === 'at' && [
      h('div.row', { key: 'soon' }, soon(15), soon(60), soon(180)),
      whenField(form, callback.customer.time_zone),
    ],
    form.check('mine', t('retry.mine')),
  ], t('do.retry')));
}

/** Transfer: to a queue, or to a colleague. */
function transfer(page, callback) {
  const form = new Form(page, { to: null, find: '' });
  let directory = null;
  page.api.get('/v1/directory').then((found) => {
    directory = found;
    page.draw();
  }, (problem) => form.fail(problem));
  form.submit = async ({ to }) => {
    if (!to || !(await keepNotes(page, callback))) return;
    const [kind, id] = to.split(' ');
    const fields = { callback_id: callback.id, [kind]: id };
    await page.desk.act('requeue', fields, t('do.transfer'), true);
    page.close();
  };
  const matches = (one) => labelOf(one).toLowerCase().includes(form.values.find.toLowerCase());
  const choices = (kind, all, beside) => all.filter(matches).slice(0, CHOICES_MAX).map((one) =>
    form.radio('to', `${kind} ${one.id}`, [labelOf(one), ' ', h('span.muted', null, beside(one))]));
  const queues = () => choices('queue',
    directory.queues.map((one) => ({ ...page.desk.queue(one.id), ...one })),
    (one) => !one.open && t('bar.closed'));
  const agents = () => choices('agent_id',
    directory.agents.filter((one) => one.id !== page.desk.agent.id),
    (one) => [word('presence', one.presence), one.connected && one.free_units > 0
      && `, ${t('transfer.free')}`]);
  page.open(t('do.transfer'), () => form.view(directory && [
    form.input('find', t('transfer.find'), { type: 'search' }),
    h('h3', { key: 'queues' }, t('bar.queues')), queues(),
    h('h3', { key: 'agents' }, t('transfer.agents')), agents(),
  ], t('do.transfer'), !form.values.to));
}

/** Cancel, after asking. */
export function cancel(page, callback) {
  const { name } = callback.customer;
  confirmation(page, {
    title: t('cancel.title'),
    text: t('cancel.text', { name, number: callback.number }),
    at: callback.schedule.start && instant(callback.schedule.start),
    button: t('cancel.yes'),
    reason: t('form.reason'),
    go: async (reason) => {
      const body = reason ? { reason } : {};
      await page.api.post(`/v1/callbacks/${callback.id}/cancel`, body);
      page.say(t('cancel.done', { name }));
      page.list.load();
    },
  });
}

/** Another time. */
export const reschedule = (page, callback) =>
  page.open(t('reschedule.title'), rescheduleForm(page, callback));
