// What outlives a reload: the addresses of uploads that are under way, in the browser's own database (IndexedDB).
// The file itself cannot be kept: it is chosen again, and known by where it goes, its size and its date.
// A browser that keeps nothing (private windows of some) loses only this; each call then answers as if all were new.

const DATABASE = "lanline-share";
const STORE = "uploads";

/** What a file is known by when it is chosen again. */
export function key_of(target, file) {
  return JSON.stringify([target, file.size, file.lastModified]);
}

function open() {
  return new Promise((done, failed) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "key" });
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
}

let database = null;

async function ask(mode, make_request, otherwise) {
  try {
    database ??= open();
    const store = (await database).transaction(STORE, mode).objectStore(STORE);
    return await new Promise((done, failed) => {
      const request = make_request(store);
      request.onsuccess = () => done(request.result);
      request.onerror = () => failed(request.error);
    });
  } catch (error) {
    console.info("uploads will not outlive a reload:", error.message);
    return otherwise;
  }
}

/** Keeps {key, url, target, name, size, modified}. */
export function keep(upload) {
  return ask("readwrite", (store) => store.put(upload), undefined);
}

/** Forgets an upload: it is finished, or was given up. */
export function forget(key) {
  return ask("readwrite", (store) => store.delete(key), undefined);
}

/** The upload with this key, or undefined. */
export function recall(key) {
  return ask("readonly", (store) => store.get(key), undefined);
}

/** All that were kept. */
export function recall_all() {
  return ask("readonly", (store) => store.getAll(), []);
}
