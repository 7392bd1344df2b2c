// Looking at a file without leaving the list: image, text, audio, video, PDF, in a dialog, with the neighbours a key away.
//
// Nothing from the folder becomes part of this page. Text of any kind, HTML too, is fetched as bytes and shown as text; an
// SVG is an image, which runs no scripts; PDF goes to the browser's own viewer in a frame. Media ask for ranges themselves.

import { at, icon, make } from "./elements.js";
import { kind_of, preview_of } from "./folder.js";
import * as format from "./format.js";
import { language, say } from "./words.js";

const TEXT_AT_MOST = 256 * 1024;

/** The dialog. `neighbours()` gives the entries as listed; `closed(entry)` is told what was looked at last. */
export class Preview {
  #neighbours;
  #closed;
  #entry = null;
  #fetching = null;

  constructor(neighbours, closed) {
    this.#neighbours = neighbours;
    this.#closed = closed;
    const dialog = at("preview");
    at("preview-close").addEventListener("click", () => dialog.close());
    at("preview-back").addEventListener("click", () => this.#step(-1));
    at("preview-next").addEventListener("click", () => this.#step(1));
    dialog.addEventListener("keydown", (event) => this.#key(event));
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close(); // the backdrop
    });
    dialog.addEventListener("close", () => this.#clear());
  }

  /** Shows a file. */
  open(entry) {
    this.#show(entry);
    if (!at("preview").open) at("preview").showModal();
    at("preview-body").focus();
  }

  #list() {
    return this.#neighbours().filter((entry) => !entry.is_folder && preview_of(entry));
  }

  #step(by) {
    const list = this.#list();
    const next = list[list.indexOf(this.#entry) + by];
    if (next) this.#show(next);
    // A button that has gone with the last step cannot keep the focus.
    if (document.activeElement?.disabled || !at("preview").contains(document.activeElement)) at("preview-body").focus();
  }

  #key(event) {
    // Arrow keys within a player seek; in the frame of a PDF they never come here.
    if (event.target.closest("audio, video") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowLeft") this.#step(-1);
    else if (event.key === "ArrowRight") this.#step(1);
    else return;
    event.preventDefault();
  }

  #stop() {
    this.#fetching?.abort();
    this.#fetching = null;
    for (const media of at("preview-body").querySelectorAll("audio, video")) {
      media.pause();
      media.removeAttribute("src");
      media.load(); // lets go of the connection
    }
  }

  #clear() {
    this.#stop();
    at("preview-body").replaceChildren();
    this.#closed(this.#entry);
    this.#entry = null;
  }

  #show(entry) {
    this.#stop();
    this.#entry = entry;
    const name = at("preview-name");
    name.replaceChildren(make("bdi", {}, format.label(entry.name)), make("small", {}, entry.size === null ? "" : format.size(entry.size)));
    name.title = format.harmless(entry.name);
    at("preview-download").href = `${entry.href}?download`;
    const list = this.#list();
    const place = list.indexOf(entry);
    at("preview-back").disabled = place <= 0;
    at("preview-next").disabled = place < 0 || place === list.length - 1;
    const kind = preview_of(entry);
    at("preview-body").replaceChildren(kind === "text" ? this.#text(entry) : this.#element(kind, entry));
    at("preview-body").scrollTop = 0;
  }

  #element(kind, entry) {
    const label = say("preview_of", { name: format.harmless(entry.name) });
    if (entry.size === 0) return this.#card(entry, say("empty_file"));
    const failed = () => {
      if (this.#entry === entry) at("preview-body").replaceChildren(this.#card(entry, say("no_preview")));
    };
    if (kind === "image") return make("img", { src: entry.href, alt: label, error: failed });
    if (kind === "pdf") {
      return navigator.pdfViewerEnabled ? make("iframe", { src: entry.href, title: label }) : this.#card(entry, say("no_preview"));
    }
    const player = make(kind, { src: entry.href, controls: true, preload: "metadata", "aria-label": label, error: failed });
    return kind === "audio" ? make("div", { class: "card" }, icon("audio"), player) : player;
  }

  #card(entry, text) {
    return make("div", { class: "card" }, icon(kind_of(entry)), make("p", {}, text),
      make("a", { class: "button", href: `${entry.href}?download`, download: true }, icon("download"), say("download")));
  }

  #text(entry) {
    const box = make("div", { class: "card" }, make("p", {}, say("loading")));
    this.#fetching = new AbortController();
    this.#read(entry, this.#fetching.signal).then(
      (shown) => box.replaceWith(shown),
      (error) => {
        if (error.name !== "AbortError") box.replaceWith(this.#card(entry, error.message));
      });
    return box;
  }

  /** The beginning of a file as text; only that much is asked for. */
  async #read(entry, signal) {
    if (entry.size === 0) return this.#card(entry, say("empty_file"));
    const headers = { Range: `bytes=0-${TEXT_AT_MOST - 1}` };
    const answer = await fetch(entry.href, { headers, cache: "no-store", signal }).catch((error) => {
      throw error.name === "AbortError" ? error : new Error(say("gone"));
    });
    if (!answer.ok) throw new Error(format.refusal(answer.status));
    const bytes = await beginning_of(answer);
    const text = decoded(bytes, entry.size > bytes.byteLength);
    if (text === null) return this.#card(entry, say("no_text"));
    const shown = make("pre", {}, text);
    if (entry.size > bytes.byteLength) {
      shown.append(make("span", { class: "cut" },
        say("text_cut", { shown: format.size(bytes.byteLength), size: format.size(entry.size) })));
    }
    return shown;
  }
}

/** At most TEXT_AT_MOST bytes, also from a server that sends the whole file. */
async function beginning_of(answer) {
  const reader = answer.body.getReader();
  const bytes = new Uint8Array(TEXT_AT_MOST);
  let filled = 0;
  while (filled < TEXT_AT_MOST) {
    const { done, value } = await reader.read();
    if (done) break;
    const part = value.subarray(0, TEXT_AT_MOST - filled);
    bytes.set(part, filled);
    filled += part.byteLength;
  }
  await reader.cancel();
  return bytes.subarray(0, filled);
}

/** Text in UTF-8, UTF-16 with its mark, or what people of this language wrote before; null where it is no text. */
function decoded(bytes, is_cut) {
  const marks = { "255,254": "utf-16le", "254,255": "utf-16be" };
  const marked = marks[`${bytes[0]},${bytes[1]}`];
  if (marked) return new TextDecoder(marked).decode(bytes);
  if (bytes.includes(0)) return null;
  try {
    // A cut may go through a character: `stream` leaves its bytes out.
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: is_cut });
  } catch {
    return new TextDecoder(language === "zh" ? "gb18030" : "windows-1252").decode(bytes, { stream: is_cut });
  }
}
