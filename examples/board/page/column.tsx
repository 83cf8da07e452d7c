import { useBoardContext } from './board-context.js';
import { CardItem } from './card.js';
import { Editor } from './editor.js';
import { Icon } from './icons.js';
import { cardsOf } from './places.js';
import type { ColumnId } from './types.js';

/** One column with its cards, and the field for a new one. */
export function Column({ id, name }: { readonly id: ColumnId; readonly name: string }) {
  const { cards, isLoading, drag, writing, setWriting, actions } = useBoardContext();
  const shown = cardsOf(cards, id);
  const isTarget = drag?.place.column === id;
  const gap = <li key="gap" className="gap" aria-hidden="true" />;
  return (
    <section className={isTarget ? 'column target' : 'column'} data-column={id} aria-labelledby={`name-${id}`}>
      <header>
        <h2 id={`name-${id}`}>{name}</h2>
        <span className="tally" title={`${shown.length} cards`}>
          {shown.length}
        </span>
      </header>
      <ul className="cards">
        {isLoading && [0, 1].map((index) => <li key={index} className="card loading" aria-hidden="true" />)}
        {shown.flatMap((card) => {
          const item = <CardItem key={card.id} card={card} />;
          return isTarget && drag.place.before === card.id ? [gap, item] : [item];
        })}
        {isTarget && drag.place.before === undefined && gap}
      </ul>
      {writing?.kind === 'add' && writing.column === id ? (
        <Editor
          label={`Title of the new card in ${name}`}
          title={writing.title}
          onType={() => {}}
          onSave={(title) => {
            actions.add(title, id);
            setWriting(undefined);
          }}
          onCancel={() => setWriting(undefined)}
        />
      ) : (
        <button type="button" className="add" onClick={() => setWriting({ kind: 'add', column: id, title: '' })}>
          <Icon name="add" />
          Add a card<span className="unseen"> to {name}</span>
        </button>
      )}
    </section>
  );
}
