// The bar at the top: queues, connection, presence, settings; and the messages below it.

import { labelOf, LANGUAGES, language, setLanguage, t, word } from '../shared/texts.js';
import { setTheme, theme, THEMES } from '../shared/theme.js';
import { h } from '../shared/view.js';
import { setDraft } from './desk.js';
import { scheduleForm } from './schedule.js';
import { notifies, say, setNotify, setSound, sounds } from './signals.js';

/** The bar. */
export function bar(page) {
  const { desk } = page;
  const schedule = () => page.open(t('schedule.title'), scheduleForm(page, {}));
  return h(
    'header',
    { class: 'bar', key: 'bar' },
    h('h1', { class: 'brand' }, 'Ringback'),
    h('ul', { class: 'lines row grow', 'aria-label': t('bar.queues') },
      desk.queues.map((queue) => line(desk, queue))),
    connection(desk),
    h('button', { class: 'primary', onclick: schedule }, t('schedule.open')),
    presence(page),
    settings(page),
  );
}

function line(desk, queue) {
  const { waiting = 0, oldest } = desk.lines.get(queue.id) ?? {};
  return h(
    'li',
    { class: 'line', key: queue.id },
    h('span', { class: 'muted' }, labelOf(queue)),
    h('strong', null, waiting),
    oldest && h('span', { class: 'muted small' }, h('rb-since', { at: oldest })),
    !queue.open && h('span', { class: 'pill' }, t('bar.closed')),
  );
}

function connection(desk) {
  const { status, retryAt } = desk.socket.state();
  return h(
    'span',
    { class: 'row small', title: t(`socket.${status}`) },
    h('span', { class: `dot ${status}` }),
    h('span', { class: status === 'open' ? 'muted' : '' }, t(`socket.short.${status}`)),
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
  const choice = (presence, label, reason) =>
    h(
      'button',
      {
        key: `${presence} ${reason}`,
        'aria-current': now.presence === presence && (now.reason ?? '') === (reason ?? ''),
        onclick: choose(presence, reason),
      },
      h('span', { class: `dot ${presence}` }),
      label,
    );
  const listed = desk.presenceReasons.map((one) =>
    choice('away', `${word('presence', 'away')} – ${labelOf(one)}`, one.id),
  );
  const known = desk.presenceReasons.find((one) => one.id === now.reason);
  const why = now.reason && (known ? labelOf(known) : word('choice', now.reason));
  return h(
    'details',
    { class: 'menu presence' },
    h(
      'summary',
      null,
      h('span', { class: 'sr' }, `${t('bar.presence')}: `),
      h('span', { class: `dot ${now.presence}` }),
      word('presence', now.presence),
      why && h('span', { class: 'muted small' }, why),
    ),
    h(
      'div',
      { class: 'sheet' },
      choice('available', word('presence', 'available')),
      choice('away', word('presence', 'away')),
      listed,
      !listed.length &&
        h(
          'form',
          { class: 'row', onsubmit: free, key: 'free' },
          h('input', {
            name: 'reason',
            class: 'grow',
            maxlength: '100',
            'aria-label': t('bar.reason'),
            placeholder: t('bar.reason'),
          }),
          h('button', null, word('presence', 'away')),
        ),
      choice('offline', word('presence', 'offline')),
    ),
  );
}

function settings(page) {
  const again = () => page.draw();
  const toggle = (label, on, set) =>
    h(
      'label',
      { class: 'check' },
      h('input', {
        type: 'checkbox',
        checked: on,
        onchange: async (event) => {
          await set(event.target.checked);
          again();
        },
      }),
      label,
    );
  const select = (label, value, options, set) =>
    h(
      'label',
      { class: 'field' },
      label,
      h(
        'select',
        {
          value,
          onchange: async (event) => {
            await set(event.target.value);
            again();
          },
        },
        options.map(([id, name]) => h('option', { value: id, key: id }, name)),
      ),
    );
  const themes = THEMES.map((one) => [one, t(`theme.${one}`)]);
  return h(
    'details',
    { class: 'menu settings' },
    h('summary', null, page.desk.agent.name),
    h(
      'div',
      { class: 'sheet' },
      toggle(t('settings.sound'), sounds(), setSound),
      toggle(t('settings.notify'), notifies(), setNotify),
      select(t('settings.theme'), theme(), themes, setTheme),
      select(t('settings.language'), language(), Object.entries(LANGUAGES), setLanguage),
      h('p', { class: 'muted small' }, t('settings.keys'), ' ', h('kbd', null, t('key.accept'))),
      h('p', { class: 'muted small' }, t('settings.decline'), ' ',
        h('kbd', null, t('key.decline'))),
      h('button', { onclick: () => page.signOut(null) }, t('settings.leave')),
    ),
  );
}

/** What the agent must know: lost connection, why they are away, late notes, what was refused. */
export function notices(page) {
  const { desk } = page;
  const { status, unanswered } = desk.socket.state();
  return h(
    'div',
    { class: 'notices', key: 'notices' },
    status === 'lost' && h('p', { class: 'banner bad', key: 'lost' }, t('socket.lost')),
    status === 'lost' &&
      unanswered.map(({ id, label }) =>
        h('p', { class: 'banner warn', key: `u${id}` }, t('socket.unanswered', { label })),
      ),
    desk.sentAway && sentAway(desk),
    desk.lateDrafts.map((draft) => late(page, draft)),
    desk.notices.map((notice) =>
      h(
        'p',
        { class: `banner ${notice.kind}`, key: notice.id, role: 'status' },
        h('span', { class: 'grow' }, notice.text),
        notice.link && h('a', { href: notice.link.href, target: '_blank', rel: 'noopener' },
          notice.link.text),
        h(
          'button',
          { class: 'quiet', onclick: () => desk.dismiss(notice),
            'aria-label': t('notice.dismiss') },
          '✕',
        ),
      ),
    ),
  );
}

function sentAway(desk) {
  const back = () => desk.act('presence', { presence: 'available' }, t('away.back'));
  return h(
    'p',
    { class: 'banner warn', key: 'away', role: 'status' },
    h('span', { class: 'grow' }, desk.sentAway),
    h('button', { onclick: back }, t('away.back')),
  );
}

function late(page, { id, notes, disposition, name }) {
  const { desk } = page;
  const forget = () => {
    setDraft(id, null);
    page.draw();
  };
  const save = async () => {
    const fields = disposition ? { disposition } : {};
    if (await desk.act('close', { callback_id: id, notes, ...fields }, t('late.save'))) {
      say(t('late.saved'));
      forget();
    }
  };
  return h(
    'div',
    { class: 'banner warn', key: `late ${id}`, role: 'status' },
    h('span', { class: 'grow' }, t('late.text', { name }), ' ', h('q', null, notes)),
    h('button', { onclick: save }, t('late.save')),
    h('button', { class: 'quiet', onclick: forget }, t('late.discard')),
  );
}
