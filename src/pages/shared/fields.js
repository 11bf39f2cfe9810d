// What all pages draw alike: labelled inputs, choices, and links to other sites.

import { word } from './texts.js';
import { h } from './view.js';

/** An input of that id, under its label; `more` stands below. */
export const field = (id, label, input, ...more) =>
  h('div.field', { key: id }, h('label', { for: id }, label), input, more);

/** A choice among `[value, text]`. */
export const select = (props, options) => h('select', props,
  options.map(([value, text]) => h('option', { value, key: value }, text)));

/** A box to tick, or one of several; `props` are the input's own. */
export const tick = (props, label) => h('label.check', { key: `${props.name} ${props.value}` },
  h('input', { type: 'checkbox', ...props }), h('span', null, label));

/** Words beside the point. */
export const aside = (...words) => h('span.muted.small', null, words);

/** How a callback stands. */
export const standing = ({ state }, kind) =>
  h('span', { class: `pill ${kind ?? ''}` }, word('state', state));

/**
 * When a callback is due: at its booked start, for which it wakes a little earlier; at its next
 * attempt where it isn't that start it waits for: it has stood in line already, or is put off.
 */
export const dueAt = ({ schedule: { start }, queued_since: since, next_attempt_at: next }) =>
  (next && (since || !start || Date.parse(next) > Date.parse(start)) ? next : start);

/** The sign of a presence, or of a connection. */
export const dot = (kind) => h('span', { class: `dot ${kind}` });

/** A link to another site, in a tab of its own; the words alone where there is no address. */
export const outside = (href, ...words) =>
  (href ? h('a', { href, target: '_blank', rel: 'noopener noreferrer' }, words) : words);
