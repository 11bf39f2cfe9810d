// A customer's page for one callback, by the link that they were sent: how it stands, another time,
// and calling it off. There is no limit on how long they take to choose.

import { client, Problem } from '../shared/api.js';
import '../shared/clock.js';
import { confirmation, Form, whenField } from '../shared/dialogs.js';
import { webLink } from '../shared/links.js';
import { HERE, instant, longInstant, span, zoneName } from '../shared/time.js';
import { LANGUAGES, language, setLanguage, t, useTexts, word } from '../shared/texts.js';
import '../shared/theme.js';
import { draw, h } from '../shared/view.js';
import { calendarFile } from './calendar.js';
import { Slots } from './slots.js';

await useTexts({ en: () => import('./texts.en.js'), de: () => import('./texts.de.js') });

const root = document.getElementById('page');
const POLL_MS = 4000;
const MOVABLE = new Set(['open', 'queued', 'offered']);
const ENDED = new Set(['closed_complete', 'closed_abandoned', 'canceled']);

const token = decodeURIComponent(location.pathname.split('/')[2] ?? '');
const page = { callback: null, problem: null, lost: false, panel: null, said: '' };
page.api = client(token);

/** The callback's id begins the token: 16 bytes. */
function idOf(text) {
  try {
    const bytes = atob(text.slice(0, 22).replaceAll('-', '+').replaceAll('_', '/'));
    const hex = Array.from(bytes, (it) => it.charCodeAt(0).toString(16).padStart(2, '0')).join('');
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  } catch {
    return 'none';
  }
}

const path = `/v1/callbacks/${idOf(token)}`;

let asked = false;
/** Draws once for all that changes at a time. */
page.draw = () => {
  if (asked) return;
  asked = true;
  queueMicrotask(() => {
    asked = false;
    render();
  });
};

page.open = (name, render) => {
  page.panel = { name, render, opener: document.activeElement };
  page.draw();
  requestAnimationFrame(() => document.querySelector('.panel h2')?.focus());
};

page.close = () => {
  const opener = page.panel?.opener;
  page.panel = null;
  render();
  if (opener?.isConnected) opener.focus();
};

/** Asks how it stands. */
page.load = async () => {
  try {
    page.callback = await page.api.get(path);
    Object.assign(page, { problem: null, lost: false });
  } catch (problem) {
    const known = problem instanceof Problem && [401, 403, 404, 410].includes(problem.status);
    if (known) page.problem = problem;
    else page.lost = true;
  }
  page.draw();
};

async function beat() {
  if (!document.hidden) await page.load();
  if (!page.problem) setTimeout(beat, POLL_MS);
}

/** How it stands, in a sentence. */
function standing(callback) {
  const { state, schedule, attempts, next_attempt_at: next, position } = callback;
  const estimate = callback.estimated_wait_seconds;
  const at = next ?? schedule.start;
  if (state === 'open') {
    if (attempts > 0) return t('cb.again', { at: longInstant(at) });
    return schedule.start
      ? t('cb.booked', { at: longInstant(schedule.start) })
      : t('cb.closed_now', { at: at ? longInstant(at) : '–' });
  }
  if (state === 'queued') {
    const place = position ? t('cb.place', { position }) : t('cb.in_line');
    return estimate ? `${place} ${t('cb.estimate', { time: span(estimate) })}` : place;
  }
  return t(`cb.${state}`);
}

function render() {
  const { callback, problem } = page;
  document.title = `${t('cb.title')} – Ringback`;
  if (problem) return draw(root, shell(h('p', { role: 'alert' }, t('cb.no_link'))));
  if (!callback) {
    return draw(root, shell(h('p', { role: 'status' }, t(page.lost ? 'cb.lost' : 'cb.loading'))));
  }
  const sentence = standing(callback);
  if (sentence !== page.said) {
    document.getElementById('polite').textContent = sentence;
    page.said = sentence;
  }
  return draw(root, shell(
    page.lost && h('p', { class: 'banner bad', key: 'lost' }, t('cb.lost')),
    h('section', { class: 'card block', key: 'state' },
      h('p', { class: 'row' }, h('span', { class: 'pill' }, word('cb.short', callback.state)),
        h('span', { class: 'muted small numbers' }, callback.number)),
      h('p', { class: 'standing' }, sentence),
      zones(callback),
      meeting(callback),
      !page.panel && actions(callback)),
    page.panel && panel(),
    h('section', { class: 'card block', key: 'facts' }, facts(callback)),
  ));
}

function shell(...content) {
  const languages = Object.entries(LANGUAGES);
  return h('main', { class: 'customer' },
    h('div', { class: 'row' }, h('h1', { class: 'grow' }, t('cb.title')),
      h('select', { class: 'languages', 'aria-label': t('settings.language'), value: language(),
        onchange: async (event) => {
          await setLanguage(event.target.value);
          page.draw();
        } }, languages.map(([id, name]) => h('option', { value: id, key: id }, name)))),
    content);
}

/** Booked in another zone than the reader is in now: both are told. */
function zones({ schedule }) {
  if (!schedule.start || schedule.time_zone === HERE) return null;
  const there = longInstant(schedule.start, schedule.time_zone);
  return h('p', { class: 'muted small' }, t('cb.zones', { here: zoneName(HERE), there,
    zone: zoneName(schedule.time_zone) }));
}

function meeting({ medium, meeting: made, state }) {
  if (medium !== 'video' || ENDED.has(state)) return null;
  const href = webLink(made?.join_url);
  return href
    ? h('p', null, h('a', { class: 'primary button', href, rel: 'noopener noreferrer' },
        t('cb.join')))
    : h('p', { class: 'muted' }, t('cb.no_meeting'));
}

function actions(callback) {
  const { state, schedule } = callback;
  const movable = MOVABLE.has(state);
  if (!movable && state !== 'accepted') return null;
  return h('div', { class: 'row' },
    movable && h('button', { class: 'primary', onclick: () => move(callback), key: 'move' },
      t('cb.move')),
    h('button', { onclick: () => cancel(callback), key: 'cancel' }, t('cb.cancel')),
    schedule.start && h('button', { class: 'quiet', key: 'calendar',
      onclick: () => calendarFile(callback, t('cb.event')) }, t('cb.calendar')));
}

function facts(callback) {
  const { customer, medium } = callback;
  const reached = medium === 'video' ? customer.email : customer.phone;
  const all = [
    ['name', customer.name], ['reached', reached], ['about', callback.short_description],
    ['attempts', callback.attempts > 0 && t('cb.tried', { number: callback.attempts })],
    ['asked', instant(callback.created_at)],
  ];
  return h('dl', { class: 'facts' }, all.filter(([, value]) => value).map(([name, value]) =>
    h('div', { key: name }, h('dt', null, t(`cb.fact_${name}`)), h('dd', null, value))));
}

function move(callback) {
  const { queue, medium, state, schedule } = callback;
  const form = new Form(page, { how: 'at', at: null });
  const slots = new Slots(page, form, { queue, medium });
  form.submit = async ({ how, at }) => {
    const body = how === 'asap' ? { asap: true } : { start: at && new Date(at).toISOString() };
    page.callback = await page.api.post(`${path}/reschedule`, body);
    page.close();
  };
  const soon = medium === 'voice' && (schedule.start || state === 'open');
  page.open(t('cb.move'), () => form.view([
    soon && [form.radio('how', 'at', t('cb.pick')), form.radio('how', 'asap', t('type.asap'))],
    form.values.how === 'at' && (slots.none ? whenField(form, null) : slots.view()),
  ], t('cb.move_go'), form.values.how === 'at' && !form.values.at));
}

function cancel({ schedule }) {
  confirmation(page, {
    title: t('cb.cancel_title'),
    text: t('cb.cancel_text'),
    at: schedule.start && longInstant(schedule.start),
    button: t('cb.cancel_yes'),
    reason: t('cb.cancel_reason'),
    go: async (reason) => {
      page.callback = await page.api.post(`${path}/cancel`, reason ? { reason } : {});
    },
  });
}

function panel() {
  return h('section', { class: 'panel card', key: 'panel', 'aria-labelledby': 'panel-title' },
    h('h2', { id: 'panel-title', tabindex: '-1' }, page.panel.name), page.panel.render(page));
}

document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && page.panel) page.close();
});
render();
beat();
