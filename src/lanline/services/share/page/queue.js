// All uploads of this page: what waits, what runs, what stopped and why, and when to try again.
//
// An upload is in one state: waiting, checking, sending, finishing, retrying, asking, paused, done, failed, skipped,
// cancelled; or remembered: begun before a reload, and its file not chosen again yet. Three run at a time. One that lost its
// connection keeps its place while it waits for the next attempt, so that a dead network is not asked by 10,000 files.

import { under } from "./folder.js";
import * as memory from "./memory.js";
import { NotSent, SMALL, give_up, request, send_large, send_small } from "./transfer.js";

const AT_ONCE = 3;
const LONGEST_PAUSE = 30; // seconds between two attempts
const FAULTS_AT_MOST = 4; // attempts against a server that fails by itself (500); one that is away is asked for ever
const SPEED_OVER = 5000; // ms
const NAMES_TRIED = 100;

const RUNNING = new Set(["checking", "sending", "finishing", "retrying"]);
const OPEN = new Set([...RUNNING, "waiting", "asking", "paused"]);

/** One upload. `base` is the address of the folder it was dropped on, `names` its path from there; `sent` is in bytes. */
class Upload {
  static #count = 0;
  id = `u${(Upload.#count += 1)}`;
  state = "waiting";
  sent = 0;
  attempts = 0;
  copies = 1; // the number in "name (2)" when both are kept
  replaces = false;
  keeps_both = false;
  hash = "";
  problem = null; // what a NotSent said: {status, sentence, cause}
  again_at = 0; // performance.now() of the next attempt
  controller = null;

  constructor(base, names, file) {
    this.base = base;
    this.names = names;
    this.file = file;
    this.size = file.size;
  }

  /** The file's name as it will be there. */
  get name() {
    const name = this.names.at(-1);
    if (this.copies === 1) return name;
    const dot = name.lastIndexOf(".");
    const [stem, ending] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
    return `${stem} (${this.copies})${ending}`;
  }

  /** The address of the folder it goes into. */
  get folder() {
    return under(this.base, this.names.slice(0, -1));
  }

  /** Its own address. */
  get target() {
    return this.folder + encodeURIComponent(this.name);
  }

  get is_open() {
    return OPEN.has(this.state);
  }

  get is_running() {
    return RUNNING.has(this.state);
  }
}

/** The queue. Events: `change` (anything), `arrived` (the folder at detail.folder has a new entry), `idle` (nothing is left to do). */
export class Queue extends EventTarget {
  items = [];
  is_paused = false;
  limit = null; // the share's largest upload in bytes, or null
  #waiting = [];
  #running = 0;
  #folders = new Map(); // path -> promise that it is there
  #choice = null; // the answer for all taken names
  #samples = [];

  constructor() {
    super();
    addEventListener("online", () => this.#wake());
  }

  /** Uploads that a reload interrupted: asks the server how far each got, and shows them until their file comes again. */
  async remember() {
    for (const known of await memory.recall_all()) {
      const answer = await request("HEAD", known.url);
      const is_complete = answer.header("Upload-Complete") === "?1"; // only its last answer was lost
      if (answer.status === 404 || answer.status === 410 || is_complete) {
        await memory.forget(known.key);
        continue;
      }
      if (this.items.some((item) => item.is_open && memory.key_of(item.target, item.file) === known.key)) continue;
      const [base, name] = parted(known.target);
      const item = new Upload(base, [name], { name, size: known.size, lastModified: known.modified });
      const sent = Number.parseInt(answer.header("Upload-Offset"), 10) || 0;
      this.items.push(Object.assign(item, { state: "remembered", known, sent }));
      this.#changed();
    }
  }

  /** Takes in what was dropped on, or chosen for, the folder at the address `base`. */
  add(intake, base) {
    for (const { file, names } of intake.files) {
      const item = new Upload(base, names, file);
      this.#replace_earlier(item);
      if (this.items.some((other) => other.is_open && other.target === item.target && other.size === item.size)) continue;
      this.items.push(item);
      if (this.limit !== null && file.size > this.limit) this.#fail(item, { status: 413, sentence: "" });
      else this.#waiting.push(item);
    }
    for (const names of intake.folders) void this.#make_empty(base, names);
    this.#changed();
    this.#pump();
  }

  /** The same file is here again: what is shown of its earlier, ended attempt goes. */
  #replace_earlier(item) {
    const key = memory.key_of(item.target, item.file);
    const paused = this.items.find((other) => other.state === "paused" && other.target === item.target);
    if (paused) this.resume(paused);
    this.items = this.items.filter(
      (other) => (other.state === "remembered" ? other.known.key !== key : other.is_open || other.state === "done" || other.target !== item.target),
    );
  }

  /** Goes on with a remembered upload; false where the file is not the one it was. */
  take_up(item, file) {
    const { name, size, modified } = item.known;
    if (file.name !== name || file.size !== size || file.lastModified !== modified) return false;
    this.add({ files: [{ file, names: item.names }], folders: [] }, item.base);
    return true;
  }

  pause(item) {
    this.#waiting = this.#waiting.filter((other) => other !== item);
    this.#set(item, "paused");
    item.controller?.abort();
  }

  resume(item) {
    if (item.is_running || item.state === "waiting") return;
    item.attempts = 0;
    item.problem = null;
    if (item.size > SMALL && item.state === "failed") item.sent = 0;
    this.#set(item, "waiting");
    this.#waiting.push(item);
    this.#pump();
  }

  /** Tries at once what waits for its next attempt. */
  hurry(item) {
    item.wake?.();
  }

  /** Gives an upload up; what arrived of it is dropped by the server. */
  cancel(item) {
    this.#waiting = this.#waiting.filter((other) => other !== item);
    const known = item.known;
    if (known) this.items = this.items.filter((other) => other !== item);
    this.#set(item, "cancelled");
    item.controller?.abort();
    const done = known ? give_up(known.target, item.file) : item.size > SMALL && give_up(item.target, item.file);
    if (done) void done.then(() => this.#changed());
    this.#pump();
  }

  pause_all() {
    this.is_paused = true;
    for (const item of this.items.filter((each) => each.is_running)) this.pause(item);
    this.#changed();
  }

  resume_all() {
    this.is_paused = false;
    for (const item of this.items.filter((each) => each.state === "paused")) this.resume(item);
    this.#changed();
    this.#pump();
  }

  cancel_all() {
    this.#waiting = [];
    for (const item of this.items.filter((each) => each.is_open)) this.cancel(item);
    this.is_paused = false;
    this.#changed();
  }

  /** Forgets what has ended; remembered uploads stay for the next visit. */
  clear() {
    this.items = this.items.filter((item) => item.is_open);
    this.#choice = null;
    this.#changed();
  }

  /** The first upload whose name is taken and that nobody has decided about yet. */
  get question() {
    return this.items.find((item) => item.state === "asking") ?? null;
  }

  /** What becomes of it: "keep_both", "replace" or "skip". */
  answer(item, choice, { for_all }) {
    if (for_all) this.#choice = choice;
    const asked = for_all ? this.items.filter((each) => each.state === "asking") : [item];
    for (const each of asked) this.#decide(each, choice);
    this.#pump();
  }

  /** Numbers of all: bytes, files by state, bytes per second, and the seconds left (null while unknown). */
  totals() {
    const totals = { size: 0, sent: 0, open: 0, running: 0, done: 0, failed: 0, paused: 0, remembered: 0, speed: 0, left: null };
    for (const item of this.items) {
      if (item.is_open) totals.open += 1;
      if (item.is_running) totals.running += 1;
      if (item.state in totals) totals[item.state] += 1;
      if (!item.is_open && item.state !== "done") continue;
      totals.size += item.size;
      totals.sent += item.sent;
    }
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    const is_fresh = last && performance.now() - last.at < SPEED_OVER && last.at - first.at > 500;
    if (is_fresh && totals.running) totals.speed = Math.max(0, (1000 * (last.sent - first.sent)) / (last.at - first.at));
    if (totals.speed > 0) totals.left = (totals.size - totals.sent) / totals.speed;
    return totals;
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  #set(item, state) {
    item.state = state;
    this.#changed();
  }

  #fail(item, problem) {
    item.problem = problem;
    item.problem.limit = this.limit;
    this.#set(item, "failed");
  }

  #wake() {
    for (const item of this.items) item.wake?.();
  }

  #pump() {
    while (!this.is_paused && this.#running < AT_ONCE && this.#waiting.length) {
      this.#running += 1;
      void this.#run(this.#waiting.shift());
    }
    if (this.#running === 0 && !this.items.some((item) => item.is_open)) {
      this.#choice = null;
      this.#folders.clear();
      this.dispatchEvent(new Event("idle"));
    }
  }

  async #run(item) {
    item.controller = new AbortController();
    this.#set(item, "checking");
    try {
      while (!(await this.#attempt(item)));
    } finally {
      item.controller = null;
      this.#running -= 1;
      this.#changed();
      this.#pump();
    }
  }

  /** One attempt; true when the upload needs no other, whatever became of it. */
  async #attempt(item) {
    const { signal } = item.controller;
    try {
      await this.#make(item.base, item.names.slice(0, -1), signal);
      const send = item.size > SMALL ? send_large : send_small;
      const on_sent = (bytes) => this.#progress(item, bytes);
      item.hash = await send({ file: item.file, target: item.target, replaces: item.replaces, on_sent, signal });
    } catch (error) {
      if (error.name === "AbortError") {
        if (item.size <= SMALL) item.sent = 0;
        return true; // pause() and cancel() have said what it is now
      }
      if (!(error instanceof NotSent)) throw error;
      return this.#refused(item, error);
    }
    item.sent = item.size;
    this.#set(item, "done");
    this.dispatchEvent(new CustomEvent("arrived", { detail: { folder: item.folder } }));
    return true;
  }

  async #refused(item, error) {
    item.problem = error;
    if (error.status === 412 || error.status === 405) {
      // 405: by its name nothing can be put there, for this share replaces no files.
      item.sent = 0;
      if (item.keeps_both && item.copies < NAMES_TRIED) {
        item.copies += 1;
        return false;
      }
      if (this.#choice) this.#decide(item, this.#choice);
      else this.#set(item, "asking");
      return true;
    }
    item.attempts += 1;
    const is_away = error.status === 0 || [408, 425, 429, 502, 503, 504].includes(error.status);
    if (!is_away && !(error.status === 500 && item.attempts < FAULTS_AT_MOST)) {
      this.#fail(item, error);
      return true;
    }
    const pause = error.retry_after ?? Math.min(LONGEST_PAUSE, 2 ** (item.attempts - 1));
    return !(await this.#rest(item, 1000 * pause * (1 + Math.random() / 4)));
  }

  /** Waits for the next attempt; false where it was paused or cancelled meanwhile. */
  async #rest(item, pause) {
    const { signal } = item.controller;
    item.again_at = performance.now() + pause;
    this.#set(item, "retrying");
    await new Promise((done) => {
      item.wake = done;
      setTimeout(done, pause);
      signal.addEventListener("abort", done);
    });
    item.wake = null;
    if (signal.aborted) return false;
    this.#set(item, "checking");
    return true;
  }

  #decide(item, choice) {
    if (choice === "skip") {
      this.#set(item, "skipped");
      return;
    }
    item.problem = null;
    item.replaces = choice === "replace";
    item.keeps_both = choice === "keep_both";
    if (item.keeps_both) item.copies += 1;
    this.#set(item, "waiting");
    this.#waiting.unshift(item);
  }

  #progress(item, bytes) {
    if (!item.is_running) return;
    item.attempts = bytes > item.sent ? 0 : item.attempts;
    item.sent = Math.min(bytes, item.size);
    item.state = item.sent === item.size ? "finishing" : "sending";
    const now = performance.now();
    const last = this.#samples.at(-1);
    if (!last || now - last.at > 100) {
      this.#samples.push({ at: now, sent: this.items.reduce((sum, each) => sum + (each.state === "remembered" ? 0 : each.sent), 0) });
      this.#samples = this.#samples.filter((sample) => now - sample.at < SPEED_OVER);
    }
    this.#changed();
  }

  /** Makes the folders of a path below `base`, from the top down, each once for all files that go there. */
  #make(base, names, signal) {
    if (names.length === 0) return Promise.resolve();
    const path = under(base, names);
    const known = this.#folders.get(path);
    if (known) return known;
    const made = this.#make(base, names.slice(0, -1), signal).then(async () => {
      const answer = await request("PUT", path, { signal });
      if (answer.status === 405) return; // it is there; where nothing may be added, the file itself is told so
      if (answer.status < 200 || answer.status > 299) throw new NotSent(answer);
      this.dispatchEvent(new CustomEvent("arrived", { detail: { folder: path } }));
    });
    this.#folders.set(path, made);
    made.catch(() => this.#folders.delete(path)); // the next file asks again; this one has its own handler
    return made;
  }

  async #make_empty(base, names) {
    try {
      await this.#make(base, names);
    } catch (error) {
      if (!(error instanceof NotSent)) throw error;
      const item = new Upload(base, names, { name: names.at(-1), size: 0, lastModified: 0 });
      this.items.push(item);
      this.#fail(item, error);
    }
  }
}

/** An address as that of its folder and a name. */
function parted(target) {
  const slash = target.lastIndexOf("/") + 1;
  return [target.slice(0, slash), decodeURIComponent(target.slice(slash))];
}
