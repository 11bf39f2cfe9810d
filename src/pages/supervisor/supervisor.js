// The supervisor's page: queues, agents and callbacks as they are now, and what can be done about
// them. `?wallboard` shows the same for a wall: larger, and without anything to click.

import { client } from '../shared/api.js';
import '../shared/clock.js';
import { Events } from '../shared/events.js';
import { Page } from '../shared/page.js';
import { Door } from '../shared/signin.js';
import { setClock } from '../shared/time.js';
import { t, useTexts } from '../shared/texts.js';
import { draw, h } from '../shared/view.js';
import { agents } from './agents.js';
import { CallbackTable } from './callbacks.js';
import { bar, notes } from './frame.js';
import { queues } from './queues.js';
import { Day } from './trend.js';

await useTexts({ en: () => import('./texts.en.js'), de: () => import('./texts.de.js') });

const root = document.getElementById('page');
/** Whatever happens is shown after so long, together with all that happens until then. */
const GATHER_MS = 1000;
/** What changes without an event, as opening hours do, is asked for so often. */
const POLL_MS = 30000;
const NOTES_MAX = 3;

/** What is known and what is open. */
const page = new Page(root, render);
Object.assign(page, {
  wallboard: new URLSearchParams(location.search).has('wallboard'),
  api: null, stats: null, lost: false, notes: [], events: null, opened: new Set(),
});

/** Tells something until it is dismissed, and to screen readers once. */
page.tell = (kind, text) => {
  page.notes = [...page.notes.slice(1 - NOTES_MAX), { kind, text, id: Math.random() }];
  page.say(text);
  page.draw();
};

/** Does something; a refusal is told. What came of it is told by an event. */
page.act = async (label, run) => {
  try {
    await run(page.api);
    page.tell('good', label);
    page.refresh();
  } catch (problem) {
    page.tell('bad', `${label}: ${problem.message}`);
  }
};

page.signOut = (why) => {
  page.events?.close();
  Object.assign(page, { api: null, stats: null });
  page.door.leave(why);
};

/** Asks how everything is, now: figures, the list, and what is open beside them. */
page.refresh = async () => {
  const { api } = page;
  if (!api) return;
  try {
    const [stats] = await Promise.all([api.get('/v1/stats'), page.day.load(),
      !page.wallboard && page.table.load(), page.panel?.load?.()]);
    if (page.api !== api) return;
    setClock(stats.at);
    Object.assign(page, { stats, lost: !page.following });
  } catch (problem) {
    if (page.api !== api) return;
    if (problem.status === 401 || problem.status === 403) return page.refuse(problem.status);
    page.lost = true;
  }
  return page.draw();
};

page.refuse = (status) =>
  page.signOut(t(status === 401 ? 'signin.credential' : 'signin.no_supervisor'));

let gathering = null;
/** Shows what happened, soon, if somebody looks. */
function changed() {
  if (gathering || document.hidden) return;
  gathering = setTimeout(() => {
    gathering = null;
    page.refresh();
  }, GATHER_MS);
}

page.door = new Door(page, 'supervisor', (value) => {
  const api = client(value);
  Object.assign(page, { api, day: new Day(api), stats: null });
  page.table = new CallbackTable(page);
  page.following = false;
  page.events = new Events(value, {
    event: changed,
    open: () => {
      page.following = true;
      page.refresh();
    },
    lost: () => {
      Object.assign(page, { following: false, lost: true });
      page.draw();
    },
    refused: page.refuse,
  });
});

function render() {
  if (!page.api) return draw(root, page.door.view());
  if (!page.stats) {
    return draw(root, page.door.wait(t(page.lost ? 'super.lost' : 'super.loading')));
  }
  const { wallboard } = page;
  return draw(
    root,
    bar(page),
    notes(page),
    h(
      'div',
      { class: `board${page.panel ? ' with-panel' : ''}${wallboard ? ' wall' : ''}`, key: 'board' },
      h(
        'main.stack.main',
        null,
        queues(page),
        h('div.columns', null, agents(page), !wallboard && page.table.view()),
      ),
      page.panelView(),
    ),
  );
}

page.door.begin();
document.addEventListener('visibilitychange', changed);
setInterval(changed, POLL_MS);
