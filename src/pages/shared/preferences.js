// What every reader of a page chooses for themselves.

import { field, select } from './fields.js';
import { LANGUAGES, language, setLanguage, t } from './texts.js';
import { setTheme, theme, THEMES } from './theme.js';

/** Colours and language. */
export function preferences(page) {
  const choice = (name, value, options, choose) => field(`p-${name}`, t(`settings.${name}`),
    select({ id: `p-${name}`, value, onchange: async (event) => {
      await choose(event.target.value);
      page.draw();
    } }, options));
  const themes = THEMES.map((one) => [one, t(`theme.${one}`)]);
  return [choice('theme', theme(), themes, setTheme),
    choice('language', language(), Object.entries(LANGUAGES), setLanguage)];
}
