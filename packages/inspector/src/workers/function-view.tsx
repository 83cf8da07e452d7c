import { useMemo } from 'react';
import { Breadcrumbs } from '../parts/breadcrumbs.js';
import { EmptyState, Failure, Loading } from '../parts/states.js';
import { usePoll } from '../parts/use-poll.js';
import { access } from '../wire/admin.js';
import { useStore } from '../wire/store.js';
import { CallForm } from './call-form.js';
import { exampleOf } from './schema-example.js';
import { decodeFunction, type FunctionDetail } from './workers-wire.js';

/** One function: its schemas, and a form that calls it. */
export function FunctionView({ id, namespace }: { readonly id: string; readonly namespace: string }) {
  const key = JSON.stringify([namespace, id]);
  const { value, failure, refresh } = usePoll(key, { path: ['functions', id], query: { namespace }, decoder: decodeFunction });
  const isGone = failure?.kind === 'refused' && failure.status === 404;
  return (
    <>
      <Breadcrumbs parts={['workers', 'functions', id]} titles={['Workers', 'Functions', id]} />
      <div className="page-head">
        <h1 className="code-title">{id}</h1>
        {value?.worker_name !== undefined && <span className="muted">of {value.worker_name}</span>}
      </div>
      {failure !== undefined && !isGone && <Failure failure={failure} onRetry={refresh} />}
      {isGone && (
        <div className="card">
          <EmptyState icon="workers" title="No worker serves this function now">
            It appears again when a worker registers it.
          </EmptyState>
        </div>
      )}
      {value === undefined ? failure === undefined && <Loading what="the function" /> : <Content detail={value} />}
    </>
  );
}

function Content({ detail }: { readonly detail: FunctionDetail }) {
  const { function_id, namespace, description, request_schema, response_schema } = detail;
  const state = useStore(access);
  const example = useMemo(() => exampleOf(request_schema), [request_schema]);
  const mayCall = state.kind === 'granted' && state.role === 'full';
  return (
    <div className="stack">
      {description !== undefined && <p className="lead">{description}</p>}
      <div className="columns">
        <CallForm id={function_id} namespace={namespace} schema={request_schema} example={example} mayCall={mayCall} />
        <div className="stack">
          <Schema title="Input schema" schema={request_schema} isLeftOut={detail.request_schema_left_out} />
          <Schema title="Result schema" schema={response_schema} isLeftOut={detail.response_schema_left_out} />
        </div>
      </div>
    </div>
  );
}

interface SchemaProps {
  readonly title: string;
  readonly schema: unknown;
  readonly isLeftOut: boolean | undefined;
}

function Schema({ title, schema, isLeftOut = false }: SchemaProps) {
  const isGiven = schema !== undefined && schema !== null;
  return (
    <section className="card" aria-label={title}>
      <h2 className="card-title">{title}</h2>
      {isGiven ? (
        <pre className="json-text" tabIndex={0}>
          {JSON.stringify(schema, null, 2)}
        </pre>
      ) : (
        <p className="muted pad no-top">
          {isLeftOut ? 'It is too long for this page.' : 'The worker has sent none, so any JSON may be right.'}
        </p>
      )}
    </section>
  );
}
