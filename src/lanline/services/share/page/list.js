// The list of entries: rows in slices, the order, the search, the selection, and the keys that move within it.
// Names come from strangers: they go in as text, in <bdi>, with what is invisible spelt out (format.js).

import { announce, at, icon, make } from "./elements.js";
import { kind_of, matches, preview_of, sorted, words_of } from "./folder.js";
import * as format from "./format.js";
import { say } from "./words.js";

const FIRST_SLICE = 150; // what a tall screen shows at once
const SLICE = 600; // about 10 ms of a slow phone: typing and scrolling are not held up
const KEPT_ORDER = "lanline.order";

function pattern() {
  const box = make("input", { type: "checkbox" });
  return make("tr", { role: "row" },
    make("td", { role: "cell", class: "check" }, make("label", { class: "tick" }, box)),
    make("td", { role: "cell", class: "name" }, make("a", { class: "entry" }, icon("file"),
      make("span", { class: "label" }, make("bdi"), make("span", { class: "more" })))),
    make("td", { role: "cell", class: "size" }),
    make("td", { role: "cell", class: "date" }, make("time")),
    make("td", { role: "cell", class: "get" }, make("a", { class: "button quiet square", download: true }, icon("download"))));
}

/** Shows a folder. Events: `open` (a folder or file was chosen: detail.entry), `selection`, `shown`. */
export class List extends EventTarget {
  #pattern = pattern();
  #rows = new Map(); // entry -> its row
  #entries = [];
  #shown = [];
  #chosen = new Set();
  #column = "name";
  #is_descending = false;
  #last = null; // the box last ticked: shift-click reaches from there
  #slice = 0;

  constructor() {
    super();
    this.#recall_order();
    for (const head of at("list").querySelectorAll("th[data-sort]")) {
      head.querySelector("button").addEventListener("click", () => this.#sort_by(head.dataset.sort));
    }
    at("select-all").addEventListener("change", (event) => this.#choose_all(event.target.checked));
    at("rows").addEventListener("click", (event) => this.#clicked(event));
    at("rows").addEventListener("keydown", (event) => this.#key(event));
    at("search").addEventListener("input", () => this.#render());
    this.#mark_order();
  }

  /** The entries that are ticked, in the order shown. */
  get chosen() {
    return this.#shown.filter((entry) => this.#chosen.has(entry));
  }

  /** The entries as shown, in order. */
  get shown() {
    return this.#shown;
  }

  /** Shows other entries. What was ticked under the same names stays ticked with `keeps_selection`. */
  show(entries, { keeps_selection = false } = {}) {
    const names = new Set(keeps_selection ? [...this.#chosen].map((entry) => entry.name) : []);
    this.#entries = sorted(entries, this.#column, this.#is_descending);
    this.#rows.clear();
    this.#chosen = new Set(this.#entries.filter((entry) => names.has(entry.name)));
    this.#last = null;
    this.#render();
    this.#selection_changed();
  }

  /** Unticks everything. */
  clear_selection() {
    this.#choose_all(false);
  }

  /** Puts the focus on an entry's name, where it is shown. */
  focus(entry) {
    this.#rows.get(entry)?.querySelector(".entry").focus();
  }

  #recall_order() {
    try {
      const [column, way] = (localStorage.getItem(KEPT_ORDER) ?? "name up").split(" ");
      if (["name", "size", "date"].includes(column)) [this.#column, this.#is_descending] = [column, way === "down"];
    } catch {
      // A browser that keeps nothing sorts by name.
    }
  }

  #sort_by(column) {
    this.#is_descending = column === this.#column ? !this.#is_descending : column !== "name";
    this.#column = column;
    try {
      localStorage.setItem(KEPT_ORDER, `${column} ${this.#is_descending ? "down" : "up"}`);
    } catch {
      // The order holds for this page then.
    }
    this.#mark_order();
    this.#entries = sorted(this.#entries, column, this.#is_descending);
    this.#render();
    announce(say("sorted", { column: say(column), direction: say(this.#is_descending ? "descending" : "ascending") }));
  }

  #mark_order() {
    for (const head of at("list").querySelectorAll("th[data-sort]")) {
      if (head.dataset.sort !== this.#column) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", this.#is_descending ? "descending" : "ascending");
    }
  }

  #render() {
    const words = words_of(at("search").value);
    this.#shown = words.length ? this.#entries.filter((entry) => matches(entry, words)) : this.#entries;
    at("rows").replaceChildren();
    cancelAnimationFrame(this.#slice);
    this.#render_from(0, FIRST_SLICE);
    if (words.length) announce(say("found", { count: this.#shown.length, all: this.#entries.length }));
    this.dispatchEvent(new Event("shown"));
    this.#selection_changed();
  }

  #render_from(start, count) {
    const slice = this.#shown.slice(start, start + count);
    at("rows").append(...slice.map((entry) => this.#row(entry)));
    if (start + count >= this.#shown.length) return;
    this.#slice = requestAnimationFrame(() => this.#render_from(start + count, SLICE));
  }

  #row(entry) {
    const known = this.#rows.get(entry);
    if (known) return known;
    const row = this.#pattern.cloneNode(true);
    const [check, name, size, date, get] = row.children;
    const text = format.harmless(entry.name);
    this.#rows.set(entry, row);
    row.entry = entry;
    this.#tick(row, check.querySelector("input"), text);
    this.#fill_name(name, entry, text);
    size.textContent = entry.size === null ? "" : format.size(entry.size);
    const time = date.firstChild;
    time.textContent = format.when(entry.date);
    time.title = format.when_exactly(entry.date);
    time.dateTime = entry.modified;
    const download = get.firstChild;
    download.href = entry.href + (entry.is_folder ? "?zip" : "?download");
    download.title = say("download");
    download.setAttribute("aria-label", say("download_of", { name: text }));
    return row;
  }

  #tick(row, box, text) {
    box.checked = this.#chosen.has(row.entry);
    row.classList.toggle("chosen", box.checked);
    if (text !== undefined) box.setAttribute("aria-label", say("select_of", { name: text }));
  }

  #fill_name(cell, entry, text) {
    const link = cell.firstChild;
    const [image, label] = link.children;
    link.href = entry.is_folder || preview_of(entry) ? entry.href : `${entry.href}?download`;
    image.className = `icon i-${kind_of(entry)}`;
    const [name, more] = label.children;
    name.textContent = format.label(entry.name);
    if (text !== entry.name) name.className = "odd";
    if (name.textContent !== entry.name) name.title = text;
    const what = entry.size === null ? entry.is_folder && say("folder") : format.size(entry.size);
    more.textContent = [what, format.when(entry.date)].filter(Boolean).join(" · ");
  }

  #clicked(event) {
    const row = event.target.closest("tr");
    if (event.target.matches("input")) {
      this.#choose(row, event.target.checked, event.shiftKey);
    } else if (event.target.closest(".entry")) {
      const is_plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
      if (!is_plain || !(row.entry.is_folder || preview_of(row.entry))) return; // the browser follows the link
      event.preventDefault();
      this.dispatchEvent(new CustomEvent("open", { detail: { entry: row.entry } }));
    }
  }

  #choose(row, is_chosen, reaches) {
    const here = this.#shown.indexOf(row.entry);
    const from = reaches && this.#last !== null ? this.#shown.indexOf(this.#last) : -1;
    const [first, last] = from < 0 ? [here, here] : [Math.min(from, here), Math.max(from, here)];
    for (const entry of this.#shown.slice(first, last + 1)) this.#set(entry, is_chosen);
    this.#last = row.entry;
    this.#selection_changed();
  }

  #choose_all(is_chosen) {
    for (const entry of is_chosen ? this.#shown : this.#entries) this.#set(entry, is_chosen);
    this.#selection_changed();
  }

  #set(entry, is_chosen) {
    if (is_chosen) this.#chosen.add(entry);
    else this.#chosen.delete(entry);
    const row = this.#rows.get(entry);
    if (row) this.#tick(row, row.querySelector("input"));
  }

  #selection_changed() {
    const count = this.chosen.length;
    const all = at("select-all");
    all.checked = count > 0 && count === this.#shown.length;
    all.indeterminate = count > 0 && count < this.#shown.length;
    this.dispatchEvent(new Event("selection"));
  }

  /** Arrow keys walk along the names, Home and End to the ends, Space ticks. */
  #key(event) {
    const link = event.target.closest(".entry");
    if (!link || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = link.closest("tr");
    const to = {
      ArrowDown: row.nextElementSibling,
      ArrowUp: row.previousElementSibling,
      Home: row.parentElement.firstElementChild,
      End: row.parentElement.lastElementChild,
    };
    if (event.key === " ") row.querySelector("input").click();
    else if (event.key in to) to[event.key]?.querySelector(".entry").focus();
    else return;
    event.preventDefault();
  }
}
