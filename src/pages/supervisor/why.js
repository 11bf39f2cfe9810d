// Why a callback isn't with anybody yet, in the reader's words.
//
// The API tells codes, and what is behind them in English sentences. Those are taken apart here and
// said anew; one that isn't known is shown as it came. src/domain/machines/router/trace.rs writes
// them, but for that of the deny list, which src/wire/trace.rs writes.

import { instant, span } from '../shared/time.js';
import { locale, t, word } from '../shared/texts.js';
import { h } from '../shared/view.js';

/** Agents who can't take it are told up to so many for each reason. */
const CANDIDATES_MAX = 12;

/** What is behind an agent's failing; nameless is what says no more than the failing itself. */
const DETAILS = [
  [null, /^(?:is offline|is away|has no session|doesn't serve \S+)$/],
  [null, /^declined it with a reason that bars them for good$/],
  ['no_agent', /^there is no such agent$/],
  ['skill', /^needs (?<skill>.+) at level (?<level>\d+), has (?<held>\w+)$/],
  ['too_large', /^has no room for (?<size>\d+) units of \w+ even when free$/],
  ['units', /^needs \d+ free, uses (?<used>\d+) of (?<units>\d+) units$/],
  ['kept', /^keeps the free units for a larger one before it$/],
  ['medium', /^holds as much (?<medium>\w+) as they may: (?<held>\d+)$/],
  ['again', /^declined it, is offered it again in (?<left>\d+) s$/],
  ['waits_for', /^it waits for (?<agent>\S+)$/],
];

/** One agent, or the first of several. */
const who = (change) => new RegExp(`^(?:One of (?<count>\\d+) agents ${change}: `
  + `(?<agents>[^…]+?)(?:, …)?|(?<agent>\\S+) ${change})\\.$`);

/** What would have to change. */
const CHANGES = [
  ['resumed', /^Offers of (?<queue>\S+) are resumed\.$/],
  ['only', /^(?<agent>\S+) can take it; it waits for nobody else\.$/],
  ['preferred', /^(?<agent>\S+) can take it, or the wait for them ends in (?<left>\d+) s\.$/],
  ['cooled', /^(?<agent>\S+)'s cool-down ends in (?<left>\d+) s\.$/],
  ['room', who('has room again')],
  ['connects', who('connects')],
  ['available', who('becomes available')],
  ['skilled', who('is given the skills asked for')],
  ['expires', /^A requirement expires in (?<left>\d+) s\.$/],
  ['member', /^An agent is added to (?<queue>\S+)\.$/],
  ['undenied', /^take the number off the deny list$/],
];

/** One of the API's sentences in the reader's words. */
export function reworded(kind, sentence, names) {
  const list = kind === 'detail' ? DETAILS : CHANGES;
  for (const [name, pattern] of list) {
    const found = pattern.exec(sentence)?.groups ?? (pattern.test(sentence) && {});
    if (found) return name ? t(`${kind}.${name}`, values(found, names)) : '';
  }
  return sentence;
}

function values({ agent, agents, count, queue, left, medium, held, ...more }, names) {
  const named = (agents?.split(', ') ?? [agent]).filter(Boolean).map(names.agent);
  const others = count - named.length;
  if (others === 1) named.push(t('change.other'));
  if (others > 1) named.push(t('change.others', { count: others }));
  return { ...more, queue: queue && names.queue(queue), left: left && span(left),
    medium: medium && word('medium', medium), held: held === 'none' ? t('detail.none') : held,
    agent: new Intl.ListFormat(locale(), { type: 'disjunction' }).format(named) };
}

/** Why nobody could ever take it, by the API's code. */
export function unroutable(code) {
  const [reason, skill] = code.split(':');
  return skill ? t(`unroutable.${reason}`, { skill }) : word('unroutable', reason);
}

/** The place in line, who can't take it and why, and what would change it. */
export function why(page, callback, trace) {
  if (!trace) return null;
  const { position, candidates, would_change: changes } = trace;
  const known = (all) => (id) => all.find((one) => one.id === id)?.name ?? id;
  const names = { agent: known(page.stats.agents), queue: known(page.stats.queues) };
  const able = candidates.filter((one) => one.eligible).map((one) => names.agent(one.agent_id));
  const groups = Map.groupBy(candidates.filter((one) => !one.eligible), (one) => one.failed);
  return h('section.stack', { key: 'why' },
    h('h3', null, t('why.title')),
    h('p', null, t(`why.${callback.state}`, { position: position ?? '–',
      at: callback.next_attempt_at ? instant(callback.next_attempt_at) : '–',
      name: names.agent(callback.offered_to) })),
    callback.unroutable && h('p.banner.bad', null, t('why.unroutable'), ' ',
      unroutable(callback.unroutable)),
    able.length > 0 && h('p', null, t('why.able', { names: able.join(', ') })),
    h('ul.stack.tight-list', null, [...groups].map(([failed, all]) => h('li', {
      key: failed }, h('strong', null, word('failed', failed)), ' ',
    all.slice(0, CANDIDATES_MAX).map((one) => candidate(one, names)).join(', '),
    all.length > CANDIDATES_MAX && ` … (${all.length})`))),
    changes.length > 0 && [h('p', { key: 'change' }, t('why.change')),
      h('ul.changes', { key: 'changes' }, changes.map((one) =>
        h('li', { key: one }, reworded('change', one, names))))]);
}

/** The agent, with what the failing doesn't say already. */
function candidate({ agent_id: id, detail }, names) {
  const more = reworded('detail', detail, names);
  return more ? `${names.agent(id)} (${more})` : names.agent(id);
}
