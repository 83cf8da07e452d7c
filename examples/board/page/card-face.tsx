import { Avatar } from './avatar.js';
import { useBoardContext } from './board-context.js';
import type { CardActions } from './card.js';
import { Icon, type IconName } from './icons.js';
import { COLUMNS } from './places.js';
import type { ShownCard } from './types.js';

/** The title of a card, its author, whether a change of it is pending, and its buttons. */
export function CardFace({ card, actions }: { readonly card: ShownCard; readonly actions: CardActions }) {
  const { isOnline } = useBoardContext();
  const column = COLUMNS.findIndex(({ id }) => id === card.column);
  const [before, after] = [COLUMNS[column - 1], COLUMNS[column + 1]];
  return (
    <>
      <p className="title">{card.title}</p>
      <div className="meta">
        <Avatar person={card.by} />
        <span className="by">{card.by.name}</span>
        <span className="state">{card.pending && (isOnline ? 'Saving' : 'Waits')}</span>
        <span className="tools">
          <span className="grip" aria-hidden="true" onPointerDown={actions.drag}>
            <Icon name="grip" />
          </span>
          {before && <Tool icon="left" name={`Move to ${before.name}`} act={() => actions.push('ArrowLeft')} />}
          {after && <Tool icon="right" name={`Move to ${after.name}`} act={() => actions.push('ArrowRight')} />}
          <Tool icon="edit" name="Edit" act={actions.open} />
          <Tool icon="remove" name="Delete" act={actions.remove} />
        </span>
      </div>
    </>
  );
}

function Tool({ icon, name, act }: { readonly icon: IconName; readonly name: string; readonly act: () => void }) {
  return (
    <button type="button" className="tool" title={name} aria-label={name} onClick={act}>
      <Icon name={icon} />
    </button>
  );
}
