// One folder as the server tells it, and the order and choice in which it is shown. It knows no elements of the page.
// A listing: {path, url, may, max_upload_bytes, archives, entries: [{name, kind, size, modified, type, url}], left_out, share}.

import { locale } from "./words.js";

const collator = new Intl.Collator(locale, { numeric: true, sensitivity: "base" });

/** The answer was no listing. `status` is 0 where none came at all. */
export class Refused extends Error {
  constructor(status, sentence = "") {
    super(sentence || `status ${status}`);
    this.status = status;
    this.sentence = sentence;
  }
}

/** Fetches the listing of the folder at a path of the server ("/a/b/").
 *
 * `no-store`: page and listing share an address, and a listing kept by the browser would show when going back.
 */
export async function fetch_folder(path, signal) {
  let answer;
  try {
    answer = await fetch(path, { headers: { Accept: "application/json" }, cache: "no-store", signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0);
  }
  if (!answer.ok) throw new Refused(answer.status, (await answer.text()).slice(0, 300));
  if (!(answer.headers.get("Content-Type") ?? "").includes("json")) throw new Refused(-1);
  const listing = await answer.json();
  const base = new URL(answer.url);
  for (const entry of listing.entries) {
    entry.is_folder = entry.kind === "folder";
    entry.date = new Date(entry.modified);
    entry.href = new URL(entry.url, base).pathname;
    entry.folded = entry.name.toLocaleLowerCase(locale);
  }
  listing.base = new URL(listing.url ?? "", base).pathname;
  return listing;
}

const BY = {
  name: () => 0,
  size: (one, other) => (one.size ?? 0) - (other.size ?? 0),
  date: (one, other) => one.date - other.date,
};

/** The entries in order: folders first, then by column; equal ones by name, numbers in names by their value. */
export function sorted(entries, column, is_descending) {
  const by = BY[column];
  const sign = is_descending ? -1 : 1;
  const names = (one, other) => collator.compare(one.name, other.name) || (one.name < other.name ? -1 : 1);
  return [...entries].sort((one, other) => {
    if (one.is_folder !== other.is_folder) return one.is_folder ? -1 : 1;
    const way = by(one, other);
    if (way !== 0) return sign * way;
    return column === "name" ? sign * names(one, other) : names(one, other);
  });
}

/** Whether every word of the search is in the name, whatever the case. */
export function matches(entry, words) {
  return words.every((word) => entry.folded.includes(word));
}

/** A search as its words. */
export function words_of(text) {
  return text.toLocaleLowerCase(locale).split(/\s+/).filter(Boolean);
}

/** The address of a folder below another. */
export function under(base, names) {
  return base + names.map((name) => `${encodeURIComponent(name)}/`).join("");
}

/** The addresses of a folder and all above it, from the top down. As the server wrote them: names need not be text. */
export function way_to(base) {
  const parts = base.split("/").slice(1, -1);
  return [null, ...parts].map((_last, count) => `/${parts.slice(0, count).map((part) => `${part}/`).join("")}`);
}

const ENDINGS = {
  archive: "zip tar gz tgz bz2 xz zst 7z rar iso deb rpm jar apk dmg cab",
  code: "js mjs ts py c h cc cpp hpp java rs go rb php sh bash zsh ps1 bat cmd css html htm xml svg json yaml yml toml sql lua pl r m swift kt cs vue tex",
  text: "txt md rst log csv tsv ini cfg conf env lock diff patch srt vtt nfo properties list service",
};
const KIND_OF = new Map(Object.entries(ENDINGS).flatMap(([kind, endings]) => endings.split(" ").map((ending) => [ending, kind])));
const PLAIN = /^(makefile|dockerfile|license|licence|copying|readme|changelog|authors|todo|notes)$/i;

/** What an entry is to a person: folder, image, audio, video, pdf, code, text, archive or file. */
export function kind_of(entry) {
  if (entry.is_folder) return "folder";
  const type = entry.type ?? "";
  const major = type.split("/")[0];
  if (major === "image" || major === "audio" || major === "video") return major;
  if (type.startsWith("application/pdf")) return "pdf";
  const dot = entry.name.lastIndexOf(".");
  const known = KIND_OF.get(entry.name.slice(dot + 1).toLowerCase());
  if (known) return known;
  return major === "text" || PLAIN.test(entry.name) ? "text" : "file";
}

/** How a file can be looked at within the page: image, audio, video, pdf, text, or null where it cannot. */
export function preview_of(entry) {
  const kind = kind_of(entry);
  if (kind === "code") return entry.type === "image/svg+xml" ? "image" : "text";
  return ["image", "audio", "video", "pdf", "text"].includes(kind) ? kind : null;
}
