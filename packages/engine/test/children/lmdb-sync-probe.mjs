// Measures the time from a write of lmdb until it can be read, and until its promise resolves.
import { open } from 'lmdb';

const [, , path, overlapping] = process.argv;
const root = open({ path, noSubdir: false, overlappingSync: overlapping === 'true' });
await root.put('before', 1);
const begun = performance.now();
let readableMs;
const look = setInterval(() => {
  root.resetReadTxn();
  if (readableMs === undefined && root.get('k') === 1) readableMs = performance.now() - begun;
}, 2);
await root.transaction(() => {
  void root.put('k', 1);
});
const resolvedMs = performance.now() - begun;
clearInterval(look);
process.stdout.write(JSON.stringify({ readableMs: readableMs ?? resolvedMs, resolvedMs }));
process.exit(0);
