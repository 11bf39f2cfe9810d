// An agent's day: offers, calls, outcomes, notes, colleagues.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BOUND, presence, Server, setUp, slotIn, until } from './harness.mjs';

const site = setUp();

const button = (page, name) => page.getByRole('button', { name, exact: true });
const offer = (page, name) => page.locator('.offer').filter({ hasText: name });

async function accept(page, name) {
  await offer(page, name).getByRole('button', { name: 'Accept' }).click();
  await page.locator('.record').filter({ hasText: name }).waitFor();
}

async function call(page) {
  await page.locator('.actions').getByRole('link', { name: /^Call/ }).click();
  await page.getByRole('group', { name: 'Outcome' }).waitFor();
}

test('from the request to the end, with a try in between that nobody answers', BOUND, async () => {
  const page = await site.agent();
  const asked = await site.server.ask({
    customer: { name: 'Grace Hopper', time_zone: 'America/New_York', id: 'CON7' },
    reason: 'invoice',
    short_description: 'Charged twice',
    origin: { case_id: 'CS/42' },
    context: {
      articles: [{ title: 'Invoices', url: 'https://help.example/1' }],
      searches: [{ query: 'double charge' }],
      transcript: [{ from: 'customer', text: 'I was charged twice' }],
    },
  });
  const card = offer(page, 'Grace Hopper');
  await card.waitFor();
  for (const text of [asked.number, 'As soon as possible', 'invoice · Charged twice', 'Billing']) {
    await card.getByText(text).first().waitFor();
  }
  const seconds = await card.locator('rb-ring').innerText();
  assert.match(seconds, /^\d+$/);
  assert.ok(Number(seconds) <= 30, seconds);
  await until('the title tells', async () => (await page.title()).includes('Grace Hopper'));
  assert.match(await page.locator('#urgent').textContent(), /Grace Hopper/);

  await accept(page, 'Grace Hopper');
  const told = page.locator('.work');
  for (const text of ['Invoices', 'double charge', 'I was charged twice', 'New York']) {
    await told.getByText(text).first().waitFor();
  }
  const link = told.getByRole('link', { name: 'CS/42' });
  assert.equal(await link.getAttribute('href'), 'https://crm.example/CS%2F42');
  const dial = page.locator('.actions').getByRole('link', { name: /^Call/ });
  assert.equal(await dial.getAttribute('href'), 'tel:+14155550123');

  await call(page);
  await button(page, 'No answer').click();
  await button(page, 'Call again').or(page.getByRole('link', { name: /^Call again/ })).waitFor();
  assert.equal((await site.server.get(asked.id)).attempts, 1);
  await page.locator('.timer').getByText('wrap-up ends in').waitFor();
  await page.getByRole('link', { name: /^Call again/ }).click();
  await button(page, 'Answered').click();
  const timer = page.locator('.timer').filter({ hasText: 'on the phone' }).locator('rb-since');
  await until('the call’s timer runs', async () => (await timer.textContent()) !== '0:00');
  await button(page, 'End call').click();
  const left = () => page.locator('.timer rb-until').textContent();
  await button(page, '+1 minute').click();
  await until('wrap-up is longer', async () => /^(1:[3-5]|2:)/.test(await left()));
  await page.getByLabel('Notes', { exact: true }).fill('Refund promised');
  await page.getByLabel('Closing code').selectOption('explained');
  await button(page, 'Finish').click();
  await page.getByText('Nothing at the moment').waitFor();
  const closed = await site.server.reaches(asked.id, 'closed_complete');
  assert.equal(closed.notes, 'Refund promised');
  assert.equal(closed.disposition, 'explained');
  assert.deepEqual(closed.interactions.map((one) => one.outcome), ['no_answer', 'answered']);
});

test('declining with a reason', BOUND, async () => {
  const page = await site.agent();
  const customer = { name: 'Alonzo Church', phone: '+14155550125' };
  const { id } = await site.server.ask({ customer });
  await offer(page, 'Alonzo').locator('summary').click();
  await button(page, 'About to take a break').click();
  await offer(page, 'Alonzo').waitFor({ state: 'detached' });
  const lead = site.server.as('lead-key-1');
  const { items } = await lead('GET', `/v1/callbacks/${id}/history`);
  const declined = items.find((event) => event.type === 'callback.declined');
  assert.equal(declined.data.reason, 'break');
  await lead('POST', `/v1/callbacks/${id}/cancel`, {});
});

test('an agent is told why an offer that ran out sent them away', BOUND, async () => {
  const short = await Server.start((config) =>
    config.replace('offer_timeout_seconds = 30', 'offer_timeout_seconds = 5'));
  try {
    const page = await site.agentOf(short);
    await short.ask({ customer: { name: 'Alan Turing', phone: '+14155550124' } });
    await page.getByText('an offer ran out unanswered').waitFor();
    await page.getByRole('button', { name: 'Available again' }).click();
    await page.getByText('an offer ran out unanswered').waitFor({ state: 'detached' });
  } finally {
    await short.stop();
  }
});

test('how long an offer stands is shown, and spoken at its start and ten seconds before its end',
  BOUND, async () => {
    const page = await site.agent();
    await page.clock.install();
    const customer = { name: 'Tony Hoare', phone: '+14155550177' };
    const asked = await site.server.ask({ customer });
    const ring = offer(page, 'Tony Hoare').locator('rb-ring');
    await ring.waitFor();
    const spoken = page.locator('#urgent');
    assert.equal(await spoken.getAttribute('aria-live'), 'assertive');
    const words = /Tony Hoare\. (\d+) seconds\. Control Shift Enter/;
    const [, seconds] = words.exec(await spoken.textContent()) ?? [];
    assert.ok(Number(seconds) <= 30, `${seconds} seconds`);
    const left = Number(await ring.innerText());
    assert.ok(left > 10 && left <= 30, `${left} seconds`);
    assert.match(await page.title(), /^\(1\) Callback: Tony Hoare/);
    await page.clock.fastForward((left - 9) * 1000);
    await spoken.getByText('10 seconds left: Tony Hoare').waitFor({ state: 'attached' });
    await until('the ring shows it too', async () => Number(await ring.innerText()) <= 10);
    assert.notEqual(await ring.getAttribute('low'), null);
    await site.server.as('lead-key-1')('POST', `/v1/callbacks/${asked.id}/cancel`, {});
    await offer(page, 'Tony Hoare').waitFor({ state: 'detached' });
    assert.equal(await page.title(), 'Ringback');
  });

test('retry at a time, with notes that go along', BOUND, async () => {
  const page = await site.agent();
  const asked = await site.server.ask();
  await accept(page, 'Ada');
  await call(page);
  await button(page, 'Busy').click();
  await page.getByLabel('Notes', { exact: true }).fill('Line engaged');
  await button(page, 'Retry later').click();
  await page.getByLabel('At a time').check();
  await button(page, 'in 60 min').click();
  await page.getByLabel('Offer it to me again').check();
  await page.locator('.panel').getByRole('button', { name: 'Retry later' }).click();
  const open = await site.server.reaches(asked.id, 'open');
  const minutes = (Date.parse(open.next_attempt_at) - Date.now()) / 60000;
  assert.ok(minutes > 58 && minutes < 62, open.next_attempt_at);
  assert.equal(open.interactions[0].notes, 'Line engaged');
  await site.server.as('lead-key-1')('POST', `/v1/callbacks/${asked.id}/cancel`, {});
});

test('an offer sounds and notifies, where the agent asked for it', BOUND, async () => {
  const page = await site.agent();
  await page.context().grantPermissions(['notifications']);
  await page.evaluate(() => {
    Object.assign(globalThis, { heard: 0, noticed: [] });
    const { start } = OscillatorNode.prototype;
    OscillatorNode.prototype.start = function count(...of) {
      globalThis.heard += 1;
      return start.apply(this, of);
    };
    globalThis.Notification = class extends Notification {
      constructor(title, options) {
        super(title, options);
        globalThis.noticed.push(`${title}: ${options.body}`);
      }
    };
  });
  const told = () => page.evaluate(() => [globalThis.heard, ...globalThis.noticed]);
  const shown = { phone: '+14155550179' };
  const lead = site.server.as('lead-key-1');
  const offered = async (name) => {
    const { id } = await site.server.ask({ customer: { ...shown, name } });
    await offer(page, name).waitFor();
    const found = await told();
    await lead('POST', `/v1/callbacks/${id}/cancel`, {});
    await offer(page, name).waitFor({ state: 'detached' });
    return found;
  };
  assert.deepEqual(await offered('Unasked'), [0]);
  await page.locator('.settings > summary').click();
  await page.getByLabel('Sound').check();
  await page.getByLabel('notification').check();
  const [tones] = await told();
  assert.ok(tones > 0, 'what it sounds like is heard at once');
  await page.evaluate(() => Object.defineProperty(document, 'hidden', { value: true }));
  const [more, notice] = await offered('Hidden Figure');
  assert.ok(more > tones, 'it sounds');
  assert.equal(notice, 'Callback: Hidden Figure waits for your answer');
});

test('to a colleague, and back into the line', BOUND, async () => {
  const tom = await site.agent('tom-key-1', { presence: 'offline' });
  const page = await site.agent();
  const customer = { name: 'Leslie Lamport', phone: '+14155550178' };
  const asked = await site.server.ask({ queue: 'sales', customer });
  const taken = async (by) => {
    await accept(by, 'Leslie');
    return site.server.reaches(asked.id, 'accepted');
  };
  assert.equal((await taken(page)).assigned_agent, 'mara');
  await presence(tom, 'Available');
  await button(page, 'Transfer').click();
  await page.locator('.panel').getByLabel(/Tom Becker/).check();
  await page.locator('.panel').getByRole('button', { name: 'Transfer' }).click();
  assert.equal((await taken(tom)).assigned_agent, 'tom');
  await button(tom, 'Back to the queue').click();
  await site.server.reaches(asked.id, 'queued');
  await tom.locator('.record').waitFor({ state: 'detached' });
  await site.server.as('lead-key-1')('POST', `/v1/callbacks/${asked.id}/cancel`, {});
});

test('transfer to a queue', BOUND, async () => {
  const page = await site.agent();
  const asked = await site.server.ask();
  await accept(page, 'Ada');
  await button(page, 'Transfer').click();
  await page.getByLabel('Find').fill('sal');
  await page.locator('.panel').getByLabel('Sales').check();
  await page.locator('.panel').getByRole('button', { name: 'Transfer' }).click();
  await until('it is in Sales', async () => (await site.server.get(asked.id)).queue === 'sales');
  await presence(page, 'Away – Lunch');
  await site.server.as('lead-key-1')('POST', `/v1/callbacks/${asked.id}/cancel`, {});
});

test('presence with a reason, and set by a supervisor', BOUND, async () => {
  const page = await site.agent();
  await presence(page, 'Away – Lunch');
  await page.locator('.presence > summary').filter({ hasText: 'Lunch' }).waitFor();
  const lead = site.server.as('lead-key-1');
  assert.equal((await lead('GET', '/v1/agents/mara/status')).reason, 'lunch');
  await lead('PUT', '/v1/agents/mara/presence', { presence: 'away', reason: 'meeting' });
  await page.getByText('A supervisor changed your presence').waitFor();
});

test('the same contact’s callbacks stand beside the one in hand', BOUND, async () => {
  const page = await site.agent();
  const booked = await site.server.ask({ type: 'scheduled', schedule: { start: slotIn(2) } });
  await site.server.ask();
  await accept(page, 'Ada');
  await page.locator('.tile').getByText(booked.number).waitFor();
  await button(page, 'Finish').click();
  await page.getByText('Nothing at the moment').waitFor();
});
