// Takes the lock of the given directory, and reports whether it has it, as one line of JSON.
import { takeDirectoryLock } from '../../dist/store/lmdb/env/directory-lock.js';

const [, , directory] = process.argv;
const outcome = await takeDirectoryLock(directory).then(
  () => 'taken',
  (error) => error.message,
);
process.stdout.write(JSON.stringify(outcome));
process.exit();
