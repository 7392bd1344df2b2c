// The words of the page in the language of the browser: Chinese where it comes before English, else English.
// It looks words up and puts them into the shell; it does not format numbers (format.js).

import { words as english } from "./words-en.js";
import { words as chinese } from "./words-zh.js";

const TABLES = { en: english, zh: chinese };

/** "en" or "zh": the first of the browser's languages that the page speaks. */
export const language =
  navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag in TABLES) ?? "en";

/** The browser's own tag for that language ("en-GB", "zh-CN"), so that dates look as its user expects. */
export const locale = navigator.languages.find((tag) => tag.toLowerCase().startsWith(language)) ?? language;

const table = TABLES[language];
const plurals = new Intl.PluralRules(locale);
const whole = new Intl.NumberFormat(locale);

/** The text of a key with its {values} filled in; `count` chooses the plural form and is grouped as numbers are. */
export function say(key, values = {}) {
  const entry = table[key];
  if (entry === undefined) throw new Error(`no word for ${key}`);
  const text = typeof entry === "string" ? entry : (entry[plurals.select(values.count)] ?? entry.other);
  return text.replace(/\{(\w+)\}/g, (_all, name) => {
    const value = values[name];
    return typeof value === "number" ? whole.format(value) : String(value);
  });
}

/** Puts the words into what the shell has marked: data-text, data-label (also its title), data-placeholder. */
export function translate(root) {
  document.documentElement.lang = locale;
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  for (const element of root.querySelectorAll("[data-placeholder]")) {
    element.placeholder = say(element.dataset.placeholder);
  }
  for (const element of root.querySelectorAll("[data-label]")) {
    const text = say(element.dataset.label);
    element.setAttribute("aria-label", text);
    if (element.hasAttribute("title")) element.title = text;
  }
}
