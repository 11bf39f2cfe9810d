// What the browser keeps: preferences, which are no secrets, and what ends with the tab.

/** One of the browser's storages; what it doesn't take lasts as long as the page is open. */
class Kept {
  #own = null;
  #page = new Map();

  constructor(name) {
    try {
      // A browser may have none; one that is closed to a page in a frame throws.
      this.#own = globalThis[name] ?? null;
    } catch {
      // Then the page remembers.
    }
  }

  getItem(name) {
    return this.#page.get(name) ?? this.#own?.getItem(name) ?? null;
  }

  setItem(name, value) {
    this.removeItem(name);
    try {
      if (this.#own) return this.#own.setItem(name, value);
    } catch {
      // It is full, perhaps of what the site keeps that shows the element.
    }
    return this.#page.set(name, value);
  }

  removeItem(name) {
    this.#page.delete(name);
    this.#own?.removeItem(name);
  }

  /** The names of all that is kept. */
  names() {
    return [...this.#page.keys(), ...Object.keys(this.#own ?? {})];
  }
}

/** Outlives the tab. */
export const lasting = new Kept('localStorage');

/** Ends with the tab. */
export const tab = new Kept('sessionStorage');

/** Keeps it in the tab, or forgets it. */
export function keepInTab(name, value) {
  if (value) tab.setItem(name, value);
  else tab.removeItem(name);
}
