import { expect, it } from 'vitest';
import { LostClients } from '../../src/stream/reading/events/lost-clients.js';
import { readSilentPeer, type SilentPeer } from '../../src/transport/plain/silent-peers.js';

const END = ' 0 4711 2 00000000d1861bcf 20 4 30 10 -1';
/** A line of the kernel's table. `to` has the addresses and ports as the kernel writes them. */
const line = (to: string, { state = '01', sent = 0x1a, attempts = '00000000', probes = 0 } = {}) => {
  const queue = sent.toString(16).toUpperCase().padStart(8, '0');
  return `  17: ${to} ${state} ${queue}:00000000 01:00000019 ${attempts}     0        ${probes}${END}`;
};
const IPV4 = '0100007F:0C28 0202120A:D431';
const IPV6 = '00000000000000000000000000000000:0C28 B80D0120000000000000000001000000:D431';
const MAPPED = '0000000000000000FFFF00000100007F:0C28 0000000000000000FFFF00000202120A:D431';

it('a peer is silent when the kernel has sent bytes again, or has probed it, without an answer', () => {
  const silent = { localPort: 3_112, remotePort: 54_321, unconfirmed: 26 };
  const ipv4 = readSilentPeer(line(IPV4, { attempts: '00000003' }));
  expect(ipv4).toMatchObject(silent);
  expect(readSilentPeer(line(MAPPED, { attempts: '00000003' }))).toEqual(ipv4);
  expect(readSilentPeer(line(IPV6, { probes: 2 }))).toMatchObject(silent);
  for (const other of [
    line(IPV4),
    line(IPV4, { sent: 0, attempts: '00000003' }),
    line(IPV4, { state: '06', attempts: '00000003' }),
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '',
    'x'.repeat(200),
  ])
    expect(readSilentPeer(other)).toBe(undefined);
});

function start() {
  const client = { peerAddress: '::ffff:10.18.2.2', ports: { local: 3_112, remote: 54_321 }, taken: 1_000 };
  let table: readonly SilentPeer[] = [];
  const clients = new LostClients<typeof client>(2, async () => table);
  /** Looks once, while the kernel has these lines. Returns whether the client is lost. */
  const look = async (...lines: readonly string[]) => {
    table = lines.map(readSilentPeer).filter((peer) => peer !== undefined);
    return (await clients.find([client])).includes(client);
  };
  return { client, clients, look };
}
const silent = line(IPV4, { attempts: '00000003' });

it('a client is lost when it was silent at each look', async () => {
  const { look } = start();
  expect([await look(silent), await look(silent), await look(silent)]).toEqual([false, false, true]);
});

it('an answer, or a confirmed byte, begins again', async () => {
  const { look, client } = start();
  expect([await look(silent), await look(silent), await look(), await look(silent), await look(silent)]).not.toContain(true);
  client.taken += 10;
  expect([await look(silent), await look(silent), await look(silent)]).toEqual([false, false, true]);
});

it('bytes that were added meanwhile confirm nothing', async () => {
  const { look, client } = start();
  await look(silent);
  client.taken += 10;
  await look(line(IPV4, { sent: 0x1a + 10, attempts: '00000004' }));
  expect(await look(line(IPV4, { sent: 0x1a + 10, attempts: '00000004' }))).toBe(true);
});

it('another client of the same port is not meant, and neither is one whose socket is closed', async () => {
  const { look, client } = start();
  for (let looks = 0; looks < 5; looks++)
    for (const other of ['0100007F:0C28 0302120A:D431', '0100007F:0C28 0202120A:D432', '0100007F:0C29 0202120A:D431'])
      expect(await look(line(other, { attempts: '00000003' }))).toBe(false);
  Object.assign(client, { ports: undefined });
  for (let looks = 0; looks < 5; looks++) expect(await look(silent)).toBe(false);
});

it('a look that takes long is not joined by another one', async () => {
  let release: () => void = () => {};
  const clients = new LostClients<never>(0, () => new Promise((resolve) => (release = () => resolve([]))));
  const first = clients.find([]);
  expect(await clients.find([])).toEqual([]);
  release();
  expect(await first).toEqual([]);
});
