import { type Finding, findingsOf } from './finding.js';
import { openVia } from './via-connection.js';

const { ok, note, change } = findingsOf('proxy');

/**
 * Opens a WebSocket at a public address, as a page would, and returns whether the proxies on the way pass it on. `entry`: the name of the
 * stream entry, as messages show it.
 */
export async function checkUpgrade(address: string, headers: Readonly<Record<string, string>>, entry: string): Promise<Finding> {
  const url = viaUrl(address);
  if (url === undefined) return change(`${address} is no ws://, wss://, http:// or https:// address`);
  const answer = await openVia(url, headers);
  if (answer.kind === 'unreachable')
    return change(`${address} cannot be reached (${answer.reason}); check the name, the port and the certificate`);
  if (answer.kind === 'open') {
    answer.connection.destroy();
    return ok(`${address} opens a WebSocket`);
  }
  const { status } = answer;
  switch (status) {
    case 401:
    case 403:
      return note(`${address} answers ${status}: upgrades pass, and somebody asks for a token or refuses this address`);
    case 426:
      return change(
        `${address} loses the upgrade: the proxy drops the headers Upgrade and Connection; ` +
          'nginx needs proxy_http_version 1.1, proxy_set_header Upgrade $http_upgrade and proxy_set_header Connection "upgrade"',
      );
    case 404:
      return change(`${address} answers 404: check the path, and path_prefix of ${entry}`);
    case 502:
    case 503:
    case 504:
      return change(`${address} answers ${status}: the proxy does not reach the engine, or the engine is not ready`);
    default:
      return change(`${address} answers ${status} to an upgrade; it should be 101`);
  }
}

/** Returns the address of a stream port as `http:` or `https:`, or `undefined` if it is none. */
export function viaUrl(address: string): string | undefined {
  const url = address.replace(/^ws/, 'http');
  // oxlint-disable-next-line eslint/no-restricted-globals -- this call checks the address that the operator gave
  return /^https?:\/\//.test(url) && URL.canParse(url) ? url : undefined;
}
