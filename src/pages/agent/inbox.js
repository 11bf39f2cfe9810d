// The inbox: what is offered, and what the agent has in hand.

import { standing } from '../shared/fields.js';
import { instant } from '../shared/time.js';
import { labelOf, t, word } from '../shared/texts.js';
import { h } from '../shared/view.js';

/** Accepts an offer. */
export function accept(page, offer) {
  const { name } = offer.callback.customer;
  page.selected = offer.callback.id;
  page.showList = false;
  page.desk.act('accept', { offer_id: offer.offer_id }, t('offer.accept_of', { name }));
}

/** Declines: at once where the queue lists no reasons, else shows them. */
export function decline(page, offer) {
  if (reasonsOf(page, offer).length === 0) return refuse(page, offer, null);
  const menu = document.querySelector(`[data-offer="${offer.offer_id}"] details`);
  if (menu) {
    menu.open = true;
    menu.querySelector('.sheet button').focus();
  }
  return undefined;
}

/** The answer to it is all that the server says: declined or too late, the offer is gone. */
async function refuse(page, offer, reason) {
  const { name } = offer.callback.customer;
  const fields = reason ? { reason } : {};
  const label = t('offer.decline_of', { name });
  await page.desk.act('decline', { offer_id: offer.offer_id, ...fields }, label);
  page.desk.forget(offer.offer_id);
}

const reasonsOf = (page, offer) => page.desk.queue(offer.callback.queue)?.decline_reasons ?? [];

/** What the customer wants, in a line. */
export function issue(page, callback) {
  const reasons = page.desk.queue(callback.queue)?.reasons ?? [];
  const known = reasons.find((one) => one.id === callback.reason);
  const reason = known ? labelOf(known) : callback.reason;
  return [reason, callback.short_description].filter(Boolean).join(' · ');
}

/** Type and medium, as a tag. */
export function kind(callback) {
  const type = word('type', callback.type);
  return callback.medium === 'video' ? `${type} · ${word('medium', 'video')}` : type;
}

/** The inbox. */
export function inbox(page) {
  const { desk } = page;
  const offers = [...desk.offers.values()];
  const held = [...desk.assignments.values()];
  return [
    h('h2', { key: 'title' }, t('inbox.title')),
    list('offers', offers, (offer) => h('li', { key: offer.offer_id }, card(page, offer))),
    held.length > 0 && h('h3', { key: 'in-hand' }, t('inbox.held')),
    list('held', held, (callback) => h('li', { key: callback.id }, entry(page, callback))),
    !offers.length && !held.length && h('p.muted.quiet-inbox', { key: 'none' },
      t(desk.presence.presence === 'available' ? 'inbox.waiting' : 'inbox.away')),
    h('button.to-list', { key: 'list', 'aria-pressed': String(page.showList),
      onclick: () => {
        page.showList = !page.showList;
        page.list.load();
      } }, t('list.open')),
  ];
}

const list = (key, all, one) => all.length > 0 && h('ul.stack', { key }, all.map(one));

function card(page, offer) {
  const { callback } = offer;
  const { customer } = callback;
  const seconds = Math.max(5, (Date.parse(offer.expires_at) - Date.parse(
    callback.interactions.at(-1)?.offered_at ?? callback.updated_at)) / 1000);
  const reasons = reasonsOf(page, offer);
  const first = page.desk.firstOffer === offer;
  const no = (reason, words) =>
    h('button', { key: words, onclick: () => refuse(page, offer, reason) }, words);
  return h(
    'article.offer.card',
    { 'data-offer': offer.offer_id, 'aria-label': t('offer.title') },
    h(
      'div.row.top',
      null,
      h('rb-ring', { until: offer.expires_at, seconds: String(seconds), title: t('offer.left') }),
      h(
        'div.grow',
        null,
        h('p.row.small', null, h('span.pill', null, kind(callback)),
          h('span.muted.numbers', null, callback.number)),
        h('h3.name', null, customer.name),
        customer.account && h('p.muted.small', null, customer.account),
      ),
    ),
    h('p.issue', null, issue(page, callback) || t('offer.no_issue')),
    h(
      'p.muted.small',
      null,
      labelOf(page.desk.queue(callback.queue) ?? { id: callback.queue }),
      callback.schedule.start && ` · ${instant(callback.schedule.start)}`,
      callback.queued_since && [` · ${t('offer.waits')} `,
        h('rb-since', { at: callback.queued_since })],
      callback.attempts > 0 && ` · ${t('offer.attempt', { number: callback.attempts + 1 })}`,
    ),
    h(
      'div.row.answers',
      null,
      h('button.good.grow', { onclick: () => accept(page, offer) },
        t('offer.accept')),
      reasons.length === 0
        ? no(null, t('offer.decline'))
        : h('details.menu', null, h('summary', null, t('offer.decline')),
            h('div.sheet', null, reasons.map((reason) => no(reason.id, labelOf(reason))),
              no(null, t('offer.no_reason')))),
    ),
    first && h('p.muted.small.hint', null, t('offer.by_key'), ' ',
      h('kbd', null, t('key.accept'))),
  );
}

function entry(page, callback) {
  const open = () => {
    page.selected = callback.id;
    page.showList = false;
    page.draw();
  };
  const current = !page.showList && page.selected === callback.id;
  return h(
    'button.entry.card',
    { onclick: open, 'aria-current': current && 'true' },
    h('span.grow.name', null, callback.customer.name),
    standing(callback),
  );
}
