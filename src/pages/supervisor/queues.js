// The queues: their lines, how long the oldest waits, and whether they take and offer.

import { Form } from '../shared/dialogs.js';
import { now, span } from '../shared/time.js';
import { locale, t } from '../shared/texts.js';
import { h } from '../shared/view.js';
import { tables, trends } from './trend.js';

const since = (seconds) => new Date(now() - seconds * 1000).toISOString();

/** All of them. */
export function queues(page) {
  return h('section.queues', { 'aria-label': t('queues.title'), key: 'queues' },
    page.stats.queues.map((queue) => card(page, queue)));
}

const NONE = '–';

/** A share as the reader writes it. */
function percent(share) {
  return share === null ? NONE
    : new Intl.NumberFormat(locale(), { style: 'percent' }).format(share);
}

function card(page, queue) {
  const { waiting, oldest_wait_seconds: oldest, estimate, windows: { day } } = queue;
  const { estimated_wait_seconds: expected } = queue;
  const promised = day.promises_kept + day.promises_broken;
  const figure = (name, value) => h('div', { key: name }, h('dt', null, t(`queues.${name}`)),
    h('dd', null, value));
  return h(
    'article.card.queue',
    { key: queue.id, 'aria-label': queue.name },
    h('div.row', null,
      h('h2.grow', null, queue.name),
      !queue.open && h('span.pill', null, t('queues.closed')),
      queue.intake_paused && h('span.pill.warn', null, t('queues.intake_paused')),
      queue.offers_paused && h('span.pill.warn', null, t('queues.offers_paused'))),
    h('dl.figures', { key: 'now' },
      figure('waiting', h('strong.big', null, waiting)),
      figure('oldest', oldest === null ? NONE : h('rb-since', { at: since(oldest) })),
      figure('with_agents', queue.with_agents),
      figure('estimate', [expected === null ? NONE : span(expected),
        estimate?.scored > 0 && h('span.muted.small.right', null,
          t('queues.right', { share: percent(estimate.inside_share) }))])),
    h('h3', { key: 'today' }, t('queues.today')),
    h('dl.figures', { key: 'day' },
      figure('level', percent(day.service_level)),
      figure('on_time', percent(day.on_time)),
      figure('promises', promised
        ? t('queues.of', { kept: day.promises_kept, promised }) : NONE),
      figure('reached', percent(day.reach_rate))),
    trends(page, queue),
    !page.wallboard && h('div.row.foot', null, tables(page, queue), pause(page, queue)),
  );
}

function pause(page, queue) {
  const paused = queue.intake_paused || queue.offers_paused;
  const path = `/v1/queues/${queue.id}`;
  const resume = () => page.act(t('queues.resumed', { name: queue.name }),
    (api) => api.post(`${path}/resume`));
  if (paused) {
    return h('button', { key: 'resume', onclick: resume,
      'aria-label': `${t('queues.resume')}: ${queue.name}` }, t('queues.resume'));
  }
  return h('button.quiet', { key: 'pause', onclick: () => ask(page, queue, path),
    'aria-label': `${t('queues.pause')}: ${queue.name}` }, t('queues.pause'));
}

function ask(page, queue, path) {
  const form = new Form(page, { intake: true, offers: false, reason: '' });
  form.submit = async ({ intake, offers, reason }) => {
    const body = reason.trim() ? { intake, offers, reason: reason.trim() } : { intake, offers };
    await page.api.post(`${path}/pause`, body);
    page.tell('good', t('queues.paused', { name: queue.name }));
    page.refresh();
    page.close();
  };
  page.open(`${t('queues.pause')}: ${queue.name}`, () => form.view([
    form.check('intake', t('queues.pause_intake')),
    form.check('offers', t('queues.pause_offers')),
    form.input('reason', t('form.reason'), { maxlength: '200' }),
  ], t('queues.pause'), !form.values.intake && !form.values.offers));
}
