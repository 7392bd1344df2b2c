// What was dropped or chosen, as a plain list: each file with the names of the folders above it, and empty folders.
// It reads names and never contents. What desktops leave in folders for themselves is left out.

const LITTER = new Set([".DS_Store", "Thumbs.db", "desktop.ini"]);

/** What came in: files as {file, names}, where names end with the file's own; folders that hold nothing; what failed. */
class Intake {
  files = [];
  folders = [];
  unreadable = 0;
}

/** From an <input type="file">; with `webkitdirectory` each file has its path in the chosen folder. */
export function from_input(input) {
  const intake = new Intake();
  for (const file of input.files) {
    if (LITTER.has(file.name) && file.webkitRelativePath) continue;
    intake.files.push({ file, names: file.webkitRelativePath ? file.webkitRelativePath.split("/") : [file.name] });
  }
  return intake;
}

/** From a drop. The transfer is emptied as soon as its event is over: its entries are taken before the first await. */
export async function from_drop(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const roots = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const intake = new Intake();
  for (const root of roots) {
    if (root instanceof File) intake.files.push({ file: root, names: [root.name] });
    else if (root !== null) await walk(root, [], intake);
  }
  return intake;
}

async function walk(entry, above, intake) {
  const names = [...above, entry.name];
  try {
    if (entry.isFile) {
      intake.files.push({ file: await new Promise((done, failed) => entry.file(done, failed)), names });
      return;
    }
    const inside = (await read_all(entry.createReader())).filter((each) => !LITTER.has(each.name));
    if (inside.length === 0) intake.folders.push(names);
    for (const each of inside) await walk(each, names, intake);
  } catch {
    intake.unreadable += 1; // gone meanwhile, or no right to read it: counted, and told at the end
  }
}

/** A reader gives some entries at a time (100 in Chromium), and none at the end. */
async function read_all(reader) {
  const all = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (some.length === 0) return all;
    all.push(...some);
  }
}
