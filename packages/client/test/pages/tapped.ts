import { type ConnectOptions, connect, type StreamClient } from '../../src/index.js';

/** A client of a page, and what passes over its sockets. */
export interface Tapped {
  readonly client: StreamClient;
  /** A word for each frame of the engine: `sync`, `create`, `resumed tail`. */
  readonly frames: string[];
  /** A word for each message of the client, and its group or item: `join r1 m1`. */
  readonly sent: string[];
  readonly sockets: WebSocket[];
}

/** Returns a client whose frames are counted. */
export function tapped(url: string, options: ConnectOptions = {}): Tapped {
  const frames: string[] = [];
  const sent: string[] = [];
  const sockets: WebSocket[] = [];
  class TappedSocket extends WebSocket {
    constructor(address: string, protocols?: string[]) {
      super(address, protocols ?? []);
      sockets.push(this);
      this.addEventListener('message', ({ data }: MessageEvent<string>) => {
        const frame = JSON.parse(data) as { type: string; data?: { mode?: string }; event?: { type: string } };
        frames.push(frame.type === 'stream' ? `${frame.event?.type}` : `${frame.type} ${frame.data?.mode ?? ''}`.trim());
      });
    }
    override send(data: string): void {
      const { type, data: body } = JSON.parse(data) as { type: string; data: { groupId?: string; id?: string } };
      sent.push([type, body.groupId, body.id].filter((word) => word !== undefined).join(' '));
      super.send(data);
    }
  }
  return { client: connect(url, { WebSocket: TappedSocket, ...options }), frames, sent, sockets };
}
