// The words of all pages, and which language they are in.

import { lasting } from './kept.js';

/** Languages, with their own names. */
export const LANGUAGES = { en: 'English', de: 'Deutsch' };

const NAME = 'ringback.language';
const table = {};

/** A locale that isn't the reader's to choose: of the site that shows an element. */
let fixed = null;

/** That locale, also `de_DE`, as browsers write it; none where its language isn't here. */
function asLocale(text) {
  try {
    const [found] = Intl.getCanonicalLocales(text.replaceAll('_', '-'));
    return found.split('-')[0] in LANGUAGES ? found : null;
  } catch {
    return null;
  }
}

/** Holds to that locale, or to its language, if it is here; to the reader's own without one. */
export function holdTo(wanted) {
  const text = wanted ?? '';
  fixed = asLocale(text) ?? asLocale(text.split(/[^a-z]/i)[0]);
}

/** The language in use. */
export const language = () => {
  if (fixed) return fixed.slice(0, 2);
  const chosen = lasting.getItem(NAME);
  if (chosen in LANGUAGES) return chosen;
  const wanted = (navigator.languages ?? []).map((it) => it.slice(0, 2));
  return wanted.find((it) => it in LANGUAGES) ?? 'en';
};

/** The reader's own locale where it is of that language: theirs may write dates another way. */
export const locale = () =>
  fixed ?? (navigator.languages ?? []).find((it) => it.startsWith(language())) ?? language();

const pages = new Set();

/** Loads a page's words in the language in use: `{en: () => import(…), de: …}`. */
export async function useTexts(...loaders) {
  loaders.forEach((one) => pages.add(one));
  await Promise.all([...pages].map(load));
}

async function load(loaders) {
  const { default: words } = await loaders[language()]();
  for (const [kind, named] of Object.entries(words)) {
    for (const [name, text] of Object.entries(named)) table[`${kind}.${name}`] = text;
  }
}

/** Chooses a language. */
export function setLanguage(choice) {
  lasting.setItem(NAME, choice);
  return useTexts();
}

/** The words of that name as they stand here; none where there are none. */
export const known = (name) => table[name];

/** The words of that name, with `{value}` filled in. */
export function t(name, values = {}) {
  const text = table[name] ?? name;
  return text.replace(/\{(\w+)\}/g, (_, key) => values[key] ?? '');
}

/** The word for a code of the API: its own name where there is none; a sentence stays as it is. */
export function word(kind, code) {
  const own = String(code ?? '');
  return table[`${kind}.${own}`] ?? (own.includes(' ') ? own : own.replaceAll('_', ' '));
}

/** What a queue, reason or code is called here. */
export function labelOf(one) {
  const { labels = {} } = one;
  return labels[locale()] ?? labels[language()] ?? one.name ?? word('choice', one.id);
}

await useTexts({ en: () => import('./texts.en.js'), de: () => import('./texts.de.js') });
