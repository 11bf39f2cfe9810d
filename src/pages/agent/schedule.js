// Booking a callback for a customer, and moving one: a number, a time, and why.

import { Form, whenField } from '../shared/dialogs.js';
import { HERE, instant, instantOf, isElsewhere, isZone, longInstant, now, slotTime, wall, zoneName }
  from '../shared/time.js';
import { labelOf, t, word } from '../shared/texts.js';
import { h } from '../shared/view.js';

/** The longest day there is: clocks are put back. */
const DAY_MS = 25 * 3600000;
const CHANNELS = ['case', 'chat', 'voice', 'email', 'messaging', 'portal', 'virtual_agent', 'api'];
/** What a CRM may fill in, by its name in the address. */
const FROM_ADDRESS = ['queue', 'case_id', 'interaction_ref', 'channel', 'phone', 'phone_extension',
  'name', 'email', 'contact_id', 'account', 'time_zone', 'reason', 'short_description'];

/** The fields of `#schedule?…`; none if the address doesn't ask for the form. */
export function fromAddress(hash) {
  const [name, query = ''] = hash.slice(1).split('?');
  if (name !== 'schedule') return null;
  const given = new URLSearchParams(query);
  const pairs = FROM_ADDRESS.map((field) => [field, given.get(field)]);
  return Object.fromEntries(pairs.filter(([, value]) => value));
}

const zones = () => (Intl.supportedValuesOf?.('timeZone') ?? [HERE]);

/** The form for a new one. */
export function scheduleForm(page, given) {
  const { desk } = page;
  const queue = desk.queue(given.queue) ? given.queue : desk.queues[0]?.id;
  const channel = CHANNELS.includes(given.channel) ? given.channel : 'case';
  const form = new Form(page, { zone: 'here', medium: 'voice', ...given, channel, queue,
    me: desk.agent.id });
  const slots = new Slots(page, form);
  form.submit = async (values) => {
    booked(page, await page.api.post('/v1/callbacks', booking(values)));
  };
  return () => form.view([fields(form, desk), when(form, slots, form.values.time_zone), [
    more(form),
  ]], t('schedule.book'));
}

function fields(form, desk) {
  const { values } = form;
  const queue = desk.queue(values.queue);
  const video = queue?.media.includes('video');
  const reasons = queue?.reasons ?? [];
  const tel = { type: 'tel', inputmode: 'tel', required: values.medium === 'voice' };
  return [
    h('div.two', { key: 'to' },
      form.select('queue', t('fact.queue'),
        desk.queues.map((it) => [it.id, labelOf(it)])),
      video && form.select('medium', t('schedule.medium'),
        ['voice', 'video'].map((it) => [it, word('medium', it)]))),
    form.input('name', t('schedule.name'), { required: true }),
    h('div.two', { key: 'reach' },
      form.input('phone', t('fact.phone'), tel),
      form.input('email', t('fact.email'), { type: 'email' })),
    h('div.two', { key: 'why' },
      reasons.length
        ? form.select('reason', t('list.reason'),
            [['', '–'], ...reasons.map((it) => [it.id, labelOf(it)])])
        : form.input('reason', t('list.reason')),
      zoneField(form)),
    form.input('short_description', t('schedule.short')),
  ];
}

function zoneField(form) {
  const known = !form.values.time_zone || isZone(form.values.time_zone);
  return h('div.stack', { key: 'zone' },
    form.input('time_zone', t('schedule.zone'), { list: 'zones', placeholder: 'Europe/Berlin',
      ...(!known && { 'aria-invalid': 'true' }) }),
    h('datalist', { id: 'zones' }, zones().map((zone) => h('option', { value: zone, key: zone }))));
}

function when(form, slots, zone) {
  const there = isZone(zone) ? zone : null;
  return h('div.stack', { key: 'times' }, whenField(form, there), slots.view(there));
}

function more(form) {
  const channels = CHANNELS.map((it) => [it, word('channel', it)]);
  return h('details.more', { key: 'more' },
    h('summary', null, t('schedule.more')),
    h('div.stack', null,
      form.input('description', t('schedule.description'), { area: true }),
      h('div.two', null,
        form.select('channel', t('fact.channel'), channels),
        form.input('phone_extension', t('schedule.extension'))),
      h('div.two', null,
        form.input('case_id', t('fact.case')),
        form.input('interaction_ref', t('fact.interaction'))),
      form.check('mine', t('schedule.mine'))));
}

/** The body of the request; what wasn't filled in isn't there. */
function booking(values) {
  const filled = (...names) => Object.fromEntries(
    names.map((name) => [name, values[name]?.trim()]).filter(([, value]) => value));
  const { contact_id: id } = filled('contact_id');
  const body = {
    queue: values.queue,
    type: 'scheduled',
    medium: values.medium,
    customer: { id,
      ...filled('name', 'phone', 'phone_extension', 'email', 'time_zone', 'account') },
    origin: filled('channel', 'case_id', 'interaction_ref'),
    schedule: start(values),
    ...filled('reason', 'short_description', 'description'),
  };
  if (values.mine) body.preferred_agent = { agent_id: values.me, mode: 'prefer' };
  if (values.agreed) body.customer_agreed = true;
  return body;
}

/** The customer's wall time where that is what was meant: it stays theirs if the rules change. */
function start({ at, zone, local, time_zone: there }) {
  if (zone === 'there' && local && isZone(there)) return { local_start: local, time_zone: there };
  return at ? { start: new Date(at).toISOString() } : {};
}

/** Tells of it: in words, with a link to the record. */
function booked(page, callback) {
  const { schedule, customer } = callback;
  const zone = schedule.time_zone;
  const values = { number: callback.number, name: customer.name, at: longInstant(schedule.start) };
  const theirs = isElsewhere(zone)
    ? ` (${longInstant(schedule.start, zone)}, ${zoneName(zone)})` : '';
  const more = callback.overbooked ? ` ${t('schedule.overbooked')}` : '';
  const link = callback.record_url && { href: callback.record_url, text: t('schedule.record') };
  done(page, t('schedule.booked', values) + theirs + more, link);
}

/** Shown until it is dismissed, and spoken; the list shows it too. */
function done(page, text, link) {
  page.desk.note('good', text, link);
  page.say(text);
  page.list.load();
  page.close();
}

/** The form for another time of a callback. */
export function rescheduleForm(page, callback) {
  const { queue, medium, schedule, customer } = callback;
  const { time_zone: zone } = customer;
  const at = schedule.start ? Date.parse(schedule.start) : null;
  const form = new Form(page, { zone: 'here', how: 'at', at, queue, medium, time_zone: zone });
  const slots = new Slots(page, form);
  form.submit = async (values) => {
    const body = values.how === 'asap' ? { asap: true } : start(values);
    const moved = await page.api.post(`/v1/callbacks/${callback.id}/reschedule`, body);
    const moment = moved.schedule.start ? longInstant(moved.schedule.start) : t('type.asap');
    done(page, t('reschedule.done', { name: customer.name, at: moment }));
  };
  return () => form.view([
    h('p', { key: 'who' }, h('strong', null, customer.name), ` · ${callback.number}`),
    schedule.start && h('p.muted', { key: 'now' },
      t('reschedule.now', { at: instant(schedule.start) })),
    medium === 'voice' && [form.radio('how', 'at', t('schedule.at')),
      form.radio('how', 'asap', t('type.asap'))],
    form.values.how === 'at' && when(form, slots, zone),
  ], t('reschedule.go'));
}

/** The queue's free slots of the chosen day, to pick from; any other open time may be typed. */
class Slots {
  constructor(page, form) {
    Object.assign(this, { page, form, key: '', items: [] });
  }

  view(there) {
    const { values } = this.form;
    const day = wall(values.at ?? now()).slice(0, 10);
    const key = `${values.queue} ${values.medium} ${day}`;
    if (key !== this.key) this.load(key, values, day);
    const free = this.items.filter(({ start: at }) => Date.parse(at) > now()
      && wall(Date.parse(at)).startsWith(day));
    if (free.length === 0) return null;
    const pick = (slot) => () => this.form.set({ at: Date.parse(slot.start), local: null });
    return h('div.slots', { role: 'group', 'aria-label': t('schedule.slots') },
      free.map((slot) => h('button', {
        type: 'button',
        key: slot.start,
        disabled: slot.remaining === 0,
        'aria-pressed': String(Date.parse(slot.start) === values.at),
        title: there ? `${instant(slot.start, there)} ${zoneName(there)}` : null,
        onclick: pick(slot),
      }, slotTime(Date.parse(slot.start)))));
  }

  async load(key, values, day) {
    this.key = key;
    const from = Math.max(instantOf(`${day}T00:00`) ?? now(), now());
    const [begin, end] = [from, from + DAY_MS].map((at) => new Date(at).toISOString());
    const query = { medium: values.medium, from: begin, to: end };
    try {
      const path = `/v1/queues/${encodeURIComponent(values.queue)}/slots`;
      const { items } = await this.page.api.get(path, query);
      if (this.key === key) this.items = items;
    } catch {
      // Slots are a help; any open time may be booked without them.
      if (this.key === key) this.items = [];
    }
    this.page.draw();
  }
}
