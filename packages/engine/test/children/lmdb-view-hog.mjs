// Takes all places for readers of an environment, prints their number, and keeps them until the process is killed.
import { open } from 'lmdb';

const environment = open({ path: process.argv[2], noSubdir: false, maxDbs: 8, encoding: 'binary', noSync: true });
const table = environment.openDB({ name: 'hog', encoding: 'binary' });
const views = [];
try {
  for (;;) {
    views.push(environment.useReadTransaction());
    await table.put('n', Buffer.from(String(views.length)));
    environment.resetReadTxn();
  }
} catch {
  process.stdout.write(`${views.length}\n`);
}
process.stdin.resume();
