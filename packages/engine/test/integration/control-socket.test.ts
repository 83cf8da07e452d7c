import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LIMITS } from '@rivulet/protocol';
import { describe, expect, it, onTestFinished } from 'vitest';
import { backupOperation } from '../../src/control/backup-operation.js';
import { connectControl, receiveAnswer } from '../../src/control/control-client.js';
import { type ControlOperation, ControlSocket } from '../../src/control/control-socket.js';
import { silentLogger } from '../../src/logging/logger.js';

const PATIENCE_MS = 60_000;

async function open(operations: Readonly<Record<string, ControlOperation>>): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'rivulet-control-'));
  const socket = new ControlSocket({ directory, operations, logger: silentLogger });
  await socket.open();
  onTestFinished(async () => {
    await socket.close();
    rmSync(directory, { recursive: true });
  });
  return directory;
}

/** Sends bytes, and resolves with everything that comes until the engine ends the connection. */
function answerTo(directory: string, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket: Socket = connect(join(directory, 'rivulet.sock'), () => socket.write(bytes));
    let text = '';
    socket.setEncoding('utf8').on('data', (more: string) => {
      text += more;
    });
    // The engine may cut the connection off while bytes are on their way to it.
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}

describe('the control socket', () => {
  it('is for its owner only, and replaces the socket of a killed engine', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'rivulet-control-'));
    writeFileSync(join(directory, 'rivulet.sock'), '');
    const socket = new ControlSocket({ directory, operations: {}, logger: silentLogger });
    await socket.open();
    expect(statSync(join(directory, 'rivulet.sock')).mode & 0o777).toBe(0o600);
    await socket.close();
    expect(await connectControl(directory)).toBeUndefined();
    rmSync(directory, { recursive: true });
  });

  it.each<[string, string | Buffer, string]>([
    ['an unknown operation', '{"op":"format"}\n', 'NOT_FOUND'],
    ['an operation of the prototype', '{"op":"constructor"}\n', 'NOT_FOUND'],
    ['no operation', '{}\n', 'NOT_FOUND'],
    ['a throw of its code', '{"op":"fails"}\n', 'INTERNAL_ERROR'],
  ])('answers %s with an error', async (_request, bytes, code) => {
    const directory = await open({ fails: () => Promise.reject(new TypeError('a fault of ours')) });
    expect(JSON.parse(await answerTo(directory, bytes))).toMatchObject({ error: { code } });
  });

  it.each<[string, string | Buffer]>([
    ['text', 'hello\n'],
    ['an array', '[1]\n'],
    ['bytes', Buffer.from([0xff, 0x00, 0x0a])],
    ['an endless line', 'x'.repeat(LIMITS.controlLineBytes + 1)],
    ['too many lines', '{"op":"wait"}\n'.repeat(1_000)],
  ])('ends the connection of a peer that sends %s, and serves the next one', async (_fault, bytes) => {
    const directory = await open({
      wait: async (_request, conversation) => {
        for (;;) await conversation.receive(PATIENCE_MS);
      },
      ping: async (_request, conversation) => conversation.send({ pong: true }),
    });
    await answerTo(directory, bytes);
    expect(await answerTo(directory, '{"op":"ping"}\n')).toBe('{"pong":true}\n');
  });

  it('refuses more conversations than its bound', async () => {
    const directory = await open({
      wait: async (_request, conversation) => {
        conversation.send({ waits: true });
        await conversation.receive(PATIENCE_MS).catch(() => {});
      },
    });
    for (let index = 0; index < LIMITS.controlConversations; index++) {
      const conversation = await connectControl(directory);
      conversation?.send({ op: 'wait' });
      expect(await conversation?.receive(PATIENCE_MS)).toEqual({ waits: true });
    }
    const refused = await connectControl(directory);
    await expect(receiveAnswer(refused as NonNullable<typeof refused>, PATIENCE_MS)).rejects.toMatchObject({ code: 'OVERLOADED' });
  });
});

describe('the backup of a running engine', () => {
  function source(events: string[], isFull = () => false) {
    return {
      name: 'stream',
      get isFull() {
        return isFull();
      },
      hold: () => {
        events.push('held');
        return Promise.resolve(() => {
          events.push('writes go on');
        });
      },
      capture: () => {
        events.push('captured');
        return { storeId: 'id', metaPages: Buffer.from('meta'), usedBytes: 8_192, inode: 1, release: () => events.push('released') };
      },
    };
  }

  it('holds writes only while it captures, and keeps the pages until the tool has finished', async () => {
    const events: string[] = [];
    const directory = await open({ backup: backupOperation([source(events), source(events)]) });
    const tool = (await connectControl(directory)) as NonNullable<Awaited<ReturnType<typeof connectControl>>>;
    tool.send({ op: 'backup' });
    expect(await receiveAnswer(tool, PATIENCE_MS)).toMatchObject({ captured: [{ name: 'stream', usedBytes: 8_192 }, {}] });
    expect(events).toEqual(['held', 'held', 'captured', 'captured', 'writes go on', 'writes go on']);
    const second = (await connectControl(directory)) as typeof tool;
    second.send({ op: 'backup' });
    await expect(receiveAnswer(second, PATIENCE_MS)).rejects.toMatchObject({ code: 'OVERLOADED' });
    tool.send({ op: 'finish' });
    expect(await receiveAnswer(tool, PATIENCE_MS)).toEqual({ finished: true });
    await expect.poll(() => events.slice(6)).toEqual(['released', 'released']);
  });

  it('ends when a disk becomes nearly full, and releases the pages of a tool that has ended', async () => {
    const events: string[] = [];
    let full = false;
    const directory = await open({ backup: backupOperation([source(events, () => full)]) });
    const tool = (await connectControl(directory)) as NonNullable<Awaited<ReturnType<typeof connectControl>>>;
    tool.send({ op: 'backup' });
    await receiveAnswer(tool, PATIENCE_MS);
    full = true;
    tool.send({ op: 'alive' });
    await expect(receiveAnswer(tool, PATIENCE_MS)).rejects.toMatchObject({ code: 'STORE_FULL' });
    expect(events.at(-1)).toBe('released');
    full = false;
    const gone = (await connectControl(directory)) as typeof tool;
    gone.send({ op: 'backup' });
    await receiveAnswer(gone, PATIENCE_MS);
    gone.cut();
    await expect.poll(() => events.filter((event) => event === 'released')).toHaveLength(2);
  });
});
