// The supervisor watches, asks why, and steps in.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { accessibilityFaults, BOUND, layoutFaults, setUp, until } from './harness.mjs';

const site = setUp();

const button = (page, name) => page.getByRole('button', { name, exact: true });
const row = (page, text) => page.locator('tbody tr').filter({ hasText: text });

async function lead(options, path = '/supervisor') {
  const page = await site.person(options);
  await page.goto(site.server.url + path);
  await page.getByLabel('Token').fill('lead-key-1');
  await page.keyboard.press('Enter');
  await page.locator('.queue').first().waitFor();
  return page;
}

/** Opens a callback's panel. */
async function opened(page, name) {
  await row(page, name).getByRole('button').click();
  const panel = page.locator('.panel');
  await panel.getByText('What happened').waitFor();
  return panel;
}

test('why it waits, and priority, place and end of a callback', BOUND, async () => {
  const page = await lead();
  const asked = await site.server.ask({ customer: { name: 'Conny Palm' } });
  const panel = await opened(page, 'Conny Palm');
  await panel.getByText('It is number 1 in line.').waitFor();
  await panel.getByText('Offline:').waitFor();
  await panel.locator('.story').getByText('in line').waitFor();
  await panel.getByLabel('Priority').selectOption('9');
  await until('its priority', async () => (await site.server.get(asked.id)).priority === 9);
  await button(panel, 'Cancel').click();
  await page.locator('.panel').getByText('will not be called').waitFor();
  await button(page.locator('.panel'), 'Cancel').click();
  const canceled = await site.server.reaches(asked.id, 'canceled');
  assert.equal(canceled.canceled_by, 'supervisor');
  await row(page, 'Conny Palm').waitFor({ state: 'detached' });
});

test('why it waits, in German: each of the server’s sentences has words', BOUND, async () => {
  const page = await lead({ locale: 'de-DE' });
  const requirements = [{ skill: 'french', min_level: 3, mandatory: true,
    expires_after_seconds: 120 }];
  const asked = await site.server.ask({ customer: { name: 'Niklaus Wirth' }, requirements });
  await row(page, 'Niklaus Wirth').getByRole('button').click();
  const panel = page.locator('.panel');
  await panel.getByText('Mara Vogt (french: Stufe 3 verlangt, hat keine)').waitFor();
  await panel.getByText('Mara Vogt bekommt die verlangten Fähigkeiten.').waitFor();
  await panel.getByText(/^Eine Anforderung entfällt in 1:\d\d\.$|2:00\.$/).waitFor();
  await site.server.as('lead-key-1')('POST', `/v1/callbacks/${asked.id}/cancel`, {});
  const told = await page.evaluate(async () => {
    const { useTexts } = await import('/pages/any/shared/texts.js');
    await useTexts({ de: () => import('/pages/any/supervisor/texts.de.js') });
    const { reworded, unroutable } = await import('/pages/any/supervisor/why.js');
    const names = { agent: (id) => id.toUpperCase(), queue: (id) => id.toUpperCase() };
    const sentences = {
      detail: ['there is no such agent', 'needs french at level 3, has 2',
        'has no room for 3 units of voice even when free', 'needs 1 free, uses 1 of 2 units',
        'keeps the free units for a larger one before it',
        'holds as much video as they may: 1', 'declined it, is offered it again in 45 s',
        'it waits for mara', 'is offline', "doesn't serve billing", 'has no session',
        'declined it with a reason that bars them for good', 'Something else.'],
      change: ['Offers of billing are resumed.', 'mara can take it; it waits for nobody else.',
        'mara can take it, or the wait for them ends in 90 s.', "mara's cool-down ends in 45 s.",
        'mara has room again.', 'mara connects.', 'mara becomes available.',
        'One of 2 agents becomes available: mara, tom.',
        'One of 4 agents becomes available: mara, tom, ida, ….',
        'One of 9 agents becomes available: mara, tom, ida, ….',
        'A requirement expires in 75 s.', 'An agent is added to billing.',
        'take the number off the deny list', 'Something new.'],
    };
    const codes = ['no_agent_in_queue', 'missing_skill:french', 'too_large', 'all_barred',
      'required_agent', 'number_denied'];
    return [...Object.entries(sentences).flatMap(([kind, all]) =>
      all.map((one) => reworded(kind, one, names))), ...codes.map(unroutable)];
  });
  assert.deepEqual(told, ['gibt es nicht', 'french: Stufe 3 verlangt, hat 2',
    'zu groß: 3 Einheiten', '1 von 2 Einheiten belegt',
    'hält die freien Einheiten für einen größeren vor ihm frei',
    'hat schon 1 per Video', 'in 0:45 wieder', 'wartet auf MARA', '', '', '', '', 'Something else.',
    'Die Angebote von BILLING werden fortgesetzt.',
    'MARA kann ihn übernehmen; sonst darf niemand.',
    'MARA kann ihn übernehmen, oder es wird nicht länger gewartet: noch 1:30.',
    'MARA darf wieder: in 0:45.', 'MARA hat wieder Platz.', 'MARA verbindet sich.',
    'MARA wird verfügbar.', 'MARA oder TOM wird verfügbar.',
    'MARA, TOM, IDA oder ein weiterer wird verfügbar.',
    'MARA, TOM, IDA oder einer von 6 anderen wird verfügbar.',
    'Eine Anforderung entfällt in 1:15.', 'BILLING bekommt einen Agenten.',
    'Die Nummer wird freigegeben.', 'Something new.', 'Niemand bedient die Warteschlange.',
    'Niemand kann french auf der verlangten Stufe.', 'Er ist größer als jede Kapazität.',
    'Alle, die ihn übernehmen könnten, sind davon ausgeschlossen.',
    'Der verlangte Agent kann nicht, und sonst darf niemand.', 'Die Nummer ist gesperrt.']);
});

test('a callback is given to an agent, who sees it at once', BOUND, async () => {
  const page = await lead();
  const desk = await site.agent('mara-key-1', { presence: 'offline' });
  const asked = await site.server.ask({ customer: { name: 'Agner Erlang' } });
  await row(page, 'Mara Vogt').waitFor();
  const panel = await opened(page, 'Agner Erlang');
  await button(panel, 'Assign').click();
  await panel.getByLabel(/Mara Vogt/).check();
  await button(panel, 'Assign').click();
  await desk.locator('.record').getByText('Agner Erlang').waitFor();
  await desk.getByText('A supervisor gave you Agner Erlang').waitFor();
  await page.locator('tbody tr').filter({ hasText: 'Mara Vogt' }).getByText('busy').waitFor();
  await button(panel, 'Back to the queue').click();
  await desk.locator('.record').waitFor({ state: 'detached' });
  await site.server.as('lead-key-1')('POST', `/v1/callbacks/${asked.id}/cancel`, {});
});

test('how a queue’s day goes, in figures and in charts', BOUND, async () => {
  const page = await lead();
  const desk = await site.agent();
  const asked = await site.server.ask({ customer: { name: 'Ivan Sutherland' } });
  await desk.locator('.offer').getByRole('button', { name: 'Accept' }).click();
  await desk.locator('.actions').getByRole('link', { name: /^Call/ }).click();
  await desk.getByRole('button', { name: 'Answered', exact: true }).click();
  const billing = page.getByRole('article', { name: 'Billing' });
  const figure = async (name) => billing.locator('dl > div').filter({ hasText: name })
    .locator('dd').textContent();
  await until('it counts', async () => (await figure('Reached')) === '100%');
  assert.equal(await figure('Service level'), '100%');
  await page.reload();
  await page.locator('.queue').first().waitFor();
  await billing.getByRole('img', { name: /^Asked for, last day [1-9]\d* in all/ }).waitFor();
  await billing.getByRole('img', { name: /^Waiting, last hour/ }).waitFor();
  await desk.getByRole('button', { name: 'End call', exact: true }).click();
  await site.server.reaches(asked.id, 'wrap_up');
  await site.server.as('lead-key-1')('POST', `/v1/callbacks/${asked.id}/close`, {});
});

test('presence is set, a queue paused and resumed', BOUND, async () => {
  const page = await lead();
  const desk = await site.agent();
  await page.getByLabel('Presence of Mara Vogt').selectOption('away');
  await desk.getByText('A supervisor changed your presence').waitFor();
  await page.getByRole('button', { name: 'Pause: Sales' }).click();
  await page.getByLabel('Offer nothing to agents').check();
  await button(page.locator('.panel'), 'Pause').click();
  const sales = page.getByRole('article', { name: 'Sales' });
  await sales.getByText('intake paused').waitFor();
  await sales.getByText('offers paused').waitFor();
  await page.getByRole('button', { name: 'Resume: Sales' }).click();
  await sales.getByText('intake paused').waitFor({ state: 'detached' });
});

test('the list is searched, a wallboard has nothing to change', BOUND, async () => {
  await site.server.ask({ customer: { name: 'Findable One', phone: '+493012345001' } });
  await site.server.ask({ customer: { name: 'Other Two', phone: '+493012345002' } });
  const page = await lead();
  await page.getByLabel('Number, name or phone').fill('Find');
  await row(page, 'Findable One').waitFor();
  await row(page, 'Other Two').waitFor({ state: 'detached' });
  await page.goto(`${site.server.url}/supervisor?wallboard`);
  await page.locator('.queue').first().waitFor();
  assert.equal(await page.locator('main button, main select, main input').count(), 0);
});

test('a server that is away is told, and the figures come back', BOUND, async () => {
  const page = await lead();
  await site.server.kill();
  await page.locator('.banner').getByText('No answer from the server').waitFor();
  await site.server.run();
  await page.locator('.banner').first().waitFor({ state: 'detached' });
  page.faults.length = 0;
});

/** Presses Tab until what has the focus is called so. */
async function tabTo(page, name) {
  for (let presses = 0; presses < 120; presses += 1) {
    await page.keyboard.press('Tab');
    const found = await page.evaluate(() => {
      const { activeElement: it } = document;
      return it.getAttribute('aria-label') ?? (it.labels?.[0] ?? it).textContent;
    });
    if (name.test(found)) return;
  }
  assert.fail(`${name} isn’t reached by Tab`);
}

test('a callback is found and closed by keys alone, whatever it is called', BOUND, async () => {
  const evil = '<img src=x onerror=alert(1)>';
  const asked = await site.server.ask({ customer: { name: evil }, short_description: evil });
  const page = await lead();
  await row(page, evil).waitFor();
  await tabTo(page, /^Number, name or phone$/);
  await page.keyboard.type('<img');
  await until('only it is left', async () => (await row(page, /CB/).count()) === 1);
  await tabTo(page, new RegExp(`^${asked.number}$`));
  await page.keyboard.press('Enter');
  await button(page.locator('.panel'), 'Assign').waitFor();
  await page.locator('.panel h2:focus').waitFor();
  // The panel's own, then the callback's.
  await tabTo(page, /^Close$/);
  await tabTo(page, /^Close$/);
  await page.keyboard.press('Enter');
  await page.locator('.panel').getByText('ends here').waitFor();
  await page.locator('.panel h2:focus').waitFor();
  await tabTo(page, /^Notes/);
  await page.keyboard.type('spam');
  await page.keyboard.press('Enter');
  const closed = await site.server.reaches(asked.id, 'closed_abandoned');
  assert.equal(closed.closed_reason, 'closed_by_supervisor');
  assert.equal(await page.locator('#page img').count(), 0);
});

test('a page just opened shows the hour before, also after a restart', BOUND, async () => {
  const { server } = site;
  const waiting = [];
  for (const name of ['One', 'Two', 'Three']) {
    waiting.push(await server.ask({ queue: 'sales',
      customer: { name, phone: `+4930123450${waiting.length}` } }));
  }
  for (const { id } of waiting) {
    await server.as('lead-key-1')('POST', `/v1/callbacks/${id}/cancel`, {});
  }
  const shows = async () => {
    const page = await lead();
    const sales = page.getByRole('article', { name: 'Sales' });
    const told = /^Waiting, last hour 0 now, 3 at most\. The most at/;
    const hour = sales.getByRole('img', { name: told });
    await hour.waitFor();
    assert.ok((await hour.locator('rect').count()) > 0);
    await sales.getByRole('img', { name: /^Asked for, last day [3-9]\d* in all/ }).waitFor();
    await sales.getByText('Figures').click();
    const minutes = sales.getByRole('table', { name: 'Waiting, last hour' });
    assert.ok((await minutes.getByRole('row').allTextContents()).some((row) => row.endsWith('3')));
  };
  await shows();
  // An orderly end writes it down.
  await server.end();
  await server.run();
  await shows();
});

test('a report that fails takes nothing else away', BOUND, async () => {
  const page = await site.person();
  await page.route(/\/v1\/reports\//, (route) =>
    route.fulfill({ status: 500, json: { type: '/problems/internal' } }));
  await page.goto(`${site.server.url}/supervisor`);
  await page.getByLabel('Token').fill('lead-key-1');
  await page.keyboard.press('Enter');
  const billing = page.getByRole('article', { name: 'Billing' });
  await billing.getByRole('img', { name: /^Waiting, last hour/ }).waitFor();
  assert.equal(await billing.getByRole('img', { name: /^Asked for/ }).count(), 0);
  assert.equal(await page.locator('.banner').count(), 0);
});

test('a callback’s state and what is told of it change together', BOUND, async () => {
  const page = await site.person();
  await page.goto(site.server.url);
  const shown = await page.evaluate(async () => {
    const { useTexts } = await import('/pages/any/shared/texts.js');
    await useTexts({ en: () => import('/pages/any/supervisor/texts.en.js') });
    const { openCallback } = await import('/pages/any/supervisor/callback.js');
    const { draw } = await import('/pages/any/shared/view.js');
    const callback = { id: 'one', number: 'CB1', state: 'queued', attempts: 0, max_attempts: 3,
      priority: 5, medium: 'voice', customer: { name: 'Ada' }, schedule: {}, origin: {},
      next_attempt_at: null, promised_by: null, expires_at: null, closed_reason: null };
    const told = { '': callback, '/routing': { position: 1, candidates: [], would_change: [] },
      '/history': { items: [{ id: 1, type: 'callback.canceled', at: '2026-11-24T15:00:00Z',
        data: { closed_reason: 'by_customer', cancel_reason: 'see order_7' } }] } };
    const root = document.createElement('div');
    const texts = [];
    const page = { stats: { agents: [], queues: [] }, draw: () => draw(root, page.panel.render()),
      open: (name, render) => {
        page.panel = { render };
      },
      api: { get: async (path) => {
        // Something else is drawn while each of the answers is awaited.
        page.draw();
        texts.push(root.textContent);
        return told[path.replace('/v1/callbacks/one', '')];
      } } };
    openCallback(page, 'one');
    await page.panel.load();
    told[''] = { ...callback, state: 'accepted' };
    await page.panel.load();
    page.draw();
    return [...texts, root.textContent].join('\n');
  });
  assert.match(shown, /It is number 1 in line\./);
  assert.match(shown, /Accepted/);
  assert.doesNotMatch(shown, /why\./);
  assert.match(shown, /canceled by the customer: see order_7/);
});

test('axe finds nothing, and a phone’s width shows it all', BOUND, async () => {
  const page = await lead({ bypassCSP: true });
  await site.server.ask({ customer: { name: 'Radia Perlman' } });
  await opened(page, 'Radia Perlman');
  await page.getByText('Figures').first().click();
  assert.deepEqual(await accessibilityFaults(page), [], 'with a callback open');
  await page.setViewportSize({ width: 360, height: 740 });
  assert.deepEqual(await layoutFaults(page), [], 'with a callback open');
  await page.keyboard.press('Escape');
  assert.deepEqual(await layoutFaults(page), [], 'without');
  assert.deepEqual(await accessibilityFaults(page), [], 'on a phone');
  await page.goto(`${site.server.url}/supervisor?wallboard`);
  await page.locator('.queue').first().waitFor();
  assert.deepEqual(await accessibilityFaults(page), [], 'on a wall');
});
