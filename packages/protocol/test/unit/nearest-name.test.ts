import { describe, expect, it } from 'vitest';
import { nearMiss } from '../../src/nearest-name.js';

const KEYS = ['stream_name', 'group_id', 'item_id', 'data', 'ttl_ms', 'if_version', 'id', 'ops'];

describe('nearMiss', () => {
  it.each([
    ['ttl', 'ttl_ms'],
    ['ttlMs', 'ttl_ms'],
    ['ttl_mss', 'ttl_ms'],
    ['stream', 'stream_name'],
    ['streamName', 'stream_name'],
    ['stream_name_', 'stream_name'],
    ['item', 'item_id'],
    ['Item_ID', 'item_id'],
    ['gruop_id', 'group_id'],
    ['dta', 'data'],
    ['daat', 'data'],
    ['op', 'ops'],
    ['ids', 'id'],
    ['database', 'data'],
  ])('%s is one of %s', (name, known) => {
    expect(nearMiss(name, KEYS)).toBe(known);
  });

  it.each(['user', 'meta', 'room', 'ts', 'x', 'i', '', 'timestamp', '__proto__', 'y'.repeat(100_000)])('%s is none', (name) => {
    expect(nearMiss(name, KEYS)).toBeUndefined();
  });
});
