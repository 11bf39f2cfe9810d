// Light, dark, or as the system has it.

import { read, write } from './kept.js';

const NAME = 'ringback.theme';

/** The choices, in the order in which they are shown. */
export const THEMES = ['system', 'light', 'dark'];

/** What was chosen. */
export const theme = () => (THEMES.includes(read(NAME)) ? read(NAME) : 'system');

/** Chooses. */
export function setTheme(choice) {
  write(NAME, choice);
  show();
}

function show() {
  document.documentElement.dataset.theme = theme();
}

show();
