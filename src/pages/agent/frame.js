// The bar at the top: queues, connection, presence, settings; and the messages below it.

import { aside, dot, outside, tick } from '../shared/fields.js';
import { preferences } from '../shared/preferences.js';
import { labelOf, t, word } from '../shared/texts.js';
import { h } from '../shared/view.js';
import { setDraft } from './desk.js';
import { scheduleForm } from './schedule.js';
import { notifies, setNotify, setSound, sounds } from './signals.js';

/** The bar. */
export function bar(page) {
  const { desk } = page;
  const schedule = () => page.open(t('schedule.title'), scheduleForm(page, {}));
  return h(
    'header.bar',
    { key: 'bar' },
    h('h1.brand', null, 'Ringback'),
    h('ul.lines.row.grow', { 'aria-label': t('bar.queues') },
      desk.queues.map((queue) => line(desk, queue))),
    connection(desk),
    h('button.primary', { onclick: schedule }, t('schedule.title')),
    presence(page),
    settings(page),
  );
}

function line(desk, queue) {
  const { waiting = 0, oldest } = desk.lines.get(queue.id) ?? {};
  return h(
    'li.line',
    { key: queue.id },
    h('span.muted', null, labelOf(queue)),
    h('strong', null, waiting),
    oldest && aside(h('rb-since', { at: oldest })),
    !queue.open && h('span.pill', null, t('bar.closed')),
  );
}

function connection(desk) {
  const { status, retryAt } = desk.socket.state();
  return h(
    'span.row.small',
    null,
    dot(status),
    h('span', { class: status === 'open' ? 'muted' : '' }, word('connection', status)),
    status === 'lost' && retryAt && h('rb-until', { at: retryAt }),
  );
}

function presence(page) {
  const { desk } = page;
  const now = desk.presence;
  const choose = (presence, reason) => () => {
    document.querySelector('.presence').open = false;
    const fields = reason ? { presence, reason } : { presence };
    desk.act('presence', fields, `${t('bar.presence')}: ${word('presence', presence)}`);
  };
  const free = (event) => {
    event.preventDefault();
    const reason = new FormData(event.target).get('reason').trim();
    event.target.reset();
    choose('away', reason)();
  };
  const choice = (presence, label, reason) => h('button', {
    key: `${presence} ${reason}`,
    'aria-current': now.presence === presence && (now.reason ?? '') === (reason ?? ''),
    onclick: choose(presence, reason),
  }, dot(presence), label);
  const listed = desk.presenceReasons.map((one) =>
    choice('away', `${word('presence', 'away')} – ${labelOf(one)}`, one.id),
  );
  const known = desk.presenceReasons.find((one) => one.id === now.reason);
  const why = now.reason && (known ? labelOf(known) : word('choice', now.reason));
  return h(
    'details.menu.presence',
    null,
    h(
      'summary',
      null,
      h('span.sr', null, `${t('bar.presence')}: `),
      dot(now.presence),
      word('presence', now.presence),
      why && aside(why),
    ),
    h(
      'div.sheet',
      null,
      choice('available', word('presence', 'available')),
      choice('away', word('presence', 'away')),
      listed,
      !listed.length && h('form.row', { onsubmit: free, key: 'free' },
        h('input.grow', { name: 'reason', maxlength: '100', 'aria-label': t('form.reason'),
          placeholder: t('form.reason') }),
        h('button', null, word('presence', 'away'))),
      choice('offline', word('presence', 'offline')),
    ),
  );
}

function settings(page) {
  const toggle = (name, checked, set) => tick({ name, checked, onchange: async (event) => {
    await set(event.target.checked);
    page.draw();
  } }, t(`settings.${name}`));
  const key = (name) => h('p.muted.small', { key: name }, `${t(`offer.${name}`)}: `,
    h('kbd', null, t(`key.${name}`)));
  return h(
    'details.menu.settings',
    null,
    h('summary', null, page.desk.agent.name),
    h('div.sheet', null,
      toggle('sound', sounds(), setSound), toggle('notify', notifies(), setNotify),
      preferences(page), key('accept'), key('decline'),
      h('button', { onclick: () => page.signOut(null) }, t('settings.leave'))),
  );
}

const banner = (kind, key, words, ...beside) => h('div',
  { class: `banner ${kind}`, key, role: 'status' }, h('span.grow', null, words), beside);

const button = (words, onclick) => h('button', { key: words, onclick }, words);

/** What the agent must know: lost connection, why they are away, late notes, what was refused. */
export function notices(page) {
  const { desk } = page;
  const { status, unanswered } = desk.socket.state();
  const back = () => desk.act('presence', { presence: 'available' }, t('away.back'));
  const away = desk.sentAway;
  return h('div.notices', { key: 'notices' },
    status === 'lost' && [h('p.banner.bad', { key: 'lost' }, t('socket.lost')),
      unanswered.map(({ id, label }) => banner('warn', `u${id}`, t('socket.unanswered',
        { label })))],
    away && banner('warn', 'away', away, button(t('away.back'), back)),
    desk.lateDrafts.map((draft) => late(page, draft)),
    desk.notices.map((notice) => banner(notice.kind, notice.id, notice.text,
      notice.link && outside(notice.link.href, notice.link.text),
      h('button.quiet', { onclick: () => desk.dismiss(notice),
        'aria-label': t('notice.dismiss') }, '✕'))));
}

function late(page, { id, notes, disposition, name }) {
  const forget = () => {
    setDraft(id, null);
    page.draw();
  };
  const save = async () => {
    const fields = disposition ? { disposition } : {};
    if (await page.desk.act('close', { callback_id: id, notes, ...fields }, t('late.save'))) {
      page.say(t('late.saved'));
      forget();
    }
  };
  return banner('warn', `late ${id}`, [t('late.text', { name }), ' ', h('q', null, notes)],
    button(t('late.save'), save), button(t('late.discard'), forget));
}
