import { linkTo } from '../parts/address.js';
import { bytes, count } from '../parts/figures.js';
import type { Overview } from './overview-wire.js';

/** Counts of the engine now. A tile with a page of its own leads to it. */
export function Tiles({ overview }: { readonly overview: Overview }) {
  const tiles = [
    { title: 'Stream clients', value: count(overview.sessions), to: 'connections' },
    { title: 'Watched groups', value: count(overview.watched_groups), to: 'streams' },
    { title: 'Workers', value: count(overview.workers), to: 'workers' },
    { title: 'Functions', value: count(overview.functions), to: 'workers' },
    { title: 'Triggers', value: count(overview.triggers), to: 'workers' },
    ...Array.from(overview.stores, ([name, store]) => ({
      title: `Store “${name}”`,
      value: store.data_bytes === undefined ? (store.backend ?? 'OK') : bytes(store.data_bytes),
      note: store.state === 'ok' ? (store.data_bytes === undefined ? undefined : store.backend) : store.state,
      isBad: store.state !== 'ok',
    })),
  ];
  return (
    <ul className="tiles">
      {tiles.map((tile) => (
        <li className="tile card" key={tile.title}>
          <span className="tile-title">{'to' in tile ? <a href={linkTo([tile.to])}>{tile.title}</a> : tile.title}</span>
          <span className={`tile-value${'isBad' in tile && tile.isBad ? ' bad-text' : ''}`}>
            {tile.value}
            {'note' in tile && tile.note !== undefined && <small>{tile.note}</small>}
          </span>
        </li>
      ))}
    </ul>
  );
}
