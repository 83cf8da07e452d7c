import { type ConnectOptions, connect, type StreamClient } from '@rivulet/client';
import { type ISdk, registerWorker } from '@rivulet/sdk';
import { startTestEngine, type TestEngine } from '@rivulet/sdk/testing';
import { WebSocket } from 'ws';
import type { Functions, Streams } from '../shared/tasks.js';
import { registerFunctions } from '../worker/functions.js';

/** An engine in memory with the rules of the configuration file, the worker, and clients as pages have them. */
export class TestApp {
  readonly rivulet: TestEngine;
  readonly worker: ISdk;
  #clients: StreamClient<Streams, Functions>[] = [];

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

  connect(options: ConnectOptions = {}): StreamClient<Streams, Functions> {
    const client = connect<Streams, Functions>(this.rivulet.streamUrl, { WebSocket, ...options });
    this.#clients.push(client);
    return client;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.worker.shutdown();
    await this.rivulet.stop();
  }
}
