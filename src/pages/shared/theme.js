// Light, dark, or as the system has it. A preference isn't a secret: it outlives the tab.

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

/** A preference; storage may be closed to a page in a frame. */
export function read(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** Keeps a preference, where that is possible. */
export function write(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // It holds for as long as the page is open.
  }
}

function show() {
  document.documentElement.dataset.theme = theme();
}

show();
