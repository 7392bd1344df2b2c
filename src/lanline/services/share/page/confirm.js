// Asking before something is gone, and deleting what was chosen.

import { at, make } from "./elements.js";
import * as format from "./format.js";
import { request } from "./transfer.js";
import { say } from "./words.js";

const NAMED = 6;

function sure(entries) {
  const dialog = at("confirm");
  at("confirm-title").textContent = say("delete_title", { count: entries.length });
  const names = entries.slice(0, NAMED).map((entry) => make("li", {}, make("bdi", {}, format.label(entry.name))));
  if (entries.length > NAMED) names.push(make("li", {}, say("delete_more", { count: entries.length - NAMED })));
  at("confirm-text").replaceChildren(make("p", {}, say("delete_text")), make("ul", {}, ...names));
  at("confirm-yes").textContent = say("delete");
  dialog.returnValue = "";
  dialog.showModal();
  at("confirm-no").focus();
  return new Promise((done) => {
    at("confirm-no").onclick = () => dialog.close();
    at("confirm-yes").onclick = () => dialog.close("yes");
    dialog.onclose = () => done(dialog.returnValue === "yes");
  });
}

/** Deletes the entries if the person is sure. Gives {count, problems}: how many went, and a sentence for each that stayed. */
export async function delete_entries(entries) {
  if (!(await sure(entries))) return null;
  const problems = [];
  let count = 0;
  for (const entry of entries) {
    const answer = await request("DELETE", entry.href);
    const name = format.label(entry.name);
    if (answer.status >= 200 && answer.status <= 299) count += 1;
    else if (answer.status === 409 && entry.is_folder) problems.push(say("not_empty", { name }));
    else problems.push(say("not_deleted", { name, reason: format.refusal(answer.status, answer.text) }));
  }
  return { count, problems };
}
