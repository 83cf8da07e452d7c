import { type ISdk, registerWorker } from '@rivulet/sdk';
import { startTestEngine, type TestEngine } from '@rivulet/sdk/testing';
import { WebSocket } from 'ws';
import { type Client, connectAs } from '../page/client.js';
import type { Person } from '../shared/people.js';
import { registerFunctions } from '../worker/functions.js';

/** An engine in memory with the rules of the configuration file, the worker, and clients as pages have them. */
export class TestApp {
  readonly rivulet: TestEngine;
  readonly worker: ISdk;
  #clients: Client[] = [];

  private constructor(rivulet: TestEngine, worker: ISdk) {
    this.rivulet = rivulet;
    this.worker = worker;
  }

  static async start(): Promise<TestApp> {
    const rivulet = await startTestEngine({ config: 'rivulet.yaml' });
    const worker = registerWorker(rivulet.workerUrl);
    registerFunctions(worker);
    // The engine answers in order, so it has the functions when it has answered.
    await worker.listFunctions();
    return new TestApp(rivulet, worker);
  }

  connect(person: Person = { id: 'ann', name: 'Ann' }): Client {
    const client = connectAs(person, this.rivulet.streamUrl, { WebSocket });
    this.#clients.push(client);
    return client;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.worker.shutdown();
    await this.rivulet.stop();
  }
}
