// What happens in the workspace, told as it does; taken up again where it was lost.
//
// Read by `fetch`, since the browser's own reader of event streams can't send a credential but in
// an address.

const PATH = '/v1/events';
/** The server says something every 15 s; a stream that is silent for longer is none any more. */
const SILENCE_MS = 40000;
/** Waits between attempts: double from the first to the last, half of it by chance. */
const [BACK_OFF_MS, BACK_OFF_MAX_MS] = [500, 15000];

/** Events for this credential; `on` hears `event`, `open`, `lost`, and `refused` with a status. */
export class Events {
  constructor(token, on) {
    Object.assign(this, { token, on, last: null, attempts: 0, over: false });
    this.hurry = () => this.wake?.();
    addEventListener('online', this.hurry);
    this.follow();
  }

  /** Ends it for good. */
  close() {
    this.over = true;
    removeEventListener('online', this.hurry);
    this.stop?.abort();
    this.hurry();
  }

  async follow() {
    while (!this.over) {
      try {
        await this.read();
      } catch {
        // Whatever ended it, it is begun again.
      }
      if (this.over) return;
      this.on.lost();
      const most = Math.min(BACK_OFF_MAX_MS, BACK_OFF_MS * 2 ** this.attempts);
      this.attempts += 1;
      await new Promise((resume) => {
        this.wake = resume;
        setTimeout(resume, most / 2 + (Math.random() * most) / 2);
      });
    }
  }

  async read() {
    this.stop = new AbortController();
    const headers = { Authorization: `Bearer ${this.token}` };
    if (this.last !== null) headers['Last-Event-ID'] = this.last;
    this.watch();
    try {
      const answer = await fetch(PATH, { headers, cache: 'no-store', signal: this.stop.signal });
      if (answer.status === 401 || answer.status === 403) {
        this.close();
        this.on.refused(answer.status);
      }
      // What was missed is gone already; the page asks for everything when the stream is open.
      if (answer.status === 410 || answer.status === 422) this.last = null;
      if (!answer.ok) return;
      this.attempts = 0;
      this.on.open();
      await this.take(answer.body.pipeThrough(new TextDecoderStream()).getReader());
    } finally {
      clearTimeout(this.silence);
    }
  }

  watch() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.stop.abort(), SILENCE_MS);
  }

  async take(reader) {
    let text = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      this.watch();
      const parts = (text + value).split('\n\n');
      text = parts.pop();
      parts.forEach((part) => this.part(part.split('\n')));
    }
  }

  /** An id without data is remembered and tells nothing. */
  part(lines) {
    const field = (name) => lines.find((line) => line.startsWith(name))?.slice(name.length);
    const data = field('data: ');
    this.last = field('id: ') ?? this.last;
    if (data) this.on.event(JSON.parse(data));
  }
}
