// Light, dark, or as the system has it.

import { lasting } from './kept.js';

const NAME = 'ringback.theme';

/** The choices, in the order in which they are shown. */
export const THEMES = ['system', 'light', 'dark'];

/** What was chosen. */
export const theme = () => THEMES.find((one) => one === lasting.getItem(NAME)) ?? 'system';

/** Chooses. */
export function setTheme(choice) {
  lasting.setItem(NAME, choice);
  show();
}

function show() {
  document.documentElement.dataset.theme = theme();
}

show();
