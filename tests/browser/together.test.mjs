// A customer, an agent and a supervisor at once, each with a browser of their own.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BOUND, setUp, until } from './harness.mjs';

const site = setUp();

const button = (page, name) => page.getByRole('button', { name, exact: true });

async function lead() {
  const page = await site.person();
  await page.goto(`${site.server.url}/supervisor`);
  await page.getByLabel('Token').fill('lead-key-1');
  await page.keyboard.press('Enter');
  await page.locator('.queue').first().waitFor();
  return page;
}

test('asked, called, missed, called again, done: all three see it as it happens', BOUND,
  async () => {
    const [customer, agent, watching] =
      await Promise.all([site.person(), site.agent(), lead()]);
    const row = watching.locator('tbody tr').filter({ hasText: 'Grace Hopper' });
    const stands = (state) => row.getByText(state, { exact: true }).waitFor();
    const called = (outcome) => async () => {
      await agent.locator('.actions').getByRole('link', { name: /^Call/ }).click();
      await button(agent, outcome).click();
    };
    await customer.goto(`${site.server.url}/callback?queue=billing`);
    await customer.getByLabel('Call me now').check();
    await customer.getByLabel('Your name').fill('Grace Hopper');
    await customer.getByLabel('Your phone number').fill('030 7654321');
    await button(customer, 'Call me now').click();
    await customer.getByText(/You are number 1 in line|It is your turn/).first().waitFor();
    await stands('Offered');
    await button(agent, 'Accept').click();
    await customer.getByText('It is your turn').first().waitFor();
    await stands('Accepted');
    await watching.locator('tbody tr').filter({ hasText: 'Mara Vogt' }).getByText('busy').waitFor();

    await called('No answer')();
    await stands('Wrap-up');
    await button(agent, 'Retry later').click();
    await agent.locator('.panel').getByRole('button', { name: 'Retry later' }).click();
    await customer.getByText('We tried to reach you').first().waitFor();
    await stands('Scheduled');

    await row.getByRole('button').click();
    const panel = watching.locator('.panel');
    await panel.locator('.story').getByText('to be tried again').waitFor();
    await button(panel, 'Call now').click();
    await button(agent, 'Accept').click();
    await panel.getByText('Accepted', { exact: true }).waitFor();
    await called('Answered')();
    await customer.getByText('We are calling you now.').first().waitFor();
    await panel.locator('.story li').filter({ hasText: 'reached' }).waitFor();
    await button(agent, 'End call').click();
    await button(agent, 'Finish').click();
    await customer.getByText('Thank you for the conversation').first().waitFor();
    await row.waitFor({ state: 'detached' });
    await panel.getByText('Done', { exact: true }).waitFor();
    for (const page of [customer, agent, watching]) {
      assert.deepEqual(await page.context().cookies(), []);
      const asked = await page.evaluate(() =>
        [location.href, ...performance.getEntriesByType('resource').map((one) => one.name)]);
      assert.ok(asked.some((one) => one.includes('/v1/')));
      assert.deepEqual(asked.filter((one) => /-key/.test(one)), [], 'a token in an address');
    }
  });

test('what happened while the server was away is shown when it is back', BOUND, async () => {
  const page = await lead();
  const asked = await site.server.ask({ customer: { name: 'Before It' } });
  const row = (name) => page.locator('tbody tr').filter({ hasText: name });
  await row('Before It').waitFor();
  const streams = [];
  page.on('request', (request) => {
    if (request.url().endsWith('/v1/events')) streams.push(request.headers()['last-event-id']);
  });
  await site.server.kill();
  await page.locator('.banner').getByText('No answer from the server').waitFor();
  await site.server.run();
  await site.server.as('lead-key-1')('POST', `/v1/callbacks/${asked.id}/cancel`, {});
  await site.server.ask({ customer: { name: 'After It' } });
  await page.locator('.banner').first().waitFor({ state: 'detached' });
  await row('After It').waitFor();
  await row('Before It').waitFor({ state: 'detached' });
  assert.match(String(streams.at(-1)), /^\d+$/);
  page.faults.length = 0;
});

test('two thousand callbacks are as light to show as fifty', BOUND, async () => {
  const page = await lead();
  const nodes = () => page.evaluate(() => document.querySelectorAll('*').length);
  const rows = page.getByRole('region', { name: 'Callbacks' }).locator('tbody tr');
  const ask = (at) => site.server.ask({ queue: 'sales',
    customer: { name: `Row ${at}`, phone: `+49301${String(at).padStart(6, '0')}` } });
  const ATONCE = 20;
  const many = async (from, to) => {
    for (let at = from; at < to; at += ATONCE) {
      const all = Array.from({ length: Math.min(ATONCE, to - at) }, (_, more) => ask(at + more));
      await Promise.all(all);
    }
  };
  await many(0, 60);
  await button(page, 'Next').waitFor();
  await until('fifty rows', async () => (await rows.count()) === 50);
  const few = await nodes();
  await many(60, 2000);
  await page.getByRole('article', { name: 'Sales' }).getByText('2000', { exact: true }).waitFor();
  await rows.filter({ hasText: 'Row 1999' }).waitFor();
  assert.equal(await rows.count(), 50);
  // The chart may have a few bars more by now.
  assert.ok((await nodes()) < few + 50, `${await nodes()} nodes, ${few} before`);
  await button(page, 'Next').click();
  // Twenty ask at once and are numbered as they come, so only whole twenties have their place.
  await rows.filter({ hasText: 'Row 1939' }).waitFor();
  // Neither is an agent's list heavier, however far it is scrolled.
  const desk = await site.agent('tom-key-1', { presence: 'offline' });
  await desk.getByLabel('Show').selectOption('active');
  await desk.locator('tbody tr').nth(49).waitFor();
  await desk.mouse.move(700, 600);
  for (let turns = 0; turns < 20; turns += 1) await desk.mouse.wheel(0, 400);
  await button(desk, 'Next').click();
  await desk.getByText('Page 2').first().waitFor();
  await until('the next fifty', async () => (await desk.locator('tbody tr').count()) === 50);
  assert.ok((await desk.evaluate(() => document.querySelectorAll('*').length)) < 2000);
  await page.getByLabel('Number, name or phone').fill('Row 1234');
  await rows.filter({ hasText: 'Row 1234' }).waitFor();
  await until('the others are gone', async () => (await rows.count()) === 1);
});
