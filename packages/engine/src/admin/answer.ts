import type { ErrorCode, JsonText } from '@rivulet/protocol';

/** The answer to one request. */
export interface Answer {
  readonly status: number;
  readonly body: string;
  /**
   * Bytes that are sent in place of `body`.
   * @default none
   */
  readonly bytes?: Buffer | undefined;
  /**
   * A long body, which is sent in place of `body` as fast as the client reads it. If it fails, the connection ends before the last chunk.
   * @default none
   */
  readonly pieces?: AsyncIterable<string>;
  /** @default 'application/json' */
  readonly type?: string;
  /**
   * Headers beside those of every answer, or in place of them. Names and values are constants.
   * @default none
   */
  readonly headers?: Readonly<Record<string, string>>;
  /** Methods that the path has, for status 405. */
  readonly allow?: string;
  /** Whether the connection ends with this answer. @default false */
  readonly closes?: boolean;
}

export function jsonAnswer(status: number, value: unknown): Answer {
  return { status, body: JSON.stringify(value) };
}

/** Returns an answer whose body is JSON already. */
export function textAnswer(status: number, body: JsonText): Answer {
  return { status, body };
}

/** An error of a function keeps its own code, which need not be one of Rivulet. */
export function errorAnswer(status: number, code: ErrorCode | (string & {}), message: string): Answer {
  return { ...jsonAnswer(status, { error: { code, message } }), closes: code === 'ENGINE_STOPPING' };
}

/** A request that cannot be served. The listener sends the answer. */
export class AnswerError extends Error {
  readonly answer: Answer;

  constructor(status: number, code: ErrorCode, message: string) {
    super(message);
    this.name = 'AnswerError';
    this.answer = errorAnswer(status, code, message);
  }
}
