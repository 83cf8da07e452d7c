import { type Position, RivuletError } from '@rivulet/protocol';
import type { Span, SpanEnd, WriteOperation } from '../fabric/tracing.js';
import { AnsweredError } from './answer.js';

/** The group that is written, the name of its stream for the span, and the number of changes. */
interface TracedWrite {
  readonly operation: WriteOperation;
  readonly stream: string;
  readonly group: string;
  readonly changes: number;
}

/** The part of a write's result that its span shows. */
type Written =
  | { readonly kind: 'applied'; readonly position: Position }
  | { readonly kind: 'unchanged' | 'conflict' | 'replayed' }
  | { readonly kind: 'written'; readonly results: readonly Written[] };

/**
 * Returns a write that runs below the span of its call. The triggers that it fires find its span by the positions of its commits. Use it
 * only for a call that has a span.
 */
export function traced<Result extends Written>(call: Span, write: TracedWrite, run: () => Promise<Result>): () => Promise<Result> {
  return async () => {
    const { operation, stream, group, changes } = write;
    const span = call.begin({ kind: 'write', operation, stream: operation.startsWith('state.') ? undefined : stream, changes });
    try {
      const result = await run();
      for (const position of positionsOf(result)) span.committed({ stream, group, position });
      span.end({ outcome: result.kind === 'applied' || result.kind === 'written' ? 'ok' : result.kind });
      return result;
    } catch (error) {
      span.end(endOfFailure(error));
      throw error;
    }
  };
}

function positionsOf(result: Written): readonly Position[] {
  if (result.kind === 'written') return result.results.flatMap(positionsOf);
  return result.kind === 'applied' ? [result.position] : [];
}

function endOfFailure(error: unknown): SpanEnd {
  if (error instanceof RivuletError) return { outcome: 'error', code: error.code };
  // `_OTHER` is the name of the semantic conventions for an error without a code.
  return { outcome: 'error', code: error instanceof AnsweredError ? error.body.code : '_OTHER' };
}
