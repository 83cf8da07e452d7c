// This file is loaded into an engine process. A timer fires at each turn of the event loop, at most once a millisecond. It notes the
// processor time that the main thread has used since it fired last. The longest such slice is the longest run of the main thread without a
// turn. Other threads and other processes do not count. At each SIGUSR2 the figures since the last one are written, as JSON, to the file
// that LOOP_SLICES_FILE names. With --expose-gc they include the memory in use after a garbage collection.
import { openSync, readSync, renameSync, writeFileSync } from 'node:fs';

const file = process.env.LOOP_SLICES_FILE;
const schedstat = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
const text = Buffer.alloc(128);

/** Returns the processor time of the main thread in milliseconds. */
function used() {
  return Number(text.toString('latin1', 0, readSync(schedstat, text, 0, text.length, 0)).split(' ')[0]) / 1e6;
}

let last = used();
let begun = last;
let longest = [];

function note() {
  const now = used();
  const slice = now - last;
  last = now;
  if (longest.length === 10 && slice <= (longest[9] ?? 0)) return;
  longest.push(slice);
  longest.sort((a, b) => b - a);
  longest.length = Math.min(longest.length, 10);
}

setInterval(note, 1).unref();
async function report() {
  note();
  const figures = { longestMs: longest[0] ?? 0, longest, totalMs: last - begun };
  for (let turn = 0; globalThis.gc !== undefined && turn < 3; turn++) {
    globalThis.gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external } = process.memoryUsage();
  writeFileSync(`${file}.part`, JSON.stringify({ ...figures, heldBytes: heapUsed + external }));
  renameSync(`${file}.part`, file);
  longest = [];
  last = used();
  begun = last;
}

process.on('SIGUSR2', () => {
  report().catch((error) => {
    throw error;
  });
});
