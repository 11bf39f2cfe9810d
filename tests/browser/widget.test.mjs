// A customer asks for a callback: on the server's own page, and on a shop's with the element.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { accessibilityFaults, BOUND, layoutFaults, setUp, Shop, slotIn, until }
  from './harness.mjs';

const site = setUp(async (it) => {
  it.shop = await Shop.start();
  const ours = (config) => config.replace('https://shop.example', it.shop.origin);
  return (config) => ours(config).replace('https://desk.example', it.shop.origin);
});

const button = (page, name) => page.getByRole('button', { name, exact: true });
const EMBEDDED = 'queue="billing" key="public-key"';

/** The page on which customers ask. */
async function asking(options, queue = 'billing') {
  const page = await site.person(options);
  await page.goto(`${site.server.url}/callback?queue=${queue}`);
  await page.getByLabel('Your name').waitFor();
  return page;
}

/** The shop's page with the element. */
async function shopping(attributes = EMBEDDED, options = {}) {
  const { server, shop } = site;
  shop.shows(server, `<script type="module" src="${server.url}/widget.js"></script>`
    + `<main><h1>Shop</h1><ringback-callback ${attributes}></ringback-callback></main>`);
  const page = await site.person(options);
  await page.addInitScript(() => {
    globalThis.told = [];
    for (const name of ['created', 'rescheduled', 'canceled']) {
      addEventListener(`ringback-${name}`, ({ type, detail }) => {
        globalThis.told.push({ ...detail, event: type });
      });
    }
  });
  await page.goto(shop.origin);
  return page;
}

async function fill(page, name = 'Ada Lovelace', phone = '+49 30 123456') {
  await page.getByLabel('Your name').fill(name);
  await page.getByLabel('Your phone number').fill(phone);
}

test('now: what is missing is told, then the place in line, live', BOUND, async () => {
  const page = await asking();
  await page.getByRole('heading', { name: 'Your callback' }).waitFor();
  await page.getByLabel('Call me now').check();
  await button(page, 'Call me now').click();
  await page.getByText('Tell us whom to ask for.').waitFor();
  await page.getByText('Give your number with its area code').waitFor();
  assert.equal(await page.getByLabel('Your name').getAttribute('aria-invalid'), 'true');
  await fill(page, 'Grace Hopper', '+49 12');
  // What was wrong with a field is gone with the first change of it.
  await page.locator('[aria-invalid="true"]').waitFor({ state: 'detached' });
  await page.locator('.banner.problem').waitFor({ state: 'detached' });
  await page.getByLabel('What is it about?').fill('Charged twice');
  await button(page, 'Call me now').click();
  // What only the server knows stands beside the field as well.
  await page.locator('[aria-invalid="true"]').waitFor();
  assert.equal(await page.getByLabel('Your phone number').getAttribute('aria-invalid'), 'true');
  assert.equal(await page.getByLabel('Your name').inputValue(), 'Grace Hopper');
  await fill(page, 'Grace Hopper', '+49 30 7654321');
  await button(page, 'Call me now').click();
  await page.getByText('You are number 1 in line.').first().waitFor();
  assert.match(page.url(), /\/callback\/[\w-]{40,}/);
  await page.reload();
  await page.getByText('You are number 1 in line.').first().waitFor();
  const desk = await site.agent('mara-key-1');
  await desk.locator('.offer').getByText('Charged twice').waitFor();
  await button(desk, 'Accept').click();
  await page.getByText('It is your turn').first().waitFor();
  await button(page, 'Cancel it').click();
  await button(page, 'Yes, cancel it').click();
  await page.getByText('This callback is canceled').first().waitFor();
  await button(page, 'Ask for another callback').click();
  await page.getByLabel('Your name').waitFor();
});

test('later: a slot that is gone meanwhile, the nearest in its place, nothing typed lost', BOUND,
  async () => {
    const page = await asking({ timezoneId: 'America/New_York' });
    await fill(page, 'Barbara Liskov', '+49 30 5550003');
    await page.getByLabel('Call me later').check();
    await page.getByLabel('Date').selectOption({ index: 2 });
    const slot = page.locator('.slots button').nth(4);
    await slot.click();
    const time = await slot.textContent();
    const day = await page.getByLabel('Date').inputValue();
    const start = await page.evaluate((local) => new Date(local).toISOString(), `${day}T${time}`);
    for (const last of '1234') {
      await site.server.ask({ type: 'scheduled', schedule: { start },
        customer: { phone: `+49301234567${last}` } });
    }
    await button(page, 'Book the callback').click();
    const nearest = page.locator('.problem button');
    await nearest.first().waitFor();
    assert.equal(await page.getByLabel('Your name').inputValue(), 'Barbara Liskov');
    await page.locator('.slots button', { hasText: time }).waitFor({ state: 'detached' });
    await nearest.first().click();
    await page.locator('.slots button[aria-pressed="true"]').waitFor();
    await button(page, 'Book the callback').click();
    await page.getByText('We will call you on').first().waitFor();
    const { items } = await site.server.as('lead-key-1')('GET', '/v1/callbacks?q=Barbara');
    assert.notEqual(items[0].schedule.start, start);
    assert.equal(items[0].customer.time_zone, 'America/New_York');
    const download = page.waitForEvent('download');
    await button(page, 'Calendar file').click();
    assert.equal((await download).suggestedFilename(), `${items[0].number}.ics`);
  });

test('killed and started again under the page: told, nothing typed lost, followed on', BOUND,
  async () => {
    const page = await asking();
    await page.getByLabel('Call me now').check();
    await fill(page, 'Alan Turing', '+49 30 5550009');
    await site.server.kill();
    const restarted = site.server.run();
    await button(page, 'Call me now').click();
    await restarted;
    await page.getByText('You are number 1 in line.').first().waitFor();
    await site.server.kill();
    await page.getByText('No connection at the moment').waitFor();
    await site.server.run();
    await page.getByText('No connection at the moment').waitFor({ state: 'detached' });
    const { items } = await site.server.as('lead-key-1')('GET', '/v1/callbacks?q=Alan');
    assert.equal(items.length, 1);
    await button(page, 'Cancel it').click();
    await button(page, 'Yes, cancel it').click();
    await page.getByText('This callback is canceled').first().waitFor();
  });

test('by video, with an address for the link', BOUND, async () => {
  const page = await asking({}, 'sales');
  await page.getByLabel('Video').check();
  await page.getByLabel('Your name').fill('Radia Perlman');
  await page.getByLabel('Your e-mail address').fill('nowhere');
  await page.locator('.slots button').last().click();
  await button(page, 'Book the callback').click();
  await page.getByText('Give an address like').waitFor();
  await page.getByLabel('Your e-mail address').fill('radia@example.com');
  await button(page, 'Book the callback').click();
  const join = await page.getByRole('link', { name: 'Join the video call' }).getAttribute('href');
  const lead = site.server.as('lead-key-1');
  const { items: [made] } = await lead('GET', '/v1/callbacks?q=Radia');
  assert.equal(made.medium, 'video');
  assert.equal(made.customer.email, 'radia@example.com');
  const desk = await site.agent('tom-key-1');
  await lead('POST', `/v1/callbacks/${made.id}/assign`, { agent_id: 'tom' });
  const call = desk.locator('.actions').getByRole('link', { name: 'Call', exact: true });
  const host = await call.getAttribute('href');
  assert.equal(await call.getAttribute('target'), '_blank');
  const [theirs, ours] = [join, host].map((href) => new URL(href));
  assert.equal(theirs.host, 'meet.example');
  assert.equal(ours.pathname, theirs.pathname);
  assert.notEqual(ours.search, theirs.search);
  await page.getByText('It is your turn').first().waitFor();
  await lead('POST', `/v1/callbacks/${made.id}/close`, { resolved: true });
});

test('the shop turns to another queue and language: nothing typed is lost', BOUND, async () => {
  const page = await shopping('queue="billing" key="public-key" locale="en"');
  await fill(page, 'Mary Shaw', '+49 30 5550011');
  await page.evaluate(() => {
    const element = document.querySelector('ringback-callback');
    element.setAttribute('queue', 'sales');
    element.setAttribute('locale', 'de');
  });
  await page.getByRole('heading', { name: /Sales/ }).waitFor();
  assert.equal(await page.getByLabel('Ihr Name').inputValue(), 'Mary Shaw');
  await page.getByLabel('Jetzt anrufen').check();
  await page.getByRole('button', { name: 'Rufen Sie mich jetzt an' }).click();
  await page.getByText('Sie sind Nummer 1').first().waitFor();
  const { items } = await site.server.as('lead-key-1')('GET', '/v1/callbacks?q=Mary');
  assert.deepEqual(items.map(({ queue }) => queue), ['sales']);
  await site.server.as('lead-key-1')('POST', `/v1/callbacks/${items[0].id}/cancel`, {});
});

test('in a shop’s page: what the page knows goes along, and it is told', BOUND, async () => {
  const page = await shopping();
  await page.evaluate(() => Object.assign(document.querySelector('ringback-callback'), {
    customer: { id: 'CON7', account: 'ACME', name: 'Never used' },
    context: { searches: [{ query: 'charged twice' }] },
    reason: 'invoice', case_id: 'CS7', interaction_ref: 'IMS7',
  }));
  await page.getByLabel('Call me later').check();
  await page.locator('.slots button').last().click();
  await fill(page, '<b>Conny</b>', '+49 30 5550001');
  await button(page, 'Book the callback').click();
  await page.getByText('We will call you on').first().waitFor();
  const [created] = await page.evaluate(() => globalThis.told);
  assert.equal(created.event, 'ringback-created');
  const callback = await site.server.get(created.id);
  assert.deepEqual([callback.customer.id, callback.customer.account, callback.customer.name],
    ['CON7', 'ACME', '<b>Conny</b>']);
  assert.deepEqual([callback.reason, callback.origin.case_id, callback.origin.interaction_ref],
    ['invoice', 'CS7', 'IMS7']);
  assert.equal(callback.origin.channel, 'engagement_messenger');
  assert.equal(callback.context.searches[0].query, 'charged twice');
  // Followed again after a reload, without anything in the address.
  await page.reload();
  await page.getByText(created.number).waitFor();
  assert.equal(page.url(), `${site.shop.origin}/`);
  await button(page, 'Another time').click();
  await page.getByLabel('Date').selectOption({ index: 3 });
  await page.locator('.slots button').last().click();
  await button(page, 'Move it').click();
  await until('it is moved', async () =>
    (await site.server.get(created.id)).schedule.start !== callback.schedule.start);
  await button(page, 'Cancel it').click();
  await button(page, 'Yes, cancel it').click();
  await page.getByText('This callback is canceled').first().waitFor();
  const types = await page.evaluate(() => globalThis.told.map((one) => one.event));
  assert.deepEqual(types, ['ringback-rescheduled', 'ringback-canceled']);
});

test('another site’s page learns why it may not', BOUND, async () => {
  const shop = await Shop.start();
  try {
    shop.shows(site.server, `<script type="module" src="${site.server.url}/widget.js"></script>`
      + `<ringback-callback ${EMBEDDED}></ringback-callback>`);
    const page = await site.person();
    await page.goto(shop.origin);
    await page.getByText('No connection at the moment').waitFor();
    assert.equal(await page.getByLabel('Your name').count(), 0);
    page.faults.length = 0;
    // Neither may it show the pages in a frame; the settings' sites may, but not the supervisor's.
    const framed = async (one, path, label) => {
      one.shows(site.server, `<iframe src="${site.server.url}${path}"></iframe>`);
      await page.goto(one.origin);
      const shown = page.frameLocator('iframe').getByLabel(label);
      await until(`${path} is shown or refused`, async () =>
        (await shown.count()) || page.faults.some((it) => /frame/i.test(it)));
      page.faults.length = 0;
      return (await shown.count()) === 1;
    };
    for (const [path, label, ours] of [['/callback?queue=billing', 'Your name', true],
      ['/agent', 'Token', true], ['/supervisor', 'Token', false]]) {
      assert.equal(await framed(site.shop, path, label), ours, path);
      assert.equal(await framed(shop, path, label), false, path);
    }
  } finally {
    await shop.stop();
  }
});

test('a CRM shows the agent’s page in a frame: signed in there, and forms filled in', BOUND,
  async () => {
    const { server, shop } = site;
    const desk = (fields) => `${server.url}/agent#schedule?${new URLSearchParams(fields)}`;
    shop.shows(server, `<iframe width="900" height="700" src="${desk({ case_id: 'CS21',
      name: 'Radia Perlman', phone: '+49 30 5550021', channel: 'chat' })}"></iframe>`);
    const page = await site.person();
    // As a browser does that keeps nothing for frames of other sites.
    await page.addInitScript(() => {
      for (const name of ['localStorage', 'sessionStorage']) {
        Object.defineProperty(globalThis, name, { get: () => {
          throw new DOMException('closed', 'SecurityError');
        } });
      }
    });
    await page.goto(shop.origin);
    const frame = page.frameLocator('iframe');
    await frame.getByLabel('Token').fill('mara-key-1');
    await frame.getByRole('button', { name: 'Sign in' }).click();
    const name = frame.getByLabel('Customer’s name');
    assert.equal(await name.inputValue(), 'Radia Perlman');
    await frame.locator('.panel summary').click();
    assert.equal(await frame.getByLabel('Case').inputValue(), 'CS21');
    await frame.getByLabel('Date').fill(slotIn(48).slice(0, 10));
    await button(frame, 'Book').click();
    await frame.getByRole('link', { name: 'Open the record' }).waitFor();
    const { items } = await server.as('lead-key-1')('GET', '/v1/callbacks?case_id=CS21');
    assert.deepEqual([items[0].origin.channel, items[0].booked_by], ['chat', 'mara']);
    // Another case, while the page is open already.
    await page.evaluate((src) => {
      document.querySelector('iframe').src = src;
    }, desk({ case_id: 'CS22', name: 'Mary Shaw' }));
    await until('the next one', async () => (await name.inputValue()) === 'Mary Shaw');
    const urls = page.frames().map((one) => one.url());
    assert.deepEqual(urls, [`${shop.origin}/`, `${server.url}/agent`]);
  });

test('a browser that keeps nothing, and one whose storage is full: asked and followed', BOUND,
  async () => {
    const page = await site.person();
    await page.addInitScript(() => {
      Object.defineProperty(globalThis, 'localStorage', { value: null });
      Storage.prototype.setItem = () => {
        throw new DOMException('full', 'QuotaExceededError');
      };
    });
    const { server, shop } = site;
    shop.shows(server, `<script type="module" src="${server.url}/widget.js"></script>`
      + `<ringback-callback ${EMBEDDED}></ringback-callback>`);
    await page.goto(shop.origin);
    await page.getByLabel('Call me now').check();
    await fill(page, 'John Backus', '+49 30 5550012');
    await button(page, 'Call me now').click();
    await page.getByText('In line', { exact: true }).waitFor();
    const lead = server.as('lead-key-1');
    const { items: [{ id }] } = await lead('GET', '/v1/callbacks?q=John');
    await lead('POST', `/v1/callbacks/${id}/cancel`, {});
    await page.getByText('This callback is canceled').first().waitFor();
    const kept = await page.evaluate(async (url) => {
      const { keepInTab, lasting, tab } = await import(`${url}/pages/any/shared/kept.js`);
      keepInTab('draft', 'words');
      lasting.setItem('theme', 'dark');
      const names = tab.names().includes('draft');
      const both = [tab.getItem('draft'), lasting.getItem('theme')];
      keepInTab('draft', null);
      return [names, ...both, tab.getItem('draft')];
    }, server.url);
    assert.deepEqual(kept, [true, 'words', 'dark', null]);
  });

test('a browser whose zone the server refuses, or that doesn’t know the booking’s', BOUND,
  async () => {
    const odd = (own, unknown) => {
      const { DateTimeFormat } = Intl;
      const { resolvedOptions } = DateTimeFormat.prototype;
      DateTimeFormat.prototype.resolvedOptions = function resolved() {
        return { ...resolvedOptions.call(this), timeZone: own };
      };
      Intl.DateTimeFormat = function Format(locale, options) {
        if (options?.timeZone === unknown) throw new RangeError(`Invalid time zone: ${unknown}`);
        return new DateTimeFormat(locale, options);
      };
      Intl.DateTimeFormat.prototype = DateTimeFormat.prototype;
    };
    const init = (own, unknown) => `(${odd})('${own}', '${unknown}')`;
    const page = await site.person();
    await page.addInitScript(init('CET', 'none'));
    await page.goto(`${site.server.url}/callback?queue=billing`);
    await page.getByLabel('Call me now').check();
    await fill(page, 'Annie Easley', '+49 30 5550013');
    await button(page, 'Call me now').click();
    await page.getByText('In line', { exact: true }).waitFor();
    const lead = site.server.as('lead-key-1');
    const { items: [{ id, customer }] } = await lead('GET', '/v1/callbacks?q=Annie');
    assert.equal(customer.time_zone, null);
    await lead('POST', `/v1/callbacks/${id}/cancel`, {});
    // Days after the slot that another test fills.
    const start = slotIn(100);
    const asked = await site.server.ask({ type: 'scheduled', customer: { phone: '+49305550014' },
      schedule: { start, time_zone: 'America/New_York' } });
    const other = await site.person();
    await other.addInitScript(init('Etc/Unknown', 'America/New_York'));
    await other.goto(`${site.server.url}/callback/${asked.manage_token}`);
    await other.getByText('We will call you on').first().waitFor();
    assert.equal(await other.getByText('New York').count(), 0);
    const desk = await site.person();
    await desk.addInitScript(init('Europe/Berlin', 'America/New_York'));
    await desk.goto(`${site.server.url}/supervisor`);
    await desk.getByLabel('Token').fill('lead-key-1');
    await desk.keyboard.press('Enter');
    await button(desk, asked.number).click();
    await desk.locator('.panel').getByText('It waits for its time').waitFor();
    await lead('POST', `/v1/callbacks/${asked.id}/cancel`, {});
  });

test('what no field is marked for is told as the server says it', BOUND, async () => {
  const page = await shopping();
  await page.evaluate(() => {
    document.querySelector('ringback-callback').customer = { id: 'x'.repeat(300) };
  });
  await page.getByLabel('Call me now').check();
  await fill(page, 'Kathleen Booth', '+49 30 5550015');
  await button(page, 'Call me now').click();
  await page.locator('.problem').getByText('/customer/id must be').waitFor();
  assert.equal(await page.locator('[aria-invalid="true"]').count(), 0);
});

test('an asking that fails by itself isn’t the last one', BOUND, async () => {
  const page = await site.person();
  await page.clock.install();
  await page.goto(site.server.url);
  await page.evaluate(async () => {
    const { Polling } = await import('/pages/any/callback/polling.js');
    globalThis.asked = 0;
    new Polling(() => {
      globalThis.asked += 1;
      if (globalThis.asked === 1) throw new Error('as a fault of the page would');
      return { after: 60000, notBefore: 0 };
    }).begin();
  });
  await page.clock.runFor(20000);
  await until('it is asked again', () => page.evaluate(() => globalThis.asked === 2));
  await until('the fault is told', () => page.faults.length === 1);
  page.faults.length = 0;
});

test('in the language that the site names, however it writes it', BOUND, async () => {
  const page = await shopping(`${EMBEDDED} locale="de_DE"`);
  await page.getByLabel('Ihr Name').waitFor();
  await page.getByLabel('Später anrufen').check();
  await page.locator('.slots button').first().waitFor();
  const locales = await page.evaluate(async (url) => {
    const { holdTo, locale } = await import(`${url}/pages/any/shared/texts.js`);
    return ['de_AT', 'de_DE.UTF-8', 'DE', 'nonsense!', 'toString', 'fr-FR', null].map((one) => {
      holdTo(one);
      return locale();
    });
  }, site.server.url);
  assert.deepEqual(locales, ['de-AT', 'de', 'de', 'en-GB', 'en-GB', 'en-GB', 'en-GB']);
});

test('in the language that the site names, and by keys alone', BOUND, async () => {
  const page = await shopping(`${EMBEDDED} locale="de" src="${site.server.url}"`);
  await page.getByLabel('Ihr Name').waitFor();
  assert.equal(await page.locator('html').getAttribute('lang'), 'en');
  const reach = async (name) => {
    const focused = () => page.evaluate(() => {
      const it = document.activeElement.shadowRoot?.activeElement;
      return it?.labels?.[0]?.textContent ?? it?.textContent ?? '';
    });
    for (let presses = 0; presses < 40; presses += 1) {
      await page.keyboard.press('Tab');
      if (name.test(await focused())) return;
    }
    assert.fail(`${name} isn’t reached by Tab`);
  };
  await reach(/^Ihr Name/);
  await page.keyboard.type('Edsger');
  await reach(/^Ihre Telefonnummer/);
  await page.keyboard.type('+49 30 5550002');
  await page.keyboard.press('Enter');
  await page.locator('.standing:focus').getByText('Sie sind Nummer').waitFor();
  const [{ id }] = await page.evaluate(() => globalThis.told);
  assert.equal((await site.server.get(id)).customer.locale, 'de');
  await site.server.as('lead-key-1')('POST', `/v1/callbacks/${id}/cancel`, {});
});

test('taken out of the page it asks for nothing, put back it goes on', BOUND, async () => {
  const page = await shopping();
  await page.clock.install();
  await page.getByLabel('Call me now').check();
  await fill(page, 'Tony Hoare', '+49 30 5550010');
  await button(page, 'Call me now').click();
  await page.getByText('In line', { exact: true }).waitFor();
  const [{ id }] = await page.evaluate(() => {
    globalThis.taken = document.querySelector('ringback-callback');
    globalThis.taken.remove();
    return globalThis.told;
  });
  const requests = [];
  page.on('request', (request) => requests.push(request.url()));
  await site.server.as('lead-key-1')('POST', `/v1/callbacks/${id}/cancel`, {});
  await page.clock.fastForward(60000);
  // What was asked for before this one has been told of by then.
  await page.evaluate(() => fetch('/'));
  assert.deepEqual(requests, [`${site.shop.origin}/`]);
  await page.evaluate(() => document.querySelector('main').append(globalThis.taken));
  await page.getByText('This callback is canceled').first().waitFor();
});

test('axe finds nothing, and a phone’s width shows it all', BOUND, async () => {
  const options = { bypassCSP: true, size: [360, 740] };
  for (const page of [await asking(options), await shopping(EMBEDDED, options)]) {
    await page.getByLabel('Call me later').check();
    await page.locator('.slots button').first().waitFor();
    await button(page, 'Book the callback').waitFor();
    await page.locator('.slots button').first().click();
    await button(page, 'Book the callback').click();
    await page.getByText('Tell us whom to ask for.').waitFor();
    assert.deepEqual(await accessibilityFaults(page), []);
    assert.deepEqual(await layoutFaults(page), []);
  }
});
