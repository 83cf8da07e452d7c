import type { StreamClient } from '../../src/index.js';

export interface Question {
  readonly text: string;
}

/** How a test drives a component that calls `app::answer`. */
export interface CallerPage {
  show: (client: StreamClient) => void;
  call: (question: Question) => Promise<string>;
  reset: () => void;
  end: () => void;
}

/** Returns the line that every framework shows. */
export function callerLine(pending: boolean, result: string | undefined, code: string | undefined): string {
  return `${pending ? 'pending' : 'idle'}, result ${result ?? 'none'}, error ${code ?? 'none'}`;
}
