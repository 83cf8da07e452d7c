// Watches the board through the balancer, and prints its engine: `node examples/many-engines/watch.mjs`.
import { argv } from 'node:process';
import { pathToFileURL } from 'node:url';
import { connect } from '@rivulet/client';
import { WebSocket } from 'ws';

/**
 * @param {string} url of the balancer
 * @param {string} group
 * @param {import('@rivulet/client').ViewListeners<unknown>} listeners
 * @param {(engine: string) => void} onEngine called for each connection. haproxy.cfg puts the name of the engine into a header of the
 * upgrade
 */
export function watchBoard(url, group, listeners, onEngine) {
  class Named extends WebSocket {
    /** @param {string} address @param {string[]} [protocols] */
    constructor(address, protocols) {
      super(address, protocols);
      this.once('upgrade', ({ headers }) => onEngine(String(headers['x-engine'])));
    }
  }
  const client = connect(url, { WebSocket: Named });
  return { client, view: client.subscribeGroup('board', group, listeners) };
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) {
  const say = console.log;
  const { view } = watchBoard(
    process.env.STREAM_URL ?? 'ws://127.0.0.1:3112',
    'main',
    {
      onReset: ({ reason, position }) =>
        say(
          `all of it (${reason}) at ${position?.offset}:`,
          view.items.map(({ data }) => data),
        ),
      onChange: (change) => say(`${change.offset} ${change.type} ${change.id}`, change.type === 'delete' ? '' : change.data),
      onStatus: (status) => say(status),
    },
    (engine) => say(`connected to engine ${engine}`),
  );
}
