// Signing in by a token, which is kept for the tab alone and never stands in an address.

import { h } from './view.js';
import { t } from './texts.js';

/** The token of that page in this tab. */
export const token = (page) => sessionStorage.getItem(`ringback.${page}`);

/** Keeps it, or forgets it. */
export function keep(page, value) {
  if (value) sessionStorage.setItem(`ringback.${page}`, value);
  else sessionStorage.removeItem(`ringback.${page}`);
}

/** The form; `enter` gets the token. */
export function signIn(title, why, enter) {
  const submit = (event) => {
    event.preventDefault();
    const value = new FormData(event.target).get('token').trim();
    if (value) enter(value);
  };
  return h(
    'main',
    { class: 'signin', key: 'signin' },
    h('h1', null, title),
    h('p', { class: 'muted' }, t('signin.hint')),
    why && h('p', { class: 'banner warn', role: 'alert' }, why),
    h(
      'form',
      { onsubmit: submit },
      h('label', { for: 'token' }, t('signin.token')),
      h('input', {
        id: 'token',
        name: 'token',
        type: 'password',
        autocomplete: 'off',
        required: true,
        spellcheck: 'false',
        made: (input) => requestAnimationFrame(() => input.focus()),
      }),
      h('button', { class: 'primary' }, t('signin.enter')),
    ),
  );
}
