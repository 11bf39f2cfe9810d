// Links: the administrator's templates filled in, and addresses that customers' systems sent.

const SCRIPTS = new Set(['javascript:', 'data:', 'vbscript:', 'blob:', 'file:', 'filesystem:']);

/** An address that a customer's side gave: only the web's own, else none. */
export function webLink(text) {
  const url = parsed(text);
  return url && (url.protocol === 'http:' || url.protocol === 'https:') ? url.href : null;
}

/** Puts values where the template has `{name}`; none if one is missing or it would run code. */
export function filled(template, values) {
  if (!template) return null;
  let complete = true;
  const text = template.replace(/\{([^}]*)\}/g, (_, name) => {
    const value = values[name];
    if (!['string', 'number'].includes(typeof value) || value === '') complete = false;
    return encodeURIComponent(value ?? '').replaceAll('%2B', '+').replaceAll('%40', '@');
  });
  const url = complete && parsed(text);
  return url && !SCRIPTS.has(url.protocol) ? text : null;
}

/** What templates may name of a callback; its own `id` is its, and its customer's `contact_id`. */
export const linkValues = (callback) =>
  ({ ...callback.origin, ...callback.customer, contact_id: callback.customer.id, ...callback });

function parsed(text) {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}
