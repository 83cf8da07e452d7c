import type { View } from '../env/environment.js';
import { decodeText, decodeVersion, type ItemRecord, isSound, LAST_NUMBER, NUMBER_BYTES, numberAt, numbersKey } from '../tables/records.js';
import type { Tables } from '../tables/tables.js';

/** The value of an item whose record is damaged, for the commit that replaces or deletes it. */
const LOST_VALUE = 'null';

/**
 * Returns what the other tables know of an item whose record is damaged, so that the item can be written and deleted. Without it, the place
 * and the version of the old record would stay. It reads the whole group, because those tables are not ordered by item.
 */
export function lostItem(tables: Tables, key: Buffer, view: View | undefined): ItemRecord {
  const group = numberAt(key, 0);
  const item = key.toString('utf8', NUMBER_BYTES);
  const range = { start: numbersKey(group, 0), end: numbersKey(group, LAST_NUMBER), ...(view === undefined ? {} : { transaction: view }) };
  let created: number | undefined;
  for (const { key: place, value } of tables.order.getRange(range))
    if (isSound(place, value) && decodeText(place, value) === item) created = numberAt(place, 1);
  let changed = 0;
  let createdByVersion = 0;
  for (const { key: place, value } of tables.versions.getRange(range)) {
    if (!isSound(place, value)) continue;
    const version = decodeVersion(place, value);
    if (version.item === item) [changed, createdByVersion] = [numberAt(place, 1), version.created];
  }
  const live = created !== undefined;
  return { live, created: created ?? createdByVersion, changed, expiry: undefined, data: live ? LOST_VALUE : '', isLost: true };
}
