// The page of a share: puts its parts together. It holds which folder is shown; everything else has a file of its own.
//
// Folders are changed within the page (history.pushState), so that uploads go on while one looks around. The address is
// always that of the folder: reload, bookmarks and links in a new tab work as everywhere.

import { delete_entries } from "./confirm.js";
import { announce, at, make, notify } from "./elements.js";
import { Refused, fetch_folder, way_to } from "./folder.js";
import * as format from "./format.js";
import { from_drop, from_input } from "./intake.js";
import { List } from "./list.js";
import { Panel } from "./panel.js";
import { Preview } from "./preview.js";
import { Queue } from "./queue.js";
import { language, say, translate } from "./words.js";

const LOOK_AGAIN = 10_000; // ms out of sight after which the folder is read again on coming back
const SETTLE = 700; // ms: many small files that arrive cause one reading of the folder, not one each
const LONGEST_ADDRESS = 6000; // characters; servers and proxies refuse longer ones

let folder = null; // the listing shown, or null
let loading = null; // the AbortController of the reading under way
const list = new List();
const queue = new Queue();
const preview = new Preview(() => list.shown, (entry) => entry && list.focus(entry));
new Panel(queue, () => folder?.may.overwrite ?? false);

/** Reads a folder and shows it. `is_quiet` keeps selection and place: it is the same folder again. */
async function show(path, { is_quiet = false } = {}) {
  loading?.abort();
  const mine = (loading = new AbortController());
  if (!is_quiet) {
    at("search").value = "";
    if (folder?.base !== path) leave();
    // A quick answer shows no "Loading…" at all.
    setTimeout(() => loading === mine && state("folder", say("loading")), 200);
  }
  try {
    const fetched = await fetch_folder(path, mine.signal);
    if (loading !== mine) return;
    loading = null;
    present(fetched, is_quiet && folder?.base === fetched.base);
  } catch (error) {
    if (error.name === "AbortError") return;
    loading = null;
    if (!(error instanceof Refused)) throw error;
    refuse(error, is_quiet);
  }
}

/** No folder is shown: nothing can be dropped on one that is not there. The buttons stay while the next is fetched. */
function leave() {
  folder = null;
  list.show([]);
}

function present(fetched, is_same) {
  folder = fetched;
  queue.limit = fetched.max_upload_bytes;
  present_crumbs();
  at("choose-files").hidden = !folder.may.upload;
  at("choose-folder").hidden = !folder.may.upload || !("webkitdirectory" in at("folders"));
  at("delete-selected").hidden = !folder.may.delete;
  at("download-all").href = `${folder.base}?zip`;
  at("as-tar").href = `${folder.base}?tar`;
  at("download-all").hidden = !folder.archives || folder.entries.length === 0;
  at("as-tar").hidden = at("download-all").hidden;
  at("download-selected").hidden = !folder.archives;
  at("heading").textContent = title();
  document.title = `${title()} – lanline`;
  list.show(folder.entries, { keeps_selection: is_same });
  present_counts();
  if (!is_same) announce(`${title()}: ${at("counts").textContent}`);
}

function title() {
  return format.harmless(folder.path.at(-1) ?? folder.share);
}

function present_crumbs() {
  const names = [folder.share, ...folder.path];
  const addresses = way_to(folder.base);
  at("crumbs").querySelector("ol").replaceChildren(...names.map((name, place) => make("li", {},
    make("a", { href: addresses[place], title: format.harmless(name), "aria-current": place === names.length - 1 && "page" },
      make("bdi", {}, format.label(name))))));
}

function present_counts() {
  const files = folder.entries.filter((entry) => !entry.is_folder);
  const texts = [];
  if (folder.entries.length > files.length) texts.push(say("folders", { count: folder.entries.length - files.length }));
  if (files.length) texts.push(say("files", { count: files.length }), format.size(files.reduce((sum, file) => sum + (file.size ?? 0), 0)));
  if (folder.left_out) texts.push(say("left_out", { count: folder.left_out }));
  at("counts").textContent = texts.join(language === "zh" ? "，" : ", ");
}

function refuse(error, is_quiet) {
  const text = error.status < 0 ? say("bad_answer") : format.refusal(error.status, error.sentence);
  if (is_quiet && folder) {
    notify(text);
    return;
  }
  leave();
  for (const id of ["choose-files", "choose-folder", "download-all", "as-tar"]) at(id).hidden = true;
  at("counts").textContent = "";
  state("warning", text, { is_fault: true });
}

/** What stands in place of the list. Without an icon: nothing does. */
function state(name, text = "", { is_fault = false } = {}) {
  const box = at("state");
  box.hidden = !name;
  box.classList.toggle("fault", is_fault);
  box.querySelector(".icon").className = `icon i-${name}`;
  box.querySelector("p").textContent = text;
  box.querySelector("button").hidden = !is_fault;
  at("list").hidden = Boolean(name);
  if (is_fault) announce(text);
}

list.addEventListener("shown", () => {
  const search = at("search").value;
  if (list.shown.length || !folder) state("");
  else if (folder.entries.length) state("search", say("nothing_found", { text: search }));
  else state("folder", say(folder.may.upload ? "empty_upload" : "empty"));
});

list.addEventListener("selection", () => {
  const { chosen } = list;
  at("selection").hidden = chosen.length === 0;
  at("tools").hidden = chosen.length > 0;
  if (chosen.length === 0) return;
  const bytes = chosen.reduce((sum, entry) => sum + (entry.size ?? 0), 0);
  at("selected").textContent = say("selected", { count: chosen.length }) + (bytes ? ` · ${format.size(bytes)}` : "");
});

list.addEventListener("open", ({ detail: { entry } }) => {
  if (entry.is_folder) go(entry.href);
  else preview.open(entry);
});

function go(path) {
  if (path === location.pathname) void show(path, { is_quiet: true });
  else {
    history.pushState(null, "", path);
    scrollTo(0, 0);
    void show(path).then(() => at("list").focus({ preventScroll: true }));
  }
}

addEventListener("popstate", () => void show(location.pathname));

at("crumbs").addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(new URL(link.href).pathname);
});

at("reload").addEventListener("click", () => void show(location.pathname, { is_quiet: folder !== null }));
at("state").querySelector("button").addEventListener("click", () => void show(location.pathname));
at("notice").querySelector("button").addEventListener("click", () => { at("notice").hidden = true; });

let left_at = 0;
document.addEventListener("visibilitychange", () => {
  if (document.hidden) left_at = performance.now();
  else if (folder && !loading && performance.now() - left_at > LOOK_AGAIN) void show(location.pathname, { is_quiet: true });
});

// Uploads.

for (const [button, input] of [["choose-files", "files"], ["choose-folder", "folders"]]) {
  at(button).addEventListener("click", () => at(input).click());
  at(input).addEventListener("change", (event) => {
    if (folder) queue.add(from_input(event.target), folder.base);
    event.target.value = "";
  });
}

let dragged_over = 0; // dragenter and dragleave come in pairs, one for each element on the way
const has_files = (event) => event.dataTransfer?.types.includes("Files") ?? false;

addEventListener("dragenter", (event) => {
  if (!has_files(event) || !folder) return;
  dragged_over += 1;
  at("drop").hidden = false;
  at("drop").classList.toggle("closed", !folder.may.upload);
  at("drop").querySelector("p span:last-child").textContent = folder.may.upload ? say("drop_here", { name: title() }) : say("drop_closed");
});

addEventListener("dragleave", (event) => {
  if (!has_files(event)) return;
  dragged_over = Math.max(0, dragged_over - 1);
  at("drop").hidden = dragged_over === 0;
});

addEventListener("dragover", (event) => {
  if (!has_files(event)) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = folder?.may.upload ? "copy" : "none";
});

addEventListener("drop", async (event) => {
  if (!has_files(event)) return;
  event.preventDefault();
  dragged_over = 0;
  at("drop").hidden = true;
  if (!folder?.may.upload) return;
  const { base } = folder; // the folder that was dropped on, wherever one looks meanwhile
  const intake = await from_drop(event.dataTransfer);
  if (intake.unreadable) notify(say("unreadable", { count: intake.unreadable }));
  else if (!intake.files.length && !intake.folders.length) notify(say("nothing_dropped"));
  queue.add(intake, base);
});

let settling = null;
queue.addEventListener("arrived", ({ detail }) => {
  if (!folder || !detail.folder.startsWith(folder.base)) return;
  settling ??= setTimeout(() => {
    settling = null;
    if (!loading) void show(location.pathname, { is_quiet: true });
  }, SETTLE);
});

addEventListener("beforeunload", (event) => {
  if (queue.totals().running) event.preventDefault();
});

// What to do with a selection.

at("clear-selection").addEventListener("click", () => list.clear_selection());

at("download-selected").addEventListener("click", () => {
  const fields = list.chosen.map((entry) => ["name", entry.name]);
  const address = `${folder.base}?zip&${new URLSearchParams(fields)}`;
  if (address.length <= LONGEST_ADDRESS) {
    make("a", { href: address, download: true }).click();
    return;
  }
  const inputs = fields.map(([name, value]) => make("input", { type: "hidden", name, value }));
  const form = make("form", { method: "post", action: `${folder.base}?zip`, hidden: true }, ...inputs);
  document.body.append(form);
  form.submit();
  form.remove();
});

at("delete-selected").addEventListener("click", async () => {
  const outcome = await delete_entries(list.chosen);
  if (outcome === null) return;
  if (outcome.problems.length) notify(outcome.problems.slice(0, 5).join(" "));
  else notify(say("deleted", { count: outcome.count }), { calm: true });
  list.clear_selection();
  await show(location.pathname, { is_quiet: true });
});

// Keys for the whole page.

addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey) return;
  const is_typing = event.target.closest?.("input:not([type=checkbox]), textarea");
  if (event.key === "/" && !is_typing) {
    if (at("tools").hidden) list.clear_selection();
    at("search").focus();
    at("search").select();
  } else if (event.key === "Escape" && event.target === at("search") && at("search").value) {
    at("search").value = "";
    at("search").dispatchEvent(new Event("input"));
  } else if (event.key === "Escape" && !at("selection").hidden && !is_typing) list.clear_selection();
  else if (event.key === "ArrowDown" && event.target === at("search")) at("rows").querySelector(".entry")?.focus();
  else return;
  event.preventDefault();
});

translate(document);
at("plain").remove();
at("app").hidden = false;
void show(location.pathname);
void queue.remember();
