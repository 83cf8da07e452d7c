import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type Finding, findingsOf } from './finding.js';

const ANSWER_MS = 5_000;
const { ok, note, change } = findingsOf('proxy');

/** Opens a WebSocket at a public address, as a page would, and returns whether the proxies on the way pass it on. */
export async function checkUpgrade(address: string): Promise<Finding> {
  const url = address.replace(/^ws/, 'http');
  // oxlint-disable-next-line eslint/no-restricted-globals -- this call checks the address that the operator gave
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) return change(`${address} is no ws://, wss://, http:// or https:// address`);
  const status = await upgradeStatus(url);
  if (typeof status === 'string') return change(`${address} cannot be reached (${status}); check the name, the port and the certificate`);
  switch (status) {
    case 101:
      return ok(`${address} opens a WebSocket`);
    case 401:
    case 403:
      return note(`${address} answers ${status}: upgrades pass, and somebody asks for a token or refuses this address`);
    case 426:
      return change(
        `${address} loses the upgrade: the proxy drops the headers Upgrade and Connection; ` +
          'nginx needs proxy_http_version 1.1, proxy_set_header Upgrade $http_upgrade and proxy_set_header Connection "upgrade"',
      );
    case 404:
      return change(`${address} answers 404: check the path, and path_prefix of iii-stream`);
    case 502:
    case 503:
    case 504:
      return change(`${address} answers ${status}: the proxy does not reach the engine, or the engine is not ready`);
    default:
      return change(`${address} answers ${status} to an upgrade; it should be 101`);
  }
}

/** Resolves with the status of the answer, or with why there was none. */
function upgradeStatus(url: string): Promise<number | string> {
  const request = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const sent = request(url, {
      agent: false,
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': randomBytes(16).toString('base64'),
      },
    });
    const end = (result: number | string) => {
      clearTimeout(timer);
      sent.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => end('no answer'), ANSWER_MS);
    sent.once('upgrade', (_response, socket) => {
      socket.destroy();
      end(101);
    });
    sent.once('response', ({ statusCode = 0 }) => end(statusCode));
    sent.on('error', (error) => end(error.message));
    sent.end();
  });
}
