// Times as the reader's clock and calendar show them, and as another zone's do.

import { locale } from './texts.js';

const own = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The reader's zone; there are browsers that name one which they don't take. */
export const HERE = isZone(own) ? own : 'UTC';

/** By how much clocks go back: by an hour, on Lord Howe by half of one, at Troll by two. */
const STEPS_BACK_MS = [3600000, 1800000, 7200000];

let offset = 0;

/** Sets the clock by the server's, which all deadlines are told by. */
export function setClock(at) {
  const server = Date.parse(at);
  if (!Number.isNaN(server)) offset = server - Date.now();
}

/** Now, in milliseconds, as the server sees it. */
export const now = () => Date.now() + offset;

const formats = new Map();

function format(options, zone, language = locale()) {
  const key = JSON.stringify([language, options, zone]);
  if (!formats.has(key)) {
    formats.set(key, new Intl.DateTimeFormat(language, { ...options, timeZone: zone }));
  }
  return formats.get(key);
}

/** `24 Nov, 15:00`; with the year where it isn't this one's. */
export function instant(at, zone = HERE) {
  const date = new Date(at);
  const year = date.getFullYear() === new Date(now()).getFullYear() ? undefined : 'numeric';
  const options = { day: 'numeric', month: 'short', year, hour: '2-digit', minute: '2-digit' };
  return format(options, zone).format(date);
}

/** `Tue, 24 November 2026, 15:00`. */
export function longInstant(at, zone = HERE) {
  return format({ dateStyle: 'full', timeStyle: 'short' }, zone).format(new Date(at));
}

/** `15:00`, or `Tue 15:00` where the day is another one than here. */
export function clockTime(at, zone = HERE) {
  const day = (where) => format({ dateStyle: 'short' }, where).format(at);
  const weekday = day(zone) === day(HERE) ? undefined : 'short';
  return format({ weekday, hour: '2-digit', minute: '2-digit' }, zone).format(at);
}

/** `15:00`; `02:30 CEST` where clocks show that time twice. */
export function slotTime(at) {
  const twice = STEPS_BACK_MS.some((step) => wall(at - step) === wall(at)
    || wall(at + step) === wall(at));
  const timeZoneName = twice ? 'short' : undefined;
  return format({ hour: '2-digit', minute: '2-digit', timeZoneName }, HERE).format(at);
}

/** `New York`. */
export const zoneName = (zone) => zone.split('/').pop().replaceAll('_', ' ');

/** Whether the browser knows a zone of that name. */
export function isZone(zone) {
  try {
    return Boolean(zone && new Intl.DateTimeFormat('en', { timeZone: zone }));
  } catch {
    return false;
  }
}

/** Whether it is another zone than the reader's, and one that the browser can tell times of. */
export const isElsewhere = (zone) => zone !== HERE && isZone(zone);

/** `4:05`, `1:04:05`. */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const two = (number) => String(number).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** What a clock on the wall of `zone` shows: `2026-11-24T10:00`, as inputs take it. */
export function wall(at, zone = HERE) {
  const options = { year: 'numeric', month: '2-digit', day: '2-digit' };
  const time = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
  const parts = format({ ...options, ...time }, zone, 'en').formatToParts(at);
  const by = Object.fromEntries(parts.map((part) => [part.type, part.value]));
  return `${by.year}-${by.month}-${by.day}T${by.hour}:${by.minute}`;
}

/** The instant at which that clock shows `local`; the first where it does so twice. */
export function instantOf(local, zone = HERE) {
  const asUtc = Date.parse(`${local}Z`);
  if (Number.isNaN(asUtc)) return null;
  // The zone's offset lies within a day of the guess, and clocks change at most once in it.
  const shift = (at) => Date.parse(`${wall(at, zone)}Z`) - at;
  const guesses = [asUtc - shift(asUtc - 86400000), asUtc - shift(asUtc + 86400000)];
  const right = guesses.filter((at) => wall(at, zone) === local);
  return right.length ? Math.min(...right) : null;
}
