import type { Config } from '../../config/config.js';
import { entryName } from '../../config/entry-names.js';
import { type Finding, findingsOf } from './finding.js';

/** Warnings of the configuration about ports that everybody may use. The other warnings are advice. */
const OPEN_PORTS: ReadonlySet<string> = new Set(['worker_port_open', 'guest_port_open', 'stream_without_auth']);

const { ok, note, change } = findingsOf('access');
const proxy = findingsOf('proxy');

/** Returns what the configuration leaves open to others: by a mistake, or as a default that existing clients need. */
export function accessHints(config: Config): readonly Finding[] {
  const open = config.warnings.filter(({ code }) => OPEN_PORTS.has(code)).map(({ message }) => change(message));
  const guests = config.workerManagers
    .filter(({ rbac }) => rbac !== undefined && rbac.allowedTriggerTypes === undefined)
    .map(({ host, port }) =>
      note(
        `guests of ${host}:${port} may bind triggers of every type, and so read all streams, unless the auth answer forbids it; ` +
          'set rbac.allowed_trigger_types: []',
      ),
    );
  const cors =
    config.http !== undefined && config.http.cors === undefined
      ? [
          note(
            `pages of any site may call the HTTP routes, without credentials; set cors of ${entryName(config, 'rivulet-http')} to name your sites`,
          ),
        ]
      : [];
  const found = [...open, ...guests, ...cors];
  return found.length > 0 ? found : [ok('no port and no default is open to others')];
}

/** The warning that a look at the stores repeats. */
const IN_MEMORY = 'store_in_memory';

/** Returns the other warnings of the configuration. */
export function configWarnings({ warnings, file }: Config): readonly Finding[] {
  const advice = findingsOf('configuration');
  const found = warnings.filter(({ code }) => !OPEN_PORTS.has(code) && code !== IN_MEMORY).map(({ message }) => advice.note(message));
  return [advice.ok(`${file ?? 'the built-in defaults'}: the engine can start with it`), ...found];
}

/** Returns findings about the proxies whose headers the listeners believe. */
export function proxyHints(config: Config): readonly Finding[] {
  const listeners = [
    ...config.workerManagers.map((manager) => ({ name: entryName(config, 'rivulet-worker-manager'), ...manager })),
    ...(config.stream === undefined ? [] : [{ name: entryName(config, 'rivulet-stream'), ...config.stream }]),
    ...(config.http === undefined ? [] : [{ name: entryName(config, 'rivulet-http'), ...config.http }]),
  ];
  const all = listeners.filter(({ trustedProxies }) => trustedProxies.some((range) => /\/0+$/.test(range)));
  if (all.length > 0)
    return all.map(({ name, port }) =>
      proxy.change(
        `trusted_proxies of ${name} (port ${port}) names every address, so each client can forge its own; name the addresses of your proxies`,
      ),
    );
  const without = listeners.filter(({ trustedProxies }) => trustedProxies.length === 0).map(({ name, port }) => `${name} (port ${port})`);
  if (without.length === 0) return [proxy.ok('every listener names its proxies in trusted_proxies')];
  return [
    proxy.note(
      `${without.join(', ')}: without trusted_proxies all clients behind a proxy count as one address; ` +
        'name the addresses of your proxies, if you have any',
    ),
  ];
}
