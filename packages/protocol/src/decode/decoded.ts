import type { ErrorCode } from '../errors.js';

/** Why a frame is not a message. `ignored` frames are lawful but mean nothing here (blank text, unknown type). */
export type Undecodable =
  | { readonly kind: 'ignored'; readonly reason: 'blank' | 'unknown_type'; readonly type?: string }
  | {
      readonly kind: 'invalid';
      readonly code: ErrorCode;
      readonly reason: string;
      readonly invocationId?: string;
      readonly functionId?: string;
      /** The frame was the answer to this call, which will get no other. */
      readonly answerTo?: string;
      readonly trigger?: RefusedTrigger;
    };

/** The registration of a trigger that was refused. What could not be read of it, within bounds, is empty. */
export interface RefusedTrigger {
  readonly id: string;
  readonly type: string;
  readonly functionId: string;
}

export type Decoded<Message> = { readonly kind: 'message'; readonly message: Message } | Undecodable;
