// Asking for a callback: what waiting would mean, now or later, by phone or video, and how to reach
// the customer. There is no limit on how long they take to choose.

import { Problem } from '../shared/api.js';
import { Form } from '../shared/dialogs.js';
import { HERE, longInstant, zoneName } from '../shared/time.js';
import { locale, t, word } from '../shared/texts.js';
import { h } from '../shared/view.js';
import { Polling } from './polling.js';
import { Slots } from './slots.js';

const POLL_MS = 20000;
/** Reasons for which nobody can be called now, or nothing be booked. */
const HINDRANCES = new Set(['paused', 'closed', 'closing', 'limit_reached']);

const possible = ({ offered, reason }) => offered || !HINDRANCES.has(reason);

/** The form, and what it is chosen by. */
export class Asking {
  /** `typed` was typed already, for another queue. */
  constructor(page, queue, typed) {
    Object.assign(this, { page, queue, now: null, problem: null, token: null, slots: null });
    const { name = '', phone = '', email = '', short_description = '' } =
      typed ?? page.given().customer ?? {};
    this.form = new Form(page, { medium: null, how: null, at: null, name, phone, email,
      short_description });
    this.form.submit = (values) => this.send(values);
    this.polling = new Polling(() => this.load());
    this.form.picked = (at) => this.slots?.show(at);
  }

  begin() {
    this.api = this.page.client(this.page.key);
    this.polling.begin();
  }

  end() {
    this.polling.end();
  }

  /** Asks how it is now; answers when to ask again. */
  async load() {
    const { medium } = this.form.values;
    try {
      const path = `/v1/queues/${encodeURIComponent(this.queue)}/availability`;
      this.now = await this.api.get(path, { medium });
      this.problem = null;
      this.settle();
    } catch (problem) {
      this.problem = problem;
    }
    if (this.polling.on) this.page.draw();
    return { after: POLL_MS, notBefore: (this.problem?.retryAfter ?? 0) * 1000 };
  }

  /** What is chosen as long as the customer hasn't chosen. */
  settle() {
    const { values } = this.form;
    values.medium ??= this.now.media[0];
    if (!values.how) this.choose(this.mayNow() ? 'now' : 'later');
  }

  mayNow() {
    return this.form.values.medium === 'voice' && possible(this.now.asap);
  }

  choose(how) {
    this.form.set({ how });
    if (how === 'later') this.slots ??= new Slots(this.page, this.form, this.api, this);
  }

  turn(medium) {
    this.slots = null;
    this.form.set({ medium, at: null });
    this.choose(medium === 'video' ? 'later' : this.form.values.how);
    this.polling.now();
  }

  async send(values) {
    const faults = wrong(values);
    if (faults.length) throw new Problem(422, { detail: t('form.marked'), errors: faults });
    try {
      const made = await this.request(this.body(values));
      if (made.manage_token) {
        this.page.tell('created', made, { manage_url: made.manage_url });
        this.page.follow(made.manage_token, made);
      } else {
        this.there = made;
      }
    } catch (problem) {
      if (problem.body?.nearest) this.slots?.load();
      throw problem;
    }
  }

  /** Browsers know zones that the server refuses, as `CET`: theirs keeps nobody from asking. */
  async request(body) {
    try {
      return await this.api.post('/v1/callbacks', body);
    } catch (problem) {
      if (problem.kind !== 'unknown-zone') throw problem;
      const { time_zone: _, ...customer } = body.customer;
      return this.api.post('/v1/callbacks', { ...body, customer });
    }
  }

  /** The request; what the site's page gave goes along. */
  body({ medium, how, at, name, phone, email, short_description }) {
    const { customer, context, reason, case_id, interaction_ref } = this.page.given();
    const origin = Object.entries({ case_id, interaction_ref }).filter(([, value]) => value);
    const filled = Object.entries({ phone, email }).map(([key, value]) => [key, value.trim()]);
    const person = { time_zone: HERE, locale: locale(), ...customer, name: name.trim(),
      ...Object.fromEntries(filled) };
    const body = { queue: this.queue, type: how === 'now' ? 'asap' : 'scheduled', medium, context,
      reason, short_description: short_description.trim(), origin: Object.fromEntries(origin),
      customer: Object.fromEntries(Object.entries(person).filter(([, value]) => value)) };
    if (how === 'later') body.schedule = { start: new Date(at).toISOString() };
    return Object.fromEntries(Object.entries(body).filter(([, value]) => value));
  }

  view() {
    const { now, problem, form, there } = this;
    if (there) return this.known(there);
    if (!now) {
      return h('p', { role: problem ? 'alert' : 'status' },
        problem ? this.refused(problem) : t('cb.loading'));
    }
    const block = (key, ...content) => h('div.stack', { key }, content);
    const may = this.mayNow() || possible(now.scheduled);
    return h('section.card.block', { 'aria-labelledby': 'ask' },
      h('h2', { id: 'ask' }, t('ask.title', { name: now.name })),
      h('p', { role: 'status', class: 'standing' }, this.wait()),
      problem && h('p.banner.bad', null, t('cb.lost')),
      may ? form.view([
        block('how', this.medium(), this.when()),
        form.values.how === 'later' && this.slots?.view(),
        block('who', this.fields()),
      ], t(`ask.go_${form.values.how}`), form.values.how === 'later' && !form.values.at)
        : h('p.banner.warn', null, t('ask.nothing')));
  }

  refused(problem) {
    const known = [401, 403, 404].includes(problem.status);
    return known ? t('ask.wrong', { why: problem.message }) : t('cb.lost');
  }

  known({ number }) {
    return h('section.card.block', null, h('p', { role: 'alert', class: 'standing' },
      t('ask.existing', { number })));
  }

  /** How long it would take now, in words. */
  wait() {
    const { open, next_open_at: opens, estimated_wait_range_seconds: range, waiting } = this.now;
    if (!open) return opens ? t('ask.closed', { at: longInstant(opens) }) : t('ask.shut');
    const minutes = (seconds) => Math.max(1, Math.ceil(seconds / 60));
    if (!range) return waiting ? t('ask.unknown', { waiting }) : t('ask.free');
    const [low, high] = range.map(minutes);
    if (high === 1) return t('ask.soon');
    return low === high ? t('ask.wait', { high }) : t('ask.range', { low, high });
  }

  medium() {
    const { media } = this.now;
    if (media.length < 2) return null;
    return h('fieldset.row', { key: 'medium' }, h('legend', null, t('ask.medium')),
      media.map((one) => this.radio('medium', one, word('medium', one), () => this.turn(one))));
  }

  when() {
    const hint = (verdict) => !possible(verdict) && t(`ask.not_${verdict.reason}`);
    const { asap, scheduled } = this.now;
    return h('fieldset.stack', { key: 'when' }, h('legend', null, t('form.when')),
      this.form.values.medium === 'voice' && this.radio('how', 'now', [t('ask.now'),
        hint(asap) && h('span.muted', null, ` – ${hint(asap)}`)],
      () => this.choose('now'), !possible(asap)),
      this.radio('how', 'later', [t('ask.later'),
        hint(scheduled) && h('span.muted', null, ` – ${hint(scheduled)}`)],
      () => this.choose('later'), !possible(scheduled)));
  }

  radio(name, value, label, onchange, disabled = false) {
    return h('label.check', { key: value },
      h('input', { type: 'radio', name, disabled, onchange,
        checked: this.form.values[name] === value }), h('span', null, label));
  }

  fields() {
    const { form } = this;
    const video = form.values.medium === 'video';
    const field = (name, more) => form.input(name, t(`ask.${name}`),
      { autocomplete: name, required: true, ...more });
    return [
      field('name'),
      video ? field('email', { type: 'email' })
        : field('phone', { type: 'tel', autocomplete: 'tel', inputmode: 'tel' }),
      form.input('short_description', t('ask.about'), { maxlength: '160' }),
      h('p.muted.small', { key: 'zone' }, t('ask.zone', { zone: zoneName(HERE) })),
    ];
  }
}

/** What can be seen to be wrong before it is sent. */
function wrong({ name, phone, email, medium }) {
  const faults = [];
  const fault = (field, name) =>
    faults.push({ pointer: `/customer/${field}`, detail: t(`ask.${name}`) });
  if (!name.trim()) fault('name', 'no_name');
  if (medium === 'video' && !/^\S+@\S+$/.test(email.trim())) fault('email', 'no_email');
  if (medium === 'voice' && phone.replace(/\D/g, '').length < 5) fault('phone', 'no_phone');
  return faults;
}
