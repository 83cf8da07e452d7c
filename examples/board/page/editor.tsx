import { type KeyboardEvent, useEffect, useRef, useState } from 'react';

/** The worker refuses longer titles. The page only warns, so that you can see a refusal. */
const MOST_TITLE = 200;

interface EditorProps {
  readonly label: string;
  readonly title: string;
  readonly onType: () => void;
  readonly onSave: (title: string) => void;
  readonly onCancel: () => void;
}

/** A field for a title. Enter saves, and Escape cancels. */
export function Editor({ label, title, onType, onSave, onCancel }: EditorProps) {
  const [text, setText] = useState(title);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(title.length, title.length);
  }, [title]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') onCancel();
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    onSave(text);
  };
  return (
    <form
      className="editor"
      onSubmit={(event) => {
        event.preventDefault();
        onSave(text);
      }}
    >
      <textarea
        ref={field}
        aria-label={label}
        value={text}
        rows={3}
        onChange={({ target }) => {
          setText(target.value);
          onType();
        }}
        onKeyDown={onKeyDown}
      />
      <div className="editor-row">
        <button type="submit" className="primary">
          Save
        </button>
        <button type="button" className="quiet" onClick={onCancel}>
          Cancel
        </button>
        <span className={text.length > MOST_TITLE ? 'count over' : 'count'}>
          {text.length} / {MOST_TITLE}
        </span>
      </div>
    </form>
  );
}
