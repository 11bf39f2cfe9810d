// Forms in a page's panel: fields with their faults beside them, a time in two zones, a question.

import { field, select, tick } from './fields.js';
import { HERE, instant, instantOf, isElsewhere, longInstant, now, wall, zoneName }
  from './time.js';
import { t } from './texts.js';
import { h } from './view.js';

/** Values, what is wrong with them, and whether they are under way. */
export class Form {
  constructor(page, values) {
    Object.assign(this, { page, values, problem: null, busy: false, marked: false,
      mended: new Set() });
  }

  /** Changes values; what was wrong with them is forgotten. */
  set(values) {
    Object.assign(this.values, values);
    Object.keys(values).forEach((name) => this.mended.add(name));
    this.page.draw();
  }

  fail(problem) {
    this.problem = problem;
    this.busy = false;
    this.mended.clear();
    this.page.draw();
    const { root } = this.page;
    requestAnimationFrame(() => {
      // In a part that is closed a marked field is not to be seen, and takes no focus.
      const parts = root.querySelectorAll('form details:has([aria-invalid="true"])');
      parts.forEach((part) => { part.open = true; });
      root.querySelector('form [aria-invalid="true"], form .problem')?.focus();
    });
  }

  async go(event) {
    event.preventDefault();
    if (this.busy) return;
    Object.assign(this, { busy: true, problem: null });
    this.page.draw();
    try {
      await this.submit(this.values);
      this.busy = false;
      this.page.draw();
    } catch (problem) {
      this.fail(problem);
    }
  }

  /** What is wrong still: nothing, once each field that was wrong has been changed. */
  trouble() {
    const faults = this.problem?.body?.errors ?? [];
    const mended = ({ pointer }) => this.mended.has(pointer.split('/').at(-1));
    return faults.length > 0 && faults.every(mended) ? null : this.problem;
  }

  /** The form with these fields and a button. */
  view(fields, label, disabled = false) {
    const agree = this.problem?.kind === 'outside-contact-hours' || this.values.agreed;
    // The fields have been drawn by now, and have told whether one of them is marked.
    const { marked } = this;
    this.marked = false;
    const problem = this.trouble();
    const told = marked && problem?.kind === 'invalid' ? t('form.marked') : problem?.message;
    return h(
      'form.stack',
      { onsubmit: (event) => this.go(event), novalidate: true },
      fields,
      agree && this.check('agreed', t('form.agreed')),
      problem && h('div.banner.bad.problem', { role: 'alert', tabindex: '-1' },
        told, this.hints()),
      h('div.row', null,
        h('button.primary', { disabled: disabled || this.busy }, label),
        this.page.panel &&
          h('button', { type: 'button', onclick: this.page.close }, t('form.back'))),
    );
  }

  /** What the server proposes instead. */
  hints() {
    const { next_allowed_at: next, next_start: exists, nearest = [] } = this.problem.body ?? {};
    const times = [next, exists, ...nearest.map((slot) => slot.start)].filter(Boolean);
    return times.length > 0 && [h('span', null, t('form.instead')), times.map((at) =>
      h('button', { type: 'button', key: at, onclick: () => {
        this.problem = null;
        this.set({ at: Date.parse(at), local: null });
        this.picked?.(Date.parse(at));
      } }, instant(at)))];
  }

  /** What is wrong with the first of these fields that isn't right, until one is changed. */
  fault(...names) {
    if (names.some((name) => this.mended.has(name))) {
      names.forEach((name) => this.mended.add(name));
      return undefined;
    }
    const found = names.map((name) => this.problem?.field?.(name)).find(Boolean);
    if (found) this.marked = true;
    return found;
  }

  /** A text field of that name, which is the API's name of it too. */
  input(name, label, { area, ...more } = {}) {
    const oninput = (event) => this.set({ [name]: event.target.value });
    return this.field(name, label, (props) =>
      h(area ? 'textarea' : 'input', { ...props, oninput, autocomplete: 'off', ...more }));
  }

  select(name, label, options) {
    const onchange = (event) => this.set({ [name]: event.target.value });
    return this.field(name, label, (props) => select({ ...props, onchange }, options));
  }

  /** A field with its fault below it; `draw` makes the input from what any has. */
  field(name, label, draw) {
    const fault = this.fault(name);
    const id = `e-${name}`;
    const props = { id: `f-${name}`, value: this.values[name] ?? '',
      'aria-invalid': fault && 'true', 'aria-describedby': fault && id };
    return field(props.id, label, draw(props), fault && h('p.fault', { id }, fault));
  }

  radio(name, value, label) {
    const checked = this.values[name] === value;
    const onchange = () => this.set({ [name]: value });
    return tick({ type: 'radio', name, value, checked, onchange }, label);
  }

  check(name, label) {
    const onchange = (event) => this.set({ [name]: event.target.checked });
    return tick({ name, checked: Boolean(this.values[name]), onchange }, label);
  }
}

/** A date and a time, in the agent's zone or the customer's, and what it is in the other. */
export function whenField(form, zone) {
  const { values } = form;
  const there = isElsewhere(zone);
  const own = values.zone === 'there' && there ? zone : HERE;
  const local = values.local ?? (values.at ? wall(values.at, own) : '');
  const [date = '', time = ''] = local.split('T');
  const change = (day, clock) => {
    const text = `${day}T${clock}`;
    form.set({ local: text, at: day && clock ? instantOf(text, own) : null });
  };
  const swap = (to) => form.set({ zone: to, local: null });
  const found = form.fault('schedule', 'start', 'local_start', 'at', '');
  const fault = found && (form.problem.kind === 'invalid' ? t('fault.start') : found);
  const input = (name, type, value, set, more) => field(`f-${name}`, t(`form.${name}`),
    h('input', { id: `f-${name}`, type, value, required: true, ...more,
      'aria-invalid': fault ? 'true' : null, 'aria-describedby': 'f-when',
      oninput: (event) => set(event.target.value) }));
  const missing = date && time && !values.at;
  return h(
    'div.stack',
    { key: 'when', role: 'group', 'aria-label': t('form.when') },
    h('div.two', null,
      input('date', 'date', date, (day) => change(day, time || '09:00'), {
        min: wall(now(), own).slice(0, 10) }),
      input('time', 'time', time, (clock) => change(date || wall(now(), own).slice(0, 10), clock))),
    there && h('div.row.small', { role: 'radiogroup', 'aria-label': t('form.zone') },
      ['here', 'there'].map((value) => tick({ type: 'radio', name: 'zone', value,
        checked: (own === zone) === (value === 'there'), onchange: () => swap(value) },
      t(`form.zone_${value}`, { zone: zoneName(value === 'here' ? HERE : zone) })))),
    h('p.both.small', { id: 'f-when' },
      values.at && h('span', null, `${t('form.yours')}: ${longInstant(values.at)}`),
      values.at && there && h('span', null,
        `${t('form.theirs')}: ${longInstant(values.at, zone)} (${zoneName(zone)})`),
      missing && h('span.fault', null, t('problem.local_time_missing')),
      fault && h('span.fault', null, fault)),
  );
}

/** Asks before something that can't be undone. */
export function confirmation(page, { title, text, at, button, reason, go }) {
  const form = new Form(page, { reason: '' });
  form.submit = async (values) => {
    await go(values.reason.trim());
    page.close();
  };
  page.open(title, () => form.view([
    h('p', { key: 'text' }, text),
    at && h('p', { key: 'at' }, h('strong', null, at)),
    form.input('reason', reason, { maxlength: '200' }),
  ], button));
}
