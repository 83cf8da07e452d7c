import type { ErrorCode } from '../errors.js';

/** The reason why a frame is no message. `ignored`: the frame is valid and has no effect, for instance a blank text or an unknown type. */
export type Undecodable =
  | { readonly kind: 'ignored'; readonly reason: 'blank' | 'unknown_type'; readonly type?: string }
  | {
      readonly kind: 'invalid';
      readonly code: ErrorCode;
      readonly reason: string;
      readonly invocationId?: string;
      readonly functionId?: string;
      /** The frame was a `call` of a stream client. Its id is `undefined` if it could not be read. */
      readonly call?: { readonly callId: string | undefined };
      /** The frame was the answer to this call. The call gets no other answer. */
      readonly answerTo?: string;
      readonly trigger?: RefusedTrigger;
    };

/** The registration of a trigger that was refused. A member that could not be read, or is too long, is empty. */
export interface RefusedTrigger {
  readonly id: string;
  readonly type: string;
  readonly functionId: string;
}

export type Decoded<Message> = { readonly kind: 'message'; readonly message: Message } | Undecodable;
