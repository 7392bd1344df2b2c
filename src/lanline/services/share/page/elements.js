// Elements made from code. Texts go in as text, never as HTML: nothing a name holds can become markup.
// The page's policy (require-trusted-types-for) refuses innerHTML and its kin altogether.

/** The element with this id; the shell has it, or the page is broken. */
export function at(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the shell has no #${id}`);
  return element;
}

/** A new element. Attributes that are false or undefined are left out; children are elements or texts. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === undefined || value === null) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** An icon of icons.css. */
export function icon(name) {
  return make("span", { class: `icon i-${name}` });
}

/** A square button with an icon; its label says what it does, and to what. */
export function square(name, text, label, pressed) {
  return make("button", { type: "button", class: "quiet square", "aria-label": label, title: text, click: pressed }, icon(name));
}

/** Says something to those who listen to the page, without showing it. */
export function announce(text) {
  at("said").textContent = text;
}

/** Shows a sentence over the page; calm ones leave by themselves after 8 seconds, faults stay until closed. */
export function notify(text, { calm = false } = {}) {
  const notice = at("notice");
  clearTimeout(notify.timer);
  notice.classList.toggle("calm", calm);
  notice.querySelector("p").textContent = text;
  notice.hidden = false;
  if (calm) notify.timer = setTimeout(() => { notice.hidden = true; }, 8000);
}
