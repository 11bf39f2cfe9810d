// A customer follows their link: how it stands, another time, calling it off.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { accessibilityFaults, BOUND, layoutFaults, setUp, slotIn, until } from './harness.mjs';

const site = setUp();

const button = (page, name) => page.getByRole('button', { name, exact: true });

async function customer(asked, options) {
  const page = await site.person(options);
  await page.goto(`${site.server.url}/callback/${asked.manage_token}`);
  await page.getByText(asked.number).waitFor();
  return page;
}

test('the place in line, then the call, as they happen', BOUND, async () => {
  const asked = await site.server.ask();
  const page = await customer(asked);
  await page.getByText('You are number 1 in line.').first().waitFor();
  const desk = await site.agent();
  await button(desk, 'Accept').click();
  await page.getByText('It is your turn').first().waitFor();
  await desk.locator('.actions').getByRole('link', { name: /^Call/ }).click();
  await page.getByText('We are calling you now.').first().waitFor();
  await button(desk, 'Answered').click();
  await button(desk, 'End call').click();
  await button(desk, 'Finish').click();
  await page.getByText('Thank you for the conversation').first().waitFor();
  assert.equal(await button(page, 'Cancel it').count(), 0);
});

test('it is asked for often near the call, seldom else, and not while it is told to wait', BOUND,
  async () => {
    const asked = await site.server.ask({ customer: { name: 'Waits', phone: '+493012345999' } });
    const page = await site.person();
    await page.clock.install();
    await page.addInitScript(() => {
      const { fetch } = globalThis;
      globalThis.asks = 0;
      globalThis.fetch = (...of) => {
        globalThis.asks += 1;
        return fetch(...of);
      };
    });
    let answer = (route) => route.continue();
    await page.route(/\/v1\/callbacks\//, (route) => answer(route));
    const shown = (body) => {
      answer = (route) => route.fulfill({ json: { ...asked, manage_token: null, ...body } });
    };
    const asks = () => page.evaluate(() => globalThis.asks);
    /** How often it is asked in so many seconds, up to the answer that says this. */
    const within = async (seconds, text) => {
      const before = await asks();
      await page.clock.runFor(seconds * 1000);
      if (text) await page.getByText(text).first().waitFor();
      return (await asks()) - before;
    };
    const look = (hidden) => page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
    await page.goto(`${site.server.url}/callback/${asked.manage_token}`);
    await page.getByText('You are number 1 in line.').first().waitFor();
    shown({ position: 40, estimated_wait_seconds: 601 });
    assert.equal(await within(4, 'number 40 in line. About 11 min to go.'), 1, 'next in line');
    shown({ position: 2 });
    assert.equal(await within(9), 0, 'far back in line');
    assert.equal(await within(4, 'number 2 in line'), 1);
    shown({ position: 3 });
    assert.equal(await within(4, 'number 3 in line'), 1, 'near');
    answer = (route) => route.fulfill({ status: 503, headers: { 'Retry-After': '40' }, json: {} });
    assert.equal(await within(4, 'No connection at the moment'), 1);
    shown({ position: 1 });
    await look(false);
    assert.equal(await within(39), 0, 'it was told to wait');
    assert.equal(await within(9, 'number 1 in line'), 1);
    await look(true);
    shown({ position: 2 });
    assert.equal(await within(4, 'number 2 in line'), 1);
    assert.equal(await within(59), 0, 'nobody looks');
    shown({ position: 3 });
    await look(false);
    await page.getByText('number 3 in line').first().waitFor();
    shown({ state: 'canceled' });
    assert.equal(await within(4, 'This callback is canceled'), 1);
    assert.equal(await within(300), 0, 'it is over');
    page.faults.length = 0;
  });

test('another time, in the customer’s own zone', BOUND, async () => {
  const start = slotIn(30);
  const asked = await site.server.ask({ type: 'scheduled', schedule: { start },
    customer: { name: 'Barbara' } });
  const page = await customer(asked, { timezoneId: 'America/New_York' });
  await page.getByText('It was booked for').waitFor();
  await button(page, 'Another time').click();
  const panel = page.locator('.panel');
  const slots = panel.locator('.slots button');
  await panel.getByLabel('Date').selectOption({ index: 3 });
  await slots.last().click();
  await button(panel, 'Move it').click();
  await panel.waitFor({ state: 'detached' });
  await until('it is moved', async () =>
    (await site.server.get(asked.id)).schedule.start !== start);
  const download = page.waitForEvent('download');
  await button(page, 'Calendar file').click();
  const file = await download;
  assert.equal(file.suggestedFilename(), `${asked.number}.ics`);
  const lines = readFileSync(await file.path(), 'utf8').split('\r\n');
  const moved = (await site.server.get(asked.id)).schedule.start.replace(/[-:]/g, '');
  for (const line of ['BEGIN:VCALENDAR', `UID:${asked.id}@ringback`, `DTSTART:${moved}`]) {
    assert.ok(lines.includes(line), `${line} in ${lines}`);
  }
});

test('calling it off, after a question', BOUND, async () => {
  const asked = await site.server.ask({ customer: { name: '<b>Evil</b>' } });
  const page = await customer(asked);
  await page.getByText('<b>Evil</b>').waitFor();
  await button(page, 'Cancel it').click();
  await page.getByText('Nobody will call you then.').waitFor();
  await button(page, 'Yes, cancel it').click();
  await page.getByText('This callback is canceled').first().waitFor();
  const canceled = await site.server.get(asked.id);
  assert.equal(canceled.canceled_by, 'customer');
});

test('a link that is none says so', BOUND, async () => {
  for (const token of ['x', 'A'.repeat(75), '%3Cb%3E']) {
    const page = await site.person();
    await page.goto(`${site.server.url}/callback/${token}`);
    await page.getByText('This link isn’t valid').waitFor();
  }
});

test('axe finds nothing, on a phone and in German too', BOUND, async () => {
  const asked = await site.server.ask({ customer: { name: 'Radia' } });
  const page = await customer(asked, { bypassCSP: true, size: [360, 740] });
  assert.deepEqual(await accessibilityFaults(page), [], 'as it is');
  await button(page, 'Cancel it').click();
  await page.locator('.panel').waitFor();
  assert.deepEqual(await accessibilityFaults(page), [], 'with a question');
  assert.deepEqual(await layoutFaults(page), []);
  await page.getByLabel('Language').selectOption('de');
  await page.getByRole('heading', { name: 'Ihr Rückruf' }).waitFor();
});
