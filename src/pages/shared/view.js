// Draws what a page should show, changing only what differs: focus, carets and half-typed texts
// stay where they are. Texts become text nodes and never markup, whatever a customer wrote.

/** The name of SVG's elements, which no browser asks for. */
const SVG = 'http://www.w3.org/2000/svg';
const AS_PROPERTY = new Set(['checked', 'disabled', 'hidden', 'indeterminate', 'open', 'value']);

/** A node to draw: `h('p.row.small', {key: 1, onclick}, 'text', [more])`. */
export function h(name, props, ...children) {
  const [tag, ...classes] = name.split('.');
  const named = classes.length ? { class: classes.join(' '), ...props } : props ?? {};
  const key = props?.key;
  return Object.assign(new Node(), { tag, props: named, key, children: flat(children, []) });
}

/** What `h` made: an object that came from elsewhere is none, whatever it has in it. */
class Node {}

/** Makes `nodes` the children of `root`. */
export function draw(root, ...nodes) {
  const next = flat(nodes, []);
  patchChildren(root, root.drawn ?? [], next, root.namespaceURI);
  root.drawn = next;
}

function flat(list, out) {
  for (const one of list) {
    if (Array.isArray(one)) flat(one, out);
    else if (one instanceof Node) out.push(one);
    else if (one !== null && one !== undefined && one !== false && one !== '') {
      out.push({ text: String(one) });
    }
  }
  return out;
}

function create(node, space) {
  if (!node.tag) return (node.element = document.createTextNode(node.text));
  const own = node.tag === 'svg' ? SVG : space;
  const element =
    own === SVG ? document.createElementNS(SVG, node.tag) : document.createElement(node.tag);
  node.element = element;
  patchProps(element, {}, node.props);
  patchChildren(element, [], node.children, own);
  patchValue(element, {}, node.props);
  node.props.made?.(element);
  return element;
}

function patch(old, next, space) {
  const element = (next.element = old.element);
  if (!next.tag) {
    if (old.text !== next.text) element.data = next.text;
    return;
  }
  patchProps(element, old.props, next.props);
  patchChildren(element, old.children, next.children, next.tag === 'svg' ? SVG : space);
  patchValue(element, old.props, next.props);
}

function patchChildren(parent, old, next, space) {
  const keyed = new Map();
  const plain = [];
  for (const node of old) {
    if (node.key === undefined) plain.push(node);
    else keyed.set(node.key, node);
  }
  const reused = new Set();
  for (const node of next) {
    const match = node.key === undefined ? plain.find((it) => it.tag === node.tag) : null;
    const found = match ?? (node.key === undefined ? undefined : keyed.get(node.key));
    if (match) plain.splice(plain.indexOf(match), 1);
    if (found && found.tag === node.tag && !reused.has(found)) {
      reused.add(found);
      patch(found, node, space);
    } else {
      create(node, space);
    }
  }
  for (const node of old) {
    if (!reused.has(node)) node.element.remove();
  }
  let place = parent.firstChild;
  for (const node of next) {
    if (node.element === place) place = place.nextSibling;
    else parent.insertBefore(node.element, place);
  }
}

function patchProps(element, old, next) {
  for (const name of Object.keys(old)) {
    if (!(name in next)) set(element, name, null);
  }
  for (const [name, value] of Object.entries(next)) {
    if (name !== 'value' && name !== 'checked' && old[name] !== value) set(element, name, value);
  }
}

/** After the children: a select has its value only once it has its options. */
function patchValue(element, old, next) {
  if ('value' in next && old.value !== next.value && element.value !== next.value) {
    element.value = next.value ?? '';
  }
  if ('checked' in next && old.checked !== next.checked) element.checked = next.checked;
}

function set(element, name, value) {
  if (name === 'key' || name === 'made') return;
  if (name.startsWith('on') || AS_PROPERTY.has(name)) {
    element[name] = value ?? (name.startsWith('on') ? null : '');
  } else if (value === null || value === undefined || value === false) {
    element.removeAttribute(name);
  } else {
    element.setAttribute(name, value === true ? '' : value);
  }
}
