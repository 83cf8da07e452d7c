import type { DumpedHead, DumpedItem, DumpedStore, DumpSource } from './dump.js';

/** The begin of the last member of an item. */
export const DATA = ',"data":';

/** Returns the line of a store in an export. */
export function storeLine(name: string, { epoch, removedOffset, removedTimestamp }: DumpedStore): string {
  return JSON.stringify({ store: name, epoch, removed_offset: removedOffset, removed_timestamp: removedTimestamp });
}

/** Returns the line of a group. */
export function groupLine({ stream, group, offset, timestamp }: DumpedHead): string {
  return JSON.stringify({ stream, group, offset, timestamp });
}

/** Returns the line of an item. */
export function itemLine({ item, created, changed, expiry, data }: DumpedItem): string {
  const expires = expiry === undefined ? {} : expiry.kind === 'ttl' ? { expires_at: expiry.at } : { lease_grace_ms: expiry.graceMs };
  const head = JSON.stringify({ id: item, created, changed, ...expires });
  // A line feed in JSON text is white space between two tokens.
  return `${head.slice(0, -1)}${DATA}${/[\r\n]/.test(data) ? data.replaceAll(/[\r\n]/g, ' ') : data}}`;
}

/** Returns the last line of an export. */
export function endLine(counts: { readonly groups: number; readonly items: number }): string {
  return JSON.stringify({ end: { groups: counts.groups, items: counts.items } });
}

/** Yields the text of a whole store in pieces: its line, its groups with their items, and the last line. */
export async function* dumpText(name: string, source: DumpSource): AsyncIterable<string> {
  let groups = 0;
  let items = 0;
  try {
    yield `${storeLine(name, source.store)}\n`;
    for await (const group of source.groups()) {
      groups++;
      yield `${groupLine(group)}\n`;
      for await (const chunk of group.chunks()) {
        items += chunk.length;
        yield chunk.map((item) => `${itemLine(item)}\n`).join('');
      }
    }
    yield `${endLine({ groups, items })}\n`;
  } finally {
    await source.close();
  }
}
