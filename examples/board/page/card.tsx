import type { KeyboardEvent, PointerEvent } from 'react';
import { colored } from './avatar.js';
import { useBoardContext } from './board-context.js';
import { CardFace } from './card-face.js';
import { Editor } from './editor.js';
import { placeTowards } from './places.js';
import type { ShownCard } from './types.js';
import type { Writer } from './use-people.js';

const ARROWS = ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown'];

/** The actions of a person on a card. */
export interface CardActions {
  readonly open: () => void;
  readonly remove: () => void;
  /** Moves the card as an arrow key does. */
  readonly push: (key: string) => void;
  readonly drag: (event: PointerEvent<HTMLElement>) => void;
}

/** One card, which keys, the mouse and buttons move. It shows who else edits it now. */
export function CardItem({ card }: { readonly card: ShownCard }) {
  const { cards, writers, report, writing, setWriting, actions, drag, startDrag } = useBoardContext();
  const writer = writers.get(card.id);
  const doThis: CardActions = {
    open() {
      setWriting({ kind: 'edit', card: card.id, title: card.title });
      report.opened(card.id);
    },
    remove: () => actions.remove(card),
    push(key) {
      const place = placeTowards(cards, card, key);
      if (place !== undefined) actions.move(card, place);
    },
    drag: (event) => startDrag(event, card.id),
  };
  const close = () => {
    setWriting(undefined);
    report.closed();
  };
  const save = (title: string) => {
    if (title !== card.title) actions.edit(card, title);
    close();
  };
  const states = { pending: card.pending, written: writer !== undefined, lifted: drag?.id === card.id };
  return (
    <li
      className={['card', ...Object.entries(states).flatMap(([name, isSo]) => (isSo ? [name] : []))].join(' ')}
      data-card={card.id}
      style={writer && colored(writer)}
      tabIndex={0}
      aria-label={card.title}
      aria-busy={card.pending}
      aria-keyshortcuts="Enter Delete Shift+ArrowLeft Shift+ArrowRight Shift+ArrowUp Shift+ArrowDown"
      onKeyDown={(event) => onKey(event, doThis)}
      onDoubleClick={(event) => isPartOf(event.target, 'button, form') || doThis.open()}
      // A finger that moves on a card scrolls the page. It drags the card by the grip.
      onPointerDown={(event) => event.pointerType === 'touch' || isPartOf(event.target, 'button, form') || doThis.drag(event)}
    >
      {writing?.kind === 'edit' && writing.card === card.id ? (
        <Editor label="Title of the card" title={writing.title} onType={() => report.typed(card.id)} onSave={save} onCancel={close} />
      ) : (
        <CardFace card={card} actions={doThis} />
      )}
      {writer !== undefined && <WriterNote writer={writer} />}
    </li>
  );
}

function WriterNote({ writer: { name, isTyping } }: { readonly writer: Writer }) {
  return (
    <p className="writer" role="status">
      {isTyping ? `${name} is typing` : `${name} edits this card`}
      {isTyping && <span className="dots" aria-hidden="true" />}
    </p>
  );
}

/** Keys of the card itself, not those of its buttons or its editor. */
function onKey(event: KeyboardEvent<HTMLElement>, { open, remove, push }: CardActions): void {
  const { key, shiftKey, currentTarget } = event;
  if (event.target !== currentTarget || !(ARROWS.includes(key) || key === 'Enter' || key === 'Delete')) return;
  event.preventDefault();
  if (key === 'Enter') open();
  else if (key === 'Delete') remove();
  else if (shiftKey) push(key);
  else neighbour(currentTarget, key)?.focus();
}

/** Returns the card that an arrow key goes to: the next one in the column, or the one at the same height in the next column. */
function neighbour(card: HTMLElement, key: string): HTMLElement | null | undefined {
  if (key === 'ArrowUp') return card.previousElementSibling as HTMLElement | null;
  if (key === 'ArrowDown') return card.nextElementSibling as HTMLElement | null;
  const column = card.closest('[data-column]');
  const next = key === 'ArrowLeft' ? column?.previousElementSibling : column?.nextElementSibling;
  const others = [...(next?.querySelectorAll<HTMLElement>('[data-card]') ?? [])];
  const height = [...(card.parentElement?.children ?? [])].indexOf(card);
  return others[Math.min(height, others.length - 1)];
}

const isPartOf = (target: EventTarget, selector: string) => target instanceof Element && target.closest(selector) !== null;
