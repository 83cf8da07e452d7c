// Writes a given number of items to one group of the store in the given directory: `{"n":N}` under the id `i` and N in seven digits. Then
// the process is killed.
import { openStore } from './child-store.mjs';

const [, , path, count] = process.argv;
const store = await openStore(path);
const AT_ONCE = 16_384;
for (let n = 0; n < Number(count); n += AT_ONCE) {
  const items = Array.from({ length: Math.min(AT_ONCE, Number(count) - n) }, (_, at) => n + at);
  await Promise.all(
    items.map((each) =>
      store.apply({ kind: 'set', stream: 's', group: 'g', item: `i${String(each).padStart(7, '0')}`, data: `{"n":${each}}` }),
    ),
  );
}
process.kill(process.pid, 'SIGKILL');
