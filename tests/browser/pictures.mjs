// Takes the pictures of the README: `make pictures`. No test; it only needs what the tests need.

import { mkdirSync } from 'node:fs';

import { agent, browse, person, Server } from './harness.mjs';

const folder = new URL('../../docs/pictures/', import.meta.url).pathname;
const PEOPLE = ['Grace Hopper', 'Alan Turing', 'Barbara Liskov', 'Edsger Dijkstra', 'Conny Palm'];

const server = await Server.start();
const browser = await browse();

/** What a page looks like, once it is still. */
async function picture(page, name) {
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path: `${folder}${name}.png` });
}

try {
  mkdirSync(folder, { recursive: true });
  const size = [1280, 760];
  const desk = await agent(browser, server, 'mara-key-1', { size });
  await server.ask({
    customer: { name: 'Ada Lovelace', id: 'CON0042', account: 'Analytical Engines',
      time_zone: 'America/New_York' },
    reason: 'invoice',
    short_description: 'Charged twice in November',
    origin: { case_id: 'CS0000042' },
    context: {
      articles: [{ title: 'How invoices are made up', url: 'https://help.example/invoices' }],
      searches: [{ query: 'charged twice' }],
      transcript: [{ from: 'customer', text: 'The same amount left my account twice.' },
        { from: 'bot', text: 'I am sorry. Shall somebody call you?' }],
    },
  });
  await desk.getByRole('button', { name: 'Accept' }).click();
  await desk.locator('.context').getByText('charged twice').first().waitFor();
  await desk.getByLabel('Notes', { exact: true }).fill('Second payment came in on the 3rd.');
  await picture(desk, 'agent');

  const waiting = [];
  for (const [at, name] of PEOPLE.entries()) {
    waiting.push(await server.ask({ customer: { name, phone: `+4930123456${at}` },
      reason: 'refund', short_description: 'A refund' }));
  }
  const lead = await person(browser, { size });
  await lead.goto(`${server.url}/supervisor`);
  await lead.getByLabel('Token').fill('lead-key-1');
  await lead.keyboard.press('Enter');
  await lead.locator('tbody tr').filter({ hasText: 'Conny Palm' }).getByRole('button').click();
  await lead.getByText('What happened').waitFor();
  await picture(lead, 'supervisor');

  const asking = await person(browser, { size: [480, 820] });
  await asking.goto(`${server.url}/callback?queue=billing`);
  await asking.getByLabel('Call me later').check();
  await asking.getByLabel('Date').selectOption({ index: 1 });
  // The first screenful of the day's times, from an hour at which people are called.
  await asking.getByRole('button', { name: '09:30' }).click();
  await asking.getByLabel('Your name').fill('Barbara Liskov');
  await asking.getByLabel('Your phone number').fill('+49 30 123456');
  await picture(asking, 'ask');

  const customer = await person(browser, { size: [480, 640] });
  await customer.goto(`${server.url}/callback/${waiting[2].manage_token}`);
  await customer.getByText('in line').first().waitFor();
  await picture(customer, 'customer');
} finally {
  await browser.close();
  await server.stop();
}
