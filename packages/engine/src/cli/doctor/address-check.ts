import { randomInt } from 'node:crypto';
import { AddressRanges } from '../../structures/ip-address.js';
import type { AdminApi } from '../admin/admin-api.js';
import { CommandFailure } from '../command/failure.js';
import { type Finding, findingsOf } from './finding.js';
import { firstSessions, type SeenSession, SessionFinder } from './own-session.js';
import { openVia } from './via-connection.js';

const { ok, note, change } = findingsOf('proxy');

/** Connections that look for the engine of the admin listener behind a load balancer. */
const MOST_TRIES = 8;
/** Sessions that must agree before their address says something about a proxy. */
const FEWEST_SESSIONS = 10;
/** Addresses that no client on the Internet has. A proxy often does. */
const PRIVATE = new AddressRanges([
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '169.254.0.0/16',
  '::1',
  'fc00::/7',
  'fe80::/10',
]);
const HEADER_HINT =
  'nginx needs proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for, HAProxy http-request set-header x-forwarded-for %[src]';

/** The addresses that the engine saw of two connections of the doctor. */
export interface SeenAddresses {
  /** The own address of this machine, as the proxy sees it without a translation of addresses between them. */
  readonly own: string;
  /** The session of a connection without `X-Forwarded-For`. */
  readonly plain: Omit<SeenSession, 'id'>;
  /** Whether the engine believed the address that the doctor invented. */
  readonly isFooled: boolean;
  readonly trusted: AddressRanges;
  /** Name of the stream entry, as messages show it. */
  readonly entry: string;
}

/** Says whether the engine sees the addresses of the clients behind the proxy. */
export function judgeAddresses({ own, plain: { address, peer }, isFooled, trusted, entry }: SeenAddresses): Finding {
  if (isFooled && trusted.contains(own))
    return note(
      `the engine believes the X-Forwarded-For of this machine, because trusted_proxies of ${entry} contains its address ${own}; ` +
        'to check your clients, run the doctor on a machine that is no trusted proxy, with --admin-url',
    );
  if (isFooled)
    return change(
      `each client can forge its address: the engine believed a forged X-Forwarded-For that came by ${peer}; let the proxy overwrite the ` +
        `header or append to it (${HEADER_HINT}), and leave addresses of clients out of trusted_proxies`,
    );
  if (address !== peer) {
    const seen = `behind the proxy ${peer} the engine sees this client as ${address}, and believes no forged X-Forwarded-For`;
    if (address === own) return ok(seen);
    if (PRIVATE.contains(address))
      return note(`${seen}; the address of this machine is ${own}: if ${address} is a proxy too, add it to trusted_proxies of ${entry}`);
    return ok(`${seen}; check that this is the public address of this machine`);
  }
  if (peer === own) return ok(`the engine sees the own address of this client, ${own}`);
  if (trusted.contains(peer))
    return change(
      `the trusted proxy ${peer} names no client, so all its clients count as one address; let it send X-Forwarded-For: ${HEADER_HINT}`,
    );
  if (PRIVATE.contains(peer))
    return change(
      `all clients that come by ${peer} count as one address; if it is your proxy, add it to trusted_proxies of ${entry} and let it send ` +
        `X-Forwarded-For: ${HEADER_HINT}`,
    );
  return note(`the engine sees this client as ${peer}; if that is a proxy, add it to trusted_proxies of ${entry}`);
}

/** Says whether all clients of an engine seem to be one proxy. `entry`: the name of the stream entry. */
export function judgeSessions(sessions: readonly Omit<SeenSession, 'id'>[], entry: string): readonly Finding[] {
  const [first] = sessions;
  if (first === undefined || sessions.length < FEWEST_SESSIONS || !PRIVATE.contains(first.address)) return [];
  if (sessions.some(({ address, peer }) => address !== first.address || peer !== first.peer)) return [];
  return [
    note(
      `the first ${sessions.length} stream clients all have the address ${first.address}; if it is your proxy, add it to trusted_proxies of ` +
        `${entry} and let it send X-Forwarded-For`,
    ),
  ];
}

/** Checks the addresses of the clients that are connected now. Says nothing when the engine does not show them. */
export async function checkSessions(api: AdminApi, entry: string): Promise<readonly Finding[]> {
  try {
    return judgeSessions(await firstSessions(api), entry);
  } catch (error) {
    if (error instanceof CommandFailure) return [];
    throw error;
  }
}

export interface AddressCheck {
  /** The public address of the stream port, as `http:` or `https:`. */
  readonly url: string;
  readonly trustedProxies: readonly string[];
  /** Headers that the stream port needs. */
  readonly headers: Readonly<Record<string, string>>;
  readonly api: AdminApi;
  /** Name of the stream entry, as messages show it. */
  readonly entry: string;
}

/** Connects to a public address with a forged `X-Forwarded-For` and without, and finds the sessions in the list of the engine. */
export async function checkAddresses({ url, trustedProxies, headers, api, entry }: AddressCheck): Promise<readonly Finding[]> {
  try {
    const forged = inventAddress();
    const plain = await findSession(api, url, headers);
    if ('finding' in plain) return [plain.finding];
    const lying = await findSession(api, url, { ...headers, 'x-forwarded-for': forged });
    if ('finding' in lying) return [lying.finding];
    const isFooled = lying.session.address === forged;
    const trusted = new AddressRanges(trustedProxies);
    return [judgeAddresses({ own: plain.own, plain: plain.session, isFooled, trusted, entry })];
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    return [note(`to check which address the engine sees of a client, the doctor needs the list of sessions: ${error.message}`)];
  }
}

type Found = { readonly session: SeenSession; readonly own: string } | { readonly finding: Finding };

/** Opens connections until one leads to the engine of the admin listener. A load balancer may choose another engine. */
async function findSession(api: AdminApi, url: string, headers: Readonly<Record<string, string>>): Promise<Found> {
  const finder = new SessionFinder(api);
  let most = 0;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    await finder.begin();
    const answer = await openVia(url, headers);
    const forged = headers['x-forwarded-for'] === undefined ? '' : ' with a forged X-Forwarded-For';
    if (answer.kind === 'unreachable') return { finding: note(`a connection${forged} failed: ${answer.reason}`) };
    if (answer.kind === 'answered') return { finding: note(`an upgrade${forged} got the status ${answer.status}`) };
    const { connection } = answer;
    try {
      const ended = await finder.identify(() => connection.close());
      if (connection.closeCode !== undefined) return { finding: refused(connection.closeCode) };
      const [session] = ended;
      if (session !== undefined && ended.length === 1) return { session, own: connection.localAddress };
      most = Math.max(most, ended.length);
    } finally {
      connection.destroy();
    }
  }
  return {
    finding: note(
      most > 0
        ? 'clients come and go too fast to find the session of the doctor; run it again when the engine has less to do'
        : 'the public address leads to another engine than the admin listener; run the doctor beside that engine, or give its --admin-url',
    ),
  };
}

function refused(code: number): Finding {
  return note(
    `to check which address the engine sees of a client, the doctor needs a session: the engine closed it with ${code}; ` +
      'give a token for the auth function in RIVULET_STREAM_TOKEN',
  );
}

/** Returns a random address of the range for documents, which no client has. */
function inventAddress(): string {
  const groups = Array.from({ length: 6 }, () => randomInt(0x1000, 0x10000).toString(16));
  return `2001:db8:${groups.join(':')}`;
}
