// What goes wrong: a server that dies, two tabs at once, hostile words, credentials that end.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { agent, BOUND, browse, Server, until } from './harness.mjs';

let browser;

before(async () => {
  browser = await browse();
});
after(() => browser?.close());

/** A server for one test, ended whatever becomes of it. */
async function served(change, run) {
  const server = await Server.start(change);
  try {
    await run(server);
  } finally {
    await server.stop();
  }
}

const same = (config) => config;
const button = (page, name) => page.getByRole('button', { name, exact: true });

test('killed and started again under an open page: no word, no click is lost', BOUND, () =>
  served(same, async (server) => {
    const page = await agent(browser, server);
    const asked = await server.ask();
    await button(page, 'Accept').click();
    await page.locator('.actions').getByRole('link', { name: /^Call/ }).click();
    await button(page, 'No answer').waitFor();
    const notes = page.getByLabel('Notes', { exact: true });
    await notes.fill('half a sen');
    await server.kill();
    await page.locator('.banner').getByText('Connection lost').waitFor();
    await button(page, 'No answer').click();
    await page.getByText('Not confirmed yet').waitFor();
    await notes.press('End');
    await notes.pressSequentially('tence');
    await server.run();
    await page.getByText('Live', { exact: true }).waitFor();
    await button(page, 'Finish').waitFor();
    assert.equal(await page.getByText('Not confirmed yet').count(), 0);
    assert.equal((await server.get(asked.id)).interactions[0].outcome, 'no_answer');
    assert.equal(await notes.inputValue(), 'half a sentence');
    await page.reload();
    await button(page, 'Finish').waitFor();
    assert.equal(await notes.inputValue(), 'half a sentence');
    await page.context().close();
  }));

test('notes outlive the end of wrap-up', BOUND, () =>
  served((config) => config.replace('offer_timeout_seconds = 30', 'wrap_up_seconds = 3'),
    async (server) => {
      const page = await agent(browser, server);
      const asked = await server.ask();
      await button(page, 'Accept').click();
      await page.locator('.actions').getByRole('link', { name: /^Call/ }).click();
      await button(page, 'Answered').click();
      // Before wrap-up begins, which is over soon.
      await page.getByLabel('Notes', { exact: true }).fill('too late');
      await button(page, 'End call').click();
      await page.getByText('your notes are here').waitFor();
      await button(page, 'Save notes').click();
      await until('they are saved', async () => (await server.get(asked.id)).notes === 'too late');
      await page.getByText('your notes are here').waitFor({ state: 'detached' });
      await page.context().close();
    }));

test('two tabs of one agent: one accept wins, both show the same', BOUND, () =>
  served(same, async (server) => {
    const one = await agent(browser, server);
    const two = await agent(browser, server);
    const asked = await server.ask();
    const accepts = [one, two].map((page) => button(page, 'Accept'));
    await Promise.all(accepts.map((it) => it.waitFor()));
    // The loser's button may be gone before it is reached, or its click be told as too late.
    await Promise.any(accepts.map((it) => it.click()));
    for (const page of [one, two]) {
      await page.locator('.record').getByText(asked.number).waitFor();
      assert.equal(await page.locator('.offer').count(), 0);
      await page.context().close();
    }
    assert.equal((await server.get(asked.id)).interactions.length, 1);
  }));

test('an offer never takes focus or keystroke; a chord answers it', BOUND, () =>
  served(same, async (server) => {
    const page = await agent(browser, server);
    await page.getByRole('button', { name: 'Schedule a callback' }).click();
    const name = page.getByLabel('Customer’s name');
    await name.pressSequentially('Bar');
    await server.ask();
    await page.locator('.offer').waitFor();
    await name.pressSequentially('bara');
    await page.keyboard.press('Enter', { delay: 0 }).catch(() => {});
    assert.equal(await name.inputValue(), 'Barbara');
    assert.equal(await page.locator('.offer').count(), 1);
    await page.keyboard.press('Control+Shift+Enter');
    await page.locator('.entry').getByText('Ada Lovelace').waitFor();
    assert.equal(await name.inputValue(), 'Barbara');
    await page.context().close();
  }));

test('hostile words are words', BOUND, () =>
  served(same, async (server) => {
    const page = await agent(browser, server);
    let alerted = false;
    page.on('dialog', (dialog) => {
      alerted = true;
      dialog.dismiss();
    });
    const evil = '<img src=x onerror=alert(1)><script>alert(2)</script>';
    await server.ask({
      customer: { name: evil, id: '"><b>x', account: evil },
      short_description: evil,
      description: evil,
      origin: { case_id: '../../"><script>', page_url: 'https://a.example/<script>' },
      context: {
        articles: [{ title: evil, url: 'https://a.example/"><script>alert(3)</script>' }],
        searches: [{ query: evil }],
        transcript: [{ from: '__proto__', text: evil }],
        attributes: { [evil]: evil, constructor: { toString: evil } },
      },
    });
    await button(page, 'Accept').click();
    await page.locator('.record').getByRole('heading', { name: evil }).waitFor();
    await page.locator('.context').getByText(evil).first().waitFor();
    const hrefs = await page.locator('a').evaluateAll((all) => all.map((a) => a.protocol));
    assert.deepEqual([...new Set(hrefs)].sort(), ['http:', 'https:', 'tel:']);
    assert.equal(await page.locator('#page img, #page script, #page b').count(), 0);
    assert.equal(alerted, false);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  }));

test('addresses that would run code are no links', BOUND, () =>
  served(same, async (server) => {
    const page = await browser.newPage();
    await page.goto(server.url);
    const links = await page.evaluate(async () => {
      const { filled, webLink } = await import('/pages/any/shared/links.js');
      const evil = ['javascript:alert(1)', ' JavaScript:alert(1)', 'data:text/html,x', 'x', null];
      return {
        web: [...evil, 'https://a.example/'].map(webLink),
        filled: [
          filled('https://crm.example/{case_id}', { case_id: '../a?b#c' }),
          filled('tel:{phone}', { phone: '+4930' }),
          filled('{case_id}', { case_id: 'javascript:alert(1)' }),
          filled('javascript:{case_id}', { case_id: 'a' }),
          filled('https://crm.example/{case_id}', {}),
        ],
      };
    });
    assert.deepEqual(links, {
      web: [null, null, null, null, null, 'https://a.example/'],
      filled: ['https://crm.example/..%2Fa%3Fb%23c', 'tel:+4930', null, null, null],
    });
    await page.close();
  }));

test('a token that is none, and one that isn’t an agent’s', BOUND, () =>
  served(same, async (server) => {
    const refused = [['nobody-has-this', 'isn’t valid'], ['portal-key', 'no agent’s']];
    for (const [token, why] of refused) {
      const page = await browser.newPage();
      await page.goto(`${server.url}/agent`);
      await page.getByLabel('Token').fill(token);
      await page.keyboard.press('Enter');
      await page.getByText(why).waitFor();
      assert.ok(!page.url().includes(token));
      const kept = await page.evaluate(() => JSON.stringify([sessionStorage, localStorage]));
      assert.ok(!kept.includes(token), kept);
      await page.close();
    }
  }));
