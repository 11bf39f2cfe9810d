// What the browser keeps: preferences, which are no secrets, and what ends with the tab.

/** As the browser's own. */
const IN_PAGE = {
  getItem(name) {
    return this[name] ?? null;
  },
  setItem(name, value) {
    this[name] = value;
  },
  removeItem(name) {
    delete this[name];
  },
};

/** Storage may be closed to a page in a frame: then the page remembers as long as it is open. */
function storage(name) {
  try {
    return globalThis[name];
  } catch {
    return Object.create(IN_PAGE);
  }
}

/** Outlives the tab. */
export const lasting = storage('localStorage');

/** Ends with the tab. */
export const tab = storage('sessionStorage');

/** Keeps it in the tab, or forgets it. */
export function keepInTab(name, value) {
  if (value) tab.setItem(name, value);
  else tab.removeItem(name);
}
