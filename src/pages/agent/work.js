// A callback in hand: whom to call and why, what to do now, and what was before.

import { filled, linkValues, webLink } from '../shared/links.js';
import { HERE, instant, longInstant, zoneName } from '../shared/time.js';
import { labelOf, t, word } from '../shared/texts.js';
import { h } from '../shared/view.js';
import { actions, timer } from './actions.js';
import { draft, setDraft } from './desk.js';
import { issue, kind } from './inbox.js';
import { rescheduleForm } from './schedule.js';

/** The whole of it. */
export function work(page, callback) {
  return [
    h(
      'div',
      { class: 'work', key: callback.id },
      h('div', { class: 'stack' }, head(page, callback), actions(page, callback),
        notes(page, callback)),
      h('div', { class: 'stack context' }, context(page, callback)),
    ),
  ];
}

function reference(page, name, callback, text) {
  const href = filled(page.desk.links[name], linkValues(callback));
  return href ? h('a', { href, target: '_blank', rel: 'noopener noreferrer' }, text) : text;
}

function head(page, callback) {
  const { customer, origin, schedule } = callback;
  const { links } = page.desk;
  const zone = customer.time_zone ?? schedule.time_zone;
  const queue = page.desk.queue(callback.queue);
  const facts = [
    ['phone', customer.phone && h('span', { class: 'numbers' }, customer.phone,
      customer.phone_extension && ` ${t('work.extension', { number: customer.phone_extension })}`)],
    ['local_time', h('span', null, h('rb-clock', { zone }), ` ${zoneName(zone)}`)],
    ['email', customer.email && reference(page, 'email', callback, customer.email)],
    ['queue', labelOf(queue ?? { id: callback.queue })],
    ['start', schedule.start && h('span', null, instant(schedule.start),
      zone !== HERE && h('span', { class: 'muted' },
        ` (${instant(schedule.start, zone)} ${zoneName(zone)})`))],
    ['waits', callback.state === 'accepted' && callback.queued_since &&
      h('rb-since', { at: callback.queued_since })],
    ['attempts', t('work.attempts_of', { number: callback.attempts, most: callback.max_attempts })],
    ['promised', callback.promised_by && instant(callback.promised_by)],
    ['contact', customer.id && reference(page, 'contact', callback, customer.id)],
    ['account', customer.account && reference(page, 'account', callback, customer.account)],
    ['case', origin.case_id && (links.case
      ? reference(page, 'case', callback, origin.case_id) : origin.case_id)],
    ['interaction', origin.interaction_ref &&
      reference(page, 'interaction', callback, origin.interaction_ref)],
    ['channel', word('channel', origin.channel)],
    ['page', webLink(origin.page_url) && h('a', { href: webLink(origin.page_url),
      target: '_blank', rel: 'noopener noreferrer' }, origin.page_url)],
  ];
  return h(
    'section',
    { class: 'card record', 'aria-labelledby': 'record' },
    h(
      'div',
      { class: 'row' },
      h('h2', { id: 'record', class: 'grow customer' }, customer.name),
      h('span', { class: 'pill' }, word('state', callback.state)),
      timer(callback),
    ),
    h(
      'p',
      { class: 'row small muted' },
      kind(callback),
      callback.record_url
        ? h('a', { href: callback.record_url, target: '_blank', rel: 'noopener noreferrer' },
            callback.number)
        : h('span', { class: 'numbers' }, callback.number),
    ),
    issue(page, callback) && h('p', { class: 'issue' }, issue(page, callback)),
    callback.description && h('p', { class: 'description' }, callback.description),
    h(
      'dl',
      { class: 'facts' },
      facts.filter(([, value]) => value).map(([name, value]) =>
        h('div', { key: name }, h('dt', null, t(`fact.${name}`)), h('dd', null, value))),
    ),
  );
}

function notes(page, callback) {
  const queue = page.desk.queue(callback.queue);
  const kept = draft(callback.id);
  const { name } = callback.customer;
  const keep = (fields) => setDraft(callback.id, { ...fields, name });
  return h(
    'section',
    { class: 'card notes' },
    h('label', { for: 'notes' }, t('work.notes')),
    h('textarea', {
      id: 'notes',
      key: callback.id,
      value: kept.notes ?? '',
      maxlength: '4000',
      placeholder: t('work.notes_hint'),
      oninput: (event) => keep({ notes: event.target.value }),
    }),
    queue?.dispositions.length > 0 && h(
      'label',
      { class: 'field' },
      t('work.disposition'),
      h(
        'select',
        {
          key: callback.id,
          value: kept.disposition ?? '',
          onchange: (event) => {
            keep({ disposition: event.target.value });
            page.draw();
          },
        },
        h('option', { value: '' }, '–'),
        queue.dispositions.map((one) => h('option', { value: one.id, key: one.id }, labelOf(one))),
      ),
    ),
  );
}

function context(page, callback) {
  const { articles, searches, transcript, ivr_path, attributes } = callback.context ?? {};
  const list = (value) => (Array.isArray(value) ? value : []);
  const block = (name, items) => items.length > 0 &&
    h('section', { class: 'card block', key: name }, h('h3', null, t(`context.${name}`)), items);
  const pairs = Object.entries(attributes ?? {});
  return [
    block('tiles', tiles(page, callback)),
    block('transcript', list(transcript).map((line) =>
      h('p', { class: `line-of ${line.from === 'customer' ? 'customer' : 'other'}` },
        h('span', { class: 'muted small' }, word('from', line.from), ' ',
          line.at && instant(line.at)),
        h('span', null, line.text)))),
    block('articles', list(articles).map((one) => h('p', null,
      webLink(one.url)
        ? h('a', { href: webLink(one.url), target: '_blank', rel: 'noopener noreferrer' },
            one.title ?? one.url)
        : one.title ?? one.url,
      one.viewed_at && h('span', { class: 'muted small' }, ` ${instant(one.viewed_at)}`)))),
    block('searches', list(searches).map((one) => h('p', null, h('q', null, one.query),
      one.at && h('span', { class: 'muted small' }, ` ${instant(one.at)}`)))),
    block('ivr_path', ivr_path ? [h('p', null, ivr_path)] : []),
    block('attributes', pairs.map(([name, value]) => h('p', null, h('span', { class: 'muted' },
      `${name}: `), typeof value === 'string' ? value : JSON.stringify(value)))),
    block('attempts', earlier(callback)),
  ];
}

function earlier(callback) {
  const ended = callback.interactions.filter((one) => one.ended_at);
  return ended.reverse().map((one) =>
    h(
      'div',
      { class: 'attempt', key: one.id },
      h('p', { class: 'row' }, h('strong', null, word('outcome', one.outcome ?? 'none')),
        h('span', { class: 'muted small' }, instant(one.called_at ?? one.created_at),
          one.agent_id && ` · ${one.agent_id}`)),
      one.notes && h('p', null, one.notes),
    ));
}

/** The same contact's other callbacks; asked for once per callback in hand. */
function tiles(page, callback) {
  const { customer, id } = callback;
  const by = customer.id ? { contact_id: customer.id } : { phone: customer.phone };
  if (page.tilesOf !== id) {
    Object.assign(page, { tilesOf: id, tiles: [] });
    const query = { ...by, state: 'active', limit: 20 };
    page.api.get('/v1/callbacks', query).then(({ items }) => {
      if (page.tilesOf !== id) return;
      page.tiles = items.filter((one) => one.id !== id);
      page.draw();
    }, () => {});
  }
  return page.tiles.map((one) => h(
    'div',
    { class: 'tile', key: one.id },
    h('p', { class: 'row' }, h('strong', { class: 'numbers grow' }, one.number),
      h('span', { class: 'pill' }, word('state', one.state))),
    h('p', { class: 'small' }, issue(page, one)),
    one.schedule.start && h('p', { class: 'small muted' }, longInstant(one.schedule.start)),
    one.state === 'open' && h('button', { class: 'link', onclick: () =>
      page.open(t('reschedule.title'), rescheduleForm(page, one)) }, t('list.reschedule')),
  ));
}
