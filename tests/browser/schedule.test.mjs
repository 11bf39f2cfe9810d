// Appointments: booked by an agent, from a CRM, moved, canceled, and found again in the list.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BOUND, setUp, slotIn, until } from './harness.mjs';

const site = setUp();

const button = (page, name) => page.getByRole('button', { name, exact: true });

/** The day after tomorrow, as an input of dates takes it. */
const soon = new Date(Date.now() + 48 * 3600000).toISOString().slice(0, 10);

const desk = () => site.agent('mara-key-1', { presence: 'offline' });

test('an agent books in the customer’s zone, and is told both times', BOUND, async () => {
  const page = await desk();
  await page.getByRole('button', { name: 'Schedule a callback' }).click();
  const panel = page.locator('.panel');
  await panel.getByLabel('Customer’s name').fill('Barbara Liskov');
  await panel.getByLabel('Phone').fill('+14155550199');
  await panel.getByLabel('Customer’s time zone').fill('America/New_York');
  await panel.getByLabel('Reason').selectOption('refund');
  await panel.getByLabel('Short description').fill('Order 7');
  await panel.getByLabel('Date').fill(soon);
  await panel.getByLabel('Time', { exact: true }).fill('10:00');
  await panel.getByLabel(/at the customer’s/).check();
  await panel.getByLabel('Time', { exact: true }).fill('11:30');
  await panel.getByText('The customer’s: ').waitFor();
  await button(panel, 'Book').click();
  await page.locator('.banner.good').getByText('Barbara Liskov is called').waitFor();
  const lead = site.server.as('lead-key-1');
  const { items } = await lead('GET', '/v1/callbacks?q=Barbara');
  assert.equal(items[0].schedule.local_start, `${soon}T11:30`);
  assert.equal(items[0].schedule.time_zone, 'America/New_York');
  assert.equal(items[0].booked_by, 'mara');
  assert.equal(items[0].reason, 'refund');
  await page.locator('tbody tr').filter({ hasText: 'Barbara Liskov' }).waitFor();
});

test('what the server refuses stands beside the field', BOUND, async () => {
  const page = await desk();
  await page.getByRole('button', { name: 'Schedule a callback' }).click();
  const panel = page.locator('.panel');
  await panel.getByLabel('Customer’s name').fill('Edsger');
  await panel.getByLabel('Phone').fill('12');
  await panel.getByLabel('Date').fill(soon);
  await button(panel, 'Book').click();
  await panel.locator('[aria-invalid="true"]').first().waitFor();
  assert.equal(await panel.getByLabel('Phone').getAttribute('aria-invalid'), 'true');
  assert.equal(await panel.getByLabel('Customer’s name').inputValue(), 'Edsger');
});

test('what is refused of the fields that are folded away is unfolded', BOUND, async () => {
  const page = await desk();
  await page.getByRole('button', { name: 'Schedule a callback' }).click();
  const panel = page.locator('.panel');
  await panel.getByLabel('Customer’s name').fill('Edsger');
  await panel.getByLabel('Phone', { exact: true }).fill('+493012345678');
  await panel.getByLabel('Date').fill(soon);
  const more = panel.locator('summary');
  await more.click();
  const extension = panel.getByLabel('Extension');
  await extension.fill('12a');
  await more.click();
  await extension.waitFor({ state: 'hidden' });
  await button(panel, 'Book').click();
  await panel.locator('[aria-invalid="true"]').waitFor();
  await extension.waitFor();
  await until('it has the focus', () =>
    extension.evaluate((input) => input === input.getRootNode().activeElement));
});

test('a CRM fills the form in, and nothing stays in the address', BOUND, async () => {
  const page = await desk();
  const fields = new URLSearchParams({ case_id: 'CS9', interaction_ref: 'IMS9', channel: 'chat',
    phone: '+493012345678', name: 'Conny Palm', contact_id: ' CON9 ' });
  await page.evaluate((text) => {
    location.hash = `schedule?${text}`;
  }, fields.toString());
  const panel = page.locator('.panel');
  assert.equal(await panel.getByLabel('Customer’s name').inputValue(), 'Conny Palm');
  assert.ok(!page.url().includes('CS9'));
  await panel.getByLabel('Date').fill(soon);
  await button(panel, 'Book').click();
  await page.getByRole('link', { name: 'Open the record' }).waitFor();
  const { items } = await site.server.as('lead-key-1')('GET', '/v1/callbacks?case_id=CS9');
  assert.equal(items[0].origin.interaction_ref, 'IMS9');
  assert.equal(items[0].origin.channel, 'chat');
  assert.equal(items[0].customer.id, 'CON9');
});

test('an address from a CRM opens the form as soon as the desk is there', BOUND, async () => {
  const page = await desk();
  await page.goto('about:blank');
  await page.goto(`${site.server.url}/agent#schedule?name=Radia`);
  assert.equal(await page.getByLabel('Customer’s name').inputValue(), 'Radia');
});

test('wall times of both clock changes', BOUND, async () => {
  const page = await site.person();
  await page.goto(site.server.url);
  const told = await page.evaluate(async () => {
    const { instantOf, wall } = await import('/pages/any/shared/time.js');
    const there = (local, zone) => instantOf(local, zone) && new Date(instantOf(local, zone));
    return [
      there('2026-03-29T02:30', 'Europe/Berlin'),
      there('2026-10-25T02:30', 'Europe/Berlin'),
      there('2026-11-24T10:00', 'America/New_York'),
      there('2026-11-24T10:00', 'Asia/Kathmandu'),
      wall(Date.parse('2026-06-30T22:15:00Z'), 'Europe/Berlin'),
    ];
  });
  const texts = told.map((one) => (one instanceof Date ? one.toISOString() : one));
  assert.deepEqual(texts, [null, '2026-10-25T00:30:00.000Z', '2026-11-24T15:00:00.000Z',
    '2026-11-24T04:15:00.000Z', '2026-07-01T00:15']);
});

test('times of slots as the reader writes them, told apart where clocks show them twice', BOUND,
  async () => {
    const times = async (locale) => {
      const page = await site.person({ locale });
      await page.goto(site.server.url);
      return page.evaluate(async () => {
        const { slotTime } = await import('/pages/any/shared/time.js');
        const starts = ['2026-10-25T00:30Z', '2026-10-25T01:30Z', '2026-11-24T14:00Z'];
        return starts.map((at) => slotTime(Date.parse(at)));
      });
    };
    const [summer, winter, other] = await times('en-GB');
    assert.match(summer, /^02:30 \S+$/);
    assert.match(winter, /^02:30 \S+$/);
    assert.notEqual(summer, winter);
    assert.equal(other, '15:00');
    assert.match((await times('en-US')).at(-1), /^0?3:00\sPM$/);
    // Clocks go back by half an hour here.
    const page = await site.person({ timezoneId: 'Australia/Lord_Howe' });
    await page.goto(site.server.url);
    const [first, second] = await page.evaluate(async () => {
      const { slotTime } = await import('/pages/any/shared/time.js');
      return ['2026-04-04T14:45Z', '2026-04-04T15:15Z'].map((at) => slotTime(Date.parse(at)));
    });
    assert.match(first, /^01:45 \S+$/);
    assert.notEqual(first, second);
  });

test('due at the booked start, or at the next attempt where it waits for that', BOUND, async () => {
  const page = await site.person();
  await page.goto(site.server.url);
  const due = await page.evaluate(async () => {
    const { dueAt } = await import('/pages/any/shared/fields.js');
    const at = (hour) => hour && `2026-11-24T${hour}:00Z`;
    // Start, next attempt, place in line: booked, put off, in line, a retry before the start, asap.
    return [['14:00', '13:59'], ['14:00', '14:30'], ['14:00', null, '13:59'],
      ['14:00', '09:15', '09:15'], [null, '08:00', '07:00'], [null, null, '07:00']]
      .map(([start, next, since]) => dueAt({ schedule: { start: at(start) ?? null },
        queued_since: at(since) ?? null, next_attempt_at: at(next) }));
  });
  const hours = due.map((at) => at?.slice(11, 16) ?? null);
  assert.deepEqual(hours, ['14:00', '14:30', '14:00', '09:15', '08:00', null]);
});

test('moved, and canceled after a question', BOUND, async () => {
  const page = await desk();
  const asked = await site.server.ask({ type: 'scheduled', schedule: { start: slotIn(50) },
    customer: { name: 'Agner Erlang' } });
  await page.getByLabel('Number, name or phone').fill('Agner');
  const row = page.locator('tbody tr').filter({ hasText: 'Agner Erlang' });
  await row.getByRole('button', { name: /^Move/ }).click();
  const panel = page.locator('.panel');
  await panel.getByLabel('Date').fill(soon);
  await panel.getByLabel('Time', { exact: true }).fill('09:45');
  await button(panel, 'Move').click();
  await page.locator('.banner.good').getByText('Agner Erlang').waitFor();
  const moved = await site.server.get(asked.id);
  const meant = await page.evaluate((local) => Date.parse(local), `${soon}T09:45`);
  assert.equal(Date.parse(moved.schedule.start), meant);
  await row.getByRole('button', { name: /^Cancel/ }).click();
  await panel.getByText('will not be called').waitFor();
  assert.equal((await site.server.get(asked.id)).state, 'open');
  await panel.getByLabel('Reason').fill('solved');
  await button(panel, 'Cancel the callback').click();
  const canceled = await site.server.reaches(asked.id, 'canceled');
  assert.equal(canceled.cancel_reason, 'solved');
  await row.waitFor({ state: 'detached' });
});

test('a retry at a time needs the time', BOUND, async () => {
  const page = await desk();
  const asked = await site.server.ask({ customer: { name: 'Jean Bartik' } });
  const lead = site.server.as('lead-key-1');
  await lead('POST', `/v1/callbacks/${asked.id}/assign`, { agent_id: 'mara' });
  await page.locator('.record').getByText('Jean Bartik').waitFor();
  await button(page, 'Retry later').click();
  const panel = page.locator('.panel');
  await panel.getByLabel('At a time').check();
  await button(panel, 'Retry later').click();
  await panel.locator('.problem').getByText('Please choose a time.').waitFor();
  assert.equal(await panel.getByLabel('Date').getAttribute('aria-invalid'), 'true');
  await button(panel, 'in 60 min').click();
  await button(panel, 'Retry later').click();
  const open = await site.server.reaches(asked.id, 'open');
  assert.ok(open.next_attempt_at);
  await lead('POST', `/v1/callbacks/${asked.id}/cancel`, {});
});

test('another filter begins anew, and a page that doesn’t come isn’t told of', BOUND, async () => {
  const page = await site.person();
  await page.goto(site.server.url);
  const told = await page.evaluate(async () => {
    const { Table } = await import('/pages/any/shared/table.js');
    const said = [];
    let answer = async () => ({ items: [], next_cursor: 'two' });
    const table = new Table({ draw() {}, say: (text) => said.push(text),
      api: { get: (...of) => answer(...of) } }, {});
    table.query = () => ({});
    await table.load();
    answer = async () => {
      throw new Error('no answer');
    };
    await table.turn([null, 'two']);
    const failed = [table.cursors.length, said.length];
    answer = async () => ({ items: [], next_cursor: 'three' });
    await table.turn([null, 'two']);
    const turned = [table.cursors.length, said.length];
    table.change({});
    return [...failed, ...turned, table.cursors.length, table.next];
  });
  assert.deepEqual(told, [1, 0, 2, 1, 1, null]);
});

test('the list is sorted and paged by the server', BOUND, async () => {
  for (let at = 0; at < 60; at += 1) {
    const schedule = { start: slotIn(100 + at) };
    await site.server.ask({ type: 'scheduled', schedule, queue: 'sales',
      customer: { name: `Row ${at}`, phone: `+4930123456${10 + at}` } });
  }
  const page = await desk();
  await page.getByLabel('Queue', { exact: true }).selectOption('sales');
  await page.locator('tbody tr').filter({ hasText: 'Row 49' }).waitFor();
  assert.equal(await page.locator('tbody tr').count(), 50);
  await button(page, 'Next').click();
  await page.locator('tbody tr').filter({ hasText: 'Row 59' }).waitFor();
  assert.equal(await page.locator('tbody tr').count(), 10);
  await button(page, 'Previous').click();
  await page.getByRole('columnheader', { name: 'Start' }).getByRole('button').click();
  await until('the last comes first', async () =>
    (await page.locator('tbody tr').first().textContent()).includes('Row 59'));
});
