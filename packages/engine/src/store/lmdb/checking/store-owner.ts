import { join } from 'node:path';
import { DATA_FILE, readMarker } from '../env/store-marker.js';
import { PageFile } from '../pages/page-file.js';
import { StoreTrees } from '../pages/store-trees.js';
import { isSound } from '../tables/records.js';
import { decodeState, STATE_KEY } from '../tables/store-meta.js';

/**
 * Returns why the data file does not belong to the marker beside it; `undefined` when it does. A store of an older version has no id, and
 * belongs to any marker. Call it for a file whose pages are sound. `root`: the roots to read. @default the newest
 */
export function ownerProblem(directory: string, root?: Buffer): string | undefined {
  const owner = ownerOf(join(directory, DATA_FILE), root);
  if (owner === undefined) return undefined;
  const marker = readMarker(directory);
  if (marker === undefined) return 'the marker rivulet-store.json is missing';
  return marker.storeId === owner ? undefined : 'the data file belongs to another store than the marker rivulet-store.json';
}

function ownerOf(path: string, root: Buffer | undefined): string | undefined {
  const file = new PageFile(path, root);
  try {
    if (file.newest === undefined) return undefined;
    const trees = new StoreTrees(file, file.newest, () => {});
    const tree = trees.tables().get('meta');
    const reader = tree && trees.read('meta', tree);
    for (let entry = reader?.next(); entry !== undefined; entry = reader?.next())
      if (entry.key.equals(STATE_KEY) && isSound(entry.key, entry.value)) return decodeState(STATE_KEY, entry.value)?.storeId;
    return undefined;
  } finally {
    file.close();
  }
}
