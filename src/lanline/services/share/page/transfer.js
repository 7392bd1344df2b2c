// One file on its way: in one PUT where it is small, else in chunks that can be taken up again after any interruption.
//
// Large files follow draft-ietf-httpbis-resumable-upload: POST makes the upload and gives its address, PATCH appends at an
// offset, HEAD tells how far it got. Each chunk carries its SHA-256 (Content-Digest, RFC 9530) where the browser may compute
// one, which is on TLS and localhost; elsewhere the server's own hash of the whole is shown at the end. What is sent is the
// slice of the file, not the bytes that were hashed: the browser then reads it where it sends, and copies nothing.
// Nothing here waits or tries again: queue.js decides that.

import * as memory from "./memory.js";

export const SMALL = 4 * 1024 * 1024; // one request, repeated whole when it fails
const CHUNK = 8 * 1024 * 1024; // what at most is sent twice after a cut
const DAMAGED_AT_MOST = 3;

/** The server said no, or nothing (status 0). `retry_after` is in seconds, or null. */
export class NotSent extends Error {
  constructor(answer, cause = "") {
    super(cause || `status ${answer.status}`);
    this.status = answer.status;
    this.sentence = answer.text;
    this.retry_after = Number.parseInt(answer.header("Retry-After"), 10) || null;
    this.cause = cause;
  }
}

/** One request. XMLHttpRequest, for fetch tells no progress of what it sends. Never rejects but for `signal`. */
export function request(method, url, { headers = {}, body = null, on_progress = () => {}, signal } = {}) {
  return new Promise((done, failed) => {
    const call = new XMLHttpRequest();
    const finish = () =>
      done({ status: call.status, text: call.responseText.slice(0, 300).trim(), header: (name) => call.getResponseHeader(name) ?? "" });
    const abort = () => call.abort();
    call.open(method, url);
    for (const [name, value] of Object.entries(headers)) call.setRequestHeader(name, value);
    call.upload.onprogress = (event) => on_progress(event.loaded);
    call.onload = finish;
    call.onerror = finish;
    call.ontimeout = finish;
    call.onabort = () => failed(new DOMException("aborted", "AbortError"));
    call.onloadend = () => signal?.removeEventListener("abort", abort);
    if (signal?.aborted) {
      failed(new DOMException("aborted", "AbortError"));
      return;
    }
    signal?.addEventListener("abort", abort);
    call.send(body);
  });
}

async function bytes_of(blob) {
  try {
    return await blob.arrayBuffer();
  } catch {
    throw new NotSent({ status: -1, text: "", header: () => "" }, "changed");
  }
}

async function digest_of(blob) {
  if (!globalThis.crypto?.subtle) return {};
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", await bytes_of(blob)));
  return { "Content-Digest": `sha-256=:${btoa(String.fromCharCode(...hash))}:` };
}

/** Passes if it was the network that failed, and not the reading of the file, which the browser tells in the same way. */
async function check_readable(answer, file, offset) {
  if (answer.status === 0) await bytes_of(file.slice(offset, offset + 1));
}

/** The SHA-256 of the whole file that an answer tells (Repr-Digest), in hexadecimal; "" where it tells none. */
function hash_in(answer) {
  const found = /sha-256=:([A-Za-z0-9+/]+=*):/.exec(answer.header("Repr-Digest"));
  return found ? Array.from(atob(found[1]), (char) => char.charCodeAt(0).toString(16).padStart(2, "0")).join("") : "";
}

const ASKS_HASH = { "Want-Repr-Digest": "sha-256=10" };
const fresh = (replaces) => (replaces ? {} : { "If-None-Match": "*" });

/** Sends a small file. `upload`: {file, target, replaces, on_sent(bytes), signal}. Gives the server's hash, or "". */
export async function send_small({ file, target, replaces, on_sent, signal }) {
  const answer = await request("PUT", target, {
    headers: { ...fresh(replaces), ...(await digest_of(file)), ...ASKS_HASH, "Content-Type": "application/octet-stream" },
    body: file,
    on_progress: on_sent,
    signal,
  });
  await check_readable(answer, file, 0);
  if (answer.status < 200 || answer.status > 299) throw new NotSent(answer);
  on_sent(file.size);
  return hash_in(answer);
}

/** Sends a large file, from where an earlier attempt left off if there was one. Arguments and result as send_small. */
export async function send_large(upload) {
  const key = memory.key_of(upload.target, upload.file);
  const place = (await taken_up(key, upload)) ?? (await begun(key, upload));
  try {
    const hash = await append_all(place, upload);
    await memory.forget(key);
    return hash;
  } catch (error) {
    // Refused for good, in a way that asking again cannot change: what lies there is of no use any more.
    if ([404, 410, 412, 413].includes(error.status)) await memory.forget(key);
    throw error;
  }
}

/** Where an earlier attempt stands: {url, offset}, or null where there was none or the server has forgotten it. */
async function taken_up(key, { file, signal }) {
  const known = await memory.recall(key);
  if (!known) return null;
  const answer = await request("HEAD", known.url, { signal });
  const offset = Number.parseInt(answer.header("Upload-Offset"), 10);
  if (answer.status >= 200 && answer.status <= 299 && offset <= file.size) return { url: known.url, offset };
  if (answer.status !== 0 && answer.status < 500 && answer.status !== 401 && answer.status !== 429) {
    await memory.forget(key);
    return null;
  }
  throw new NotSent(answer);
}

async function begun(key, { file, target, replaces, signal }) {
  const answer = await request("POST", target, {
    headers: { ...fresh(replaces), ...ASKS_HASH, "Upload-Complete": "?0", "Upload-Length": String(file.size) },
    signal,
  });
  const place = answer.header("Location");
  if (answer.status < 200 || answer.status > 299 || !place) throw new NotSent(answer);
  const url = new URL(place, new URL(target, location.origin)).pathname;
  await memory.keep({ key, url, target, name: file.name, size: file.size, modified: file.lastModified });
  return { url, offset: Number.parseInt(answer.header("Upload-Offset"), 10) || 0 };
}

/** While one chunk travels, the next is read and hashed. */
async function append_all({ url, offset }, { file, on_sent, signal }) {
  const prepare = async (start) => {
    const body = file.slice(start, start + CHUNK);
    return { start, body, digest: await digest_of(body) };
  };
  let damaged = 0;
  let at = offset;
  let ready = prepare(at);
  on_sent(at);
  for (;;) {
    const chunk = await ready;
    const end = chunk.start + chunk.body.size;
    const is_last = end === file.size;
    ready = is_last ? null : prepare(end);
    ready?.catch(() => {}); // awaited in the next round; an abort before that is no fault of its own
    const answer = await append(url, chunk, is_last, { on_sent, signal });
    if (answer.status >= 200 && answer.status <= 299) {
      if (is_last) return hash_in(answer);
      at = end;
    } else if (answer.status === 409 && is_offset(answer, file)) {
      at = Number.parseInt(answer.header("Upload-Offset"), 10);
      ready = prepare(at);
    } else if (answer.status === 400 && chunk.digest["Content-Digest"] && ++damaged < DAMAGED_AT_MOST) {
      ready = prepare(at);
    } else {
      on_sent(at); // what this chunk had sent did not arrive
      await check_readable(answer, file, at);
      throw new NotSent(answer, damaged === DAMAGED_AT_MOST ? "damaged" : "");
    }
    on_sent(at);
  }
}

function is_offset(answer, file) {
  const offset = Number.parseInt(answer.header("Upload-Offset"), 10);
  return offset >= 0 && offset <= file.size;
}

function append(url, chunk, is_last, { on_sent, signal }) {
  return request("PATCH", url, {
    headers: {
      ...chunk.digest,
      ...ASKS_HASH,
      "Content-Type": "application/partial-upload",
      "Upload-Offset": String(chunk.start),
      "Upload-Complete": is_last ? "?1" : "?0",
    },
    body: chunk.body,
    on_progress: (bytes) => on_sent(chunk.start + Math.min(bytes, chunk.body.size)),
    signal,
  });
}

/** Tells the server that an upload will not be finished. */
export async function give_up(target, file) {
  const key = memory.key_of(target, file);
  const known = await memory.recall(key);
  await memory.forget(key);
  if (known) await request("DELETE", known.url);
}
