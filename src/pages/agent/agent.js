// The agent's page: who is signed in, what is open on it, and which keys do what.

import { client } from '../shared/api.js';
import '../shared/clock.js';
import { Page } from '../shared/page.js';
import { Door } from '../shared/signin.js';
import { t, useTexts } from '../shared/texts.js';
import { draw, h } from '../shared/view.js';
import { Desk } from './desk.js';
import { bar, notices } from './frame.js';
import { accept, decline, inbox } from './inbox.js';
import { CallbackList } from './list.js';
import { fromAddress, scheduleForm } from './schedule.js';
import { announce, title } from './signals.js';
import { work } from './work.js';

await useTexts({ en: () => import('./texts.en.js'), de: () => import('./texts.de.js') });

const root = document.getElementById('page');

/** What is open: which assignment, whether the list, and a panel beside it. */
const page = new Page(root, render);
Object.assign(page, { desk: null, api: null, list: null, selected: null, showList: false });

page.signOut = (why) => {
  const { unanswered } = page.desk.socket.state();
  const list = unanswered.map(({ label }) => label).join(', ');
  page.desk.socket.close();
  page.desk = null;
  page.door.leave(list ? `${why ?? ''} ${t('signin.unanswered', { list })}` : why);
};

page.door = new Door(page, 'agent', (value) => {
  page.api = client(value);
  page.list = new CallbackList(page);
  let was = 'connecting';
  page.desk = new Desk(value, {
    changed: () => {
      const { status } = page.desk?.socket.state() ?? {};
      if (status === 'lost' && was !== 'lost') page.say(t('socket.lost'));
      if (status === 'open' && was === 'lost') page.say(t('socket.back'));
      was = status ?? was;
      page.draw();
    },
    offered: (offer) => announce(offer, (id) => page.desk?.offers.has(id)),
    ended: (why) => page.signOut(t(`signin.${why}`)),
  });
});

function render() {
  const { desk } = page;
  title(desk?.firstOffer, desk?.offers.size, desk?.socket.state().status === 'lost');
  if (!desk) return draw(root, page.door.view());
  if (!desk.ready) return draw(root, page.door.wait(t('connection.connecting')));
  if (page.later) queueMicrotask(page.later);
  page.later = null;
  if (!desk.assignments.has(page.selected)) {
    page.selected = desk.assignments.keys().next().value ?? null;
  }
  const listed = page.showList || !page.selected;
  return draw(
    root,
    h('a.skip', { href: '#main', key: 'skip' }, t('page.skip')),
    bar(page),
    notices(page),
    h(
      'div',
      { class: `desk${page.panel ? ' with-panel' : ''}`, key: 'desk' },
      h('aside.inbox.stack', { 'aria-label': t('inbox.title') }, inbox(page)),
      h(
        'main',
        { id: 'main', tabindex: '-1', class: 'main' },
        listed ? page.list.view() : work(page, desk.assignments.get(page.selected)),
      ),
      page.panelView(),
    ),
  );
}

/** Answers by keys are chords that no field takes, so typing never answers an offer. */
function chord(event) {
  if (event.key === 'Escape') return closeMenus(null);
  if (!event.ctrlKey || !event.shiftKey || event.altKey || event.repeat) return undefined;
  const offer = page.desk?.firstOffer;
  const answer = { Enter: accept, Backspace: decline }[event.key];
  if (!offer || !answer) return undefined;
  event.preventDefault();
  return answer(page, offer);
}

function closeMenus(except) {
  for (const menu of document.querySelectorAll('details.menu[open]')) {
    if (menu.contains(except)) continue;
    menu.open = false;
    if (!except) menu.querySelector('summary').focus();
  }
}

/** `/agent#schedule?…`, from a CRM; what it carries doesn't stay in the address. */
function address() {
  const fields = fromAddress(location.hash);
  if (!fields) return;
  history.replaceState(null, '', location.pathname);
  const open = () => page.open(t('schedule.title'), scheduleForm(page, fields));
  if (page.desk?.ready) open();
  else page.later = open;
}

document.addEventListener('keydown', chord);
document.addEventListener('click', (event) => closeMenus(event.target));
addEventListener('hashchange', address);
address();
page.door.begin();
