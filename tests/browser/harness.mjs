// A server of a test's own, a browser, and the people who use it.
//
// What is waited for is a state of the page or an answer of the API, never a time; everything that
// waits gives up after a while and says what it waited for.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, before } from 'node:test';

const root = new URL('../../', import.meta.url).pathname;
const tools = createRequire(join(root, 'target/browser/'));
const { chromium } = tools('playwright-core');
const axe = readFileSync(tools.resolve('axe-core/axe.min.js'), 'utf8');

/** How long anything may take that a test waits for. */
const PATIENCE_MS = 30000;
/** Before it is asked again: what is waited for needs the machine too. */
const MOMENT_MS = 20;
/** How long a test may take in all. */
export const BOUND = { timeout: 240000 };

const CONFIG = readFileSync(new URL('ringback.toml', import.meta.url), 'utf8');

/** Asks again and again until `ask` gives something; `what` says what was waited for. */
export async function until(what, ask) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await ask();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resume) => setTimeout(resume, MOMENT_MS));
  }
}

const HOUR_MS = 3600000;
const SLOT_MS = 900000;

/** The start of the first slot that begins in so many hours or later. */
export function slotIn(hours) {
  const at = Date.now() + hours * HOUR_MS;
  return new Date(Math.ceil(at / SLOT_MS) * SLOT_MS).toISOString();
}

/** A server, which can be killed and started again on the same address and store. */
export class Server {
  static async start(change = (config) => config) {
    const server = new Server();
    server.folder = mkdtempSync(join(tmpdir(), 'ringback-'));
    server.config = join(server.folder, 'ringback.toml');
    writeFileSync(server.config, change(CONFIG));
    server.address = '127.0.0.1:0';
    await server.run();
    return server;
  }

  async run() {
    const store = `embedded:${join(this.folder, 'data')}`;
    const options = ['--config', this.config, '--store', store, '--listen', this.address];
    const program = process.env.RINGBACK ?? join(root, 'target/debug/ringback');
    const stdio = ['ignore', 'pipe', 'ignore'];
    this.child = spawn(program, ['serve', ...options], { stdio, env: { PATH: process.env.PATH } });
    this.ended = new Promise((ended) => this.child.once('exit', ended));
    const lines = createInterface({ input: this.child.stdout });
    const first = await new Promise((resolve, reject) => {
      lines.once('line', resolve);
      lines.once('close', () => reject(new Error('the server ended as it started')));
    });
    this.url = first.replace('listening on ', '');
    this.address = this.url.replace('http://', '');
  }

  /** As a crash ends it. */
  async kill() {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  /** As an administrator ends it. */
  async end() {
    this.child.kill('SIGTERM');
    await this.ended;
  }

  async stop() {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The API with this credential; what isn't a success is thrown. */
  as(token) {
    return async (method, path, body) => {
      const headers = { Authorization: `Bearer ${token}` };
      if (body) headers['Content-Type'] = 'application/json';
      const options = { method, headers, body: body && JSON.stringify(body) };
      const answer = await fetch(this.url + path, options);
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return text ? JSON.parse(text) : null;
    };
  }

  /** A customer's request, by the portal's API. */
  ask(more = {}) {
    const { customer, ...rest } = more;
    const person = { name: 'Ada Lovelace', phone: '+14155550123', ...customer };
    const body = { queue: 'billing', type: 'asap', customer: person, ...rest };
    return this.as('portal-key')('POST', '/v1/callbacks', body);
  }

  get(id) {
    return this.as('lead-key-1')('GET', `/v1/callbacks/${id}`);
  }

  /** Waits until a callback is in that state. */
  reaches(id, state) {
    return until(`${id} ${state}`, async () => {
      const found = await this.get(id);
      return found.state === state && found;
    });
  }
}

/** Another site: one page that embeds the element, as strict as a careful shop's. */
export class Shop {
  static async start() {
    const shop = new Shop();
    shop.http = createServer((request, response) => {
      const own = `'self' ${shop.allows}`;
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      response.setHeader('Content-Security-Policy', `default-src 'none'; script-src ${own}; `
        + `style-src ${own}; connect-src ${own}; frame-src ${own}`);
      response.end(`<!doctype html><html lang="en"><title>Shop</title>${shop.html}`);
    });
    await new Promise((listening) => shop.http.listen(0, '127.0.0.1', listening));
    shop.origin = `http://127.0.0.1:${shop.http.address().port}`;
    return shop;
  }

  /** Shows this, and lets in what comes from `server`. */
  shows(server, html) {
    Object.assign(this, { allows: server.url, html });
  }

  stop() {
    this.http.closeAllConnections();
    return new Promise((closed) => this.http.close(closed));
  }
}

/**
 * A server and a browser for all tests of a file. Pages opened by `person` and `agent` are closed
 * after their test, and must have had no faults by then.
 */
export function setUp(prepare = () => undefined) {
  const site = { pages: [] };
  const kept = async (opening) => {
    const page = await opening;
    site.pages.push(page);
    return page;
  };
  site.person = (options) => kept(person(site.browser, options));
  site.agentOf = (server, ...options) => kept(agent(site.browser, server, ...options));
  site.agent = (...options) => site.agentOf(site.server, ...options);
  before(async () => {
    site.server = await Server.start(await prepare(site));
    site.browser = await browse();
  });
  afterEach(async () => {
    const pages = site.pages.splice(0);
    const faults = pages.flatMap((page) => page.faults);
    await Promise.all(pages.map((page) => page.context().close()));
    assert.deepEqual(faults, []);
  });
  after(async () => {
    await site.browser?.close();
    await site.server?.stop();
    await site.shop?.stop();
  });
  return site;
}

/** The browser, one for all tests of a file. */
export function browse() {
  const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    // The shared memory of a container is small.
    '--disable-dev-shm-usage'];
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  return chromium.launch({ executablePath, args, headless: true });
}

/** A person with a browser of their own; faults of the page are kept in `faults`. */
export async function person(browser, options = {}) {
  const { size = [1400, 900], ...more } = options;
  const viewport = { width: size[0], height: size[1] };
  const zone = { locale: 'en-GB', timezoneId: 'Europe/Berlin' };
  const context = await browser.newContext({ viewport, ...zone, ...more });
  context.setDefaultTimeout(PATIENCE_MS);
  // The browser would ask which program makes calls, and wait for an answer that nobody gives.
  await context.addInitScript(() => addEventListener('click', (event) => {
    if (event.target.closest?.('a[href^="tel:"]')) event.preventDefault();
  }));
  const page = await context.newPage();
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(String(error)));
  page.on('console', (message) => {
    const refused = message.location().url.includes('/v1/');
    if (message.type() === 'error' && !refused && !message.text().includes('WebSocket')) {
      page.faults.push(message.text());
    }
  });
  return page;
}

/** An agent signs in with their token, and becomes available. */
export async function agent(browser, server, token = 'mara-key-1', options = {}) {
  const page = await person(browser, options);
  await page.goto(`${server.url}/agent`);
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('Live', { exact: true }).waitFor();
  if (options.presence !== 'offline') await presence(page, 'Available');
  return page;
}

/** Chooses a presence in the bar. */
export async function presence(page, name) {
  await page.locator('.presence > summary').click();
  await page.locator('.presence .sheet').getByRole('button', { name, exact: true }).click();
  await page.locator('.presence > summary').filter({ hasText: name.split(' ')[0] }).waitFor();
}

/** What is cut off or sticks out sideways, and what is too small for a finger. */
export function layoutFaults(page) {
  return page.evaluate(() => {
    const TARGET_PX = 24;
    const { clientWidth: width, scrollWidth } = document.documentElement;
    const found = new Set(scrollWidth > width ? [`the page is ${scrollWidth} wide`] : []);
    const roots = [document, ...[...document.querySelectorAll('*')].map((it) => it.shadowRoot)];
    const all = roots.flatMap((root) => [...(root?.querySelectorAll('body *, div *') ?? [])]);
    for (const one of all) {
      if (!one.checkVisibility() || one.closest('.sr, .skip, th, select, datalist')) continue;
      const box = (one.matches('[type=radio], [type=checkbox]') ? one.closest('label') : one)
        .getBoundingClientRect();
      const name = `${one.tagName} ${one.className} ${one.textContent.slice(0, 30)}`;
      if (box.left < -1 || box.right > width + 1) found.add(`${name} sticks out`);
      if (getComputedStyle(one).overflowX !== 'visible' && one.scrollWidth > one.clientWidth + 1
        && !one.matches('input, textarea')) found.add(`${name} is cut off`);
      if (one.matches('button, a, input, textarea, summary, select')
        && Math.min(box.width, box.height) < TARGET_PX) found.add(`${name} is small`);
    }
    return [...found];
  });
}

/** All that axe finds wrong with the page as it is, in light and in dark. */
export async function accessibilityFaults(page) {
  const found = [];
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    const tell = ({ id, nodes }) =>
      nodes.map((node) => `${colorScheme} ${id}: ${node.html} ${node.any[0]?.message ?? ''}`);
    found.push(...violations.flatMap(tell));
  }
  return found;
}
