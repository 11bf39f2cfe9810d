// The appointment as a file for the customer's calendar.

/** Text of RFC 5545: what has a meaning there is escaped. */
const escaped = (text) => text.replace(/[\\;,]/g, '\\$&').replace(/\r?\n/g, '\\n');

const stamp = (at) => new Date(at).toISOString().replace(/[-:]|\.\d+/g, '');

/** Lines of at most 75 bytes; longer ones go on after a blank. */
function folded(line) {
  const parts = [];
  let part = '';
  for (const letter of line) {
    if (new TextEncoder().encode(part + letter).length > 74) {
      parts.push(part);
      part = '';
    }
    part += letter;
  }
  return [...parts, part].join('\r\n ');
}

/** The calendar's text. */
export function calendarText(callback, title) {
  const { id, number, schedule, updated_at: updated } = callback;
  const lines = ['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//Ringback//EN', 'BEGIN:VEVENT',
    `UID:${id}@ringback`, `DTSTAMP:${stamp(updated)}`, `DTSTART:${stamp(schedule.start)}`,
    `DTEND:${stamp(schedule.end)}`, `SUMMARY:${escaped(title)}`,
    `DESCRIPTION:${escaped(`${number} ${callback.short_description ?? ''}`.trim())}`,
    'END:VEVENT', 'END:VCALENDAR'];
  return `${lines.map(folded).join('\r\n')}\r\n`;
}

/** Offers it as a download. */
export function calendarFile(callback, title) {
  const file = new Blob([calendarText(callback, title)], { type: 'text/calendar' });
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = `${callback.number}.ics`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
