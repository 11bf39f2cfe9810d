// Forms in a page's panel: fields with their faults beside them, a time in two zones, a question.

import { HERE, instant, instantOf, longInstant, now, wall, zoneName } from './time.js';
import { t } from './texts.js';
import { h } from './view.js';

/** Values, what is wrong with them, and whether they are under way. */
export class Form {
  constructor(page, values) {
    Object.assign(this, { page, values, problem: null, busy: false });
  }

  /** Changes values; what was wrong with them is forgotten. */
  set(values) {
    Object.assign(this.values, values);
    this.page.draw();
  }

  fail(problem) {
    this.problem = problem;
    this.busy = false;
    this.page.draw();
    const shown = () => this.page.root.querySelector('form [aria-invalid="true"], form .problem');
    requestAnimationFrame(() => shown()?.focus());
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

  /** The form with these fields and a button. */
  view(fields, label, disabled = false) {
    const agree = this.problem?.kind === 'outside-contact-hours' || this.values.agreed;
    return h(
      'form',
      { class: 'stack', onsubmit: (event) => this.go(event), novalidate: true },
      fields,
      agree && this.check('agreed', t('form.agreed')),
      this.problem && h('div', { class: 'banner bad problem', role: 'alert', tabindex: '-1' },
        this.problem.message, this.hints()),
      h('div', { class: 'row' },
        h('button', { class: 'primary', disabled: disabled || this.busy }, label),
        this.page.panel &&
          h('button', { type: 'button', onclick: this.page.close }, t('form.back'))),
    );
  }

  /** What the server proposes instead. */
  hints() {
    const { next_allowed_at: next, next_start: exists, nearest = [] } = this.problem.body ?? {};
    const times = [next, exists, ...nearest.map((slot) => slot.start)].filter(Boolean);
    return times.map((at) => h('button', { type: 'button', key: at, onclick: () => {
      this.problem = null;
      this.set({ at: Date.parse(at), local: null });
      this.picked?.(Date.parse(at));
    } }, instant(at)));
  }

  fault(...pointers) {
    const found = pointers.map((pointer) => this.problem?.field?.(pointer));
    return found.find(Boolean);
  }

  /** A text field; `more.pointer` is the field's name in the API's problems. */
  input(name, label, more = {}) {
    const { pointer, area, ...props } = more;
    const fault = pointer && this.fault(pointer);
    return h(
      'div',
      { class: 'field', key: name },
      h('label', { for: `f-${name}` }, label),
      h(area ? 'textarea' : 'input', {
        id: `f-${name}`,
        value: this.values[name] ?? '',
        oninput: (event) => this.set({ [name]: event.target.value }),
        'aria-invalid': fault ? 'true' : null,
        'aria-describedby': fault ? `e-${name}` : null,
        autocomplete: 'off',
        ...props,
      }),
      fault && h('p', { class: 'fault', id: `e-${name}` }, fault),
    );
  }

  select(name, label, options, pointer) {
    const fault = pointer && this.fault(pointer);
    return h(
      'div',
      { class: 'field', key: name },
      h('label', { for: `f-${name}` }, label),
      h('select', {
        id: `f-${name}`,
        value: this.values[name] ?? '',
        onchange: (event) => this.set({ [name]: event.target.value }),
        'aria-invalid': fault ? 'true' : null,
      }, options.map(([value, text]) => h('option', { value, key: value }, text))),
      fault && h('p', { class: 'fault' }, fault),
    );
  }

  radio(name, value, label) {
    const checked = this.values[name] === value;
    return h('label', { class: 'check', key: `${name} ${value}` },
      h('input', { type: 'radio', name, checked, onchange: () => this.set({ [name]: value }) }),
      h('span', null, label));
  }

  check(name, label) {
    const checked = Boolean(this.values[name]);
    return h('label', { class: 'check', key: name },
      h('input', { type: 'checkbox', checked,
        onchange: (event) => this.set({ [name]: event.target.checked }) }),
      h('span', null, label));
  }
}

/** A date and a time, in the agent's zone or the customer's, and what it is in the other. */
export function whenField(form, zone) {
  const { values } = form;
  const there = zone && zone !== HERE;
  const own = values.zone === 'there' && there ? zone : HERE;
  const local = values.local ?? (values.at ? wall(values.at, own) : '');
  const [date = '', time = ''] = local.split('T');
  const change = (day, clock) => {
    const text = `${day}T${clock}`;
    form.set({ local: text, at: day && clock ? instantOf(text, own) : null });
  };
  const swap = (to) => form.set({ zone: to, local: null });
  const fault =
    form.fault('/schedule/start', '/schedule/local_start', '/start', '/local_start', '/at');
  const input = (name, type, value, set, more) => h('div', { class: 'field', key: name },
    h('label', { for: `f-${name}` }, t(`form.${name}`)),
    h('input', { id: `f-${name}`, type, value, required: true, ...more,
      'aria-invalid': fault ? 'true' : null, 'aria-describedby': 'f-when',
      oninput: (event) => set(event.target.value) }));
  const missing = date && time && !values.at;
  return h(
    'div',
    { class: 'stack', key: 'when', role: 'group', 'aria-label': t('form.when') },
    h('div', { class: 'two' },
      input('date', 'date', date, (day) => change(day, time || '09:00'), {
        min: wall(now(), own).slice(0, 10) }),
      input('time', 'time', time, (clock) => change(date || wall(now(), own).slice(0, 10), clock))),
    there && h('div', { class: 'row small', role: 'radiogroup', 'aria-label': t('form.zone') },
      ['here', 'there'].map((one) => h('label', { class: 'check', key: one },
        h('input', { type: 'radio', name: 'zone', checked: (own === zone) === (one === 'there'),
          onchange: () => swap(one) }),
        t(`form.zone_${one}`, { zone: zoneName(one === 'here' ? HERE : zone) })))),
    h('p', { class: 'both small', id: 'f-when' },
      values.at && h('span', null, `${t('form.yours')}: ${longInstant(values.at)}`),
      values.at && there && h('span', null,
        `${t('form.theirs')}: ${longInstant(values.at, zone)} (${zoneName(zone)})`),
      missing && h('span', { class: 'fault' }, t('form.no_such_time')),
      fault && h('span', { class: 'fault' }, fault)),
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
    form.input('reason', reason, { maxlength: '200', pointer: '/reason' }),
  ], button));
}
