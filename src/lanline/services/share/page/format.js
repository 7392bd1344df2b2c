// Sizes, dates, times and names as people read them, by the browser's own rules (Intl). Nothing here touches the page.
// Sizes are written as the terminal writes them (sizes.py): 1 KiB is 1024 bytes.

import { locale, say } from "./words.js";

const UNITS = ["KiB", "MiB", "GiB", "TiB"];
const fine = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1, roundingMode: "halfEven" });
const coarse = new Intl.NumberFormat(locale, { maximumFractionDigits: 0, roundingMode: "halfEven" });
const full = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const near = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const far = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric" });

/** "999 B", "1.4 KiB", "23 MiB". */
export function size(bytes) {
  if (bytes < 1024) return `${coarse.format(bytes)} B`;
  let unit = 0;
  let value = bytes / 1024;
  while (value >= 1023.5 && unit < UNITS.length - 1) { // 1023.9 KiB is 1.0 MiB, not 1024 KiB
    value /= 1024;
    unit += 1;
  }
  return `${(value < 9.95 ? fine : coarse).format(value)} ${UNITS[unit]}`;
}

/** A date as short as it can be: the time today, the day this year, the year before that. */
export function when(date, now = new Date()) {
  if (date.toDateString() === now.toDateString()) return clock.format(date);
  return (date.getFullYear() === now.getFullYear() ? near : far).format(date);
}

/** The whole date and time, for those who point at the short one. */
export function when_exactly(date) {
  return full.format(date);
}

function amount(value, unit) {
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "narrow", maximumFractionDigits: 0 }).format(value);
}

/** "8s", "3m", "2h 5m": a time to wait, in seconds. */
export function duration(seconds) {
  if (seconds < 60) return amount(Math.max(1, Math.ceil(seconds)), "second");
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 60) return amount(minutes, "minute");
  const hours = Math.floor(minutes / 60);
  return minutes % 60 && hours < 24 ? `${amount(hours, "hour")} ${amount(minutes % 60, "minute")}` : amount(hours, "hour");
}

// Control characters, and those that turn the direction of text or cannot be seen: a name with them may look like another.
const ODD = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]/gu;
const LONGEST = 140;

/** A name that can do no harm to what stands beside it: what is invisible or turns text around is spelt out. */
export function harmless(name) {
  return name.replace(ODD, (char) => `‹U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}›`);
}

/** The same, shortened in the middle where it is very long: the ending of a name says what it is. */
export function label(name) {
  const text = [...harmless(name)];
  return text.length <= LONGEST ? text.join("") : `${text.slice(0, 100).join("")}…${text.slice(-36).join("")}`;
}

/** What an answer's status means to a person. `limit` is the share's largest upload in bytes, or null. */
export function refusal(status, sentence = "", limit = null) {
  if (status === 0) return say("gone");
  if (status === 413) return limit === null ? say("s413_plain") : say("s413", { limit: size(limit) });
  if (status === 400 || status === 409) return sentence ? say(`s${status}`, { sentence: harmless(sentence) }) : say("status", { status });
  if ([401, 403, 404, 405, 429, 500, 503, 507].includes(status)) return say(`s${status}`);
  if (status === 412) return say("taken_shorter");
  return status >= 500 ? say("s500") : say("status", { status });
}
