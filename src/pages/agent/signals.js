// What tells of an offer to whoever doesn't look: spoken words, the title, a sound, a notification.
//
// None of them takes the focus or a keystroke.

import { speak } from '../shared/page.js';
import { now } from '../shared/time.js';
import { t } from '../shared/texts.js';
import { lasting } from '../shared/kept.js';

const SOUND = 'ringback.sound';
const NOTIFY = 'ringback.notify';
/** When an offer is spoken of again. */
const LOW_SECONDS = 10;

let audio;
const low = new Map();

/** Whether a signal is switched on. */
export const sounds = () => lasting.getItem(SOUND) === 'on';
export const notifies = () => lasting.getItem(NOTIFY) === 'on'
  && 'Notification' in window && Notification.permission === 'granted';

/** Switches the sound; the click that does it lets the browser play it later. */
export function setSound(on) {
  lasting.setItem(SOUND, on ? 'on' : 'off');
  if (on) ring();
}

/** Switches notifications, and asks the browser for them. */
export async function setNotify(on) {
  const granted = on && 'Notification' in window && (await Notification.requestPermission());
  lasting.setItem(NOTIFY, granted === 'granted' ? 'on' : 'off');
}

/** A new offer. */
export function announce(offer, isPending) {
  const { callback, offer_id: id } = offer;
  const left = () => Math.round((Date.parse(offer.expires_at) - now()) / 1000);
  const values = { name: callback.customer.name, seconds: left() };
  speak('urgent', t('offer.spoken', values));
  if (sounds()) ring();
  if (notifies() && document.hidden) {
    const body = t('offer.notification', { name: callback.customer.name, number: callback.number });
    const notice = new Notification(t('offer.title'), { body, tag: id });
    notice.onclick = () => window.focus();
  }
  const wait = (left() - LOW_SECONDS) * 1000;
  if (wait <= 0 || low.has(id)) return;
  const warn = () => {
    low.delete(id);
    if (isPending(id)) speak('urgent', t('offer.low', { ...values, seconds: LOW_SECONDS }));
  };
  low.set(id, setTimeout(warn, wait));
}

/** The page's title tells of an offer that waits, and of a lost connection. */
export function title(offer, count, lost) {
  const name = offer?.callback.customer.name;
  const text = name ? `(${count}) ${t('offer.title')}: ${name}` : lost ? t('socket.lost') : '';
  document.title = text ? `${text} – Ringback` : 'Ringback';
}

/** Two short tones. */
function ring() {
  try {
    audio ??= new AudioContext();
    audio.resume();
    [660, 880].forEach((frequency, index) => {
      const [tone, volume] = [audio.createOscillator(), audio.createGain()];
      const start = audio.currentTime + index * 0.18;
      tone.frequency.value = frequency;
      volume.gain.setValueAtTime(0.12, start);
      volume.gain.exponentialRampToValueAtTime(0.001, start + 0.3);
      tone.connect(volume).connect(audio.destination);
      tone.start(start);
      tone.stop(start + 0.32);
    });
  } catch {
    // Without a sound card there is still all the rest.
  }
}
