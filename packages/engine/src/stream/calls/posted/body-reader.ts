import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { LIMITS } from '@rivulet/protocol';
import type { ByteBudget } from '../../../structures/byte-budget.js';
import { type Refusal, refused, tooLarge } from './call-request.js';

/** A body in memory. The caller calls `give` when it needs the text no more. */
export interface WholeBody {
  readonly kind: 'body';
  readonly text: string;
  readonly give: () => void;
}

/**
 * Reads the body of a request. `room`: the memory for all bodies of the listener. Resolves with `left` when the client has left.
 */
export function readBody(request: IncomingMessage, mostBytes: number, room: ByteBudget): Promise<WholeBody | Refusal | 'left'> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    let bytes = 0;
    const end = (result: WholeBody | Refusal | 'left') => {
      clearTimeout(timer);
      request.off('data', take).off('end', whole).off('close', left);
      if (result === 'left' || result.kind === 'refused') room.give(bytes);
      resolve(result);
    };
    const take = (piece: Buffer) => {
      if (bytes + piece.length > mostBytes) return end(tooLarge(mostBytes));
      if (!room.take(piece.length)) return end(refused('OVERLOADED', 'the bodies of too many calls are arriving; call again later'));
      bytes += piece.length;
      pieces.push(piece);
    };
    const whole = () => {
      const content = Buffer.concat(pieces);
      if (!isUtf8(content)) return end(refused('deserialization_error', 'the body is not UTF-8'));
      end({ kind: 'body', text: content.toString(), give: () => room.give(bytes) });
    };
    const left = () => end('left');
    const timer = setTimeout(
      () => end(refused('deserialization_error', `the body did not arrive within ${LIMITS.messageAssemblyMs} ms`)),
      LIMITS.messageAssemblyMs,
    );
    request.on('data', take).once('end', whole).once('close', left);
  });
}
