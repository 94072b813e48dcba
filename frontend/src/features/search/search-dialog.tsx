import { type ReactNode, useState } from 'react';
import type { SearchHit } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { Dialog } from '@/components/ui/dialog';
import { Notice } from '@/components/ui/notice';
import { ShowMore } from '@/components/ui/show-more';
import { cn } from '@/lib/cn';
import { useOptions } from '@/lib/use-options';
import { Hit } from './hit';
import { useSearch } from './queries';

export interface Action {
  name: string;
  icon: ReactNode;
  run: () => void;
}

interface SearchDialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  actions: Action[];
  onHit: (hit: SearchHit) => void;
}

/** Finds messages, and what one can do. Give it a new key each time, to begin afresh. */
export function SearchDialog({ open, onOpenChange, actions, onHit }: SearchDialogProps) {
  const [words, setWords] = useState('');
  const searching = words.trim() !== '';
  const search = useSearch(words);
  const hits = searching ? (search.data?.pages.flatMap((page) => page.items) ?? []) : [];
  const fitting = actions.filter(({ name }) => name.toLowerCase().includes(words.trim().toLowerCase()));
  const run = (index: number) => {
    const hit = hits[index - fitting.length];
    onOpenChange(false);
    if (hit) onHit(hit);
    else fitting[index]?.run();
  };
  const options = useOptions(fitting.length + hits.length, run);

  const option = (index: number, key: string, content: ReactNode) => (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the text field, which keeps the focus
    <div
      key={key}
      id={options.idOf(index)}
      role="option"
      tabIndex={-1}
      aria-selected={index === options.active}
      onMouseMove={() => options.setActive(index)}
      onClick={() => run(index)}
      className={cn(
        'flex cursor-pointer items-center gap-2.5 rounded-lg px-2.5 py-2 text-sm [&_svg]:size-4 [&_svg]:shrink-0',
        index === options.active && 'bg-secondary',
      )}
    >
      {content}
    </div>
  );

  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="Search chats and actions" className="max-w-xl">
      <input
        role="combobox"
        aria-label="Search chats and actions"
        aria-expanded
        aria-controls={options.list}
        aria-activedescendant={options.activeId}
        aria-autocomplete="list"
        value={words}
        onChange={(event) => {
          setWords(event.target.value);
          options.setActive(0);
        }}
        onKeyDown={options.onKeyDown}
        maxLength={200}
        autoComplete="off"
        spellCheck={false}
        placeholder="Words, names, “exact phrases”…"
        className="h-9 w-full rounded-lg border border-input bg-background px-3 pointer-coarse:text-[1rem] text-sm"
      />
      <div
        id={options.list}
        role="listbox"
        aria-label="What was found"
        className="-mx-2 h-[44dvh] overflow-y-auto px-2"
      >
        {fitting.map((action, index) =>
          option(
            index,
            action.name,
            <>
              {action.icon}
              {action.name}
            </>,
          ),
        )}
        {hits.map((hit, index) => option(fitting.length + index, hit.message_id, <Hit hit={hit} />))}
      </div>
      {search.isError && searching && <Notice tone="error">{sentenceOf(search.error)}</Notice>}
      <p role="status" className="text-muted-foreground text-xs empty:hidden">
        {stateOf(searching, search, hits.length)}
      </p>
      {searching && <ShowMore list={search} />}
    </Dialog>
  );
}

function stateOf(searching: boolean, search: ReturnType<typeof useSearch>, found: number): string | null {
  if (!searching) return 'Type to search in all of your conversations.';
  if (search.isError) return null;
  if (search.isPending || search.isPlaceholderData) return 'Searching…';
  return found === 0 ? 'No message has these words. Try fewer of them, or only the beginning of one.' : null;
}
