import { useState } from 'react';
import { api } from '../wire/admin.js';
import type { ApiFailure, ApiRequest } from '../wire/api.js';

export type WriteState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'running' }
  | { readonly kind: 'failed'; readonly failure: ApiFailure };

export interface Writer {
  readonly state: WriteState;
  /** Sends a write, and calls `done` with its answer. A failure stays in `state`. Does nothing while another write runs. */
  readonly write: <T>(request: ApiRequest<T>, done: (value: T) => void) => void;
}

/** Sends writes one at a time. A write goes on when its dialog closes, because nobody can take it back. */
export function useWrite(): Writer {
  const [state, setState] = useState<WriteState>({ kind: 'idle' });
  return {
    state,
    write: (request, done) => {
      if (state.kind === 'running') return;
      setState({ kind: 'running' });
      api.request(request, (result) => {
        if (result.kind !== 'ok') {
          setState({ kind: 'failed', failure: result });
          return;
        }
        setState({ kind: 'idle' });
        done(result.value);
      });
    },
  };
}
