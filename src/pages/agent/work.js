// A callback in hand: whom to call and why, what to do now, and what was before.

import { aside, outside, select, standing } from '../shared/fields.js';
import { filled, linkValues, webLink } from '../shared/links.js';
import { instant, isElsewhere, isZone, longInstant, now, wall, zoneName } from '../shared/time.js';
import { labelOf, t, word } from '../shared/texts.js';
import { h } from '../shared/view.js';
import { actions, reschedule, timer } from './actions.js';
import { draft, setDraft } from './desk.js';
import { issue, kind } from './inbox.js';

/** The whole of it. */
export function work(page, callback) {
  return [
    h(
      'div.work',
      { key: callback.id },
      h('div.stack', null, head(page, callback), actions(page, callback),
        notes(page, callback)),
      h('div.stack.context', null, context(page, callback)),
    ),
  ];
}

/** A reference, as a link where the workspace says to what. */
const reference = (page, name, callback, text) =>
  text && outside(filled(page.desk.links[name], linkValues(callback)), text);

/** What the clock shows where the customer is; from and to, where that may be in several zones. */
function theirTime({ time_zone: zone, time_zone_candidates: maybe = [] }) {
  const zones = (zone ? [zone] : maybe).filter(isZone)
    .sort((one, other) => wall(now(), one).localeCompare(wall(now(), other)));
  const clock = (it) => [h('rb-clock', { zone: it }), ` ${zoneName(it)}`];
  const [first, last] = [zones[0], zones.at(-1)];
  return first && h('span', null, clock(first), first !== last && [' – ', clock(last)]);
}

function head(page, callback) {
  const { customer, origin, schedule } = callback;
  const zone = customer.time_zone ?? schedule.time_zone;
  const queue = page.desk.queue(callback.queue);
  const facts = [
    ['phone', customer.phone && [h('span.numbers', null, customer.phone),
      customer.phone_extension && ` ${t('work.extension', { number: customer.phone_extension })}`]],
    ['local_time', theirTime(customer)],
    ['email', reference(page, 'email', callback, customer.email)],
    ['queue', labelOf(queue ?? { id: callback.queue })],
    ['start', schedule.start && h('span', null, instant(schedule.start),
      isElsewhere(zone) && h('span.muted', null,
        ` (${instant(schedule.start, zone)} ${zoneName(zone)})`))],
    ['waits', callback.state === 'accepted' && callback.queued_since &&
      h('rb-since', { at: callback.queued_since })],
    ['attempts', t('work.attempts_of', { number: callback.attempts, most: callback.max_attempts })],
    ['promised', callback.promised_by && instant(callback.promised_by)],
    ['contact', reference(page, 'contact', callback, customer.id)],
    ['account', reference(page, 'account', callback, customer.account)],
    ['case', reference(page, 'case', callback, origin.case_id)],
    ['interaction', reference(page, 'interaction', callback, origin.interaction_ref)],
    ['channel', word('channel', origin.channel)],
    ['page', webLink(origin.page_url) && outside(webLink(origin.page_url), origin.page_url)],
  ];
  return h(
    'section.card.record',
    { 'aria-labelledby': 'record' },
    h(
      'div.row',
      null,
      h('h2', { id: 'record', class: 'grow customer' }, customer.name),
      standing(callback),
      timer(callback),
    ),
    h(
      'p.row.small.muted',
      null,
      kind(callback),
      h('span.numbers', null, outside(callback.record_url, callback.number)),
    ),
    issue(page, callback) && h('p.issue', null, issue(page, callback)),
    callback.description && h('p.description', null, callback.description),
    h(
      'dl.facts',
      null,
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
    'section.card.notes',
    null,
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
      'label.field',
      null,
      t('work.disposition'),
      select({ key: callback.id, value: kept.disposition ?? '', onchange: (event) => {
        keep({ disposition: event.target.value });
        page.draw();
      } }, [['', '–'], ...queue.dispositions.map((one) => [one.id, labelOf(one)])]),
    ),
  );
}

function context(page, callback) {
  const { articles, searches, transcript, ivr_path, attributes } = callback.context ?? {};
  const list = (value) => (Array.isArray(value) ? value : []);
  const block = (name, items) => items.length > 0 &&
    h('section.card.block', { key: name }, h('h3', null, t(`context.${name}`)), items);
  const pairs = Object.entries(attributes ?? {});
  return [
    block('tiles', tiles(page, callback)),
    block('transcript', list(transcript).map((line) =>
      h('p', { class: `line-of ${line.from === 'customer' ? 'customer' : 'other'}` },
        aside(word('from', line.from), ' ',
          line.at && instant(line.at)),
        h('span', null, line.text)))),
    block('articles', list(articles).map((one) =>
      h('p', null, outside(webLink(one.url), one.title ?? one.url), when(one.viewed_at)))),
    block('searches', list(searches).map((one) =>
      h('p', null, h('q', null, one.query), when(one.at)))),
    block('ivr_path', ivr_path ? [h('p', null, ivr_path)] : []),
    block('attributes', pairs.map(([name, value]) => h('p', null, h('span.muted', null,
      `${name}: `), typeof value === 'string' ? value : JSON.stringify(value)))),
    block('attempts', earlier(callback)),
  ];
}

const when = (at) => at && aside(` ${instant(at)}`);

function earlier(callback) {
  const ended = callback.interactions.filter((one) => one.ended_at);
  return ended.reverse().map((one) =>
    h(
      'div.attempt',
      { key: one.id },
      h('p.row', null, h('strong', null, word('outcome', one.outcome ?? 'none')),
        aside(instant(one.called_at ?? one.created_at),
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
    'div.tile',
    { key: one.id },
    h('p.row', null, h('strong.numbers.grow', null, one.number),
      standing(one)),
    h('p.small', null, issue(page, one)),
    one.schedule.start && h('p.small.muted', null, longInstant(one.schedule.start)),
    one.state === 'open' && h('button.link', { onclick: () =>
      reschedule(page, one) }, t('reschedule.go')),
  ));
}
