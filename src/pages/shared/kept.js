// Preferences, which are no secrets and outlive the tab.

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
