// Asks how something stands, again and again: as often as the answer before says, rarely while
// nobody looks, and at once when somebody looks again. No connection is kept in between, so that
// customers who wait cost a server nothing but their answers.

const HIDDEN_MS = 60000;
/** Nobody is to ask in step with all others: up to so much of the time is added. */
const SPREAD = 0.2;
/** When it is asked again after an asking that failed by itself. */
const FAILED = { after: 10000, notBefore: 0 };

export class Polling {
  /**
   * `ask` answers `after` how many milliseconds to ask again, null for never, and `notBefore` which
   * not even if somebody looks.
   */
  constructor(ask) {
    Object.assign(this, { ask, on: false, asking: false });
  }

  begin() {
    this.on = true;
    document.addEventListener('visibilitychange', this.look);
    this.now();
  }

  end() {
    this.on = false;
    clearTimeout(this.timer);
    document.removeEventListener('visibilitychange', this.look);
  }

  look = () => document.hidden || Date.now() < this.notBefore || this.now();

  /** Asks at once; while an answer is awaited right after it: the question may be another. */
  async now() {
    clearTimeout(this.timer);
    this.again = this.asking;
    if (this.asking) return;
    this.asking = true;
    let answer = FAILED;
    try {
      answer = await this.ask();
    } finally {
      // Whatever went wrong, which the browser's console tells: it is asked again.
      this.asking = false;
      this.later(answer);
    }
  }

  later({ after, notBefore }) {
    if (!this.on) return;
    if (this.again && after !== null && !notBefore) {
      this.now();
      return;
    }
    if (after === null) {
      this.end();
      return;
    }
    this.notBefore = Date.now() + notBefore;
    const wait = Math.max(after, notBefore, document.hidden ? HIDDEN_MS : 0);
    this.timer = setTimeout(() => this.now(), wait * (1 + SPREAD * Math.random()));
  }
}
