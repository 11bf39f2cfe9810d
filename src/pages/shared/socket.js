// The agent's socket: connected as long as the page is open, and honest about what it doesn't know.
//
// `welcome` is the truth after each connect. A frame that wasn't acknowledged when the connection
// went is shown as such, sent again after the next `welcome`, and its answer told: nothing that was
// clicked is swallowed.

import { Problem } from './api.js';
import { setClock } from './time.js';

/** How long an answer to a ping may take before the connection counts as lost. */
const PONG_MS = 4000;
/** Waits between attempts: double from the first to the last, half of it by chance. */
const [BACK_OFF_MS, BACK_OFF_MAX_MS] = [400, 15000];
/** What may wait for an answer at once. */
const WAITING_MAX = 50;
/** An end that connecting again can't mend. */
const ENDED = new Map([[4401, 'credential'], [4403, 'removed']]);

/** Frames to and from the server; `on` hears `frame`, `state` and `ended`. */
export class Socket {
  constructor(token, on) {
    Object.assign(this, { token, on, next: 1, waiting: new Map(), attempts: 0,
      gone: new AbortController() });
    const { signal } = this.gone;
    addEventListener('online', () => this.hurry(), { signal });
    addEventListener('offline', () => this.lost(), { signal });
    this.connect();
  }

  /** Sends a frame; settles with its answer, however many connections that takes. */
  send(type, fields = {}, label = type) {
    if (this.waiting.size >= WAITING_MAX) {
      return Promise.reject(new Problem(0, { detail: label }));
    }
    return new Promise((resolve, reject) => {
      const id = this.next;
      this.next += 1;
      this.waiting.set(id, { id, frame: { id, type, ...fields }, label, resolve, reject });
      if (this.welcomed) this.write(this.waiting.get(id).frame);
      this.on.state(this.state());
    });
  }

  /** Ends it for good. */
  close() {
    this.over = true;
    this.gone.abort();
    [this.retry, this.ping, this.pong].forEach(clearTimeout);
    this.socket?.close(1000);
  }

  /** What to show: the status, when it is tried again, and what is unanswered. */
  state() {
    const unanswered = [...this.waiting.values()].map(({ id, label }) => ({ id, label }));
    const status = this.welcomed ? 'open' : this.was ? 'lost' : 'connecting';
    return { status, retryAt: this.retryAt, unanswered };
  }

  connect() {
    const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
    this.retryAt = null;
    let socket;
    try {
      const address = `${scheme}//${location.host}/v1/agent/socket`;
      socket = new WebSocket(address, ['ringback.v1', `bearer.${this.token}`]);
    } catch {
      // A credential with characters that the handshake can't carry is nobody's.
      this.end('credential');
      return;
    }
    this.socket = socket;
    socket.onmessage = (event) => this.socket === socket && this.read(JSON.parse(event.data));
    socket.onclose = (event) => this.socket === socket && this.closed(event.code);
  }

  read(frame) {
    if (frame.at) setClock(frame.at);
    clearTimeout(this.pong);
    if (frame.type === 'welcome') this.welcome(frame);
    if (frame.type === 'ack' || frame.type === 'error') this.answered(frame);
    else if (frame.type !== 'pong') this.on.frame(frame);
    if (frame.type === 'welcome') this.repeat();
  }

  welcome(frame) {
    this.was = this.welcomed = true;
    this.attempts = 0;
    this.heartbeat = frame.heartbeat_seconds * 1000;
    this.beat();
  }

  /** What was sent before the connection went is sent again, in its order. */
  repeat() {
    for (const { frame } of this.waiting.values()) this.write(frame);
    this.on.state(this.state());
  }

  answered(frame) {
    const one = this.waiting.get(frame.id);
    if (!one) return;
    this.waiting.delete(frame.id);
    if (frame.type === 'ack') one.resolve();
    else one.reject(new Problem(frame.problem.status, frame.problem));
    this.on.state(this.state());
  }

  /** The browser doesn't tell of the server's pings: a silent connection is asked. */
  beat() {
    clearTimeout(this.ping);
    this.ping = setTimeout(() => {
      this.write({ id: 'p', type: 'ping' });
      clearTimeout(this.pong);
      this.pong = setTimeout(() => this.lost(), PONG_MS);
      this.beat();
    }, this.heartbeat);
  }

  write(frame) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  /** Doesn't wait for the other side to agree that the connection is gone. */
  lost() {
    const { socket } = this;
    if (!socket || this.over) return;
    this.closed(1006);
    socket.close();
  }

  closed(code) {
    this.socket = null;
    this.welcomed = false;
    clearTimeout(this.ping);
    clearTimeout(this.pong);
    if (this.over) return;
    if (ENDED.has(code)) this.end(ENDED.get(code));
    else this.later();
  }

  later() {
    const wait = Math.min(BACK_OFF_MAX_MS, BACK_OFF_MS * 2 ** this.attempts);
    this.attempts += 1;
    const drawn = wait / 2 + (Math.random() * wait) / 2;
    this.retryAt = new Date(Date.now() + drawn).toISOString();
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.again(), drawn);
    this.on.state(this.state());
  }

  /** Tries at once. */
  hurry() {
    if (this.socket || this.over) return;
    clearTimeout(this.retry);
    this.again();
  }

  /** A refused handshake looks like a lost connection to a page: a request tells which it was. */
  async again() {
    const headers = { Authorization: `Bearer ${this.token}` };
    try {
      const signal = AbortSignal.timeout(5000);
      const answer = await fetch('/v1/directory', { headers, cache: 'no-store', signal });
      if (answer.status === 401) return this.end('credential');
      if (answer.status === 403) return this.end('removed');
    } catch {
      return this.over || this.later();
    }
    if (!this.over && !this.socket) this.connect();
    return undefined;
  }

  end(why) {
    this.close();
    this.on.ended(why, this.state().unanswered);
  }
}
