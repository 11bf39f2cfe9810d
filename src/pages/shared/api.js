// Requests to the API, and what its problems say.

import { known } from './texts.js';

/** The words of that name, else those of the server, which are made for programs. */
const words = (name, detail) => known(name.replaceAll('-', '_')) ?? detail;

/**
 * A refusal, in the reader's words; status 0 where there was no answer. What is `invalid` has none:
 * a form that shows it marks its fields.
 */
export class Problem extends Error {
  constructor(status, body) {
    const kind = String(body.type ?? '').replace('/problems/', '');
    super(words(`problem.${kind}`, body.detail ?? body.title ?? String(status)));
    Object.assign(this, { status, body, kind });
  }

  /** What is wrong with the field of that name, wherever in the body it stands. */
  field(name) {
    const found = this.body.errors?.find(({ pointer }) => pointer.split('/').at(-1) === name);
    if (!found || !this.kind) return found?.detail;
    return this.kind === 'invalid' ? words(`fault.${name}`, found.detail) : this.message;
  }
}

/** How often a request is sent that may or may not have taken effect. */
const TRIES = 3;
const SOON_S = 5;

const pause = (seconds) => new Promise((resume) => setTimeout(resume, seconds * 1000));

/** 128 random bits; `crypto.randomUUID` is missing where a page isn't served securely. */
export function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A client with this credential, of this page's server or another. */
export function client(token, server = '') {
  async function once(method, path, body, key) {
    const headers = { Authorization: `Bearer ${token}` };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (key) headers['Idempotency-Key'] = key;
    const options = { method, headers, cache: 'no-store' };
    if (body !== undefined) options.body = JSON.stringify(body);
    const answer = await fetch(server + path, { ...options, signal: AbortSignal.timeout(20000) });
    const text = await answer.text();
    const json = text ? JSON.parse(text) : {};
    if (answer.ok) return json;
    const problem = new Problem(answer.status, json);
    problem.retryAfter = Number(answer.headers.get('Retry-After')) || 1;
    throw problem;
  }

  /** The same request under the same key until it is known what became of it. */
  async function send(method, path, body) {
    const key = method === 'POST' ? randomKey() : undefined;
    for (let left = TRIES - 1; ; left -= 1) {
      try {
        return await once(method, path, body, key);
      } catch (error) {
        const told = error instanceof Problem;
        // Whoever is to stay away for longer than a click may take isn't kept waiting for it.
        const again = told ? error.status === 503 && error.retryAfter <= SOON_S
          : method === 'POST' || method === 'GET';
        if (!again || left === 0) {
          throw told ? error : new Problem(0, { type: 'no-answer' });
        }
        await pause(told ? error.retryAfter : 1);
      }
    }
  }

  return {
    get: (path, query = {}) => {
      const pairs = Object.entries(query).filter(([, value]) => value);
      const text = new URLSearchParams(pairs).toString();
      return send('GET', text ? `${path}?${text}` : path);
    },
    post: (path, body = {}) => send('POST', path, body),
    put: (path, body) => send('PUT', path, body),
    patch: (path, body) => send('PATCH', path, body),
  };
}
