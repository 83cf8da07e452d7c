// Writes to the store in the given directory until a write fails, closes the store, and reports whether the directory can be opened again.
import { readdirSync } from 'node:fs';
import { openStore } from './child-store.mjs';

const [, , path] = process.argv;
const ref = { stream: 's', group: 'g' };
const store = await openStore(path);
let taken = 0;
let failure;
while (failure === undefined && taken < 200) {
  await store.apply({ kind: 'set', ...ref, item: 'm', data: String(taken + 1) }).then(
    () => taken++,
    (error) => {
      failure = error;
    },
  );
}
const read = (await store.get(ref, 'm')).value?.data;
await store.close();
const reopened = await openStore(path).then(
  () => 'opened',
  (error) => error.message,
);
const told = {
  taken,
  code: failure?.code,
  reason: String(failure?.cause),
  read,
  locked: readdirSync(path).some((name) => name.startsWith('rivulet-store.lock')),
  reopened,
};
process.stdout.write(JSON.stringify(told));
