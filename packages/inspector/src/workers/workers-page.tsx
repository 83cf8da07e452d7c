import { linkTo, type Route } from '../parts/address.js';
import { count, duration } from '../parts/figures.js';
import { type ListTab, ListTabs } from '../parts/list-tabs.js';
import { type Column, PagedTable } from '../parts/paged-table.js';
import { replaceQuery } from '../parts/route.js';
import { SearchBox } from '../parts/search-box.js';
import { EmptyState } from '../parts/states.js';
import { usePages } from '../parts/use-pages.js';
import type { Decoder } from '../wire/decoder.js';
import { FunctionView } from './function-view.js';
import {
  DEFAULT_NAMESPACE,
  decodeFunctionRow,
  decodeTrigger,
  decodeWorker,
  type FunctionRow,
  type Trigger,
  type Worker,
} from './workers-wire.js';

const EVERY_MS = 5_000;

/** Workers, functions and triggers in three tabs, or one function. */
export function WorkersPage({ parts, query }: Route) {
  const [tab, id] = parts;
  const search = query['search'] ?? '';
  if (tab === 'functions' && id !== undefined) return <FunctionView id={id} namespace={query['namespace'] ?? DEFAULT_NAMESPACE} />;
  const worker = query['worker'];
  if (tab === 'functions') return <List<FunctionRow> {...FUNCTIONS} search={search} worker={worker} />;
  if (tab === 'triggers') return <List<Trigger> {...TRIGGERS} search={search} worker={worker} />;
  return <List<Worker> {...WORKERS} search={search} />;
}

const TABS: readonly ListTab[] = [
  { title: 'Workers', parts: ['workers'] },
  { title: 'Functions', parts: ['workers', 'functions'] },
  { title: 'Triggers', parts: ['workers', 'triggers'] },
];

interface ListProps<T> {
  readonly title: string;
  /** Name of the list in the API. */
  readonly name: string;
  readonly row: Decoder<T>;
  readonly keyOf: (row: T) => string;
  readonly columns: readonly Column<T>[];
  readonly none: string;
  readonly hint: string;
}

interface ListView {
  readonly search: string;
  /** Id of the worker whose entries are shown. `undefined`: those of all workers. */
  readonly worker?: string | undefined;
}

function List<T>({ title, name, row, keyOf, columns, none, hint, search, worker }: ListProps<T> & ListView) {
  const pages = usePages({ path: [name], query: { worker }, row }, search, EVERY_MS);
  return (
    <>
      <div className="page-head">
        <h1>Workers</h1>
        <SearchBox label={`Search ${name}`} value={search} onChange={(value) => replaceQuery({ search: value, worker })} />
      </div>
      <ListTabs tabs={TABS} current={title} />
      {worker !== undefined && (
        <p className="filter">
          Only those of the worker <code>{worker}</code>.{' '}
          <a href={linkTo(TABS.find((tab) => tab.title === title)?.parts ?? ['workers'])}>Show all</a>
        </p>
      )}
      <div className="card">
        <PagedTable
          label={name}
          pages={pages}
          keyOf={keyOf}
          columns={columns}
          empty={
            <EmptyState icon="workers" title={search === '' ? none : `No match in the ${name}`}>
              {search === '' ? hint : undefined}
            </EmptyState>
          }
        />
      </div>
    </>
  );
}

function functionLink(id: string, namespace: string): string {
  return linkTo(['workers', 'functions', id], { namespace: namespace === DEFAULT_NAMESPACE ? undefined : namespace });
}

const WORKERS: ListProps<Worker> = {
  title: 'Workers',
  name: 'workers',
  row: decodeWorker,
  keyOf: ({ worker_id }) => worker_id,
  none: 'No worker is connected',
  hint: 'A program that calls registerWorker of the SDK appears here.',
  columns: [
    {
      title: 'Worker',
      isName: true,
      cell: ({ name, worker_id }) => (
        <span className="cell-main">
          {name ?? 'No name'}
          <code className="cell-sub">{worker_id}</code>
        </span>
      ),
    },
    { title: 'Kind', cell: ({ kind }) => (kind === 'guest' ? 'Guest' : 'Trusted') },
    { title: 'Namespace', kind: 'code', cell: ({ namespace }) => namespace },
    {
      title: 'Runtime',
      cell: ({ runtime, version, pid }) =>
        [runtime, version, pid === undefined ? undefined : `pid ${pid}`].filter(Boolean).join(' · ') || '–',
    },
    { title: 'Address', cell: ({ address }) => <code className="nowrap">{address}</code> },
    { title: 'Connected', kind: 'number', cell: ({ connected_at_ms: at }) => duration(Math.max(0, Date.now() - at)) },
    {
      title: 'Functions',
      kind: 'number',
      cell: ({ worker_id, name, functions }) => (
        <a href={linkTo(['workers', 'functions'], { worker: worker_id })} aria-label={`${functions} of ${name ?? worker_id}`}>
          {count(functions)}
        </a>
      ),
    },
    { title: 'Active calls', kind: 'number', cell: ({ active_calls }) => count(active_calls) },
  ],
};

const FUNCTIONS: ListProps<FunctionRow> = {
  title: 'Functions',
  name: 'functions',
  row: decodeFunctionRow,
  keyOf: ({ function_id, namespace }) => JSON.stringify([namespace, function_id]),
  none: 'No function can be called',
  hint: 'A function appears here when a worker registers it.',
  columns: [
    {
      title: 'Function',
      isName: true,
      kind: 'code',
      cell: ({ function_id, namespace }) => (
        <span className="cell-main">
          <a href={functionLink(function_id, namespace)}>{function_id}</a>
          {namespace !== DEFAULT_NAMESPACE && <span className="cell-sub">namespace {namespace}</span>}
        </span>
      ),
    },
    { title: 'Worker', cell: ({ worker_name }) => worker_name ?? '–' },
    { title: 'Description', cell: ({ description }) => description ?? <span className="muted">none</span> },
  ],
};

const TRIGGERS: ListProps<Trigger> = {
  title: 'Triggers',
  name: 'triggers',
  row: decodeTrigger,
  keyOf: ({ id }) => id,
  none: 'No trigger is registered',
  hint: 'A trigger binds a function to changes of a stream, a path of HTTP, a topic, and more.',
  columns: [
    {
      title: 'Trigger',
      isName: true,
      kind: 'code',
      cell: ({ trigger_type, config_summary }) => (
        <span className="cell-main">
          {trigger_type}
          {config_summary !== undefined && <span className="cell-sub">{config_summary}</span>}
        </span>
      ),
    },
    {
      title: 'Calls',
      kind: 'code',
      cell: ({ function_id, namespace }) => <a href={functionLink(function_id, namespace)}>{function_id}</a>,
    },
    { title: 'Worker', cell: ({ worker_name }) => worker_name ?? '–' },
    { title: 'State', cell: (trigger) => <State trigger={trigger} /> },
  ],
};

function State({ trigger: { state, waits_for } }: { readonly trigger: Trigger }) {
  if (waits_for === undefined)
    return <span className={`pill ${state === 'live' ? 'good' : 'warn'}`}>{state === 'live' ? 'Live' : 'Waiting'}</span>;
  const { kind, id, remedy } = waits_for;
  return (
    <span className="cell-main">
      <span className="pill warn">Waiting</span>
      <span className="cell-sub">
        {remedy ?? `for a worker that ${kind === 'function' ? 'serves the function' : 'provides the trigger type'} ${id}`}
      </span>
    </span>
  );
}
