import { crc32 } from 'node:zlib';
import { open } from 'lmdb';
import { itemOf, updateText } from '../load/clients/update.js';
import { Latencies } from '../measure/statistics.js';

// The upper bound of lmdb-js for the records of one stream::set: 1 get and 4 puts for each write, and nothing else.
const [directory = '', inFlight = '1', warmUpMs = '0', windowMs = '1000'] = process.argv.slice(2);
const root = open<Buffer, Buffer>({
  path: directory,
  noSubdir: false,
  encoding: 'binary',
  keyEncoding: 'binary',
  maxDbs: 5,
  overlappingSync: false,
  compression: false,
});
const table = (name: string) => root.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary' });
const heads = table('heads');
const items = table('items');
const order = table('order');
const versions = table('versions');
const NUMBER_BYTES = 6;
const CRC_BYTES = 4;

function numbers(...values: number[]): Buffer {
  const key = Buffer.allocUnsafe(values.length * NUMBER_BYTES);
  values.forEach((value, index) => key.writeUIntBE(value, index * NUMBER_BYTES, NUMBER_BYTES));
  return key;
}

function record(key: Buffer, size: number, text: string): Buffer {
  const bytes = Buffer.alloc(CRC_BYTES + size + text.length);
  bytes.write(text, CRC_BYTES + size);
  bytes.writeUInt32BE(crc32(bytes.subarray(CRC_BYTES), crc32(key)), 0);
  return bytes;
}

let written = 0;
let offset = 0;
const headKey = Buffer.from('bench\u0000room');

function writeOne(): Promise<void> {
  const call = offset++;
  const item = itemOf(call);
  return root.transaction(() => {
    const itemKey = Buffer.concat([numbers(1), Buffer.from(item)]);
    items.get(itemKey);
    void items.put(itemKey, record(itemKey, 13, updateText(call, call)));
    const orderKey = numbers(1, call % 100);
    void order.put(orderKey, record(orderKey, 0, item));
    const versionKey = numbers(1, call);
    void versions.put(versionKey, record(versionKey, 9, item));
    void heads.put(headKey, record(headKey, 36, ''));
  });
}

let running = true;
const latencies = new Latencies();
async function lane(): Promise<void> {
  while (running) {
    const begun = performance.now();
    await writeOne();
    latencies.add(performance.now() - begun);
    written += 1;
  }
}

const lanes = Array.from({ length: Number(inFlight) }, lane);
await new Promise((resolve) => setTimeout(resolve, Number(warmUpMs)));
const before = written;
latencies.clear();
const start = performance.now();
await new Promise((resolve) => setTimeout(resolve, Number(windowMs)));
const perSecond = ((written - before) / (performance.now() - start)) * 1_000;
const p50 = latencies.at(0.5);
running = false;
await Promise.all(lanes);
await root.close();
process.stdout.write(`${JSON.stringify({ perSecond, p50 })}\n`);
