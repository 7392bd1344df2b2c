// The panel of uploads: one line for all, one for each that matters now, and the question when a name is taken.
// It is drawn at most four times a second, and shows at most 60 lines: 10,000 files in the queue cost no more than 60.

import { announce, at, icon, make, notify, square } from "./elements.js";
import * as format from "./format.js";
import { SMALL } from "./transfer.js";
import { say } from "./words.js";

const EVERY = 250; // ms between two drawings
const LINES = 60;
const URGENCY = ["asking", "failed", "sending", "finishing", "checking", "retrying", "remembered", "paused", "waiting", "done", "skipped", "cancelled"];

/** Shows a queue. `may_replace()` tells whether files may be overwritten here. */
export class Panel {
  #queue;
  #may_replace;
  #lines = new Map(); // upload -> its line
  #timer = null;
  #asked = null; // what the question on the screen was made for

  constructor(queue, may_replace) {
    this.#queue = queue;
    this.#may_replace = may_replace;
    queue.addEventListener("change", () => this.#soon());
    queue.addEventListener("idle", () => this.#tell_end());
    at("fold").addEventListener("click", () => this.#fold());
    at("pause-all").addEventListener("click", () => (queue.is_paused ? queue.resume_all() : queue.pause_all()));
    at("cancel-all").addEventListener("click", () => (queue.totals().open ? queue.cancel_all() : this.#close()));
  }

  #soon() {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#draw();
    }, EVERY);
  }

  #close() {
    this.#queue.clear();
    at("uploads").hidden = true;
    document.body.classList.remove("uploading");
  }

  #fold() {
    const is_folded = at("uploads").classList.toggle("folded");
    at("fold").setAttribute("aria-expanded", String(!is_folded));
  }

  #tell_end() {
    const { done, failed } = this.#queue.totals();
    if (done) announce(say("announce_done", { count: done }));
    if (failed) announce(say("some_failed", { count: failed }));
    this.#soon();
  }

  #draw() {
    const { items } = this.#queue;
    const totals = this.#queue.totals();
    at("uploads").hidden = items.length === 0;
    document.body.classList.toggle("uploading", items.length > 0);
    this.#draw_total(totals);
    this.#draw_question();
    this.#draw_lines(items);
    if (items.some((item) => item.state === "retrying")) this.#soon(); // its countdown goes on by itself
  }

  #draw_total(totals) {
    const percent = totals.size ? totals.sent / totals.size : 0;
    at("upload-progress").value = totals.open ? percent : Math.min(1, totals.done);
    const notes = [];
    if (totals.open) notes.push(`${format.size(totals.sent)} / ${format.size(totals.size)}`);
    if (totals.speed) notes.push(say("speed", { size: format.size(totals.speed) }));
    if (totals.left !== null) notes.push(say("left", { time: format.duration(totals.left) }));
    if (totals.failed) notes.push(say("some_failed", { count: totals.failed }));
    at("upload-total").replaceChildren(make("strong", {}, this.#headline(totals)), make("span", {}, notes.join(" · ")));
    const pause = at("pause-all");
    const text = say(this.#queue.is_paused ? "resume_all" : "pause_all");
    pause.hidden = totals.open === 0;
    pause.title = text;
    pause.setAttribute("aria-label", text);
    pause.firstElementChild.className = `icon i-${this.#queue.is_paused ? "play" : "pause"}`;
    const close = say(totals.open ? "cancel_all" : "clear_done");
    at("cancel-all").title = close;
    at("cancel-all").setAttribute("aria-label", close);
  }

  #headline({ open, running, done, remembered, failed, paused }) {
    if (open && !running && (paused || this.#queue.is_paused)) return say("paused_all");
    if (open) return say("uploading", { count: open });
    if (done) return say("all_done", { count: done });
    if (remembered) return say("unfinished", { count: remembered });
    return failed ? say("uploads") : say("none_done");
  }

  #draw_question() {
    const item = this.#queue.question;
    at("question").hidden = item === null;
    if (item === this.#asked) return;
    this.#asked = item;
    if (item === null) return;
    at("asked").textContent = say("taken", { name: format.label(item.name) });
    at("for-all").checked = false;
    const answer = (choice) => () => this.#queue.answer(item, choice, { for_all: at("for-all").checked });
    const choices = [["keep_both", "keep_both", "main"], ["skip", "skip_file", ""]];
    if (this.#may_replace()) choices.splice(1, 0, ["replace", "replace", "danger"]);
    at("question").querySelector(".actions").replaceChildren(
      ...choices.map(([choice, text, look]) => make("button", { type: "button", class: look, click: answer(choice) }, say(text))));
    announce(at("asked").textContent);
  }

  #draw_lines(items) {
    const shown = [...items]
      .sort((one, other) => URGENCY.indexOf(one.state) - URGENCY.indexOf(other.state))
      .slice(0, LINES);
    for (const known of this.#lines.keys()) if (!shown.includes(known)) this.#lines.delete(known);
    const lines = shown.map((item) => this.#line(item));
    if (items.length > LINES) lines.push(make("li", { class: "rest" }, say("more_waiting", { count: items.length - LINES })));
    const list = at("upload-list");
    // Moving a line would take the focus from a button in it: only what differs is touched.
    lines.forEach((line, place) => {
      if (list.children[place] !== line) list.insertBefore(line, list.children[place] ?? null);
    });
    while (list.children.length > lines.length) list.lastElementChild.remove();
  }

  #line(item) {
    let line = this.#lines.get(item);
    if (!line) {
      line = this.#new_line(item);
      this.#lines.set(item, line);
    }
    line.querySelector(".note").textContent = note_of(item);
    line.querySelector("progress").value = item.size ? item.sent / item.size : 0;
    if (line.state !== item.state) this.#change_state(line, item);
    return line;
  }

  #new_line(item) {
    const name = format.harmless(item.name);
    const path = [...item.names.slice(0, -1), item.name].map(format.harmless).join("/");
    return make("li", { "data-upload": item.id },
      make("div", { class: "what" },
        make("p", { class: "file", title: path }, make("bdi", {}, format.label(item.name))),
        make("p", { class: "note" })),
      make("div", { class: "doing" }),
      make("progress", { max: 1, "aria-label": say("progress_of", { name }) }));
  }

  #change_state(line, item) {
    const had_focus = line.contains(document.activeElement);
    line.state = item.state;
    line.className = item.state;
    line.querySelector("bdi").textContent = format.label(item.name);
    line.querySelector("progress").hidden = !["sending", "finishing", "checking", "retrying", "paused", "remembered"].includes(item.state);
    line.querySelector(".doing").replaceChildren(...this.#buttons(item));
    if (had_focus) line.querySelector("button")?.focus();
    // Small files that came with their own hash, and were compared with it, need no second look.
    const is_compared = item.size <= SMALL && globalThis.crypto?.subtle;
    if (item.hash && !is_compared && !line.querySelector("details")) {
      line.append(make("details", {}, make("summary", {}, say("hash")), make("code", {}, item.hash)));
    }
  }

  #buttons(item) {
    const queue = this.#queue;
    const button = (name, key, pressed) =>
      square(name, say(key), say("name_of", { action: say(key), name: format.harmless(item.name) }), pressed);
    const cancel = button("close", item.state === "remembered" ? "discard" : "cancel", () => queue.cancel(item));
    switch (item.state) {
      case "waiting":
      case "checking":
      case "sending":
        return [button("pause", "pause", () => queue.pause(item)), cancel];
      case "retrying":
        return [button("retry", "retry", () => queue.hurry(item)), cancel];
      case "paused":
        return [button("play", "resume", () => queue.resume(item)), cancel];
      case "failed":
        return [button("retry", "retry", () => queue.resume(item))];
      case "remembered":
        return [button("upload", "choose_again", () => this.#choose_again(item)), cancel];
      case "done":
        return [make("span", { class: "button quiet square" }, icon("check"))];
      default:
        return [];
    }
  }

  #choose_again(item) {
    const input = at("again");
    input.onchange = () => {
      const [file] = input.files;
      if (file && !this.#queue.take_up(item, file)) notify(say("other_file", { name: format.harmless(file.name) }));
      input.value = "";
    };
    input.click();
  }
}

function note_of(item) {
  const [sent, size] = [format.size(item.sent), format.size(item.size)];
  switch (item.state) {
    case "waiting":
      return say("waiting", { size });
    case "checking":
      return item.sent ? say("checking") : say("waiting", { size });
    case "sending":
      return say("sending", { sent, size });
    case "finishing":
      return say("finishing");
    case "paused":
      return say("pausing", { sent, size });
    case "retrying":
      return say("again_in", { reason: reason_of(item), time: format.duration((item.again_at - performance.now()) / 1000) });
    case "asking":
      return say("taken_shorter");
    case "remembered":
      return say("unfinished_note", { sent, size });
    case "done":
      return say("done", { size });
    case "failed":
      return reason_of(item);
    default:
      return say(item.state);
  }
}

function reason_of(item) {
  const { status, sentence, cause, limit = null } = item.problem;
  return cause ? say(cause) : format.refusal(status, sentence, limit);
}
