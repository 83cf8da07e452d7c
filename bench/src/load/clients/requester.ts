import { Agent, get } from 'node:http';
import type { Meter } from './window.js';

/** Sends one request after another over one connection, until the promise resolves. */
export async function requestInTurn(url: string, meter: Meter, until: Promise<unknown>): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let ended = false;
  const stop = until.then(() => {
    ended = true;
  });
  while (!ended) {
    const begun = performance.now();
    await request(url, agent);
    meter.sent += 1;
    meter.acknowledged += 1;
    meter.ack.add(performance.now() - begun);
  }
  await stop;
  agent.destroy();
}

function request(url: string, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = get(url, { agent }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url} answered ${response.statusCode}`));
      response.on('end', () => resolve());
      response.resume();
    });
    sent.on('error', reject);
  });
}
