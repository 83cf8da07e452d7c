import { useRef, useState } from 'react';
import { BoardContext } from './board-context.js';
import { useConnection } from './client.js';
import { Column } from './column.js';
import { Header } from './header.js';
import { OfflineBanner, Toast } from './messages.js';
import { COLUMNS } from './places.js';
import { type Refusal, useBoard, type Writing } from './use-board.js';
import { useDrag } from './use-drag.js';
import { useGlide } from './use-glide.js';
import { useMoves } from './use-moves.js';
import { usePeople } from './use-people.js';

export function App() {
  const [refusal, setRefusal] = useState<Refusal>();
  const [writing, setWriting] = useState<Writing>();
  const { cards, status, error, actions } = useBoard(setRefusal);
  const { people, writers, report } = usePeople();
  const isOnline = useConnection().kind === 'open';
  const isLoading = status === 'connecting';

  const board = useRef<HTMLElement>(null);
  const glideFrom = useGlide(board);
  const { move, spoken } = useMoves(board, cards, actions);
  const { drag, start } = useDrag(board, (id, place, copy) => {
    const card = cards.find((candidate) => candidate.id === id);
    if (card === undefined) return;
    glideFrom(id, copy);
    move(card, place);
  });
  const shared = {
    cards,
    isLoading,
    isOnline,
    actions: { ...actions, move },
    writers,
    report,
    writing,
    setWriting,
    drag,
    startDrag: start,
  };

  return (
    <BoardContext value={shared}>
      <Header people={people} />
      {!isOnline && !isLoading && <OfflineBanner waiting={cards.filter(({ pending }) => pending).length} />}
      {isOnline && error !== undefined && (
        <p className="banner" role="alert">
          {error.message}
        </p>
      )}
      <main className="board" ref={board} aria-busy={isLoading}>
        {COLUMNS.map(({ id, name }) => (
          <Column key={id} id={id} name={name} />
        ))}
      </main>
      <footer className="help">
        Drag a card, or focus it and press <kbd>Shift</kbd> with an arrow key. <kbd>Enter</kbd> edits it, and <kbd>Delete</kbd> deletes it.
      </footer>
      <p className="unseen" aria-live="polite">
        {spoken}
      </p>
      {refusal !== undefined && <Toast refusal={refusal} onRetry={setWriting} onClose={() => setRefusal(undefined)} />}
    </BoardContext>
  );
}
